// Tables that a network looks up instead of computing.
export * from './lookup.ts';
export * from './memory-table.ts';
export * from './ngram-hash.ts';
