// Staggered stacks of layers and their decoding on several threads.
export { combineStacks, hasEarlier, runStack, runStacks } from './stacks.ts';
export type { CrossMemory } from './cross.ts';
export { createStackDecoder, type StackDecoder, type StackDecoderOptions, whyNotStacked } from './stack-decoder.ts';
