// The deferral curve and its figures (Area, Area50, QNC, peak) with fixed conventions: relative cost in [0,1], Pareto-clean,
// linear in between, flat to the right and to the left. Conventions move Area by 0.01, so they are tested on hand-made curves.
import { lambdaGrid } from './rule.ts';
import type { EvaluationTable } from './table.ts';

/** Points of rising relative cost and rising quality. */
export interface DeferralCurve {
  readonly cost: readonly number[];
  readonly quality: readonly number[];
}

export interface CurveFigures {
  /** Integral over relative cost 0..1, trapezoid on 1,001 points. */
  readonly area: number;
  /** The same over 0..0.5, not normalised. */
  readonly area50: number;
  /** Relative cost at which the quality of the best single model is reached, over that model's relative cost; at most 1. */
  readonly qnc: number;
  readonly peak: number;
}

/** Sorts by cost and keeps the points that raise quality. */
export function cleanCurve(points: readonly { cost: number; quality: number }[]): DeferralCurve {
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality);
  const kept: { cost: number; quality: number }[] = [];
  for (const p of sorted) if (kept.length === 0 || p.quality > kept.at(-1)!.quality) kept.push(p);
  return { cost: kept.map((p) => p.cost), quality: kept.map((p) => p.quality) };
}

/**
 * Sweeps lambda: every input is routed on `gamma` and `cost`, then charged its true cost and credited its true quality.
 * @param gamma [n, M] expected errors of the inputs
 * @param table true errors and costs of the same inputs
 * @param cost [n, M] expected costs; default the true ones
 */
export function deferralCurve(
  gamma: Float64Array,
  table: EvaluationTable,
  options: { mode?: 'grid' | 'exact'; cost?: Float64Array } = {},
): DeferralCurve {
  const models = table.models.length;
  const scale = dearest(table);
  const expectedCost = options.cost ?? table.cost;
  const lambdas = options.mode === 'exact' ? breakpoints(gamma, expectedCost, models, scale) : lambdaGrid();
  return cleanCurve(
    lambdas.map((lambda) => {
      let cost = 0;
      let error = 0;
      for (let j = 0; j < table.count; j++) {
        const m = firstOf(gamma, expectedCost, j * models, models, lambda / scale);
        cost += table.cost[j * models + m]!;
        error += table.error[j * models + m]!;
      }
      return { cost: cost / table.count / scale, quality: 1 - error / table.count };
    }),
  );
}

/** The first of `ranking` for one row of a matrix, without sorting. */
function firstOf(gamma: Float64Array, cost: Float64Array, at: number, models: number, price: number): number {
  let best = 0;
  let bestScore = Infinity;
  for (let m = 0; m < models; m++) {
    const score = gamma[at + m]! + price * cost[at + m]!;
    if (score < bestScore || (score === bestScore && cost[at + m]! < cost[at + best]!)) {
      best = m;
      bestScore = score;
    }
  }
  return best;
}

/** Cost of the dearest model: the largest column mean. */
export function dearest(table: EvaluationTable): number {
  const models = table.models.length;
  let max = 0;
  for (let m = 0; m < models; m++) {
    let sum = 0;
    for (let j = 0; j < table.count; j++) sum += table.cost[j * models + m]!;
    max = Math.max(max, sum / table.count);
  }
  return max;
}

/** Quality of the curve at a relative cost. */
export function qualityAt(curve: DeferralCurve, cost: number): number {
  const last = curve.cost.length - 1;
  if (cost <= curve.cost[0]!) return curve.quality[0]!;
  if (cost >= curve.cost[last]!) return curve.quality[last]!;
  let i = 1;
  while (curve.cost[i]! < cost) i++;
  const t = (cost - curve.cost[i - 1]!) / (curve.cost[i]! - curve.cost[i - 1]!);
  return curve.quality[i - 1]! + t * (curve.quality[i]! - curve.quality[i - 1]!);
}

/**
 * @param best quality and relative cost of the most accurate single model
 * @example
 * curveFigures({ cost: [1], quality: [0.8] }, { quality: 0.8, cost: 1 }).area; // 0.8
 */
export function curveFigures(curve: DeferralCurve, best: { quality: number; cost: number }): CurveFigures {
  const integrate = (to: number): number => {
    const steps = Math.round(1000 * to);
    let sum = 0;
    for (let i = 0; i < steps; i++) sum += (qualityAt(curve, i / 1000) + qualityAt(curve, (i + 1) / 1000)) / 2000;
    return sum;
  };
  return { area: integrate(1), area50: integrate(0.5), qnc: qnc(curve, best), peak: curve.quality.at(-1)! };
}

function qnc(curve: DeferralCurve, best: { quality: number; cost: number }): number {
  const i = curve.quality.findIndex((q) => q >= best.quality);
  if (i < 0) return 1;
  let cost = curve.cost[i]!;
  if (i > 0) {
    const rise = curve.quality[i]! - curve.quality[i - 1]!;
    cost = curve.cost[i - 1]! + ((best.quality - curve.quality[i - 1]!) / rise) * (cost - curve.cost[i - 1]!);
  }
  return Math.min(1, cost / best.cost);
}

/** Every lambda at which some input changes its model: all crossings of its lines error + lambda cost, and between them. */
function breakpoints(gamma: Float64Array, cost: Float64Array, models: number, scale: number): number[] {
  const found = new Set<number>([0]);
  for (let j = 0; j < gamma.length / models; j++) {
    for (let a = 0; a < models; a++) {
      for (let b = 0; b < a; b++) {
        const rise = (cost[j * models + a]! - cost[j * models + b]!) / scale;
        const lambda = rise === 0 ? -1 : (gamma[j * models + b]! - gamma[j * models + a]!) / rise;
        if (lambda > 0 && Number.isFinite(lambda)) found.add(lambda);
      }
    }
  }
  const sorted = [...found].sort((a, b) => a - b);
  const between = sorted.slice(1).map((x, i) => (x + sorted[i]!) / 2);
  return [...sorted, ...between, sorted.at(-1)! * 2 + 1];
}
