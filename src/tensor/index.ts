// Public names of the tensor layer.
export { Rng } from './rng.ts';
export * from './linalg/index.ts';
