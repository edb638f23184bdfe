// Matrix norms that need no decomposition.
import type { Matrix } from './matrix.ts';

/** `1`: largest column sum, `inf`: largest row sum, `fro`: root of the sum of squares. The 2-norm is `norm2`. */
export function norm(a: Matrix, kind: '1' | 'inf' | 'fro'): number {
  if (kind === 'fro') return frobenius(a);
  const sums = new Float64Array(kind === '1' ? a.cols : a.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++) {
      const k = kind === '1' ? j : i;
      sums[k] = sums[k]! + Math.abs(a.data[i * a.cols + j]!);
    }
  }
  return sums.reduce((m, v) => Math.max(m, v), 0);
}

/** Scaled so that entries near the limits of f64 neither overflow nor vanish. */
function frobenius(a: Matrix): number {
  let scale = 0;
  for (const v of a.data) scale = Math.max(scale, Math.abs(v));
  if (scale === 0 || !Number.isFinite(scale)) return scale;
  let s = 0;
  for (const v of a.data) s += (v / scale) ** 2;
  return scale * Math.sqrt(s);
}
