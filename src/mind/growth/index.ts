// Growth: what repeats in a memory becomes a concept, a named pattern, a module of its own.
export { Growths, type Seeds, type Soil } from './growths.ts';
export { callStreams } from './call-streams.ts';
export { type StreamSource } from './patterns.ts';
export { type Distilled, type Distiller, type DistilOptions, type Example } from './distil.ts';
export { compareTrials, type Comparison, type Trial } from './_compare.ts';
export type {
  CircuitGrowth,
  ConceptGrowth,
  ConceptLoss,
  ConceptMember,
  ConceptShape,
  ConceptView,
  Estimate,
  Growth,
  GrowthKind,
  GrowthPolicy,
  GrowthService,
  GrowthStatus,
  ModuleGrowth,
  PatternNode,
} from './types.ts';
