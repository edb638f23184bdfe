// How often an answer taken by likeness would have been another one: counted from checks, with a bound that may be looked at after
// every check, and the threshold that follows from it. Beta mixture martingale (Robbins 1970): for the true rate p,
// M = B(a+k, b+n-k) / (B(a,b) p^k (1-p)^(n-k)) exceeds 1/delta at any time with probability at most delta (Ville).
import { logGamma } from '../../../tensor/index.ts';

/** One would-be hit that was asked anew. */
export interface Check {
  /** Cosine of the two asks. */
  readonly similarity: number;
  /** Whether the kept answer and the fresh one agree. */
  readonly same: boolean;
}

export interface FalseHitsOptions {
  /** Likeness below which nothing is a candidate. */
  readonly floor: number;
  /** Largest rate of false hits that is allowed. */
  readonly limit: number;
  /** Probability that all bounds hold, over all thresholds together. */
  readonly confidence: number;
  /** Checks that count; older ones are forgotten. Default 2,000. */
  readonly window?: number;
}

export interface FalseHitsState {
  /** Likeness from which answers are given; undefined: none are given. */
  readonly threshold: number | undefined;
  /** Checks at or above the threshold (or above the floor while there is none), and how many of them disagreed. */
  readonly checks: number;
  readonly disagreed: number;
  readonly rate: number;
  readonly interval: readonly [low: number, high: number];
  readonly limit: number;
  /** Why no answers are given. */
  readonly why?: string;
}

/** Thresholds that are considered between the floor and 1. */
const STEPS = 8;
const WINDOW = 2_000;

export class FalseHits {
  readonly #options: Required<FalseHitsOptions>;
  readonly #delta: number;
  readonly #checks: Check[] = [];
  /** Checks, and those that disagreed, by the highest step whose threshold they reach. */
  readonly #counts = Array.from({ length: STEPS }, () => ({ checks: 0, disagreed: 0 }));
  #state: FalseHitsState | undefined;

  constructor(options: FalseHitsOptions, checks: readonly Check[] = []) {
    this.#options = { window: WINDOW, ...options };
    this.#delta = (1 - options.confidence) / STEPS;
    for (const check of checks.slice(-this.#options.window)) this.learnOne(check);
  }

  learnOne(check: Check): void {
    this.#checks.push(check);
    this.#count(check, 1);
    if (this.#checks.length > this.#options.window) this.#count(this.#checks.shift()!, -1);
    this.#state = undefined;
  }

  get state(): FalseHitsState {
    return (this.#state ??= this.#judge());
  }

  #count({ similarity, same }: Check, by: number): void {
    const { floor } = this.#options;
    const step = Math.min(STEPS - 1, Math.floor(((similarity - floor) / (1 - floor)) * STEPS + 1e-9));
    if (step < 0) return;
    const bin = this.#counts[step]!;
    bin.checks += by;
    if (!same) bin.disagreed += by;
  }

  /** The lowest threshold whose bound lies under the limit. */
  #judge(): FalseHitsState {
    const { floor, limit } = this.#options;
    let [checks, disagreed] = [0, 0];
    let best: { step: number; checks: number; disagreed: number } | undefined;
    for (let step = STEPS - 1; step >= 0; step--) {
      checks += this.#counts[step]!.checks;
      disagreed += this.#counts[step]!.disagreed;
      if (isUnder(disagreed, checks, this.#delta, limit)) best = { step, checks, disagreed };
    }
    const shown = best ?? { checks, disagreed };
    const interval = rateInterval(shown.disagreed, shown.checks, this.#delta, limit);
    const rate = shown.checks === 0 ? 0 : shown.disagreed / shown.checks;
    const figures = { checks: shown.checks, disagreed: shown.disagreed, rate, interval, limit };
    if (best !== undefined) return { threshold: floor + ((1 - floor) * best.step) / STEPS, ...figures };
    const high = (100 * interval[1]).toFixed(1);
    const why = `Up to ${high} % of the answers may be false (${disagreed} of ${checks} checks disagreed); at most ${100 * limit} % are allowed.`;
    return { threshold: undefined, ...figures, why };
  }
}

/**
 * A confidence interval of a rate after `n` checks of which `k` disagreed, that holds with probability 1 - delta at all times
 * together. `limit` is where it is sharpest.
 */
export function rateInterval(k: number, n: number, delta: number, limit: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1];
  const surprise = surpriseOf(k, n, limit);
  const most = Math.log(1 / delta);
  const mean = k / n;
  const edge = (outer: number): number => {
    let [inside, outside] = [mean, outer];
    for (let i = 0; i < 60; i++) {
      const middle = (inside + outside) / 2;
      if (surprise(middle) < most) inside = middle;
      else outside = middle;
    }
    return outside;
  };
  return [k === 0 ? 0 : edge(0), k === n ? 1 : edge(1)];
}

/** Whether the upper end of the interval lies at or under the limit. */
function isUnder(k: number, n: number, delta: number, limit: number): boolean {
  return n > 0 && k / n < limit && surpriseOf(k, n, limit)(limit) >= Math.log(1 / delta);
}

/** Logarithm of the martingale after k of n, as a function of the true rate. */
function surpriseOf(k: number, n: number, limit: number): (p: number) => number {
  const [a, b] = [1, 1 / limit];
  const mixture = logBeta(a + k, b + n - k) - logBeta(a, b);
  return (p) => mixture - (k === 0 ? 0 : k * Math.log(p)) - (k === n ? 0 : (n - k) * Math.log1p(-p));
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
