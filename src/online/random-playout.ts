// Cover's game for N experts: the weight of an expert is the chance that it will be the best one at the end of a block,
// when the rest of the block is a random walk. For blocks whose length is known; N = 2 is the erf rule of `FixedHorizon`.
import { erfOf, type Rng } from '../tensor/index.ts';
import { checkGains, checkInteger, checkRange, checkState } from './_check.ts';
import type { Combiner, PredictorState } from './types.ts';

export interface RandomPlayoutOptions {
  /** H: the length of a block; a new game begins after it. */
  readonly horizon: number;
  /** Random walks drawn for each game. Default 256. */
  readonly completions?: number;
  /**
   * Half the root of the mean square by which the gains of two experts differ: 1 covers the worst case, 0.71 experts
   * that err independently. Default 1.
   */
  readonly deviation?: number;
  readonly rng: Rng;
}

/**
 * Regret to the best expert of every block, in the mean over the walks and up to terms of order 1: `regret()`, that is
 * sqrt(2 H) times the mean of the largest of N normals. Derived: with F(G, v) = E max(G + sqrt(v) Z) a step costs at
 * most sum |F_ij| (g_i - g_j)^2 / 2 over pairs, a fall of v by 2 pays sum 2 |F_ij|, and no difference exceeds 2.
 *
 * @example
 * const combiner = new RandomPlayout(4, { horizon: 48, rng: new Rng(1) });
 * combiner.learnOne([1, -1, 1, 0]);
 * combiner.predictOne();
 */
export class RandomPlayout implements Combiner {
  readonly experts: number;
  readonly horizon: number;
  readonly #completions: number;
  readonly #deviation: number;
  readonly #rng: Rng;
  readonly #gains: Float64Array; // of this game
  readonly #walks: Float64Array; // [completions, experts], standard normal
  #step = 0;
  #game = 0;
  #drawn = -1;

  constructor(experts: number, options: RandomPlayoutOptions) {
    const { horizon, completions = 256, deviation = 1, rng } = options;
    checkInteger('experts', experts, 1, 10_000);
    checkInteger('horizon', horizon, 1, 1_000_000_000);
    checkInteger('completions', completions, 1, 100_000);
    checkRange('deviation', deviation, 1e-6, 1);
    this.experts = experts;
    this.horizon = horizon;
    this.#completions = completions;
    this.#deviation = deviation;
    this.#rng = rng;
    this.#gains = new Float64Array(experts);
    this.#walks = new Float64Array(completions * experts);
  }

  /** The regret of a block: deviation sqrt(2 H) E max of N standard normals. */
  regret(): number {
    return this.#deviation * Math.sqrt(2 * this.horizon) * meanOfLargest(this.experts);
  }

  predictOne(): Float64Array {
    if (this.#drawn !== this.#game) {
      const rng = this.#rng.fork(this.#game);
      for (let i = 0; i < this.#walks.length; i++) this.#walks[i] = rng.normal();
      this.#drawn = this.#game;
    }
    const { experts } = this;
    const scale = this.#deviation * Math.sqrt(2 * (this.horizon - this.#step));
    const weights = new Float64Array(experts);
    for (let row = 0; row < this.#walks.length; row += experts) {
      let best = -Infinity;
      let leader = 0;
      for (let k = 0; k < experts; k++) {
        const end = this.#gains[k]! + scale * this.#walks[row + k]!;
        if (end > best) {
          best = end;
          leader = k;
        }
      }
      weights[leader]!++;
    }
    return weights.map((count) => count / this.#completions);
  }

  learnOne(gains: ArrayLike<number>): void {
    checkGains(gains, this.experts);
    for (let k = 0; k < this.experts; k++) this.#gains[k]! += gains[k]!;
    if (++this.#step < this.horizon) return;
    this.#step = 0;
    this.#game++;
    this.#gains.fill(0);
  }

  state(): PredictorState {
    return { kind: this.#kind(), values: [this.#game, this.#step, ...this.#gains] };
  }

  restore(state: PredictorState): this {
    const valid = ([game, step]: readonly number[]): boolean =>
      Number.isInteger(game) && game! >= 0 && Number.isInteger(step) && step! >= 0 && step! < this.horizon;
    const [game, step, ...gains] = checkState(state, this.#kind(), 2 + this.experts, valid);
    [this.#game, this.#step] = [game!, step!];
    this.#gains.set(gains);
    return this;
  }

  #kind(): string {
    return `random-playout(${this.experts},${this.horizon},${this.#completions},${this.#deviation})`;
  }
}

/** E max of n independent standard normals: the integral of 1 - P^n over x > 0 minus that of P^n over x < 0. */
function meanOfLargest(n: number): number {
  const h = 1e-3;
  let sum = 0;
  for (let x = h / 2; x < 9; x += h) {
    const below = (1 + erfOf(x / Math.SQRT2)) / 2;
    sum += 1 - below ** n - (1 - below) ** n;
  }
  return sum * h;
}
