// Cholesky factorisation of a symmetric positive definite matrix and the triangular solves that use it.
import { expectRows, LinalgError, matrix, type Matrix, squareSize } from './matrix.ts';

/**
 * The lower triangular L with A = L Lᵀ; only the lower half of A is read.
 * @throws LinalgError `not_positive_definite` with `details.index`, the row of the first pivot that is not positive
 * @example
 * cholesky(matrix(1, 1, [9])).data[0]; // 3
 */
export function cholesky(a: Matrix): Matrix {
  const n = squareSize(a, 'cholesky');
  const l = matrix(n, n);
  const d = l.data;
  for (let i = 0; i < n; i++) {
    const ri = i * n;
    for (let j = 0; j <= i; j++) {
      const rj = j * n;
      // Four accumulators: the loop is bound by the latency of one chain of additions otherwise.
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let k = 0;
      for (; k + 3 < j; k += 4) {
        s0 += d[ri + k]! * d[rj + k]!;
        s1 += d[ri + k + 1]! * d[rj + k + 1]!;
        s2 += d[ri + k + 2]! * d[rj + k + 2]!;
        s3 += d[ri + k + 3]! * d[rj + k + 3]!;
      }
      for (; k < j; k++) s0 += d[ri + k]! * d[rj + k]!;
      const rest = a.data[ri + j]! - (s0 + s1 + (s2 + s3));
      if (i === j) {
        if (!(rest > 0)) {
          throw new LinalgError('not_positive_definite', `Expected a positive pivot in row ${i}, got ${rest}.`, {
            hint: 'Add a small multiple of the identity, or use lu or eigSym.',
            details: { index: i },
          });
        }
        d[ri + i] = Math.sqrt(rest);
      } else {
        d[ri + j] = rest / d[rj + j]!;
      }
    }
  }
  return l;
}

/** Solves L y = b in place for one lower triangular L (n x n) and one vector. */
export function solveLowerInPlace(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const r = i * n;
    let s0 = 0;
    let s1 = 0;
    let k = 0;
    for (; k + 1 < i; k += 2) {
      s0 += l[r + k]! * b[k]!;
      s1 += l[r + k + 1]! * b[k + 1]!;
    }
    if (k < i) s0 += l[r + k]! * b[k]!;
    b[i] = (b[i]! - (s0 + s1)) / l[r + i]!;
  }
}

/** Solves Lᵀ x = b in place; walks L by rows so that memory is read in order. */
export function solveLowerTransposedInPlace(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--) {
    const r = i * n;
    const x = b[i]! / l[r + i]!;
    b[i] = x;
    for (let k = 0; k < i; k++) b[k] = b[k]! - l[r + k]! * x;
  }
}

/**
 * X with L Lᵀ X = B, for the factor that `cholesky` returned.
 * @param b [n, k]
 */
export function choleskySolve(l: Matrix, b: Matrix): Matrix {
  const n = squareSize(l, 'choleskySolve');
  expectRows(b, n, 'choleskySolve');
  const out = matrix(n, b.cols);
  const column = new Float64Array(n);
  for (let c = 0; c < b.cols; c++) {
    for (let i = 0; i < n; i++) column[i] = b.data[i * b.cols + c]!;
    solveLowerInPlace(l.data, n, column);
    solveLowerTransposedInPlace(l.data, n, column);
    for (let i = 0; i < n; i++) out.data[i * b.cols + c] = column[i]!;
  }
  return out;
}

/** Natural logarithm of det(L Lᵀ). */
export function logDet(l: Matrix): number {
  const n = squareSize(l, 'logDet');
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.log(l.data[i * n + i]!);
  return 2 * sum;
}
