// One model for many tasks, or a module for each: bound, codes, formulations and the decision.
export { type Decision, type DecideOptions, decideFormulation, FormulationMeter } from './decide.ts';
export { codeTree, type CodeTreeOptions } from './code-tree.ts';
export { modulePerCode, type PerCodeOptions, sharedNetwork, type SharedNetworkOptions } from './formulations.ts';
export { clusterCodes, type ClusterOptions, type CodeClusters } from './task-codes.ts';
export { type Fitted, type Formulation, pickRows, type Predictor, rSquared, type TaskData } from './task-data.ts';
export { type Expression, samplesByBound, type SeriesName, tilde } from './tilde.ts';
export * as expressions from './tilde.ts';
