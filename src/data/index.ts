// data/: what comes in — tokenizers, digit images and seeded batches. No network access.
export { withAddedTokens } from './added-tokens.ts';
export * from './audio/index.ts';
export * from './batches.ts';
export * from './image/index.ts';
export { bpeTokenizer, trainBpe } from './bpe.ts';
export { byteTokenizer, charTokenizer } from './char-tokenizer.ts';
export * from './mnist.ts';
export * from './omniglot.ts';
export { StreamDecoder, type Tokenizer, type TokenizerFile } from './tokenizer.ts';
export { tokenizerFromFile } from './tokenizer-file.ts';
export * from './warp.ts';
export * from './warp-drawing.ts';
export * from './zip.ts';
export * from './sprites.ts';
