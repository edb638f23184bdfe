// What a combiner has cost so far: regret to each expert, in all and discounted. For display and tests; it steers nothing.
import { checkGains, checkInteger, checkRange } from './_check.ts';

/**
 * @example
 * const meter = new RegretMeter(2, { memory: 100 });
 * meter.learnOne(combiner.predictOne(), gains);
 * meter.discounted(); // regret to each expert, discounted by 1 - 1/100 a step
 */
export class RegretMeter {
  readonly experts: number;
  readonly #rho: number;
  readonly #total: Float64Array;
  readonly #discounted: Float64Array;
  #gain = 0;
  #steps = 0;

  constructor(experts: number, options: { readonly memory: number }) {
    checkInteger('experts', experts, 1, 1_000_000);
    checkRange('memory', options.memory, 2, 1e12);
    this.experts = experts;
    this.#rho = 1 - 1 / options.memory;
    this.#total = new Float64Array(experts);
    this.#discounted = new Float64Array(experts);
  }

  /** @param weights that were given before the gains were known. */
  learnOne(weights: ArrayLike<number>, gains: ArrayLike<number>): void {
    checkGains(gains, this.experts);
    checkGains(weights, this.experts);
    let own = 0;
    for (let k = 0; k < this.experts; k++) own += weights[k]! * gains[k]!;
    for (let k = 0; k < this.experts; k++) {
      this.#total[k]! += gains[k]! - own;
      this.#discounted[k] = this.#rho * this.#discounted[k]! + gains[k]! - own;
    }
    this.#gain += own;
    this.#steps++;
  }

  /** The gain of the combiner itself. */
  gain(): number {
    return this.#gain;
  }

  steps(): number {
    return this.#steps;
  }

  /** Gain of each expert minus one's own. */
  total(): Float64Array {
    return this.#total.slice();
  }

  discounted(): Float64Array {
    return this.#discounted.slice();
  }
}
