export { checkCertificate } from './check.ts';
export { diagnose, type Diagnosis } from './diagnose.ts';
export { countFast, hasOther } from './fast.ts';
export { generateSudoku, isRedundant, randomGrid, type GeneratedSudoku, type GenerateOptions } from './generate.ts';
export {
  clashes,
  clueCount,
  formatGrid,
  geometryOf,
  isSolution,
  parseGrid,
  sizeOf,
  type Geometry,
  type Grid,
  type Size,
} from './geometry.ts';
export {
  repairReading,
  type ChangedCell,
  type ConsistentBoard,
  type RepairAnswer,
  type RepairOptions,
  type RepairResult,
  type RepairWithheld,
  type WithheldReason,
} from './repair.ts';
export { countReference, searchProof, type Proof } from './reference.ts';
export { certifyTrace, countSolutions, proveSudoku, solveUnique, type Verdict } from './solve.ts';
export { applySymmetry, classKey, invertSymmetry, randomSymmetry, type Symmetry } from './symmetry.ts';
export { gradeSudoku, strategyOrder, traceSolve, type Tier, type TraceOptions, type TraceResult } from './trace.ts';
export type { CheckResult, PlaceStep, RemoveStep, Step, Strategy, SudokuCertificate, Trace } from './types.ts';
