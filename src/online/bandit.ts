// Combining when only the gain of what was chosen is seen: importance-weighted losses make any combiner of experts one
// for bandit feedback. The guarantee then holds in expectation and is 1 / (smallest propensity) times as large, or only the
// root of that where the combiner's bettors know how small the mean square of their payoffs is.
import { CairnError } from '../errors.ts';
import { checkBit, checkInteger, checkRange } from './_check.ts';
import type { Combiner, Predictor, PredictorState } from './types.ts';

export interface BanditOptions {
  readonly experts: number;
  /** Makes the combiner that learns from estimated gains; `deviation` is for its `DiscountedOptions`. */
  readonly combiner: (deviation: number) => Combiner;
  /** Share of all choices spread evenly over the experts, so that each is seen now and then. Default 0.05. */
  readonly exploration?: number;
}

/** What is known after a choice. */
export interface BanditOutcome {
  /** The chosen arm. Without `advice`, arms are the experts themselves. */
  readonly chosen: number;
  /** Its gain in [-1,1]. */
  readonly gain: number;
  /** The arm that each expert would have chosen: experts that agree with the choice learn from it too. */
  readonly advice?: ArrayLike<number>;
  /**
   * The chance with which `chosen` was drawn, for outcomes that arrive late. Default: that of the present weights, which
   * is right when the outcome is learned before any other.
   */
  readonly propensity?: number;
}

/**
 * Draws experts by a combiner's weights with a floor, and feeds the combiner unbiased estimates of all gains, scaled
 * into its range. A propensity below the floor counts as the floor.
 *
 * @example
 * const combiner = (deviation: number) => new Tournament(3, { memory: 1000, deviation });
 * const bandit = new Bandit({ experts: 3, combiner });
 * const chosen = rng.categorical(bandit.predictOne());
 * bandit.learnOne({ chosen, gain: 0.5 });
 */
export class Bandit implements Predictor<Float64Array, BanditOutcome> {
  readonly experts: number;
  /** The smallest propensity: regrets in expectation are those of the combiner divided by it. */
  readonly floor: number;
  readonly #combiner: Combiner;
  readonly #exploration: number;

  constructor(options: BanditOptions) {
    const { experts, combiner, exploration = 0.05 } = options;
    checkInteger('experts', experts, 1, 1_000_000);
    checkRange('exploration', exploration, 1e-6, 1);
    this.experts = experts;
    this.floor = exploration / experts;
    this.#exploration = exploration;
    this.#combiner = combiner(Math.sqrt(this.floor));
    checkInteger('experts of the combiner', this.#combiner.experts, experts, experts);
  }

  /** The chances with which to draw an expert. */
  predictOne(): Float64Array {
    return this.#combiner.predictOne().map((w) => (1 - this.#exploration) * w + this.floor);
  }

  /** The chance that `arm` is chosen when expert k would choose `advice[k]`. */
  propensityOf(arm: number, advice: ArrayLike<number>): number {
    this.#checkAdvice(advice);
    return this.predictOne().reduce((sum, w, k) => (advice[k] === arm ? sum + w : sum), 0);
  }

  learnOne(outcome: BanditOutcome): void {
    const { chosen, gain, advice } = outcome;
    checkBit(gain);
    if (advice === undefined) checkInteger('the chosen arm', chosen, 0, this.experts - 1);
    else this.#checkAdvice(advice);
    const arms = advice ?? Array.from({ length: this.experts }, (_, k) => k);
    const propensity = outcome.propensity ?? this.propensityOf(chosen, arms);
    if (!(propensity > 0 && propensity <= 1 + 1e-9)) {
      throw new CairnError('bad_outcome', `Expected a propensity in (0,1], got ${propensity}.`, {
        hint: 'Give the chance with which the arm was drawn; an arm that no expert advises teaches nothing.',
      });
    }
    const loss = ((1 - gain) / 2) * Math.min(1, this.floor / propensity);
    this.#combiner.learnOne(Float64Array.from(arms, (arm) => (arm === chosen ? 1 - 2 * loss : 1)));
  }

  #checkAdvice(advice: ArrayLike<number>): void {
    if (advice.length !== this.experts) {
      throw new CairnError('bad_outcome', `Expected the advice of ${this.experts} experts, got ${advice.length}.`, {
        hint: 'Give one arm for every expert.',
      });
    }
  }

  state(): PredictorState {
    return { kind: `bandit(${this.#exploration})`, values: [], parts: [this.#combiner.state()] };
  }

  restore(state: PredictorState): this {
    const [part] = state.parts ?? [];
    if (state.kind !== `bandit(${this.#exploration})` || part === undefined) {
      throw new CairnError('bad_state', `Expected the state of bandit(${this.#exploration}), got ${state.kind}.`, {
        hint: 'Restore into a predictor made with the same options.',
      });
    }
    this.#combiner.restore(part);
    return this;
  }
}
