// Prediction with almost no loss against a safe strategy, and several time scales in a chain of such predictions
// (Kapralov and Panigrahy, "Prediction strategies without loss", arXiv 1008.3672).
import { CairnError } from '../errors.ts';
import { checkGains, checkInteger, checkParts, checkRange, checkState } from './_check.ts';
import { DiscountedBettor } from './discounted-bettor.ts';
import { Tournament } from './tournament.ts';
import { LARGEST_THRESHOLD, OPTIMAL_THRESHOLD, tradeOff } from './trade-off.ts';
import { TwoExperts } from './two-experts.ts';
import type { Combiner, PredictorState } from './types.ts';

/**
 * The bettor that loses at most `loss` times sqrt(memory) where there is nothing to predict, and has the smallest regret
 * among those. The loss falls as T exp(-T^2) while the regret only grows as T.
 *
 * @example
 * withoutLoss({ memory: 400, loss: 0.001 }).guarantee(); // loses 0.02 at most; regret 2.6 * 20
 */
export function withoutLoss(options: { readonly memory: number; readonly loss: number }): DiscountedBettor {
  const largest = tradeOff(OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD).loss;
  checkRange('loss', options.loss, 1e-12, largest);
  let [low, high] = [OPTIMAL_THRESHOLD, LARGEST_THRESHOLD];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (tradeOff(middle, middle).loss > options.loss) low = middle;
    else high = middle;
  }
  return new DiscountedBettor({ memory: options.memory, plus: high });
}

export interface TimeScalesOptions {
  /** n_1 < n_2 < ...: one stage each. */
  readonly memories: readonly number[];
  /** A new scale is judged by a pair whose memory is so many times its own. Default 8. */
  readonly patience?: number;
  /** T+ of the pairs: the regret to the strategy before is regretPlus of (plus, minus). Default 0. */
  readonly plus?: number;
  /** T- of the pairs. Default 2: loses 0.061 sqrt(m) to the strategy before, 3.32 sqrt(m) to the new scale, m the memory. */
  readonly minus?: number;
  /** The strategy that the first stage must not lose to: weights of the experts. Default: all equal. */
  readonly safe?: readonly number[];
}

/**
 * A chain: the safe mixture, improved by a tournament of memory n_1, the result improved by one of memory n_2, and so
 * on. Each stage is a pair of experts whose special one is the strategy before it.
 *
 * @example
 * const scales = new TimeScales(3, { memories: [16, 128, 1024] });
 * scales.predictOne(); // [1/3, 1/3, 1/3]: nothing learned yet
 */
export class TimeScales implements Combiner {
  readonly experts: number;
  readonly #safe: Float64Array;
  readonly #stages: readonly { readonly pair: TwoExperts; readonly challenger: Tournament }[];
  readonly #kind: string;

  constructor(experts: number, options: TimeScalesOptions) {
    const { memories, patience = 8, plus = 0, minus = 2, safe = new Array<number>(experts).fill(1) } = options;
    checkInteger('experts', experts, 1, 1_000_000);
    checkRange('patience', patience, 1, 1e6);
    if (memories.length === 0 || memories.some((n, i) => i > 0 && !(n > memories[i - 1]!))) {
      throw new CairnError('bad_parameter', `Expected rising memories, got [${memories.join(', ')}].`, {
        hint: 'Give at least one, the shortest first.',
      });
    }
    const total = safe.reduce((sum, w) => sum + w, 0);
    if (safe.length !== experts || !safe.every((w) => w >= 0) || !(total > 0 && Number.isFinite(total))) {
      throw new CairnError('bad_parameter', `Expected ${experts} weights of the safe mixture, got other numbers.`, {
        hint: 'Give one non-negative weight for every expert, not all 0.',
      });
    }
    this.experts = experts;
    this.#safe = Float64Array.from(safe, (w) => w / total);
    this.#stages = memories.map((memory) => ({
      pair: new TwoExperts({ memory: patience * memory, plus, minus }),
      challenger: new Tournament(experts, { memory }),
    }));
    this.#kind = `time-scales(${experts};${memories.join(',')};${patience};${plus},${minus};${this.#safe.join(',')})`;
  }

  predictOne(): Float64Array {
    const weights = this.#safe.slice();
    for (const { pair, challenger } of this.#stages) mix(weights, challenger.predictOne(), pair.weight());
    return weights;
  }

  learnOne(gains: ArrayLike<number>): void {
    checkGains(gains, this.experts);
    const weights = this.#safe.slice();
    for (const { pair, challenger } of this.#stages) {
      const other = challenger.predictOne();
      const weight = pair.weight();
      const [before, challenged] = [dot(weights, gains), dot(other, gains)];
      mix(weights, other, weight);
      pair.learnOne(before, challenged);
      challenger.learnOne(gains);
    }
  }

  state(): PredictorState {
    return {
      kind: this.#kind,
      values: [],
      parts: this.#stages.flatMap(({ pair, challenger }) => [pair.state(), challenger.state()]),
    };
  }

  restore(state: PredictorState): this {
    checkState(state, this.#kind, 0);
    const parts = checkParts(state, 2 * this.#stages.length);
    const before = this.state().parts!;
    const set = (all: readonly PredictorState[]): void =>
      this.#stages.forEach(({ pair, challenger }, i) => {
        pair.restore(all[2 * i]!);
        challenger.restore(all[2 * i + 1]!);
      });
    try {
      set(parts);
    } catch (error) {
      set(before);
      throw error;
    }
    return this;
  }
}

/** weights = weight * weights + (1 - weight) * other. */
function mix(weights: Float64Array, other: Float64Array, weight: number): void {
  for (let k = 0; k < weights.length; k++) weights[k] = weight * weights[k]! + (1 - weight) * other[k]!;
}

/** The gain of a mixture; rounding must not push it out of [-1,1]. */
function dot(weights: Float64Array, gains: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += weights[k]! * gains[k]!;
  return Math.max(-1, Math.min(1, sum));
}
