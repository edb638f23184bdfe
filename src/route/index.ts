// Public names of the routing layer.
export { validateTable, columnMeans, selectRows, type EvaluationTable } from './table.ts';
export * from './tables/index.ts';
export * from './features/index.ts';
export * from './pool/index.ts';
export * from './feedback/index.ts';
export * from './trials/index.ts';
export * from './profile/index.ts';
export {
  armsOfModel,
  CAP_MARGIN,
  outputCap,
  retryAfterCap,
  shareBudgets,
  TokenRatio,
  type BudgetObservations,
  type CallEnd,
  type ModelArm,
  type SharedBudgets,
  type SharingOptions,
} from './arms.ts';
export { compareShares, DriftWatch, type DriftOptions, type DriftState } from './drift.ts';
export {
  lostCache,
  stick,
  type StickyCandidate,
  type StickyChoice,
  type StickyOptions,
  type StickySession,
} from './sticky.ts';
export { generatePool, type GeneratedPool, type GeneratedPoolOptions } from './generated-pool.ts';
export { humanAsk, stripHarness, defaultHarness, type ChatMessage, type HarnessRules } from './ask.ts';
export { fitKMeans, KMeans, type FeatureMap, type KMeansOptions } from './kmeans.ts';
export {
  fitLearnedMap,
  LearnedMap,
  mapLoss,
  thetaOf,
  type LearnedMapOptions,
  type MapTraining,
} from './learned-map.ts';
export { BaggedMap, mapsOf, phiOfRows, psiUnder } from './bagged-map.ts';
export { compileMap } from './compiled-map.ts';
export { estimatePsi, expected, shrink, oneHot, type Estimator, type Psi, type PsiOptions } from './psi.ts';
export { plugIn, ranking, lambdaGrid, chooseLambda, type OperatingPoint } from './rule.ts';
export {
  cleanCurve,
  deferralCurve,
  curveFigures,
  qualityAt,
  dearest,
  type CurveFigures,
  type DeferralCurve,
} from './deferral.ts';
export * from './pareto.ts';
export { bestSingle, zeroRouter, nearestNeighbours, nearestRows } from './baselines.ts';
export { betaInterval, betaQuantile, betaOfMoments, incompleteBeta, logGamma } from '../tensor/index.ts';
export { fitIsotonic, probabilityOf, type Isotonic } from './isotonic.ts';
export { embedAll, pooledInk, type Encoder } from './encoder.ts';
export { runCascade, fitThresholds, type CascadeResult } from './cascade.ts';
export { PathRouter, type Decision, type FitOptions, type RouterState } from './router.ts';
export { UniRoute, phiOf, type UniRouteOptions } from './uniroute.ts';
