// The bettor that wins f_c: regret O(sqrt of the length) on the intervals of every partition at once (arXiv 1304.7577), by
// completing the sequence at random. Exact for all partitions, O(T^2) a step; `dyadic-bettor.ts` is the fast relative.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import { checkBit, checkInteger, checkState } from './_check.ts';
import { checkConstant, fairBits, lastCut, penalties } from './interval-value.ts';
import type { Bettor, PredictorState } from './types.ts';

export interface IntervalOptions {
  /** T: the game ends after so many steps and a new one begins. At most 4096. */
  readonly horizon: number;
  /** c: at or above c(T), payoff f_c is won in the mean. Default 2.1, which is c(T) for T near 1000. */
  readonly constant?: number;
  /** Which partitions are competed with. Default `all`. */
  readonly cuts?: 'all' | 'dyadic';
  /** Random completions averaged for each bet, or `every` one (horizon up to 16): then the payoff is exact. Default 4. */
  readonly completions?: number | 'every';
  readonly rng: Rng;
}

/**
 * Payoff on any sequence of bits, in the mean over the completions: f_c - E f_c.
 *
 * @example
 * const bettor = new IntervalBettor({ horizon: 256, rng: new Rng(1) });
 * bettor.learnOne(1);
 * bettor.predictOne();
 */
export class IntervalBettor implements Bettor {
  readonly horizon: number;
  readonly constant: number;
  readonly #cuts: 'all' | 'dyadic';
  readonly #completions: number | 'every';
  readonly #rng: Rng;
  readonly #penalty: Float64Array;
  readonly #sums: Float64Array; // of the first j bits of this game
  readonly #values: Float64Array; // of the first j bits
  #step = 0;
  #game = 0;
  #bet: number | undefined;

  constructor(options: IntervalOptions) {
    const { horizon, constant = 2.1, cuts = 'all', completions = 4, rng } = options;
    checkInteger('horizon', horizon, 1, completions === 'every' ? 16 : 4096);
    checkConstant(constant);
    if (completions !== 'every') checkInteger('completions', completions, 1, 10_000);
    this.horizon = horizon;
    this.constant = constant;
    this.#cuts = cuts;
    this.#completions = completions;
    this.#rng = rng;
    this.#penalty = penalties(horizon, constant);
    this.#sums = new Float64Array(horizon + 1);
    this.#values = new Float64Array(horizon + 1);
  }

  predictOne(): number {
    this.#bet ??= this.#findBet();
    return this.#bet;
  }

  learnOne(bit: number): void {
    checkBit(bit);
    this.#bet = undefined;
    this.#append(this.#sums[this.#step]! + bit);
    if (this.#step === this.horizon) [this.#step, this.#game] = [0, this.#game + 1];
  }

  /** One more bit, after which all of this game sum to `sum`. */
  #append(sum: number): void {
    const j = ++this.#step;
    this.#sums[j] = sum;
    const from = lastCut(this.#values, this.#sums, this.#penalty, j, this.#cuts);
    this.#values[j] = this.#values[from]! + Math.abs(sum - this.#sums[from]!) - this.#penalty[j - from]!;
  }

  #findBet(): number {
    const left = this.horizon - this.#step - 1;
    let total = 0;
    if (this.#completions === 'every') {
      const rest = new Float64Array(left);
      for (let word = 0; word < 2 ** left; word++) {
        for (let k = 0; k < left; k++) rest[k] = ((word >> k) & 1) === 0 ? -1 : 1;
        total += this.#betFor(rest);
      }
      return clip(total / 2 ** left);
    }
    const rng = this.#rng.fork(this.#game).fork(this.#step);
    for (let k = 0; k < this.#completions; k++) total += this.#betFor(fairBits(rng, left));
    return clip(total / this.#completions);
  }

  /** (h(+1) - h(-1)) / 2 when the bits after this one are `rest`: the interval of this bit may start and end anywhere. */
  #betFor(rest: Float64Array): number {
    const t = this.#step;
    const penalty = this.#penalty;
    const after = suffixValues(rest, penalty, this.#cuts); // Q
    const ahead = new Float64Array(rest.length + 1); // R
    for (let m = 0; m < rest.length; m++) ahead[m + 1] = ahead[m]! + rest[m]!;
    const dyadic = this.#cuts === 'dyadic';
    let [up, down] = [-Infinity, -Infinity];
    for (let i = 0; i <= t; i++) {
      const before = this.#values[i]!;
      const sum = this.#sums[t]! - this.#sums[i]!;
      for (let m = dyadic ? nextPower(t - i + 1) - (t - i + 1) : 0; m <= rest.length;) {
        const length = t - i + 1 + m;
        const base = before + after[m]! - penalty[length]!;
        const s = sum + ahead[m]!;
        up = Math.max(up, base + Math.abs(s + 1));
        down = Math.max(down, base + Math.abs(s - 1));
        m += dyadic ? length : 1;
      }
    }
    return (up - down) / 2;
  }

  state(): PredictorState {
    return { kind: this.#kind(), values: [this.#game, ...this.#sums.subarray(1, this.#step + 1)] };
  }

  restore(state: PredictorState): this {
    const { length } = state.values;
    if (length < 1 || length > this.horizon) {
      throw new CairnError('bad_state', `Expected a game of fewer than ${this.horizon} bits, got ${length - 1}.`, {
        hint: 'The stored state is damaged; start anew.',
      });
    }
    const valid = ([game, ...sums]: readonly number[]): boolean =>
      Number.isInteger(game) && game! >= 0 && sums.every((sum, i) => Math.abs(sum - (sums[i - 1] ?? 0)) <= 1 + 1e-9);
    const [game, ...sums] = checkState(state, this.#kind(), length, valid);
    this.#step = 0;
    for (const sum of sums) this.#append(sum);
    this.#game = game!;
    this.#bet = undefined;
    return this;
  }

  #kind(): string {
    return `interval(${this.horizon},${this.constant},${this.#cuts},${this.#completions})`;
  }
}

/** The value of rest[m:] for every m. */
function suffixValues(rest: Float64Array, penalty: Float64Array, cuts: 'all' | 'dyadic'): Float64Array {
  const length = rest.length;
  const sums = new Float64Array(length + 1);
  const values = new Float64Array(length + 1);
  for (let j = 1; j <= length; j++) {
    sums[j] = sums[j - 1]! + rest[length - j]!;
    const from = lastCut(values, sums, penalty, j, cuts);
    values[j] = values[from]! + Math.abs(sums[j]! - sums[from]!) - penalty[j - from]!;
  }
  return values.reverse();
}

/** The smallest power of two that is at least `length`. */
function nextPower(length: number): number {
  let power = 1;
  while (power < length) power *= 2;
  return power;
}

function clip(x: number): number {
  return x > 1 ? 1 : x < -1 ? -1 : x;
}
