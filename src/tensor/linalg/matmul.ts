// Matrix products in f64, blocked so that the working set stays in cache, with a 4 × 4 tile of running sums.
import { LinalgError, matrix, type Matrix, transpose } from './matrix.ts';

const BLOCK = 256;

/**
 * A B.
 * @param a [m, k]
 * @param b [k, n]
 * @throws LinalgError `shape`
 */
export function matmul(a: Matrix, b: Matrix): Matrix {
  if (a.cols !== b.rows) {
    throw new LinalgError('shape', `Expected inner sizes to agree, got ${a.rows}x${a.cols} times ${b.rows}x${b.cols}.`);
  }
  return matmulTransposed(a, transpose(b));
}

/**
 * A Bᵀ: rows against rows, which is how memory lies.
 * @param a [m, k]
 * @param b [n, k]
 */
export function matmulTransposed(a: Matrix, b: Matrix): Matrix {
  const k = a.cols;
  if (b.cols !== k) {
    throw new LinalgError('shape', `Expected rows of one length, got ${a.cols} and ${b.cols}.`);
  }
  const m = a.rows;
  const n = b.rows;
  const out = matrix(m, n);
  for (let from = 0; from < k; from += BLOCK) {
    const to = Math.min(k, from + BLOCK);
    for (let j = 0; j < n; j += 4) {
      for (let i = 0; i < m; i += 4) {
        if (i + 4 <= m && j + 4 <= n) tile(a.data, b.data, out.data, i, j, k, n, from, to);
        else edge(a.data, b.data, out.data, i, Math.min(m, i + 4), j, Math.min(n, j + 4), k, n, from, to);
      }
    }
  }
  return out;
}

/**
 * A Aᵀ; half the work of the general product.
 * @param a [m, k]
 */
export function gram(a: Matrix): Matrix {
  const { rows: m, cols: k } = a;
  const out = matrix(m, m);
  for (let from = 0; from < k; from += BLOCK) {
    const to = Math.min(k, from + BLOCK);
    for (let j = 0; j < m; j += 4) {
      for (let i = j; i < m; i += 4) {
        if (i + 4 <= m && j + 4 <= m) tile(a.data, a.data, out.data, i, j, k, m, from, to);
        else edge(a.data, a.data, out.data, i, Math.min(m, i + 4), j, Math.min(m, j + 4), k, m, from, to);
      }
    }
  }
  for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) out.data[i * m + j] = out.data[j * m + i]!;
  return out;
}

function tile(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
  from: number,
  to: number,
): void {
  const a0 = i * k;
  const a1 = a0 + k;
  const a2 = a1 + k;
  const a3 = a2 + k;
  const b0 = j * k;
  const b1 = b0 + k;
  const b2 = b1 + k;
  const b3 = b2 + k;
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0; // prettier-ignore
  let s10 = 0, s11 = 0, s12 = 0, s13 = 0; // prettier-ignore
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0; // prettier-ignore
  let s30 = 0, s31 = 0, s32 = 0, s33 = 0; // prettier-ignore
  for (let p = from; p < to; p++) {
    const x0 = a[a0 + p]!;
    const x1 = a[a1 + p]!;
    const x2 = a[a2 + p]!;
    const x3 = a[a3 + p]!;
    const y0 = b[b0 + p]!;
    const y1 = b[b1 + p]!;
    const y2 = b[b2 + p]!;
    const y3 = b[b3 + p]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  const r0 = i * n + j;
  const r1 = r0 + n;
  const r2 = r1 + n;
  const r3 = r2 + n;
  out[r0] = out[r0]! + s00;
  out[r0 + 1] = out[r0 + 1]! + s01;
  out[r0 + 2] = out[r0 + 2]! + s02;
  out[r0 + 3] = out[r0 + 3]! + s03;
  out[r1] = out[r1]! + s10;
  out[r1 + 1] = out[r1 + 1]! + s11;
  out[r1 + 2] = out[r1 + 2]! + s12;
  out[r1 + 3] = out[r1 + 3]! + s13;
  out[r2] = out[r2]! + s20;
  out[r2 + 1] = out[r2 + 1]! + s21;
  out[r2 + 2] = out[r2 + 2]! + s22;
  out[r2 + 3] = out[r2 + 3]! + s23;
  out[r3] = out[r3]! + s30;
  out[r3 + 1] = out[r3 + 1]! + s31;
  out[r3 + 2] = out[r3 + 2]! + s32;
  out[r3 + 3] = out[r3 + 3]! + s33;
}

function edge(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  i0: number,
  i1: number,
  j0: number,
  j1: number,
  k: number,
  n: number,
  from: number,
  to: number,
): void {
  for (let i = i0; i < i1; i++) {
    for (let j = j0; j < j1; j++) {
      let s = 0;
      for (let p = from; p < to; p++) s += a[i * k + p]! * b[j * k + p]!;
      out[i * n + j] = out[i * n + j]! + s;
    }
  }
}
