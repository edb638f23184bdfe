// Least squares for compiled structures: a Cholesky factor of the normal equations per structure and set of kept
// numbers, with the exact standard error of every unknown per unit of noise.
import { linalg } from '../tensor/index.ts';
import { multiply, multiplyTransposed } from './_products.ts';

const { cholesky, gram, matrix, solveLowerInPlace, solveLowerTransposedInPlace } = linalg;

/** A factored system with rows as unknowns: minimises ‖Σ_k u_k rows_k − y‖. */
export interface LeastSquares {
  readonly count: number;
  readonly measurements: number;
  /** [count, measurements] rows scaled to norm 1. */
  readonly rows: Float64Array;
  /** [count] norm of each row before scaling. */
  readonly norms: Float64Array;
  /** [count, count] lower factor of the scaled normal matrix. */
  readonly factor: Float64Array;
  /** [count] standard error of each unknown per unit of noise. */
  readonly spread: Float64Array;
}

/** Bytes that a factored system takes. */
export function leastSquaresBytes(ls: LeastSquares): number {
  return ls.rows.byteLength + ls.factor.byteLength;
}

/**
 * Scales the rows to norm 1 (amplitudes fall by 2^-2.5 a level), forms the normal matrix and factors it.
 * @param rows [count, measurements], owned by the result afterwards
 */
export function leastSquares(rows: Float64Array, count: number, measurements: number): LeastSquares {
  const norms = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const at = k * measurements;
    let s = 0;
    for (let i = 0; i < measurements; i++) s += rows[at + i]! ** 2;
    norms[k] = Math.sqrt(s);
    const scale = s > 0 ? 1 / norms[k]! : 0;
    for (let i = 0; i < measurements; i++) rows[at + i] = rows[at + i]! * scale;
  }
  const normal = gram(matrix(count, measurements, rows));
  const factor = factorise(normal).data;
  const spread = inverseDiagonal(factor, count).map((v, k) => (norms[k]! > 0 ? Math.sqrt(v) / norms[k]! : Infinity));
  return { count, measurements, rows, norms, factor, spread };
}

/** Cholesky; a matrix that is singular within rounding gets the smallest ridge that makes it positive. */
function factorise(normal: linalg.Matrix): linalg.Matrix {
  for (let ridge = 0; ; ridge = ridge === 0 ? 1e-14 : ridge * 100) {
    const n = normal.rows;
    const shifted = ridge === 0 ? normal : matrix(n, n, Float64Array.from(normal.data));
    if (ridge > 0) for (let i = 0; i < n; i++) shifted.data[i * n + i] = shifted.data[i * n + i]! + ridge;
    try {
      return cholesky(shifted);
    } catch (error) {
      if (!(error instanceof linalg.LinalgError) || error.code !== 'not_positive_definite' || ridge > 1e-3) throw error;
    }
  }
}

/** diag((L Lᵀ)⁻¹) = squared norms of the columns of L⁻¹. */
function inverseDiagonal(l: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n);
  const column = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    column[j] = 1 / l[j * n + j]!;
    let s = column[j]! ** 2;
    for (let i = j + 1; i < n; i++) {
      const r = i * n;
      let t = 0;
      for (let k = j; k < i; k++) t += l[r + k]! * column[k]!;
      column[i] = -t / l[r + i]!;
      s += column[i]! ** 2;
    }
    out[j] = s;
  }
  return out;
}

/**
 * The unknowns that fit y best.
 * @param y [measurements]
 * @returns [count]
 */
export function solveLeastSquares(ls: LeastSquares, y: Float64Array): Float64Array {
  const { count, rows } = ls;
  const u = new Float64Array(count);
  multiply(rows, y, u);
  solveLowerInPlace(ls.factor, count, u);
  solveLowerTransposedInPlace(ls.factor, count, u);
  for (let k = 0; k < count; k++) u[k] = ls.norms[k]! > 0 ? u[k]! / ls.norms[k]! : 0;
  return u;
}

/** y − Σ_k u_k rows_k. @returns [measurements] */
export function residualOf(ls: LeastSquares, y: Float64Array, u: Float64Array): Float64Array {
  const scaled = u.map((v, k) => v * ls.norms[k]!);
  const out = new Float64Array(ls.measurements);
  multiplyTransposed(ls.rows, scaled, out);
  for (let i = 0; i < out.length; i++) out[i] = y[i]! - out[i]!;
  return out;
}
