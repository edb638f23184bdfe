// nn/: networks as plain data, training, generation, model directories, and the digit readers.
export { attention, type AttentionOptions, type KeyValue } from './attention.ts';
export * from './calibrate.ts';
export * from './checkpoint.ts';
export * from './classifier.ts';
export * from './config.ts';
export * from './decoder.ts';
export * from './digit-readers.ts';
export * from './directory.ts';
export { activate, forward } from './forward.ts';
export * from './generate.ts';
export * from './lm.ts';
export * from './module.ts';
export * from './sampling.ts';
export * from './schedule.ts';
export * from './train-readers.ts';
export * from './train-step.ts';
export * from './trainer.ts';
export * from './transformer.ts';
