// The manifold hash and its network.
export * from './manifold-hash.ts';
export { embeddingProgram, type ManifoldNetwork, manifoldStep, wideEncoder } from './network.ts';
