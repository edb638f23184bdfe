// The one interface of online prediction: predict, then learn what happened. A bettor bets on bits, a combiner weighs
// experts; a bettor is the combiner of two opposite experts.

/** Everything a predictor needs to go on where it stopped; plain JSON. */
export interface PredictorState {
  /** Names the predictor and its parameters; `restore` refuses the state of another one. */
  readonly kind: string;
  readonly values: readonly number[];
  readonly parts?: readonly PredictorState[];
}

/**
 * Predicts one step ahead and learns from the outcome. `predictOne` changes nothing: asking twice gives the same answer,
 * and a step may be learned without having been asked for.
 */
export interface Predictor<Prediction, Outcome> {
  predictOne(): Prediction;
  /** @throws CairnError `bad_outcome` when the outcome is out of range; the state is then unchanged. */
  learnOne(outcome: Outcome): void;
  state(): PredictorState;
  /** @throws CairnError `bad_state` for the state of another predictor. */
  restore(state: PredictorState): this;
}

/** Bets g in [-1,1] before a bit (or payoff) b in [-1,1] arrives; the gain is b g. */
export type Bettor = Predictor<number, number>;

/** Weighs N experts (non-negative, sum 1) before their gains in [-1,1] arrive; its gain is the weighted mean. */
export interface Combiner extends Predictor<Float64Array, ArrayLike<number>> {
  readonly experts: number;
}
