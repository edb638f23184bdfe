// Online prediction: bettors and combiners with regret guarantees under drift, hindsight, and a meter of predictability.
export type { Bettor, Combiner, Predictor, PredictorState } from './types.ts';
export { dawson, erfi, frontier, OPTIMAL_THRESHOLD, PayoffFunction, tradeOff, type TradeOff } from './trade-off.ts';
export { DiscountedBettor, type DiscountedGuarantee, type DiscountedOptions } from './discounted-bettor.ts';
export { OppositeBets, TwoExperts } from './two-experts.ts';
export { Tournament, type TournamentOptions } from './tournament.ts';
export { FixedHorizon, type FixedHorizonOptions } from './fixed-horizon.ts';
export { RandomPlayout, type RandomPlayoutOptions } from './random-playout.ts';
export { TimeScales, type TimeScalesOptions, withoutLoss } from './time-scales.ts';
export {
  type Cuts,
  fairBits,
  intervalConstant,
  type IntervalConstantOptions,
  type IntervalValue,
  intervalValue,
} from './interval-value.ts';
export { IntervalBettor, type IntervalOptions } from './interval-bettor.ts';
export { DyadicBettor, type DyadicOptions } from './dyadic-bettor.ts';
export { segment, type Segment, type Segmentation, type SegmentOptions } from './segment.ts';
export { equalKappa, fractalBits, type FractalMoments, fractalMoments, hurstOf } from './fractal.ts';
export {
  type Banded,
  predictability,
  type Predictability,
  PredictabilityMeter,
  type ReadingOptions,
  type ScaleReading,
} from './predictability.ts';
export { Bandit, type BanditOptions, type BanditOutcome } from './bandit.ts';
export { RegretMeter } from './regret-meter.ts';
export {
  bettorSubject,
  combinerSubject,
  type ConformanceCase,
  conformanceCases,
  type ConformanceOptions,
  STYLES,
  type Style,
  type Subject,
} from './conformance.ts';
