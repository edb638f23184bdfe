// What repeats becomes a module: the lifelong learner, and whether tasks share one model or get one each.
export * from './formulation/index.ts';
export * from './lifelong/index.ts';
export * from './circuits/index.ts';
