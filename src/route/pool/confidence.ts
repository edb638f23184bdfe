// How sure a choice is. Two arms are compared by their difference on the same labelled prompts, which is far tighter than two
// separate intervals; P(best) comes from draws of all arms; the finite-sample bound holds for any data but only on average over a
// kind of prompt, and only next to a deviation within the kind that nobody can observe.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { estimatePsi } from '../psi.ts';
import type { PromptDecision, PromptRouter } from './prompt-router.ts';

/** Expected error of one arm minus that of another at one prompt. */
export interface Difference {
  readonly mean: number;
  readonly deviation: number;
  /** 90 % interval. */
  readonly interval: readonly [number, number];
  /** Labelled prompts that both answered. */
  readonly pairs: number;
}

const Z90 = 1.6448536269514722;

/** What to do when the better of two arms is not clear. */
export type UncertaintyPolicy = 'cheapest' | 'best' | 'escalate';

/** Differences of pairs of arms of one router, computed when first asked for. */
export class Confidence {
  readonly #router: PromptRouter;
  readonly #pairs = new Map<number, { value: Float64Array; variance: Float64Array; pairs: number }>();
  readonly #best = new Map<number, Float64Array>();

  constructor(router: PromptRouter) {
    this.#router = router;
  }

  /** Error of arm a minus error of arm b at assignment phi [K]. */
  difference(a: number, b: number, phi: Float64Array): Difference {
    const { value, variance, pairs } = this.#pair(a, b);
    const maps = this.#router.labelled.phis;
    let mean = 0;
    let deviation = 0;
    let at = 0;
    for (const { k } of maps) {
      let v = 0;
      for (let c = at; c < at + k; c++) {
        mean += phi[c]! * value[c]!;
        v += (phi[c]! * maps.length) ** 2 * variance[c]!;
      }
      deviation += Math.sqrt(v) / maps.length;
      at += k;
    }
    return { mean, deviation, interval: [mean - Z90 * deviation, mean + Z90 * deviation], pairs };
  }

  /** Whether the interval of chosen minus runner-up holds 0; undefined when there is no runner-up. */
  uncertain(decision: PromptDecision): boolean | undefined {
    if (!decision.runnerUp) return undefined;
    const [low, high] = this.difference(decision.index, decision.runnerUp.index, decision.phi).interval;
    return low <= 0 && high >= 0;
  }

  /**
   * The arm to take when it is not clear which of the two best is better: the cheaper one, the one expected to err less, or
   * the dearest eligible one. A clear decision stays.
   */
  settle(decision: PromptDecision, policy: UncertaintyPolicy): { readonly arm: string; readonly index: number } {
    if (this.uncertain(decision) !== true) return { arm: decision.arm, index: decision.index };
    const two = decision.ranking.slice(0, 2);
    const order = {
      cheapest: two.toSorted((x, y) => x.expectedCost - y.expectedCost || x.index - y.index),
      best: two.toSorted((x, y) => x.expectedError - y.expectedError || x.index - y.index),
      escalate: decision.ranking.toSorted((x, y) => y.expectedCost - x.expectedCost || x.index - y.index),
    }[policy];
    return { arm: order[0]!.id, index: order[0]!.index };
  }

  /**
   * P(arm errs least) for prompts of a kind of the first map, from 256 seeded draws of every arm's error, normal around its
   * estimate. Costs do not enter.
   */
  probabilityBest(cluster: number): Float64Array {
    const found = this.#best.get(cluster);
    if (found) return found;
    const { estimates } = this.#router;
    if (!(cluster >= 0 && cluster < this.#router.labelled.phis[0]!.k)) {
      throw new CairnError('bad_parameter', `Expected a kind of the first map, got ${cluster}.`);
    }
    const rng = new Rng(`best-${cluster}`);
    const share = new Float64Array(estimates.length);
    const draws = 256;
    for (let d = 0; d < draws; d++) {
      let best = 0;
      let least = Infinity;
      for (const [a, e] of estimates.entries()) {
        const value = e.psi[cluster]! + Math.sqrt(e.variance[cluster]!) * rng.normal();
        if (value < least) {
          least = value;
          best = a;
        }
      }
      share[best] = share[best]! + 1 / draws;
    }
    this.#best.set(cluster, share);
    return share;
  }

  #pair(a: number, b: number): { value: Float64Array; variance: Float64Array; pairs: number } {
    const { arms, options } = this.#router.parts;
    const key = a * arms.length + b;
    const found = this.#pairs.get(key);
    if (found) return found;
    const [x, y] = [arms[a]!.error, arms[b]!.error];
    const rows: number[] = [];
    for (let j = 0; j < x.length; j++) if (!Number.isNaN(x[j]! - y[j]!)) rows.push(j);
    const d = Float64Array.from(rows, (j) => x[j]! - y[j]!);
    const squares = d.map((v) => v * v);
    const n0 = Math.max(options.n0, 1);
    const moments = options.estimator === 'joint' ? { ...options, estimator: 'soft' as const } : options;
    const values: number[] = [];
    const variances: number[] = [];
    for (const { k, phi } of this.#router.labelled.phis) {
      if (rows.length === 0) {
        values.push(...new Array<number>(k).fill(0));
        variances.push(...new Array<number>(k).fill(1));
        continue;
      }
      const own = new Float64Array(rows.length * k);
      rows.forEach((j, i) => own.set(phi.subarray(j * k, (j + 1) * k), i * k));
      const first = estimatePsi(own, d, k, options);
      const plain = moments === options ? first : estimatePsi(own, d, k, moments);
      const second = estimatePsi(own, squares, k, moments);
      const global = second.mean[0]! - first.mean[0]! ** 2;
      for (let c = 0; c < k; c++) {
        values.push(first.value[c]!);
        // The second moment is shrunk as the first is, so a kind with few prompts has about the spread of all.
        const spread = Math.max(second.value[c]! - plain.value[c]! ** 2, 1e-6);
        const n = first.effective[c]!;
        const prior = Number.isFinite(n0) ? (n0 / (n + n0)) ** 2 : 1;
        const data = Number.isFinite(n0) ? spread / (n + n0) : 0;
        variances.push(data + (prior * Math.max(global, 1e-6)) / rows.length);
      }
    }
    const pair = { value: Float64Array.from(values), variance: Float64Array.from(variances), pairs: rows.length };
    this.#pairs.set(key, pair);
    return pair;
  }
}

/** What can be said about a `paper` estimate for certain, next to what cannot. */
export interface FiniteSampleBound {
  /** [K] with probability 1 - delta, |estimated - true Psi_k| is at most this, for all kinds and models at once. */
  readonly epsilon: Float64Array;
  /** The largest of them over kinds with labelled prompts. */
  readonly worst: number;
  readonly delta: number;
  /** In words, for people. */
  readonly says: string;
}

/**
 * eps_k = sqrt(ln(2 K M / delta) / (2 n_k)) (Hoeffding and a union bound) for hard assignment, means of independent labelled
 * prompts, and maps fixed before they were seen. Excess risk of the plug-in rule is then at most 2 (max deviation within a kind +
 * max eps_k); the deviation is not observable.
 * @param counts [K] labelled prompts in each kind
 * @example
 * finiteSampleBound([100, 50], 5, 0.05).worst;
 */
export function finiteSampleBound(counts: ArrayLike<number>, models: number, delta = 0.05): FiniteSampleBound {
  if (!(delta > 0 && delta < 1) || !(models >= 1) || counts.length === 0) {
    throw new CairnError(
      'bad_parameter',
      `Expected kinds, models and delta in (0,1), got ${counts.length}, ${models}, ${delta}.`,
    );
  }
  const epsilon = Float64Array.from(counts, (n) =>
    n > 0 ? Math.min(1, Math.sqrt(Math.log((2 * counts.length * models) / delta) / (2 * n))) : 1,
  );
  const worst = Math.max(...Array.from(epsilon).filter((_, k) => counts[k]! > 0), 0) || 1;
  return {
    epsilon,
    worst,
    delta,
    says:
      `With probability ${1 - delta}, every estimated error is within ${worst.toFixed(3)} of the mean over its kind of prompt. ` +
      'It says nothing about a single prompt.',
  };
}
