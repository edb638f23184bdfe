// What repeats becomes a module: the lifelong learner.
export * from './lifelong/index.ts';
