// The streaming form of the interval bettor: partitions into aligned dyadic blocks, a few numbers a level, O(log T) for a
// bet and each completion, O(1) amortised to learn. A smaller constant against a weaker comparator (arXiv 1304.7577).
import type { Rng } from '../tensor/index.ts';
import { checkBit, checkInteger, checkState } from './_check.ts';
import { checkConstant, fairBits, intervalConstant } from './interval-value.ts';
import type { Bettor, PredictorState } from './types.ts';

export interface DyadicOptions {
  /** T, a power of two up to 2^16: the largest block; a new game begins after it. */
  readonly horizon: number;
  /** c. Default: c(T) of this horizon, estimated from `rng` when the bettor is made. */
  readonly constant?: number;
  /** Fair strings of length T drawn for each game and averaged over. Default 16. */
  readonly completions?: number;
  readonly rng: Rng;
}

/**
 * Payoff on any sequence chosen before the game, in the mean over the strings: f_c - E f_c, where f_c is the value of
 * the best partition into aligned dyadic blocks. A sequence that reacts to the bets could learn the strings of a game.
 *
 * @example
 * const bettor = new DyadicBettor({ horizon: 1024, rng: new Rng(1) });
 * bettor.learnOne(1);
 * bettor.predictOne();
 */
export class DyadicBettor implements Bettor {
  readonly horizon: number;
  readonly constant: number;
  readonly #levels: number;
  readonly #completions: number;
  readonly #rng: Rng;
  readonly #penalty: Float64Array; // c sqrt(2^k)
  readonly #leftSums: Float64Array; // the finished left block of every level
  readonly #leftValues: Float64Array;
  readonly #sums: Float64Array; // [completions, 2 T] trees of the fair strings, root at 1
  readonly #values: Float64Array;
  #step = 0;
  #game = 0;
  #drawn = -1;

  constructor(options: DyadicOptions) {
    const { horizon, completions = 16, rng } = options;
    checkInteger('horizon', horizon, 1, 65_536);
    checkInteger('log2 of the horizon', Math.log2(horizon), 0, 16);
    checkInteger('completions', completions, 1, 4096);
    const { constant = intervalConstant({ horizon, rng: rng.fork('constant'), cuts: 'tree' }).constant } = options;
    checkConstant(constant);
    this.horizon = horizon;
    this.constant = constant;
    this.#levels = Math.log2(horizon);
    this.#completions = completions;
    this.#rng = rng.fork('games');
    this.#penalty = Float64Array.from({ length: this.#levels + 1 }, (_, k) => constant * Math.sqrt(2 ** k));
    this.#leftSums = new Float64Array(this.#levels + 1);
    this.#leftValues = new Float64Array(this.#levels + 1);
    this.#sums = new Float64Array(2 * horizon * completions);
    this.#values = new Float64Array(2 * horizon * completions);
  }

  predictOne(): number {
    if (this.#drawn !== this.#game) this.#draw();
    let total = 0;
    for (let k = 0; k < this.#completions; k++) total += this.#root(1, k) - this.#root(-1, k);
    const bet = total / (2 * this.#completions);
    return bet > 1 ? 1 : bet < -1 ? -1 : bet;
  }

  /** The value of the whole game when this bit is `bit` and the blocks right of it are those of fair string `k`. */
  #root(bit: number, k: number): number {
    const [sums, values, penalty] = [this.#sums, this.#values, this.#penalty];
    let sum = bit;
    let value = Math.abs(bit) - penalty[0]!;
    let node = 2 * this.horizon * k + this.horizon + this.#step;
    const base = 2 * this.horizon * k;
    for (let level = 0; level < this.#levels; level++) {
      const local = node - base;
      const isRight = (local & 1) === 1;
      sum += isRight ? this.#leftSums[level]! : sums[node + 1]!;
      value += isRight ? this.#leftValues[level]! : values[node + 1]!;
      const whole = Math.abs(sum) - penalty[level + 1]!;
      if (whole > value) value = whole;
      node = base + (local >> 1);
    }
    return value;
  }

  learnOne(bit: number): void {
    checkBit(bit);
    let sum = bit;
    let value = Math.abs(bit) - this.#penalty[0]!;
    let level = 0;
    for (let t = this.#step; (t & 1) === 1 && level < this.#levels; t >>= 1, level++) {
      sum += this.#leftSums[level]!;
      value = Math.max(value + this.#leftValues[level]!, Math.abs(sum) - this.#penalty[level + 1]!);
    }
    this.#leftSums[level] = sum;
    this.#leftValues[level] = value;
    if (++this.#step === this.horizon) [this.#step, this.#game] = [0, this.#game + 1];
  }

  /** Draws the fair strings of this game and fills their trees. */
  #draw(): void {
    const size = 2 * this.horizon;
    for (let k = 0; k < this.#completions; k++) {
      const sums = this.#sums.subarray(k * size, (k + 1) * size);
      const values = this.#values.subarray(k * size, (k + 1) * size);
      sums.set(fairBits(this.#rng.fork(this.#game).fork(k), this.horizon), this.horizon);
      values.fill(1 - this.#penalty[0]!, this.horizon);
      for (let node = this.horizon - 1; node >= 1; node--) {
        const level = this.#levels - (31 - Math.clz32(node));
        sums[node] = sums[2 * node]! + sums[2 * node + 1]!;
        const whole = Math.abs(sums[node]!) - this.#penalty[level]!;
        values[node] = Math.max(whole, values[2 * node]! + values[2 * node + 1]!);
      }
    }
    this.#drawn = this.#game;
  }

  state(): PredictorState {
    return {
      kind: this.#kind(),
      values: [this.#game, this.#step, ...this.#leftSums, ...this.#leftValues],
    };
  }

  restore(state: PredictorState): this {
    const n = this.#levels + 1;
    const valid = ([game, step]: readonly number[]): boolean =>
      Number.isInteger(game) && game! >= 0 && Number.isInteger(step) && step! >= 0 && step! < this.horizon;
    const values = checkState(state, this.#kind(), 2 + 2 * n, valid);
    [this.#game, this.#step] = [values[0]!, values[1]!];
    this.#leftSums.set(values.slice(2, 2 + n));
    this.#leftValues.set(values.slice(2 + n));
    return this;
  }

  #kind(): string {
    return `dyadic(${this.horizon},${this.constant},${this.#completions})`;
  }
}
