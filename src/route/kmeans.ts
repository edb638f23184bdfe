// K-means: the map Phi of UniRoute (2502.08773, section 4.2 of its K-means variant). Fitted on unlabelled features only.
// Assignment is argmax_k (z.C_k - |C_k|^2/2), the same as the nearest centroid.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';

/** A soft or hard assignment of inputs to K kinds. */
export interface FeatureMap {
  readonly k: number;
  readonly dim: number;
  /**
   * [K] non-negative, sum 1: how much the input z [dim] is of each kind.
   * @param out written and returned when given, so that nothing is allocated
   */
  phi(z: ArrayLike<number>, out?: Float64Array): Float64Array;
}

export interface KMeansOptions {
  readonly k: number;
  readonly rng: Rng;
  /** `plusplus`: k-means++ seeding; `rows`: random distinct rows. Default `plusplus`. */
  readonly start?: 'plusplus' | 'rows';
  /** Lloyd iterations at most. Default 25. */
  readonly iterations?: number;
}

/** K centroids of dimension dim; Phi is one-hot. */
export class KMeans implements FeatureMap {
  readonly k: number;
  readonly dim: number;
  /** [K, dim] */
  readonly centroids: Float32Array;
  readonly #half: Float64Array;

  constructor(centroids: Float32Array, dim: number) {
    this.dim = dim;
    this.k = centroids.length / dim;
    this.centroids = centroids;
    this.#half = new Float64Array(this.k);
    for (let k = 0; k < this.k; k++) {
      let norm = 0;
      for (let d = 0; d < dim; d++) norm += centroids[k * dim + d]! ** 2;
      this.#half[k] = norm / 2;
    }
  }

  /** The nearest centroid of z; ties go to the lower index. `offset` reads a row of a larger array. */
  assign(z: ArrayLike<number>, offset = 0): number {
    const { dim, centroids } = this;
    const half = this.#half;
    let best = 0;
    let bestScore = -Infinity;
    let k = 0;
    // Four centroids at a time: their sums do not wait for each other.
    for (; k + 4 <= this.k; k += 4) {
      const b0 = k * dim;
      const b1 = b0 + dim;
      const b2 = b1 + dim;
      const b3 = b2 + dim;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let d = 0; d < dim; d++) {
        const v = z[offset + d]!;
        s0 += v * centroids[b0 + d]!;
        s1 += v * centroids[b1 + d]!;
        s2 += v * centroids[b2 + d]!;
        s3 += v * centroids[b3 + d]!;
      }
      s0 -= half[k]!;
      s1 -= half[k + 1]!;
      s2 -= half[k + 2]!;
      s3 -= half[k + 3]!;
      if (s0 > bestScore) [best, bestScore] = [k, s0];
      if (s1 > bestScore) [best, bestScore] = [k + 1, s1];
      if (s2 > bestScore) [best, bestScore] = [k + 2, s2];
      if (s3 > bestScore) [best, bestScore] = [k + 3, s3];
    }
    for (; k < this.k; k++) {
      let dot = 0;
      const base = k * dim;
      for (let d = 0; d < dim; d++) dot += z[offset + d]! * centroids[base + d]!;
      const score = dot - half[k]!;
      if (score > bestScore) [best, bestScore] = [k, score];
    }
    return best;
  }

  phi(z: ArrayLike<number>, out = new Float64Array(this.k)): Float64Array {
    out.fill(0);
    out[this.assign(z)] = 1;
    return out;
  }

  /** Clusters of n rows [n, dim]. */
  assignAll(rows: Float32Array): Int32Array {
    return Int32Array.from({ length: rows.length / this.dim }, (_, i) => this.assign(rows, i * this.dim));
  }
}

/**
 * Lloyd's algorithm. An empty cluster is re-seeded with a random row. Fewer rows than k: k is cut to the number of rows.
 * @param rows [n, dim]
 * @throws CairnError `bad_parameter` when there are no rows
 * @example
 * const map = fitKMeans(new Float32Array([0, 0.1, 5, 5.1]), 1, { k: 2, rng: new Rng(7) });
 * map.assign([0.05]) !== map.assign([5]); // true
 */
export function fitKMeans(rows: Float32Array, dim: number, options: KMeansOptions): KMeans {
  const n = rows.length / dim;
  if (!Number.isInteger(n) || n < 1) {
    throw new CairnError('bad_parameter', `Expected rows of ${dim} numbers, got ${rows.length} numbers in all.`, {
      hint: 'Pass at least one row, row-major.',
    });
  }
  const k = Math.min(options.k, n);
  let map = new KMeans(start(rows, dim, k, options), dim);
  let previous: Int32Array | undefined;
  for (let iteration = 0; iteration < (options.iterations ?? 25); iteration++) {
    const clusters = map.assignAll(rows);
    if (previous && clusters.every((c, i) => c === previous![i])) break;
    previous = clusters;
    map = new KMeans(means(rows, dim, k, clusters, options.rng.fork(`reseed-${iteration}`)), dim);
  }
  return map;
}

function start(rows: Float32Array, dim: number, k: number, options: KMeansOptions): Float32Array {
  const rng = options.rng.fork('start');
  const n = rows.length / dim;
  const centroids = new Float32Array(k * dim);
  const row = (i: number): Float32Array => rows.subarray(i * dim, (i + 1) * dim);
  if (options.start === 'rows') {
    rng.choice(n, k).forEach((i, c) => centroids.set(row(i), c * dim));
    return centroids;
  }
  const nearest = new Float64Array(n).fill(Infinity); // squared distance to the nearest centroid chosen so far
  let chosen = rng.integer(n);
  for (let c = 0; c < k; c++) {
    centroids.set(row(chosen), c * dim);
    let total = 0;
    for (let i = 0; i < n; i++) {
      let d2 = 0;
      for (let d = 0; d < dim; d++) d2 += (rows[i * dim + d]! - centroids[c * dim + d]!) ** 2;
      nearest[i] = Math.min(nearest[i]!, d2);
      total += nearest[i]!;
    }
    chosen = total > 0 ? rng.categorical(nearest) : rng.integer(n);
  }
  return centroids;
}

function means(rows: Float32Array, dim: number, k: number, clusters: Int32Array, rng: Rng): Float32Array {
  const sums = new Float64Array(k * dim);
  const sizes = new Float64Array(k);
  for (let i = 0; i < clusters.length; i++) {
    const c = clusters[i]!;
    sizes[c] = sizes[c]! + 1;
    for (let d = 0; d < dim; d++) sums[c * dim + d] = sums[c * dim + d]! + rows[i * dim + d]!;
  }
  const centroids = new Float32Array(k * dim);
  for (let c = 0; c < k; c++) {
    const seed = sizes[c] === 0 ? rng.integer(clusters.length) : -1;
    for (let d = 0; d < dim; d++) {
      centroids[c * dim + d] = seed < 0 ? sums[c * dim + d]! / sizes[c]! : rows[seed * dim + d]!;
    }
  }
  return centroids;
}
