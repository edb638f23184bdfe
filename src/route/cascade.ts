// A confidence cascade: models from cheap to dear, each answer accepted when its confidence reaches that model's threshold.
// Thresholds are chosen on labelled data for the least cost within a stated loss of accuracy.
import { CairnError } from '../errors.ts';
import type { EvaluationTable } from './table.ts';

/** What happens to one table when its inputs go through `path`. */
export interface CascadeResult {
  /** [n] error of the accepted answer. */
  readonly error: Float64Array;
  /** [n] cost of all models that ran. */
  readonly cost: Float64Array;
  readonly meanError: number;
  readonly meanCost: number;
  /** Per step of the path: inputs that ended there. */
  readonly ended: readonly number[];
}

/**
 * Runs every input of a table through models `path` (columns). A step's answer is accepted at confidence >= threshold of
 * that model; the last step's always.
 * @param thresholds [M]
 * @throws CairnError `no_confidence` when the table has none and the path has more than one step
 */
export function runCascade(
  table: EvaluationTable,
  path: readonly number[],
  thresholds: ArrayLike<number>,
): CascadeResult {
  const models = table.models.length;
  const confidence = table.confidence;
  if (path.length > 1 && !confidence) {
    throw new CairnError('no_confidence', 'Expected confidences in the evaluation table, got none.', {
      hint: 'Let the models state a confidence, or route without a cascade.',
    });
  }
  const error = new Float64Array(table.count);
  const cost = new Float64Array(table.count);
  const ended = path.map(() => 0);
  let errors = 0;
  let costs = 0;
  for (let j = 0; j < table.count; j++) {
    for (let step = 0; step < path.length; step++) {
      const cell = j * models + path[step]!;
      cost[j] = cost[j]! + table.cost[cell]!;
      if (step < path.length - 1 && confidence![cell]! < thresholds[path[step]!]!) continue;
      error[j] = table.error[cell]!;
      ended[step] = ended[step]! + 1;
      break;
    }
    errors += error[j]!;
    costs += cost[j]!;
  }
  return { error, cost, meanError: errors / table.count, meanCost: costs / table.count, ended };
}

/**
 * Thresholds of the whole cascade (all models in the order of `path`) that cost least while the error stays within
 * `maxError`. Coordinate descent over `grid` quantiles of each model's confidence, from "always escalate" down.
 * @returns [M] thresholds; 2 means "never accept before the last step"
 */
export function fitThresholds(
  table: EvaluationTable,
  path: readonly number[],
  maxError: number,
  grid = 96,
): Float64Array {
  const models = table.models.length;
  const thresholds = new Float64Array(models).fill(2);
  if (path.length < 2) return thresholds;
  const candidates = path.slice(0, -1).map((m) => quantiles(table, m, grid));
  let best = runCascade(table, path, thresholds);
  // Inner steps first: what the dearer models let through decides what the cheaper ones may.
  for (let round = 0; round < 4; round++) {
    const before = best.meanCost;
    for (let step = path.length - 2; step >= 0; step--) {
      for (const t of candidates[step]!) {
        const trial = Float64Array.from(thresholds);
        trial[path[step]!] = t;
        const result = runCascade(table, path, trial);
        if (result.meanError <= maxError && result.meanCost < best.meanCost) {
          best = result;
          thresholds.set(trial);
        }
      }
    }
    // Trade between neighbours: relax one step while tightening another.
    for (let a = 0; a < candidates.length; a++) {
      for (let b = 0; b < candidates.length; b++) {
        if (a === b) continue;
        const around = (step: number): number[] => near(candidates[step]!, thresholds[path[step]!]!, 12);
        for (const ta of around(a)) {
          for (const tb of around(b)) {
            const trial = Float64Array.from(thresholds);
            trial[path[a]!] = ta;
            trial[path[b]!] = tb;
            const result = runCascade(table, path, trial);
            if (result.meanError <= maxError && result.meanCost < best.meanCost) {
              best = result;
              thresholds.set(trial);
            }
          }
        }
      }
    }
    if (best.meanCost === before) break;
  }
  return thresholds;
}

/** Distinct quantiles of a model's confidence, denser towards 1, ascending, with 2 ("never") at the end. */
function quantiles(table: EvaluationTable, model: number, grid: number): number[] {
  const models = table.models.length;
  const sorted = Float64Array.from({ length: table.count }, (_, j) => table.confidence![j * models + model]!).sort();
  const picked = new Set<number>();
  for (let i = 0; i <= grid; i++) {
    const q = (i / grid) ** 2; // squares: most of the choice lies among the few unsure answers
    picked.add(sorted[Math.min(table.count - 1, Math.floor(q * table.count))]!);
  }
  return [...picked, 2].sort((a, b) => a - b);
}

function near(candidates: readonly number[], value: number, reach: number): number[] {
  let at = candidates.findIndex((c) => c >= value);
  if (at < 0) at = candidates.length - 1;
  return candidates.slice(Math.max(0, at - reach), at + reach + 1);
}
