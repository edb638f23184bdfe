// Before and after on the same held-out events: cost and quality with intervals from a bootstrap over events, so that what
// happens inside one event counts as one observation.
import { Rng } from '../../tensor/index.ts';
import type { Estimate } from './types.ts';

/** How one event went. */
export interface Trial {
  /** In the unit of the task's modules. */
  readonly cost: number;
  /** Wrong first answers, of so many. */
  readonly errors: number;
  readonly of: number;
  /** Whether the event as a whole was answered. */
  readonly answered: boolean;
}

export interface Comparison {
  readonly cost: { readonly before: number; readonly after: number };
  readonly errors: { readonly before: number; readonly after: number };
  readonly examples: number;
  readonly answered: { readonly before: number; readonly after: number };
  readonly costRatio: Estimate;
  readonly errorChange: Estimate;
}

const RESAMPLES = 1000;
/** Both ends of a 90 % interval. */
const TAIL = 0.05;

/**
 * Compares two lists of trials of the same events, in the same order.
 *
 * @example
 * compareTrials(before, after, 7).costRatio; // { value: 0.6, low: 0.55, high: 0.66 }
 */
export function compareTrials(before: readonly Trial[], after: readonly Trial[], seed: string | number): Comparison {
  const n = before.length;
  const total = (trials: readonly Trial[], of: (t: Trial) => number): number => trials.reduce((s, t) => s + of(t), 0);
  const examples = total(before, (t) => t.of);
  const rng = new Rng(seed).fork('growth/bootstrap');
  const ratios: number[] = [];
  const changes: number[] = [];
  for (let r = 0; r < RESAMPLES; r++) {
    let [costBefore, costAfter, wrong, of] = [0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const at = rng.integer(n);
      costBefore += before[at]!.cost;
      costAfter += after[at]!.cost;
      wrong += after[at]!.errors - before[at]!.errors;
      of += before[at]!.of;
    }
    ratios.push(costBefore === 0 ? 1 : costAfter / costBefore);
    changes.push(of === 0 ? 0 : wrong / of);
  }
  const cost = { before: total(before, (t) => t.cost) / n, after: total(after, (t) => t.cost) / n };
  const errors = { before: total(before, (t) => t.errors), after: total(after, (t) => t.errors) };
  return {
    cost,
    errors,
    examples,
    answered: { before: total(before, (t) => Number(t.answered)), after: total(after, (t) => Number(t.answered)) },
    costRatio: estimate(cost.before === 0 ? 1 : cost.after / cost.before, ratios),
    errorChange: estimate(examples === 0 ? 0 : (errors.after - errors.before) / examples, changes),
  };
}

function estimate(value: number, resamples: number[]): Estimate {
  const sorted = Float64Array.from(resamples).sort();
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { value, low: at(TAIL), high: at(1 - TAIL) };
}
