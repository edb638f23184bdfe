// data/: what comes in — tokenizers, digit images and seeded batches. No network access.
export * from './batches.ts';
export * from './mnist.ts';
export * from './tokenizer.ts';
export * from './warp.ts';
