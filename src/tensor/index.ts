// Public names of the tensor layer.
export { Rng } from './rng.ts';
export * from './linalg/index.ts';
export * from './half.ts';
export * from './safetensors.ts';
export * from './safetensors-file.ts';
