// The routing protocol: trials, baselines and their comparison.
export { METHODS, runTrial, type Method, type TrialFigures, type TrialOptions } from './trial.ts';
export { calibration, type Calibration, type ReliabilityBin } from './calibration.ts';
export { comparePaired, meanOf, signTest, type PairedComparison } from './paired.ts';
export { fitRidge, predictRidge, type Ridge } from './ridge.ts';
