// What every router is compared with: not looking at the input (ZeroRouter), the best single model, K nearest neighbours and
// the oracle that knows the true error of every input.
import { columnMeans, type EvaluationTable } from './table.ts';
import { cleanCurve, dearest, type DeferralCurve } from './deferral.ts';

/** The most accurate model on a table (ties: cheaper, then earlier), with its quality and relative cost. */
export function bestSingle(table: EvaluationTable): { model: number; quality: number; cost: number } {
  const models = table.models.length;
  const error = columnMeans(table.error, models);
  const cost = columnMeans(table.cost, models);
  let best = 0;
  for (let m = 1; m < models; m++) {
    if (error[m]! < error[best]! || (error[m] === error[best] && cost[m]! < cost[best]!)) best = m;
  }
  return { model: best, quality: 1 - error[best]!, cost: cost[best]! / dearest(table) };
}

/**
 * ZeroRouter: the upper-left hull of (mean cost, quality on `validation`); between two hull models it mixes at random. Its
 * curve is the polyline of the hull models' cost and quality on `test`.
 */
export function zeroRouter(
  validation: EvaluationTable,
  test: EvaluationTable,
): { hull: number[]; curve: DeferralCurve } {
  const models = validation.models.length;
  const error = columnMeans(validation.error, models);
  const cost = columnMeans(validation.cost, models);
  const order = Array.from({ length: models }, (_, m) => m).sort(
    (a, b) => cost[a]! - cost[b]! || error[a]! - error[b]! || a - b,
  );
  const hull: number[] = [];
  for (const m of order) {
    if (hull.length > 0 && error[m]! >= error[hull.at(-1)!]!) continue; // dominated
    while (hull.length >= 2 && slope(hull.at(-2)!, hull.at(-1)!) <= slope(hull.at(-2)!, m)) hull.pop();
    hull.push(m);
  }
  const testError = columnMeans(test.error, models);
  const testCost = columnMeans(test.cost, models);
  const scale = dearest(test);
  const curve = cleanCurve(hull.map((m) => ({ cost: testCost[m]! / scale, quality: 1 - testError[m]! })));
  return { hull, curve };

  function slope(a: number, b: number): number {
    return (error[a]! - error[b]!) / (cost[b]! - cost[a]!);
  }
}

/**
 * K nearest neighbours by cosine: gamma [M] = mean error of the k nearest labelled inputs (ties: lower index).
 * @param z [dim] features of the input
 */
export function nearestNeighbours(table: EvaluationTable, z: ArrayLike<number>, k: number): Float64Array {
  const models = table.models.length;
  const gamma = new Float64Array(models);
  const near = nearestRows(table, z, k);
  for (const j of near)
    for (let m = 0; m < models; m++) gamma[m] = gamma[m]! + (1 / near.length) * table.error[j * models + m]!;
  return gamma;
}

/** The k labelled inputs with the largest cosine to z, in index order. */
export function nearestRows(table: EvaluationTable, z: ArrayLike<number>, k: number): number[] {
  const dim = table.dim ?? 0;
  const features = table.features ?? new Float32Array(0);
  const score = Float64Array.from({ length: table.count }, (_, j) => {
    let dot = 0;
    let norm = 0;
    for (let d = 0; d < dim; d++) {
      dot += features[j * dim + d]! * z[d]!;
      norm += features[j * dim + d]! ** 2;
    }
    return norm > 0 ? dot / Math.sqrt(norm) : 0;
  });
  const order = Array.from(score.keys()).sort((a, b) => score[b]! - score[a]! || a - b);
  return order.slice(0, k).sort((a, b) => a - b);
}
