// The optimal bettor under exponential discounting (arXiv 1305.1359): one number of state, regret 0.9241 sqrt(n) to both
// experts at every time, or any other point of the trade-off.
import { checkBit, checkRange, checkState } from './_check.ts';
import { OPTIMAL_THRESHOLD, PayoffFunction } from './trade-off.ts';
import type { Bettor, PredictorState } from './types.ts';

export interface DiscountedOptions {
  /** n: a step counts 1 - 1/n as much as the one after it. At least 2. */
  readonly memory: number;
  /** T+: small for a small regret to the first expert (bet +1). Default: the symmetric optimum 0.9241. */
  readonly plus?: number;
  /** T-: as `plus` for the second expert (bet -1). Default: `plus`. */
  readonly minus?: number;
  /** `difference` bets by the exact rule of the discrete game, `erfi` by its limit for large n. Default `difference`. */
  readonly rule?: 'difference' | 'erfi';
  /**
   * Root of the largest mean square that a payoff can have given the past; between 0 and 1. Below 1 the guarantee is
   * that many times as large, but holds in expectation only, for memories well above 1 / deviation^2. Default 1.
   */
  readonly deviation?: number;
}

/** What is guaranteed at every time, in payoff: discounted sums with factor 1 - 1/n. */
export interface DiscountedGuarantee {
  readonly regretPlus: number;
  readonly regretMinus: number;
  /** The part of both that is due to discrete steps; it falls as 1/sqrt(n). */
  readonly discretisation: number;
}

/**
 * Bets on the next payoff b in [-1,1] from the discounted sum x of those before.
 *
 * @example
 * const bettor = new DiscountedBettor({ memory: 100 });
 * for (let t = 0; t < 50; t++) bettor.learnOne(1);
 * bettor.predictOne(); // 1: it has seen enough
 */
export class DiscountedBettor implements Bettor {
  readonly memory: number;
  /** T+ and T-. */
  readonly plus: number;
  readonly minus: number;
  readonly #f: PayoffFunction;
  readonly #rho: number;
  readonly #deviation: number;
  readonly #scale: number; // deviation sqrt(n)
  readonly #step: number; // of a payoff, in units of scale
  readonly #difference: boolean;
  #x = 0;

  constructor(options: DiscountedOptions) {
    const { memory, plus = OPTIMAL_THRESHOLD, minus = plus, rule = 'difference', deviation = 1 } = options;
    checkRange('memory', memory, 2, 1e12);
    checkRange('deviation', deviation, 1e-6, 1);
    this.memory = memory;
    this.plus = plus;
    this.minus = minus;
    this.#f = new PayoffFunction(plus, minus);
    this.#rho = 1 - 1 / memory;
    this.#deviation = deviation;
    this.#scale = deviation * Math.sqrt(memory);
    this.#step = deviation / this.#scale;
    this.#difference = rule === 'difference';
  }

  /** The bet, between -1 and 1. */
  predictOne(): number {
    if (!this.#difference) return this.#f.slope(this.#x / this.#scale);
    const y = this.#rho * this.#x;
    const step = this.#step;
    const z = y / this.#scale;
    const bet = (this.#f.value(z + step) - this.#f.value(z - step)) / (2 * step);
    return bet > 1 ? 1 : bet < -1 ? -1 : bet;
  }

  learnOne(bit: number): void {
    checkBit(bit);
    this.#x = this.#rho * this.#x + bit;
  }

  /** The guarantee of the difference rule, discretisation included; proved by the inequality of the payoff function. */
  guarantee(): DiscountedGuarantee {
    const f = this.#f;
    const discretisation = this.memory * Math.max(0, this.#violation());
    return {
      regretPlus: f.regretPlus * this.#scale + discretisation,
      regretMinus: f.regretMinus * this.#scale + discretisation,
      discretisation,
    };
  }

  /** Largest (F(rho x + d) + F(rho x - d)) / 2 - rho F(x), d the deviation, on a fine grid over all x that can be inside. */
  #violation(): number {
    const [f, s, rho] = [this.#f, this.#scale, this.#rho];
    const d = this.#deviation;
    const low = -f.minus * s - 2 * d;
    const width = (f.plus + f.minus) * s + 4 * d;
    let worst = -Infinity;
    for (let i = 0; i <= 20_000; i++) {
      const x = low + (width * i) / 20_000;
      const mean = (f.value((rho * x + d) / s) + f.value((rho * x - d) / s)) / 2;
      worst = Math.max(worst, s * (mean - rho * f.value(x / s)));
    }
    return worst;
  }

  state(): PredictorState {
    return { kind: this.#kind(), values: [this.#x] };
  }

  restore(state: PredictorState): this {
    const [x] = checkState(state, this.#kind(), 1, ([v]) => Math.abs(v!) <= this.memory);
    this.#x = x!;
    return this;
  }

  #kind(): string {
    const rule = this.#difference ? 'difference' : 'erfi';
    return `discounted(${this.memory},${this.plus},${this.minus},${this.#deviation},${rule})`;
  }
}
