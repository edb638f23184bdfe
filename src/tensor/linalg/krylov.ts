// Eigenvalues and singular values of large or implicit matrices, of which only products with vectors are known.
import type { Rng } from '../rng.ts';
import { eigSym } from './eig-sym.ts';
import { LinalgError, matrix, type Matrix, transpose } from './matrix.ts';
import { matmul, matmulTransposed } from './matmul.ts';
import { qr } from './qr.ts';
import { type Svd, svd } from './svd.ts';

/** v ↦ A v for a symmetric A. */
export type SymmetricOperator = (v: Float64Array) => Float64Array;

function dot(a: Float64Array, b: Float64Array): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i]! * b[i]!;
  return s;
}

function randomUnit(rng: Rng, n: number): Float64Array {
  const v = new Float64Array(n);
  rng.fillNormal(v);
  const size = Math.sqrt(dot(v, v));
  return v.map((x) => x / size);
}

/**
 * The eigenvalue of largest magnitude of a symmetric operator and its vector.
 * @returns `residual` ‖A v − value · v‖
 * @example
 * powerIteration((v) => v.map((x) => 3 * x), 4, new Rng(1)).value; // 3
 */
export function powerIteration(
  apply: SymmetricOperator,
  n: number,
  rng: Rng,
  options: { readonly iterations?: number; readonly tolerance?: number } = {},
): { value: number; vector: Float64Array; residual: number; iterations: number } {
  const limit = options.iterations ?? 1000;
  const tolerance = options.tolerance ?? 1e-10;
  let vector = randomUnit(rng, n);
  let value = 0;
  let residual = Infinity;
  let iterations = 0;
  while (iterations < limit) {
    iterations++;
    const image = apply(vector);
    value = dot(image, vector);
    const size = Math.sqrt(dot(image, image));
    residual = Math.sqrt(Math.max(0, size * size - value * value));
    if (size === 0 || residual <= tolerance * size) break;
    vector = image.map((x) => x / size);
  }
  return { value, vector, residual, iterations };
}

/**
 * The `count` eigenvalues of largest magnitude of a symmetric operator, by Lanczos with full reorthogonalisation.
 * @param steps size of the Krylov space, default min(n, 2·count + 20)
 * @returns values by falling magnitude, vectors [n, count] and the residual norm of each pair
 */
export function lanczos(
  apply: SymmetricOperator,
  n: number,
  count: number,
  rng: Rng,
  steps = Math.min(n, 2 * count + 20),
): { values: Float64Array; vectors: Matrix; residuals: Float64Array } {
  if (!(count >= 1 && count <= steps && steps <= n)) {
    throw new LinalgError('shape', `Expected 1 <= count <= steps <= n, got ${count}, ${steps}, ${n}.`);
  }
  const basis: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  let v = randomUnit(rng, n);
  let last = 0;
  for (let j = 0; j < steps; j++) {
    basis.push(v);
    const w = Float64Array.from(apply(v));
    alpha.push(dot(w, v));
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const d = dot(w, b);
        for (let i = 0; i < n; i++) w[i] = w[i]! - d * b[i]!;
      }
    }
    last = Math.sqrt(dot(w, w));
    if (j === steps - 1) break;
    if (last > 1e-12 * Math.max(...alpha.map(Math.abs), ...beta, 1e-300)) {
      v = w.map((x) => x / last);
      beta.push(last);
      continue;
    }
    // An invariant subspace is complete: go on in a fresh direction.
    beta.push(0);
    v = randomUnit(rng, n);
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const d = dot(v, b);
        for (let i = 0; i < n; i++) v[i] = v[i]! - d * b[i]!;
      }
    }
    const size = Math.sqrt(dot(v, v));
    v = v.map((x) => x / size);
  }
  const t = matrix(steps, steps);
  alpha.forEach((a, i) => (t.data[i * steps + i] = a));
  beta.forEach((b, i) => (t.data[i * steps + i + 1] = t.data[(i + 1) * steps + i] = b));
  const small = eigSym(t);
  const order = Array.from({ length: steps }, (_, i) => i)
    .sort((i, j) => Math.abs(small.values[j]!) - Math.abs(small.values[i]!))
    .slice(0, count);
  const vectors = matrix(n, count);
  const residuals = new Float64Array(count);
  order.forEach((from, to) => {
    residuals[to] = Math.abs(last * small.vectors.data[(steps - 1) * steps + from]!);
    basis.forEach((b, k) => {
      const f = small.vectors.data[k * steps + from]!;
      for (let i = 0; i < n; i++) vectors.data[i * count + to] = vectors.data[i * count + to]! + f * b[i]!;
    });
  });
  return { values: Float64Array.from(order, (i) => small.values[i]!), vectors, residuals };
}

/**
 * The leading singular triples of A from a random sample of its range. After Halko, Martinsson, Tropp (2011), algorithm 5.1
 * with power iterations.
 * @param a [m, n]
 */
export function randomizedSvd(
  a: Matrix,
  count: number,
  rng: Rng,
  options: { readonly oversample?: number; readonly power?: number } = {},
): Svd {
  const width = Math.min(a.rows, a.cols, count + (options.oversample ?? 10));
  const sample = matrix(a.cols, width);
  rng.fillNormal(sample.data);
  let range = qr(matmul(a, sample)).q;
  for (let k = 0; k < (options.power ?? 2); k++) {
    const back = qr(matmul(transpose(a), range)).q;
    range = qr(matmul(a, back)).q;
  }
  const inner = svd(matmul(transpose(range), a)); // [width, n]
  const keep = Math.min(count, inner.s.length);
  const u = matmul(range, columns(inner.u, keep));
  const vt = matrix(keep, a.cols, inner.vt.data.slice(0, keep * a.cols));
  return { u, s: inner.s.slice(0, keep), vt };
}

function columns(a: Matrix, count: number): Matrix {
  return matmulTransposed(
    a,
    matrix(
      count,
      a.cols,
      Float64Array.from({ length: count * a.cols }, (_, k) => (Math.floor(k / a.cols) === k % a.cols ? 1 : 0)),
    ),
  );
}
