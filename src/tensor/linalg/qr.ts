// Householder QR factorisation.
import { matrix, type Matrix } from './matrix.ts';

/** A = Q R with orthonormal columns in Q and an upper triangular (trapezoid) R whose diagonal is not negative. */
export interface Qr {
  /** [m, r], r = min(m, n), or [m, m] when `full`. */
  readonly q: Matrix;
  /** [r, n], or [m, n] when `full`. */
  readonly r: Matrix;
}

/**
 * QR by Householder reflections, thin unless `full` is set.
 * @param a [m, n]
 * @example
 * qr(matrix(2, 1, [3, 4])).r.data[0]; // 5
 */
export function qr(a: Matrix, options: { readonly full?: boolean } = {}): Qr {
  const m = a.rows;
  const n = a.cols;
  const steps = Math.min(m, n);
  const w = Float64Array.from(a.data);
  const betas = new Float64Array(steps);
  for (let k = 0; k < steps; k++) {
    let scale = 0;
    for (let i = k; i < m; i++) scale = Math.max(scale, Math.abs(w[i * n + k]!));
    if (scale === 0) continue;
    let norm2 = 0;
    for (let i = k; i < m; i++) {
      const v = w[i * n + k]! / scale;
      norm2 += v * v;
    }
    const norm = scale * Math.sqrt(norm2);
    const head = w[k * n + k]!;
    const alpha = head > 0 ? -norm : norm; // the sign that avoids cancellation
    const v0 = head - alpha;
    // v is kept below the diagonal with v[k] = 1; beta = 2 / (vᵀv).
    for (let i = k + 1; i < m; i++) w[i * n + k] = w[i * n + k]! / v0;
    const beta = -v0 / alpha;
    betas[k] = beta;
    for (let j = k + 1; j < n; j++) {
      let s = w[k * n + j]!;
      for (let i = k + 1; i < m; i++) s += w[i * n + k]! * w[i * n + j]!;
      s *= beta;
      w[k * n + j] = w[k * n + j]! - s;
      for (let i = k + 1; i < m; i++) w[i * n + j] = w[i * n + j]! - s * w[i * n + k]!;
    }
    w[k * n + k] = alpha;
  }
  const size = options.full === true ? m : steps;
  const r = matrix(size, n);
  for (let i = 0; i < Math.min(size, steps); i++) for (let j = i; j < n; j++) r.data[i * n + j] = w[i * n + j]!;
  const q = matrix(m, size);
  for (let i = 0; i < size; i++) q.data[i * size + i] = 1;
  for (let k = steps - 1; k >= 0; k--) {
    const beta = betas[k]!;
    if (beta === 0) continue;
    for (let j = k; j < size; j++) {
      let s = q.data[k * size + j]!;
      for (let i = k + 1; i < m; i++) s += w[i * n + k]! * q.data[i * size + j]!;
      s *= beta;
      q.data[k * size + j] = q.data[k * size + j]! - s;
      for (let i = k + 1; i < m; i++) q.data[i * size + j] = q.data[i * size + j]! - s * w[i * n + k]!;
    }
  }
  for (let k = 0; k < steps; k++) {
    if (r.data[k * n + k]! >= 0) continue;
    for (let j = k; j < n; j++) r.data[k * n + j] = -r.data[k * n + j]!;
    for (let i = 0; i < m; i++) q.data[i * size + k] = -q.data[i * size + k]!;
  }
  return { q, r };
}
