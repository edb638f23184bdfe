// Operating points: people say how much quality they may lose or how much they may spend; lambda follows from the pool's curve on
// the labelled prompts, every one predicted as if it had not been labelled.
import { CairnError } from '../../errors.ts';
import { lambdaGrid } from '../rule.ts';
import { costOf, expectedCost, type ArmEstimate, type ArmRecord, type EstimateOptions, type Labelled } from './arm.ts';
import { leaveOneOut } from './leave-one-out.ts';

/** What a user asks of the router. `knee`: the quality of the best single arm for the least cost. */
export type OperatingChoice =
  | { readonly kind: 'knee' }
  /** 0: the cheapest routing, 1: the best. */
  | { readonly kind: 'quality'; readonly value: number }
  /** How much more error than the best single arm. */
  | { readonly kind: 'maxErrorIncrease'; readonly value: number }
  /** US dollars a request, on average. */
  | { readonly kind: 'budgetPerRequest'; readonly value: number }
  | { readonly kind: 'lambda'; readonly value: number };

/** One lambda with what it gives on the labelled prompts; intervals are 90 % of the mean. */
export interface MeasuredPoint {
  readonly lambda: number;
  readonly error: number;
  readonly errorInterval: readonly [number, number];
  readonly cost: number;
  readonly costInterval: readonly [number, number];
  /** False when no lambda meets what was asked and this is the nearest. */
  readonly met: boolean;
  /** Share of the labelled prompts that each arm gets. */
  readonly shares: readonly number[];
}

/** A pool measured on its labelled prompts. */
export interface PoolCurve {
  /** Labelled prompts that every arm answered. */
  readonly prompts: number;
  /** By rising lambda. */
  readonly points: readonly MeasuredPoint[];
  /** The single arm with the least error: index, error and cost. */
  readonly best: { readonly arm: number; readonly error: number; readonly cost: number };
  /** Measures any lambda. */
  readonly measure: (lambda: number) => MeasuredPoint;
}

const Z90 = 1.6448536269514722;

/** Measures the pool on the labelled prompts that all arms answered. */
export function measureCurve(
  arms: readonly ArmRecord[],
  labelled: Labelled,
  estimates: readonly ArmEstimate[],
  options: EstimateOptions,
  scale: number,
): PoolCurve {
  const A = arms.length;
  const rows = Array.from({ length: labelled.count }, (_, j) => j).filter((j) =>
    arms.every((arm) => !Number.isNaN(arm.error[j]!)),
  );
  const n = rows.length;
  const gamma = arms.map((arm) => leaveOneOut(arm, labelled, options));
  const expected = arms.map((arm, a) => expectedCosts(arm, estimates[a]!, labelled, rows));
  const real = arms.map((arm, a) =>
    Float64Array.from(rows, (j, i) => {
      const cost = costOf(arm, labelled, j);
      return Number.isNaN(cost) ? expected[a]![i]! : cost;
    }),
  );
  const measure = (lambda: number): MeasuredPoint => {
    let error = 0;
    let errorSquares = 0;
    let cost = 0;
    let costSquares = 0;
    const counts = new Array<number>(A).fill(0);
    for (let i = 0; i < n; i++) {
      let best = 0;
      let bestScore = Infinity;
      for (let a = 0; a < A; a++) {
        const score = gamma[a]![rows[i]!]! + lambda * (expected[a]![i]! / scale);
        if (score < bestScore || (score === bestScore && expected[a]![i]! < expected[best]![i]!)) {
          best = a;
          bestScore = score;
        }
      }
      const e = arms[best]!.error[rows[i]!]!;
      const c = real[best]![i]!;
      error += e;
      errorSquares += e * e;
      cost += c;
      costSquares += c * c;
      counts[best] = counts[best]! + 1;
    }
    const spread = (sum: number, squares: number): number =>
      n > 1 ? Z90 * Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2) / n) : 0;
    const [e, c] = n > 0 ? [error / n, cost / n] : [0.5, 0];
    const [de, dc] = [n > 1 ? spread(error, errorSquares) : 0.5, spread(cost, costSquares)];
    return {
      lambda,
      error: e,
      errorInterval: [Math.max(0, e - de), Math.min(1, e + de)],
      cost: c,
      costInterval: [Math.max(0, c - dc), c + dc],
      met: true,
      shares: counts.map((count) => (n > 0 ? count / n : 0)),
    };
  };
  let best = { arm: 0, error: Infinity, cost: Infinity };
  for (let a = 0; a < A; a++) {
    const error = rows.reduce((s, j) => s + arms[a]!.error[j]!, 0) / Math.max(1, n);
    const cost = real[a]!.reduce((s, c) => s + c, 0) / Math.max(1, n);
    if (error < best.error || (error === best.error && cost < best.cost)) best = { arm: a, error, cost };
  }
  return { prompts: n, points: lambdaGrid().map(measure), best, measure };
}

/**
 * The lambda for what was asked: the cheapest measured one that meets it, refined by bisection towards the next dearer.
 * @throws CairnError `bad_operating_point`
 */
export function resolvePoint(curve: PoolCurve, choice: OperatingChoice): MeasuredPoint {
  if (choice.kind === 'lambda') {
    check(choice.value >= 0, 'a lambda of at least 0', choice.value);
    return curve.measure(choice.value);
  }
  if (choice.kind === 'budgetPerRequest') {
    check(choice.value >= 0, 'a budget of at least 0', choice.value);
    return search(curve, (p) => p.cost <= choice.value, 'first');
  }
  let target: number;
  if (choice.kind === 'quality') {
    check(choice.value >= 0 && choice.value <= 1, 'a quality between 0 and 1', choice.value);
    const errors = curve.points.map((p) => p.error);
    const least = Math.min(...errors);
    const cheapest = errors.at(-1)!;
    if (choice.value === 0) return curve.points.at(-1)!;
    target = least + (1 - choice.value) * Math.max(0, cheapest - least);
  } else if (choice.kind === 'maxErrorIncrease') {
    check(choice.value >= 0, 'an increase of at least 0', choice.value);
    target = curve.best.error + choice.value;
  } else target = curve.best.error;
  return search(curve, (p) => p.error <= target + 1e-12, 'last');
}

/** The cheapest point that passes; between it and its failing neighbour lambda is bisected. */
function search(curve: PoolCurve, passes: (p: MeasuredPoint) => boolean, edge: 'first' | 'last'): MeasuredPoint {
  const { points } = curve;
  const passing = points.filter(passes);
  if (passing.length === 0) {
    const nearest = edge === 'first' ? points.at(-1)! : points.reduce((a, b) => (b.error < a.error ? b : a));
    return { ...nearest, met: false };
  }
  // A budget: the least error within it. A quality: the least cost that has it.
  let best = passing.reduce((a, b) =>
    edge === 'first'
      ? b.error < a.error || (b.error === a.error && b.cost < a.cost)
        ? b
        : a
      : b.cost < a.cost
        ? b
        : a,
  );
  const at = points.indexOf(best);
  const neighbour = points[edge === 'first' ? at - 1 : at + 1];
  if (!neighbour || passes(neighbour)) return best;
  let [good, bad] = [best.lambda, neighbour.lambda];
  for (let i = 0; i < 20; i++) {
    const middle = good === 0 || bad === 0 ? (good + bad) / 2 : Math.sqrt(good * bad);
    const point = curve.measure(middle);
    if (passes(point)) {
      good = middle;
      if (edge === 'first' ? point.error <= best.error : point.cost <= best.cost) best = point;
    } else bad = middle;
  }
  return best;
}

function expectedCosts(
  arm: ArmRecord,
  estimate: ArmEstimate,
  labelled: Labelled,
  rows: readonly number[],
): Float64Array {
  const K = labelled.phis.reduce((sum, p) => sum + p.k, 0);
  const phi = new Float64Array(K);
  return Float64Array.from(rows, (j) => {
    let at = 0;
    for (const p of labelled.phis) {
      for (let c = 0; c < p.k; c++) phi[at++] = p.phi[j * p.k + c]! / labelled.phis.length;
    }
    return expectedCost(arm, estimate, phi, labelled.inTokens[j]!);
  });
}

function check(fine: boolean, expected: string, got: number): void {
  if (!fine) throw new CairnError('bad_operating_point', `Expected ${expected}, got ${got}.`);
}
