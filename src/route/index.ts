// Public names of the routing layer.
export { validateTable, columnMeans, selectRows, type EvaluationTable } from './table.ts';
export { fitKMeans, KMeans, type FeatureMap, type KMeansOptions } from './kmeans.ts';
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
export { bestSingle, zeroRouter, nearestNeighbours, nearestRows } from './baselines.ts';
export { betaInterval, betaQuantile, betaOfMoments, incompleteBeta, logGamma } from '../tensor/index.ts';
export { fitIsotonic, probabilityOf, type Isotonic } from './isotonic.ts';
export { embedAll, pooledInk, type Encoder } from './encoder.ts';
export { runCascade, fitThresholds, type CascadeResult } from './cascade.ts';
export { PathRouter, type Decision, type FitOptions, type RouterState } from './router.ts';
export { UniRoute, phiOf, type UniRouteOptions } from './uniroute.ts';
