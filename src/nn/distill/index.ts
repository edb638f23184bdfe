// A student learns from k next tokens of a teacher at each place, kept in a file.
export * from './draw.ts';
export * from './losses.ts';
export * from './teacher-file.ts';
export * from './write-teacher.ts';
