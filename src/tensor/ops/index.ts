// Ops and composites as functions of tensors.
export * from './activation.ts';
export * from './elementwise.ts';
export * from './indexing.ts';
export * from './matmul.ts';
export * from './norm.ts';
export * from './reduce.ts';
export * from './reshape.ts';
export * from './tape.ts';
