// Whether the traffic still looks like the prompts a router was fitted on. Counts kinds of the last requests against the kinds of the
// fitting set; an alarm needs both a difference that chance cannot make and one that is large enough to matter.
import { CairnError } from '../errors.ts';
import { incompleteGamma } from '../tensor/index.ts';

export interface DriftOptions {
  /** Requests that are looked at. Default 1,000. */
  readonly window?: number;
  /** Largest probability of so large a difference by chance. Default 1e-4. */
  readonly probability?: number;
  /** Least total variation. Default 0.15. */
  readonly variation?: number;
}

/** The state of the watch. */
export interface DriftState {
  readonly requests: number;
  /** Chi-square statistic of the window against the reference, its degrees of freedom and tail probability. */
  readonly chiSquare: number;
  readonly degrees: number;
  readonly probability: number;
  /** Half the sum of absolute differences of shares. */
  readonly variation: number;
  readonly alarm: boolean;
}

/**
 * Watches the kinds of requests. Resets nothing and decides nothing: it says when to fit the clusters anew.
 * @example
 * const watch = new DriftWatch([500, 300, 200]);
 * watch.learnOne(1);
 * watch.state().alarm; // false
 */
export class DriftWatch {
  readonly #reference: Float64Array;
  readonly #total: number;
  readonly #recent: Int32Array;
  readonly #counts: Int32Array;
  readonly #options: Required<DriftOptions>;
  #seen = 0;

  /** @param reference [K] prompts of each kind in the fitting set */
  constructor(reference: ArrayLike<number>, options: DriftOptions = {}) {
    this.#reference = Float64Array.from(reference);
    this.#total = this.#reference.reduce((s, v) => s + v, 0);
    if (this.#reference.length === 0 || !(this.#total > 0)) {
      throw new CairnError('bad_parameter', 'Expected counts of kinds with a positive sum, got none.');
    }
    this.#options = { window: 1000, probability: 1e-4, variation: 0.15, ...options };
    this.#recent = new Int32Array(this.#options.window);
    this.#counts = new Int32Array(this.#reference.length);
  }

  /** Takes in the kind of one request. */
  learnOne(cluster: number): void {
    if (!Number.isInteger(cluster) || cluster < 0 || cluster >= this.#counts.length) {
      throw new CairnError('bad_parameter', `Expected a kind from 0 to ${this.#counts.length - 1}, got ${cluster}.`);
    }
    const slot = this.#seen % this.#recent.length;
    if (this.#seen >= this.#recent.length) {
      const old = this.#recent[slot]!;
      this.#counts[old] = this.#counts[old]! - 1;
    }
    this.#recent[slot] = cluster;
    this.#counts[cluster] = this.#counts[cluster]! + 1;
    this.#seen++;
  }

  /** No alarm before the window is full. */
  state(): DriftState {
    const requests = Math.min(this.#seen, this.#recent.length);
    const test = compareShares(this.#reference, this.#counts);
    const alarm =
      requests === this.#recent.length &&
      test.probability < this.#options.probability &&
      test.variation > this.#options.variation;
    return { requests, ...test, alarm };
  }
}

/**
 * Homogeneity test of two sets of counts over K kinds.
 * @returns chi-square of the 2 x K table (kinds empty in both are left out), its tail probability, and the total variation
 */
export function compareShares(
  reference: ArrayLike<number>,
  recent: ArrayLike<number>,
): { chiSquare: number; degrees: number; probability: number; variation: number } {
  const sum = (a: ArrayLike<number>): number => Array.from(a).reduce((s, v) => s + v, 0);
  const [a, b] = [sum(reference), sum(recent)];
  if (a === 0 || b === 0) return { chiSquare: 0, degrees: 0, probability: 1, variation: 0 };
  let chiSquare = 0;
  let kinds = 0;
  let variation = 0;
  for (let k = 0; k < reference.length; k++) {
    const [x, y] = [reference[k]!, recent[k]!];
    variation += Math.abs(x / a - y / b) / 2;
    if (x + y === 0) continue;
    kinds++;
    const [ex, ey] = [((x + y) * a) / (a + b), ((x + y) * b) / (a + b)];
    chiSquare += (x - ex) ** 2 / ex + (y - ey) ** 2 / ey;
  }
  const degrees = Math.max(0, kinds - 1);
  const probability = degrees === 0 ? 1 : 1 - incompleteGamma(degrees / 2, chiSquare / 2);
  return { chiSquare, degrees, probability, variation };
}
