// Eigenvalues and eigenvectors of a symmetric matrix: cyclic Jacobi for small ones, Householder tridiagonalisation and
// implicit QL with Wilkinson shifts for the rest. After Golub and Van Loan, "Matrix Computations", chapter 8.
import { LinalgError, matrix, type Matrix, squareSize } from './matrix.ts';

/** A = V diag(values) Vᵀ. */
export interface EigSym {
  /** Ascending. */
  readonly values: Float64Array;
  /** [n, n], one unit eigenvector per column; the entry of largest magnitude of each is positive. */
  readonly vectors: Matrix;
}

const JACOBI_SIZE = 32;

/**
 * Eigendecomposition of a symmetric matrix; only the lower half is read.
 * @throws LinalgError `not_converged` (never seen on finite input), `shape`
 * @example
 * eigSym(matrix(2, 2, [2, 1, 1, 2])).values; // Float64Array [1, 3]
 */
export function eigSym(a: Matrix): EigSym {
  const n = squareSize(a, 'eigSym');
  for (const v of a.data) {
    if (!Number.isFinite(v)) throw new LinalgError('not_finite', `Expected finite entries for eigSym, got ${v}.`);
  }
  const rows = n <= JACOBI_SIZE ? jacobi(a, n) : tridiagonalQl(a, n);
  return sorted(rows.values, rows.vectors, n);
}

/** Eigenvectors stand in rows here, so that rotations walk memory in order. */
interface Rows {
  values: Float64Array;
  vectors: Float64Array;
}

function jacobi(a: Matrix, n: number): Rows {
  const w = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) w[i * n + j] = w[j * n + i] = a.data[i * n + j]!;
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += w[i * n + j]! ** 2;
    if (off === 0) break;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = w[p * n + q]!;
        const app = w[p * n + p]!;
        const aqq = w[q * n + q]!;
        if (Math.abs(apq) <= 1e-17 * Math.sqrt(Math.abs(app * aqq)) || apq === 0) {
          w[p * n + q] = w[q * n + p] = 0;
          continue;
        }
        const theta = (aqq - app) / (2 * apq);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + root1(theta));
        const c = 1 / root1(t);
        const s = t * c;
        rotateRows(w, n, p, q, c, s);
        for (let k = 0; k < n; k++) {
          const x = w[k * n + p]!;
          const y = w[k * n + q]!;
          w[k * n + p] = c * x - s * y;
          w[k * n + q] = s * x + c * y;
        }
        w[p * n + q] = w[q * n + p] = 0;
        rotateRows(v, n, p, q, c, s);
      }
    }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => w[i * n + i]!), vectors: v };
}

/** (row p, row q) ← (c·p − s·q, s·p + c·q). */
function rotateRows(m: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  const rp = p * n;
  const rq = q * n;
  for (let k = 0; k < n; k++) {
    const x = m[rp + k]!;
    const y = m[rq + k]!;
    m[rp + k] = c * x - s * y;
    m[rq + k] = s * x + c * y;
  }
}

/** Reduces to tridiagonal form; `w` keeps the Householder vector of step i in row i. */
function tridiagonalise(
  w: Float64Array,
  n: number,
  diagonal: Float64Array,
  off: Float64Array,
  betas: Float64Array,
): void {
  const p = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const ri = i * n;
    let scale = 0;
    for (let k = 0; k < i; k++) scale = Math.max(scale, Math.abs(w[ri + k]!));
    if (i === 1 || scale === 0) {
      off[i] = w[ri + i - 1]!;
      diagonal[i] = w[ri + i]!;
      continue;
    }
    let norm2 = 0;
    for (let k = 0; k < i; k++) norm2 += (w[ri + k]! / scale) ** 2;
    const head = w[ri + i - 1]!;
    const alpha = head > 0 ? -scale * Math.sqrt(norm2) : scale * Math.sqrt(norm2);
    off[i] = alpha;
    diagonal[i] = w[ri + i]!;
    const v0 = head - alpha;
    for (let k = 0; k < i - 1; k++) w[ri + k] = w[ri + k]! / v0;
    w[ri + i - 1] = 1;
    const beta = -v0 / alpha;
    betas[i] = beta;
    // p = beta · A v over the lower triangle, one pass.
    p.fill(0, 0, i);
    for (let r = 0; r < i; r++) {
      const row = r * n;
      const vr = w[ri + r]!;
      let s = w[row + r]! * vr;
      for (let k = 0; k < r; k++) {
        const x = w[row + k]!;
        s += x * w[ri + k]!;
        p[k] = p[k]! + x * vr;
      }
      p[r] = p[r]! + s;
    }
    let dot = 0;
    for (let k = 0; k < i; k++) {
      p[k] = p[k]! * beta;
      dot += p[k]! * w[ri + k]!;
    }
    const half = (beta / 2) * dot;
    for (let k = 0; k < i; k++) p[k] = p[k]! - half * w[ri + k]!;
    for (let r = 0; r < i; r++) {
      const row = r * n;
      const vr = w[ri + r]!;
      const pr = p[r]!;
      for (let k = 0; k <= r; k++) w[row + k] = w[row + k]! - vr * p[k]! - pr * w[ri + k]!;
    }
  }
  if (n > 0) diagonal[0] = w[0]!;
}

function tridiagonalQl(a: Matrix, n: number): Rows {
  const w = Float64Array.from(a.data);
  const values = new Float64Array(n);
  const off = new Float64Array(n);
  const betas = new Float64Array(n);
  tridiagonalise(w, n, values, off, betas);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let i = 2; i < n; i++) {
    const beta = betas[i]!;
    if (beta === 0) continue;
    const ri = i * n;
    for (let r = 0; r < i; r++) {
      const row = r * n;
      let s = 0;
      for (let k = 0; k < i; k++) s += vectors[row + k]! * w[ri + k]!;
      s *= beta;
      for (let k = 0; k < i; k++) vectors[row + k] = vectors[row + k]! - s * w[ri + k]!;
    }
  }
  off.copyWithin(0, 1);
  off[n - 1] = 0;
  implicitQl(values, off, vectors, n);
  return { values, vectors };
}

/** Diagonalises the tridiagonal (d, e), e[i] between i and i+1, rotating the rows of `vectors` along. */
function implicitQl(d: Float64Array, e: Float64Array, vectors: Float64Array, n: number): void {
  const eps = 2 ** -52;
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > eps * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      if (iteration === 80) throw new LinalgError('not_converged', 'Expected QL to converge in 80 steps, got no end.');
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? root1(g) : -root1(g)));
      let s = 1;
      let c = 1;
      let shift = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        const r = length2(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] = d[i + 1]! - shift;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        const h = d[i + 1]! - shift;
        const t = (d[i]! - h) * s + 2 * c * b;
        shift = s * t;
        d[i + 1] = h + shift;
        g = c * t - b;
        rotateRows(vectors, n, i, i + 1, c, s);
      }
      if (i >= l) continue;
      d[l] = d[l]! - shift;
      e[l] = g;
      e[m] = 0;
    }
  }
}

function sorted(values: Float64Array, rows: Float64Array, n: number): EigSym {
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => values[i]! - values[j]! || i - j);
  const vectors = matrix(n, n);
  order.forEach((from, to) => {
    let best = 0;
    for (let k = 0; k < n; k++) {
      if (Math.abs(rows[from * n + k]!) > Math.abs(rows[from * n + best]!)) best = k;
    }
    const sign = rows[from * n + best]! < 0 ? -1 : 1;
    for (let k = 0; k < n; k++) vectors.data[k * n + to] = sign * rows[from * n + k]!;
  });
  return { values: Float64Array.from(order, (i) => values[i]!), vectors };
}

/** √(1 + x²) without overflow. Math.hypot may differ between engines; square roots may not. */
function root1(x: number): number {
  return length2(1, x);
}

/** √(x² + y²) without overflow. */
function length2(x: number, y: number): number {
  const a = Math.max(Math.abs(x), Math.abs(y));
  const b = Math.min(Math.abs(x), Math.abs(y));
  return a === 0 ? 0 : a * Math.sqrt(1 + (b / a) ** 2);
}
