// The plug-in rule of routing: argmin over models of expected error + lambda * cost (2502.08773, Proposition 1), and the
// choice of lambda on labelled data.
import { CairnError } from '../errors.ts';

/**
 * The model with the smallest error + lambda * cost / scale. Ties: lower cost, then the earlier one.
 * @param gamma [M] expected errors
 * @param cost [M] expected costs
 * @param scale cost of the dearest model of the pool; makes lambda free of units
 * @param eligible [M] models that may be chosen; default all
 * @throws CairnError `no_eligible_model`
 * @example
 * plugIn([0.1, 0.05], [1, 10], 0.2, 10); // 0: half the error is not worth ten times the cost
 */
export function plugIn(
  gamma: ArrayLike<number>,
  cost: ArrayLike<number>,
  lambda: number,
  scale: number,
  eligible?: readonly boolean[],
): number {
  return ranking(gamma, cost, lambda, scale, eligible)[0]!;
}

/** All eligible models, best first, in the order of the plug-in rule. */
export function ranking(
  gamma: ArrayLike<number>,
  cost: ArrayLike<number>,
  lambda: number,
  scale: number,
  eligible?: readonly boolean[],
): number[] {
  const order: number[] = [];
  const score = new Float64Array(gamma.length);
  for (let m = 0; m < gamma.length; m++) {
    score[m] = gamma[m]! + lambda * (cost[m]! / scale);
    if (eligible?.[m] ?? true) order.push(m);
  }
  if (order.length === 0) {
    throw new CairnError(
      'no_eligible_model',
      'Expected at least one model that may answer, got none after all filters.',
      {
        hint: 'Loosen the limits of this request or add a module for its task.',
      },
    );
  }
  return order.sort((a, b) => score[a]! - score[b]! || cost[a]! - cost[b]! || a - b);
}

/** Mean error and mean cost of one way to route. */
export interface OperatingPoint {
  readonly lambda: number;
  readonly error: number;
  readonly cost: number;
}

/** The lambdas of a deferral curve: 0, 160 geometric points 1e-4 .. 1e2, 1e6. */
export function lambdaGrid(): number[] {
  return [0, ...Array.from({ length: 160 }, (_, i) => 10 ** (-4 + (6 * i) / 159)), 1e6];
}

/**
 * The cheapest operating point whose error stays within `maxError`; the one with the least error when none does.
 * @param evaluate mean true error and cost of routing labelled data with a lambda
 */
export function chooseLambda(
  evaluate: (lambda: number) => { error: number; cost: number },
  maxError: number,
): OperatingPoint {
  let best: OperatingPoint | undefined;
  let fallback: OperatingPoint | undefined;
  for (const lambda of lambdaGrid()) {
    const point = { lambda, ...evaluate(lambda) };
    if (!fallback || point.error < fallback.error || (point.error === fallback.error && point.cost < fallback.cost))
      fallback = point;
    if (point.error <= maxError && (!best || point.cost < best.cost)) best = point;
  }
  return best ?? fallback!;
}
