// Orthonormal rows by modified Gram-Schmidt, twice over; rows that add no direction are dropped.
import { matrix, type Matrix } from '../../tensor/index.ts';

/**
 * An orthonormal basis of the span of the rows.
 * @param rows vectors of one length
 * @param tolerance a row whose new part is below this share of its length adds nothing
 */
export function orthonormalRows(rows: readonly Float64Array[], size: number, tolerance = 1e-9): Matrix {
  const basis: Float64Array[] = [];
  for (const row of rows) {
    const v = row.slice();
    const before = Math.sqrt(dot(v, v));
    if (before === 0) continue;
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const c = dot(v, b);
        for (let i = 0; i < size; i++) v[i] = v[i]! - c * b[i]!;
      }
    }
    const left = Math.sqrt(dot(v, v));
    if (left <= tolerance * before) continue;
    for (let i = 0; i < size; i++) v[i] = v[i]! / left;
    basis.push(v);
    if (basis.length === size) break;
  }
  return stack(basis, size);
}

export function stack(rows: readonly Float64Array[], size: number): Matrix {
  const out = matrix(rows.length, size);
  rows.forEach((row, i) => out.data.set(row, i * size));
  return out;
}

export function rowsOf(m: Matrix): Float64Array[] {
  return Array.from({ length: m.rows }, (_, i) => m.data.subarray(i * m.cols, (i + 1) * m.cols));
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
