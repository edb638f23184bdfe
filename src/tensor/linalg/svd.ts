// Singular values by one-sided Jacobi rotations (Hestenes), and what is defined by them: pinv, cond, rank, least squares of
// least norm. Small singular values come out with high relative accuracy.
import { expectRows, LinalgError, matrix, type Matrix, transpose } from './matrix.ts';
import { matmul } from './matmul.ts';
import { qr } from './qr.ts';
import { norm } from './norms.ts';

/** A = U diag(s) Vᵀ, thin: r = min(m, n). */
export interface Svd {
  /** [m, r]; the entry of largest magnitude of each column is positive. */
  readonly u: Matrix;
  /** [r] descending. */
  readonly s: Float64Array;
  /** [r, n] */
  readonly vt: Matrix;
}

const MAX_SWEEPS = 60;

/**
 * Thin singular value decomposition.
 * @param a [m, n]
 * @throws LinalgError `not_finite`, `not_converged` (never seen on finite input)
 * @example
 * svd(matrix(2, 2, [0, 2, 1, 0])).s; // Float64Array [2, 1]
 */
export function svd(a: Matrix): Svd {
  for (const v of a.data) {
    if (!Number.isFinite(v)) throw new LinalgError('not_finite', `Expected finite entries for svd, got ${v}.`);
  }
  if (a.rows < a.cols) {
    const { u, s, vt } = svd(transpose(a));
    return signed(transpose(vt), s, transpose(u));
  }
  if (a.rows > a.cols) {
    const { q, r } = qr(a);
    const inner = jacobi(r);
    return signed(matmul(q, inner.u), inner.s, inner.vt);
  }
  const { u, s, vt } = jacobi(a);
  return signed(u, s, vt);
}

/** Square one-sided Jacobi: rotates pairs of columns until all are orthogonal. */
function jacobi(a: Matrix): Svd {
  const n = a.cols;
  const scale = largest(a) || 1;
  const w = transpose(a).data.map((v) => v / scale); // columns of A as rows
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const tolerance = 2 ** -52 * Math.max(2, Math.sqrt(n));
  for (let sweep = 0; ; sweep++) {
    if (sweep === MAX_SWEEPS)
      throw new LinalgError('not_converged', `Expected Jacobi to converge in ${MAX_SWEEPS} sweeps.`);
    let rotated = false;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        let pp = 0;
        let qq = 0;
        let pq = 0;
        for (let k = 0; k < n; k++) {
          const x = w[p * n + k]!;
          const y = w[q * n + k]!;
          pp += x * x;
          qq += y * y;
          pq += x * y;
        }
        if (Math.abs(pq) <= tolerance * Math.sqrt(pp * qq) || Math.abs(pq) < 1e-300) continue;
        rotated = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(w, n, p, q, c, c * t);
        rotate(v, n, p, q, c, c * t);
      }
    }
    if (!rotated) break;
  }
  const lengths = Float64Array.from({ length: n }, (_, i) => length(w.subarray(i * n, (i + 1) * n)));
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => lengths[j]! - lengths[i]! || i - j);
  const u = matrix(n, n);
  const vt = matrix(n, n);
  const s = new Float64Array(n);
  const left: Float64Array[] = [];
  order.forEach((from, to) => {
    s[to] = lengths[from]! * scale;
    vt.data.set(v.subarray(from * n, (from + 1) * n), to * n);
    const column = Float64Array.from(w.subarray(from * n, (from + 1) * n));
    if (lengths[from]! > 1e-290) for (let k = 0; k < n; k++) column[k] = column[k]! / lengths[from]!;
    else completeBasis(column, left);
    left.push(column);
    for (let k = 0; k < n; k++) u.data[k * n + to] = column[k]!;
  });
  return { u, s, vt };
}

function rotate(m: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const x = m[p * n + k]!;
    const y = m[q * n + k]!;
    m[p * n + k] = c * x - s * y;
    m[q * n + k] = s * x + c * y;
  }
}

function length(v: Float64Array): number {
  let s = 0;
  for (const x of v) s += x * x;
  return Math.sqrt(s);
}

function largest(a: Matrix): number {
  let max = 0;
  for (const v of a.data) max = Math.max(max, Math.abs(v));
  return max;
}

/** A unit vector orthogonal to all in `basis`, for singular values that are exactly zero. Changes `column`. */
function completeBasis(column: Float64Array, basis: readonly Float64Array[]): void {
  for (let e = 0; e < column.length; e++) {
    column.fill(0);
    column[e] = 1;
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        let d = 0;
        for (let k = 0; k < b.length; k++) d += b[k]! * column[k]!;
        for (let k = 0; k < b.length; k++) column[k] = column[k]! - d * b[k]!;
      }
    }
    const size = length(column);
    if (size < 0.5 / Math.sqrt(column.length)) continue;
    for (let k = 0; k < column.length; k++) column[k] = column[k]! / size;
    return;
  }
}

function signed(u: Matrix, s: Float64Array, vt: Matrix): Svd {
  for (let j = 0; j < s.length; j++) {
    let best = 0;
    for (let i = 1; i < u.rows; i++) {
      if (Math.abs(u.data[i * u.cols + j]!) > Math.abs(u.data[best * u.cols + j]!)) best = i;
    }
    if (!(u.data[best * u.cols + j]! < 0)) continue;
    for (let i = 0; i < u.rows; i++) u.data[i * u.cols + j] = -u.data[i * u.cols + j]!;
    for (let i = 0; i < vt.cols; i++) vt.data[j * vt.cols + i] = -vt.data[j * vt.cols + i]!;
  }
  return { u, s, vt };
}

/** Singular values at or below this count as zero: max(m, n) · 2^-52 · s₁. */
function cutOff(a: Matrix, s: Float64Array): number {
  return Math.max(a.rows, a.cols) * 2 ** -52 * (s[0] ?? 0);
}

/** Numerical rank. */
export function rank(a: Matrix): number {
  const { s } = svd(a);
  return s.filter((v) => v > cutOff(a, s)).length;
}

/** Moore-Penrose inverse. @returns [n, m] */
export function pinv(a: Matrix): Matrix {
  const { u, s, vt } = svd(a);
  const tolerance = cutOff(a, s);
  const scaled = matrix(
    vt.rows,
    vt.cols,
    Float64Array.from(vt.data, (v, k) => {
      const value = s[Math.floor(k / vt.cols)]!;
      return value > tolerance ? v / value : 0;
    }),
  );
  return matmul(transpose(scaled), transpose(u));
}

/** Condition number s₁/sₙ in the 2-norm; Infinity for a singular matrix, 0 for an empty one. */
export function cond(a: Matrix): number {
  const { s } = svd(a);
  if (s.length === 0) return 0;
  const last = s[s.length - 1]!;
  return last === 0 ? Infinity : s[0]! / last;
}

/**
 * X that minimises ‖A X − B‖ column by column: by QR, or by the singular values with least norm when A has fewer rows than
 * columns or is (nearly) rank deficient.
 * @param a [m, n]
 * @param b [m, k]
 * @returns [n, k]
 */
export function lstsq(a: Matrix, b: Matrix): Matrix {
  expectRows(b, a.rows, 'lstsq');
  const n = a.cols;
  if (a.rows < n) return matmul(pinv(a), b);
  const { q, r } = qr(a);
  let most = 0;
  let least = Infinity;
  for (let i = 0; i < n; i++) {
    most = Math.max(most, r.data[i * n + i]!);
    least = Math.min(least, r.data[i * n + i]!);
  }
  // The diagonal of R only bounds the rank, so the safe path starts early.
  if (n > 0 && least <= 1e-8 * most) return matmul(pinv(a), b);
  const x = matmul(transpose(q), b);
  for (let i = n - 1; i >= 0; i--) {
    for (let c = 0; c < b.cols; c++) {
      let s = x.data[i * b.cols + c]!;
      for (let k = i + 1; k < n; k++) s -= r.data[i * n + k]! * x.data[k * b.cols + c]!;
      x.data[i * b.cols + c] = s / r.data[i * n + i]!;
    }
  }
  return x;
}

/** Largest singular value. */
export function norm2(a: Matrix): number {
  return norm(a, 'fro') === 0 ? 0 : (svd(a).s[0] ?? 0);
}
