// A pool of arms and the router over it.
export {
  costOf,
  estimateArm,
  expectedCost,
  labelledUnder,
  posteriorVariance,
  type ArmEstimate,
  type ArmRecord,
  type EstimateOptions,
  type Labelled,
} from './arm.ts';
export { leaveOneOut } from './leave-one-out.ts';
export { measureCurve, resolvePoint, type MeasuredPoint, type OperatingChoice, type PoolCurve } from './operating.ts';
export {
  PromptRouter,
  type Candidate,
  type PromptDecision,
  type RouteLimits,
  type RouterParts,
} from './prompt-router.ts';
export {
  armsOf,
  fitMap,
  fitRouter,
  fitRouterWith,
  remoteFeatures,
  selectedMap,
  validationOf,
  type MapKind,
  type MapOptions,
  type RouterFitOptions,
} from './fit.ts';
export { fromFiles, loadRouter, saveRouter, toFiles, type RouterCard } from './card.ts';
export { addFromTable, LEAST_SCORES } from './add.ts';
export { contrastLoss, K_CANDIDATES, N0_CANDIDATES, select, type Selection, type SelectionData } from './select.ts';
export {
  Confidence,
  finiteSampleBound,
  type Difference,
  type FiniteSampleBound,
  type UncertaintyPolicy,
} from './confidence.ts';
export { RemoteRouting, type RemoteDecision } from './remote-routing.ts';
