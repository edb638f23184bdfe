// Psi of all kinds fitted together: ridge regression of a model's errors on the soft assignment, pulled towards the model's mean.
// Where a prompt is half of one kind and half of another, its error is explained once, by both; the plain soft mean counts it in
// each as if it were only that, which blurs neighbouring kinds. Equals `shrunk` where every prompt is of one kind.
import { cholesky, matrix, solveLowerInPlace, solveLowerTransposedInPlace } from '../tensor/index.ts';

/** What depends on the prompts and n0 only and is the same for every model: the factor of Phi' W Phi + n0 I. */
export interface Factor {
  readonly k: number;
  /** [K, K] lower triangular. */
  readonly lower: Float64Array;
  /** [n] phi_j' A^-1 phi_j: how much a prompt's own label moves its own prediction, per unit of weight. */
  leverage?: Float64Array;
  /** [K] labelled prompts that would know a kind as well if every prompt were of one kind: 1 / (A^-1)_kk - n0. */
  effective?: Float64Array;
}

/** Keeps an empty kind's equation solvable where n0 is 0: its deviation is then 0. */
const JITTER = 1e-9;

/** Factors by n0, for one Phi that does not change: models that answered every prompt, each counting 1, share them. */
export type JointFactors = Map<number, Factor>;

/**
 * Estimates and the effective numbers behind them.
 *
 * value [K, M]: mean_m + the deviation d_k that minimises sum_j w_j (e_jm - mean_m - phi_j . d)^2 + n0 |d|^2.
 * @param phi [n, K]
 * @param target [n, M]
 * @param mean [M]
 * @param factors those of earlier fits on the same phi; used and added to without weights only
 */
export function jointPsi(
  phi: Float64Array,
  target: Float64Array,
  k: number,
  mean: Float64Array,
  n0: number,
  weight?: Float64Array,
  factors?: JointFactors,
): { readonly value: Float64Array; readonly effective: Float64Array } {
  const models = mean.length;
  const n = phi.length / k;
  const value = Float64Array.from({ length: k * models }, (_, i) => mean[i % models]!);
  if (n0 === Infinity) return { value, effective: new Float64Array(k) };
  const factor = factorOf(phi, k, n0, weight, factors);
  const effective = effectiveOf(factor, n0);
  if (k === 1) return { value, effective };
  const right = new Float64Array(k);
  for (let m = 0; m < models; m++) {
    right.fill(0);
    for (let j = 0; j < n; j++) {
      const r = (weight?.[j] ?? 1) * (target[j * models + m]! - mean[m]!);
      for (let c = 0; c < k; c++) right[c] = right[c]! + r * phi[j * k + c]!;
    }
    solve(factor.lower, k, right);
    for (let c = 0; c < k; c++) value[c * models + m] = value[c * models + m]! + right[c]!;
  }
  return { value, effective };
}

/**
 * Predictions [N] for the labelled prompts, each as if it had not been labelled; exact, by a rank-one downdate. Where `error` is
 * NaN the prompt was not asked and the plain prediction stands.
 * @param phi [N, K] of all labelled prompts
 */
export function jointLeaveOneOut(
  phi: Float64Array,
  k: number,
  error: Float64Array,
  n0: number,
  weight?: Float64Array,
  factors?: JointFactors,
): Float64Array {
  const n = error.length;
  const complete = !weight && error.every((e) => !Number.isNaN(e));
  const own = complete
    ? undefined
    : Float64Array.from(error, (e, j) => (Number.isNaN(e) ? 0 : weight ? weight[j]! : 1));
  let total = 0;
  let count = 0;
  const byError = new Float64Array(k); // sum of w e phi
  const byMass = new Float64Array(k); // sum of w phi
  for (let j = 0; j < n; j++) {
    const w = own ? own[j]! : 1;
    if (w === 0) continue;
    const e = w * error[j]!;
    total += e;
    count += w;
    for (let c = 0; c < k; c++) {
      byError[c] = byError[c]! + e * phi[j * k + c]!;
      byMass[c] = byMass[c]! + w * phi[j * k + c]!;
    }
  }
  const flat = n0 === Infinity || k === 1;
  const factor = flat ? undefined : factorOf(phi, k, n0, own, factors);
  const leverage = factor && leverageOf(factor, phi);
  if (factor) {
    solve(factor.lower, k, byError);
    solve(factor.lower, k, byMass);
  }
  return Float64Array.from(error, (e, j) => {
    const w = own ? own[j]! : 1;
    const others = count - w;
    const mean = others > 1e-9 ? (total - (w === 0 ? 0 : w * e)) / others : 0.5;
    if (!leverage || others <= 1e-9) return mean;
    let along = 0;
    for (let c = 0; c < k; c++) along += phi[j * k + c]! * (byError[c]! - mean * byMass[c]!);
    if (w === 0) return mean + along;
    const h = w * leverage[j]!;
    // Without its own label nothing is known along this prompt's assignment: the mean.
    return 1 - h > 1e-6 ? mean + (along - h * (e - mean)) / (1 - h) : mean;
  });
}

function factorOf(
  phi: Float64Array,
  k: number,
  n0: number,
  weight: Float64Array | undefined,
  factors: JointFactors | undefined,
): Factor {
  const known = weight ? undefined : factors?.get(n0);
  if (known) return known;
  const a = matrix(k, k);
  for (let j = 0; j < phi.length / k; j++) {
    const w = weight ? weight[j]! : 1;
    if (w === 0) continue;
    for (let r = 0; r < k; r++) {
      const v = w * phi[j * k + r]!;
      if (v === 0) continue;
      for (let c = 0; c <= r; c++) a.data[r * k + c] = a.data[r * k + c]! + v * phi[j * k + c]!;
    }
  }
  for (let c = 0; c < k; c++) a.data[c * k + c] = a.data[c * k + c]! + n0 + JITTER;
  const factor: Factor = { k, lower: cholesky(a).data };
  if (!weight) factors?.set(n0, factor);
  return factor;
}

function effectiveOf(factor: Factor, n0: number): Float64Array {
  const { k, lower } = factor;
  const column = new Float64Array(k);
  factor.effective ??= Float64Array.from({ length: k }, (_, c) => {
    column.fill(0);
    column[c] = 1;
    solveLowerInPlace(lower, k, column);
    return Math.max(0, 1 / column.reduce((sum, v) => sum + v * v, 0) - n0 - JITTER);
  });
  return factor.effective;
}

function leverageOf(factor: Factor, phi: Float64Array): Float64Array {
  const { k, lower } = factor;
  const row = new Float64Array(k);
  factor.leverage ??= Float64Array.from({ length: phi.length / k }, (_, j) => {
    row.set(phi.subarray(j * k, (j + 1) * k));
    solveLowerInPlace(lower, k, row);
    return row.reduce((sum, v) => sum + v * v, 0);
  });
  return factor.leverage;
}

function solve(lower: Float64Array, k: number, right: Float64Array): void {
  solveLowerInPlace(lower, k, right);
  solveLowerTransposedInPlace(lower, k, right);
}
