// A student learns from the k likeliest next tokens of a teacher, kept in a file.
export * from './losses.ts';
export * from './teacher-file.ts';
export * from './write-teacher.ts';
