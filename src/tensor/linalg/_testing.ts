// What the tests of this folder share: naive products, norms and test matrices. Not part of the public API.
import type { Rng } from '../rng.ts';
import { matrix, type Matrix } from './matrix.ts';

export function randomMatrix(rng: Rng, rows: number, cols: number): Matrix {
  const out = matrix(rows, cols);
  rng.fillNormal(out.data);
  return out;
}

export function hilbert(n: number): Matrix {
  return matrix(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, k) => 1 / (Math.floor(k / n) + (k % n) + 1)),
  );
}

/** The textbook product: the oracle of `matmul`. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.cols; j++) {
      let s = 0;
      for (let k = 0; k < a.cols; k++) s += a.data[i * a.cols + k]! * b.data[k * b.cols + j]!;
      out.data[i * b.cols + j] = s;
    }
  }
  return out;
}

export function difference(a: Matrix, b: Matrix): Matrix {
  if (a.rows !== b.rows || a.cols !== b.cols) throw new Error(`${a.rows}x${a.cols} against ${b.rows}x${b.cols}`);
  return matrix(
    a.rows,
    a.cols,
    Float64Array.from(a.data, (v, i) => v - b.data[i]!),
  );
}

export function maxAbs(a: Matrix): number {
  return a.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
}

export function toRows(a: Matrix): number[][] {
  return Array.from({ length: a.rows }, (_, i) => [...a.data.subarray(i * a.cols, (i + 1) * a.cols)]);
}
