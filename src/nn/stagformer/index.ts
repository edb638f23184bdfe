// Staggered stacks of layers and their decoding on several threads.
export { combineStacks, hasEarlier, runStack, runStacks } from './stacks.ts';
export type { CrossMemory } from './cross.ts';
