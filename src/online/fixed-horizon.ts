// Cover's bettor for a known number of steps: payoff exactly |S_N| - E|S_N| on every sequence of bits, so regret
// E|S_N| ~ sqrt(2 N / pi), the best possible. Source: Cover, "Behavior of sequential predictors of binary sequences" (1965).
import { erfOf } from '../tensor/index.ts';
import { checkBit, checkInteger, checkState } from './_check.ts';
import type { Bettor, PredictorState } from './types.ts';

export interface FixedHorizonOptions {
  /** N: the game ends after so many steps and a new one begins. */
  readonly horizon: number;
  /** `exact` averages over all completions, `erf` is its limit and takes constant time. Default `exact`. */
  readonly rule?: 'exact' | 'erf';
}

/**
 * Bets the mean of the two outcomes' values over fair completions. Steps beyond the horizon begin a game anew.
 *
 * @example
 * const bettor = new FixedHorizon({ horizon: 3 });
 * bettor.learnOne(1);
 * bettor.predictOne(); // 0.5: the sum stays positive with chance 3/4, falls to a tie with the rest
 */
export class FixedHorizon implements Bettor {
  readonly horizon: number;
  readonly #exact: boolean;
  #step = 0;
  #sum = 0;

  constructor(options: FixedHorizonOptions) {
    const { horizon, rule = 'exact' } = options;
    checkInteger('horizon', horizon, 1, 1_000_000);
    this.horizon = horizon;
    this.#exact = rule === 'exact';
  }

  /** E|S_N| for fair bits: the regret of the exact rule. */
  regret(): number {
    return meanAbsolute(0, this.horizon);
  }

  predictOne(): number {
    const left = this.horizon - this.#step - 1;
    if (!this.#exact) return clip(erfOf(this.#sum / Math.sqrt(2 * (left + 1))));
    return clip((meanAbsolute(this.#sum + 1, left) - meanAbsolute(this.#sum - 1, left)) / 2);
  }

  learnOne(bit: number): void {
    checkBit(bit);
    this.#sum += bit;
    if (++this.#step === this.horizon) [this.#step, this.#sum] = [0, 0];
  }

  state(): PredictorState {
    return { kind: this.#kind(), values: [this.#step, this.#sum] };
  }

  restore(state: PredictorState): this {
    const valid = ([step, sum]: readonly number[]): boolean =>
      Number.isInteger(step) && step! >= 0 && step! < this.horizon && Math.abs(sum!) <= step!;
    const [step, sum] = checkState(state, this.#kind(), 2, valid);
    [this.#step, this.#sum] = [step!, sum!];
    return this;
  }

  #kind(): string {
    return `fixed-horizon(${this.horizon},${this.#exact ? 'exact' : 'erf'})`;
  }
}

function clip(x: number): number {
  return x > 1 ? 1 : x < -1 ? -1 : x;
}

/** E|y + S_m| for m fair bits, summed from the middle out until the rest is below 1e-18. */
function meanAbsolute(y: number, m: number): number {
  const middle = m >> 1;
  let up = centralBinomial(m);
  let down = up;
  let total = up * Math.abs(y + 2 * middle - m);
  for (let k = 1; k <= m - middle; k++) {
    up *= (m - middle - k + 1) / (middle + k);
    total += up * Math.abs(y + 2 * (middle + k) - m);
    if (k <= middle) {
      down *= (middle - k + 1) / (m - middle + k);
      total += down * Math.abs(y + 2 * (middle - k) - m);
    }
    if (up * m < 1e-18 && down * m < 1e-18) break;
  }
  return total;
}

/** binomial(m, floor(m/2)) / 2^m. */
function centralBinomial(m: number): number {
  let value = 1;
  for (let k = 1; k <= m >> 1; k++) value *= (2 * k - 1) / (2 * k);
  return m % 2 === 0 ? value : value * (m / (m + 1));
}
