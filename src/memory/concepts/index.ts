// Concepts: what sets of points have in common, as polynomial equations; found, tested, combined, merged and forgotten.
export { FEATURE_GRID, FeatureMap, type FeatureSpec } from './features.ts';
export { Moments } from './moments.ts';
export { chooseCut, type Cut, type CutOptions, type CutState } from './cut.ts';
export { MomentSignature, type SignatureOptions } from './moment-signature.ts';
export { energyOff, memberThreshold, START_THRESHOLD } from './threshold.ts';
export {
  andOf,
  commonOf,
  conceptSimilarity,
  type LiftedSignature,
  orExact,
  orHull,
  type SimilarityKind,
} from './algebra.ts';
export { SignatureIndex, type SimilarConcept } from './signature-index.ts';
export { type Attention, localMoments, localSignature } from './attention.ts';
export {
  discover as discoverConcepts,
  type DiscoveredConcept,
  type DiscoverOptions as DiscoverConceptsOptions,
} from './discover.ts';
export { familiesOf, type Family, liftPoint, sharedEquations } from './families.ts';
export { type Concept } from './concept.ts';
export {
  type BookOptions,
  ConceptBook,
  type Consolidation,
  type Membership,
  type Observed,
  type PointId,
} from './concept-book.ts';
export {
  ellipsoidSource,
  linearSource,
  mixture,
  type PointSource,
  randomRows,
  relatedSources,
  spanSource,
} from './synthetic.ts';
