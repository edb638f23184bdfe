// LU factorisation with partial pivoting, and what follows from it: solve, det, inverse.
import { expectRows, identity, LinalgError, matrix, type Matrix, squareSize } from './matrix.ts';

/** P A = L U packed in one matrix (unit diagonal of L implied); row i of P A is row `order[i]` of A. */
export interface Lu {
  readonly packed: Matrix;
  readonly order: Uint32Array;
  /** Sign of the permutation. */
  readonly sign: 1 | -1;
  /** Index of the first zero pivot, or -1 when A is invertible. */
  readonly zeroPivot: number;
}

/** Factorises a square matrix; a singular one is reported in `zeroPivot`, not thrown. */
export function lu(a: Matrix): Lu {
  const n = squareSize(a, 'lu');
  const d = Float64Array.from(a.data);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let sign: 1 | -1 = 1;
  let zeroPivot = -1;
  for (let k = 0; k < n; k++) {
    let p = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(d[i * n + k]!) > Math.abs(d[p * n + k]!)) p = i;
    if (p !== k) {
      for (let j = 0; j < n; j++) {
        const t = d[k * n + j]!;
        d[k * n + j] = d[p * n + j]!;
        d[p * n + j] = t;
      }
      const t = order[k]!;
      order[k] = order[p]!;
      order[p] = t;
      sign = sign === 1 ? -1 : 1;
    }
    const pivot = d[k * n + k]!;
    if (pivot === 0 || !Number.isFinite(pivot)) {
      if (zeroPivot < 0) zeroPivot = k;
      continue;
    }
    for (let i = k + 1; i < n; i++) {
      const f = d[i * n + k]! / pivot;
      d[i * n + k] = f;
      if (f === 0) continue;
      for (let j = k + 1; j < n; j++) d[i * n + j] = d[i * n + j]! - f * d[k * n + j]!;
    }
  }
  return { packed: matrix(n, n, d), order, sign, zeroPivot };
}

/** X with A X = B for a factorised A. */
export function luSolve(f: Lu, b: Matrix): Matrix {
  const n = f.packed.rows;
  expectRows(b, n, 'solve');
  if (f.zeroPivot >= 0) {
    throw new LinalgError('singular', `Expected an invertible matrix, got a zero pivot in column ${f.zeroPivot}.`, {
      hint: 'Use lstsq for the solution of least norm.',
      details: { index: f.zeroPivot },
    });
  }
  const d = f.packed.data;
  const w = b.cols;
  const x = new Float64Array(n * w);
  for (let i = 0; i < n; i++) for (let c = 0; c < w; c++) x[i * w + c] = b.data[f.order[i]! * w + c]!;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const m = d[i * n + k]!;
      for (let c = 0; c < w; c++) x[i * w + c] = x[i * w + c]! - m * x[k * w + c]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      const m = d[i * n + k]!;
      for (let c = 0; c < w; c++) x[i * w + c] = x[i * w + c]! - m * x[k * w + c]!;
    }
    const pivot = d[i * n + i]!;
    for (let c = 0; c < w; c++) x[i * w + c] = x[i * w + c]! / pivot;
  }
  return matrix(n, w, x);
}

/**
 * X with A X = B.
 * @throws LinalgError `singular`
 * @example
 * solve(matrix(1, 1, [4]), matrix(1, 1, [2])).data[0]; // 0.5
 */
export function solve(a: Matrix, b: Matrix): Matrix {
  return luSolve(lu(a), b);
}

/** Determinant; 1 for the empty matrix. */
export function det(a: Matrix): number {
  const f = lu(a);
  const n = a.rows;
  let product: number = f.sign;
  for (let i = 0; i < n; i++) product *= f.packed.data[i * n + i]!;
  return product;
}

/** A⁻¹, as a last resort: `solve(a, b)` is faster and more accurate whenever a right-hand side is known. */
export function inverse(a: Matrix): Matrix {
  return solve(a, identity(squareSize(a, 'inverse')));
}
