// A sparse matrix by rows and its leading right singular vectors by randomised subspace iteration (Halko, Martinsson and
// Tropp 2011): Gaussian start among the rows' combinations, power iterations of Y Yt with orthonormalisation in between,
// eigenvectors of the small Gram matrix.
import { eigSym, matrix, type Rng } from '../../tensor/index.ts';

/** Rows of (column, value) pairs: row i holds the entries rowStart[i] .. rowStart[i+1]. */
export interface SparseRows {
  readonly rows: number;
  readonly cols: number;
  readonly rowStart: Int32Array;
  readonly column: Int32Array;
  readonly value: Float64Array;
}

/** Leading right singular vectors. */
export interface RightVectors {
  /** [cols, k], columns by falling singular value; the entry of largest magnitude of each is positive. */
  readonly vectors: Float64Array;
  readonly k: number;
  /** [k] */
  readonly singular: Float64Array;
}

/**
 * @param k wanted vectors; fewer come back when the rank is smaller
 * @param rng the Gaussian start; same seed, same bytes
 */
export function rightSingularVectors(
  y: SparseRows,
  k: number,
  rng: Rng,
  options: { readonly oversample?: number; readonly power?: number } = {},
): RightVectors {
  const width = Math.min(k + (options.oversample ?? 10), y.rows, y.cols);
  const start = new Float64Array(y.rows * width);
  rng.fillNormal(start);
  let range = orthonormal(start, y.rows, width, 1);
  const power = options.power ?? 4;
  for (let i = 0; i <= power; i++) {
    const image = times(y, timesTransposed(y, range.q, range.width), range.width);
    range = orthonormal(image, y.rows, range.width, i < power ? 1 : 2);
  }
  // B = Qt Y is [width, cols]; kept transposed. Its Gram matrix has the squared singular values.
  const w = range.width;
  const bt = timesTransposed(y, range.q, w);
  const { values, vectors } = eigSym(gramOf(bt, y.cols, w));
  const top = values[w - 1] ?? 0;
  const keep: number[] = [];
  for (let i = w - 1; i >= 0 && keep.length < k; i--) if (values[i]! > 1e-10 * top && values[i]! > 0) keep.push(i);
  const singular = Float64Array.from(keep, (i) => Math.sqrt(values[i]!));
  const turn = new Float64Array(w * keep.length);
  for (let i = 0; i < w; i++)
    for (let j = 0; j < keep.length; j++) turn[i * keep.length + j] = vectors.data[i * w + keep[j]!]! / singular[j]!;
  const out = product(bt, y.cols, w, turn, keep.length);
  fixSigns(out, y.cols, keep.length);
  return { vectors: out, k: keep.length, singular };
}

/** Y X, [rows, width]. */
export function times(y: SparseRows, x: Float64Array, width: number): Float64Array {
  const out = new Float64Array(y.rows * width);
  for (let i = 0; i < y.rows; i++) {
    const to = i * width;
    const end = y.rowStart[i + 1]!;
    let e = y.rowStart[i]!;
    // Four entries a pass, added in the same order as one by one.
    for (; e + 4 <= end; e += 4) {
      const [v0, v1, v2, v3] = [y.value[e]!, y.value[e + 1]!, y.value[e + 2]!, y.value[e + 3]!];
      const f0 = y.column[e]! * width;
      const f1 = y.column[e + 1]! * width;
      const f2 = y.column[e + 2]! * width;
      const f3 = y.column[e + 3]! * width;
      for (let j = 0; j < width; j++) {
        out[to + j] = out[to + j]! + v0 * x[f0 + j]! + v1 * x[f1 + j]! + v2 * x[f2 + j]! + v3 * x[f3 + j]!;
      }
    }
    for (; e < end; e++) {
      const v = y.value[e]!;
      const from = y.column[e]! * width;
      for (let j = 0; j < width; j++) out[to + j] = out[to + j]! + v * x[from + j]!;
    }
  }
  return out;
}

/** Yt X, [cols, width]. */
export function timesTransposed(y: SparseRows, x: Float64Array, width: number): Float64Array {
  const out = new Float64Array(y.cols * width);
  for (let i = 0; i < y.rows; i++) {
    const from = i * width;
    for (let e = y.rowStart[i]!; e < y.rowStart[i + 1]!; e++) {
      const v = y.value[e]!;
      const to = y.column[e]! * width;
      for (let j = 0; j < width; j++) out[to + j] = out[to + j]! + v * x[from + j]!;
    }
  }
  return out;
}

/**
 * An orthonormal basis of the columns of a [rows, width] by the Gram matrix; null directions are dropped. A second pass makes
 * it orthonormal to rounding.
 */
function orthonormal(a: Float64Array, rows: number, width: number, passes: number): { q: Float64Array; width: number } {
  let q = a;
  let w = width;
  for (let pass = 0; pass < passes; pass++) {
    const { values, vectors } = eigSym(gramOf(q, rows, w));
    const top = values[w - 1] ?? 0;
    const keep = Array.from({ length: w }, (_, i) => i).filter((i) => values[i]! > 1e-13 * top && values[i]! > 0);
    const basis = new Float64Array(w * keep.length);
    for (let i = 0; i < w; i++)
      for (let j = 0; j < keep.length; j++)
        basis[i * keep.length + j] = vectors.data[i * w + keep[j]!]! / Math.sqrt(values[keep[j]!]!);
    const next = product(q, rows, w, basis, keep.length);
    q = next;
    w = keep.length;
  }
  return { q, width: w };
}

/** A B of a [rows, inner] and b [inner, cols]. */
function product(a: Float64Array, rows: number, inner: number, b: Float64Array, cols: number): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const to = r * cols;
    let i = 0;
    for (; i + 4 <= inner; i += 4) {
      const at = r * inner + i;
      const [v0, v1, v2, v3] = [a[at]!, a[at + 1]!, a[at + 2]!, a[at + 3]!];
      const f0 = i * cols;
      const f1 = f0 + cols;
      const f2 = f1 + cols;
      const f3 = f2 + cols;
      for (let j = 0; j < cols; j++) {
        out[to + j] = out[to + j]! + v0 * b[f0 + j]! + v1 * b[f1 + j]! + v2 * b[f2 + j]! + v3 * b[f3 + j]!;
      }
    }
    for (; i < inner; i++) {
      const v = a[r * inner + i]!;
      const from = i * cols;
      for (let j = 0; j < cols; j++) out[to + j] = out[to + j]! + v * b[from + j]!;
    }
  }
  return out;
}

/** At A of a [rows, width]. */
function gramOf(a: Float64Array, rows: number, width: number): ReturnType<typeof matrix> {
  const out = matrix(width, width);
  const sums = out.data;
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const r0 = r * width;
    const r1 = r0 + width;
    const r2 = r1 + width;
    const r3 = r2 + width;
    for (let i = 0; i < width; i++) {
      const [v0, v1, v2, v3] = [a[r0 + i]!, a[r1 + i]!, a[r2 + i]!, a[r3 + i]!];
      const to = i * width;
      for (let j = 0; j <= i; j++) {
        sums[to + j] = sums[to + j]! + v0 * a[r0 + j]! + v1 * a[r1 + j]! + v2 * a[r2 + j]! + v3 * a[r3 + j]!;
      }
    }
  }
  for (; r < rows; r++) {
    const from = r * width;
    for (let i = 0; i < width; i++) {
      const v = a[from + i]!;
      for (let j = 0; j <= i; j++) sums[i * width + j] = sums[i * width + j]! + v * a[from + j]!;
    }
  }
  for (let i = 0; i < width; i++)
    for (let j = i + 1; j < width; j++) out.data[i * width + j] = out.data[j * width + i]!;
  return out;
}

function fixSigns(vectors: Float64Array, rows: number, k: number): void {
  for (let j = 0; j < k; j++) {
    let best = 0;
    for (let r = 0; r < rows; r++) if (Math.abs(vectors[r * k + j]!) > Math.abs(best)) best = vectors[r * k + j]!;
    if (best < 0) for (let r = 0; r < rows; r++) vectors[r * k + j] = -vectors[r * k + j]!;
  }
}
