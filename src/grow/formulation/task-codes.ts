// Clusters of task codes without knowing how many there are: the radius from the gap between the distances inside and
// between clusters, then leaders found through LSH. Not k-means: nothing is optimised, every code is looked at once.
import { CairnError } from '../../errors.ts';
import { LshIndex, Signer } from '../../memory/index.ts';
import { Rng } from '../../tensor/index.ts';

/** Clusters of codes. */
export interface CodeClusters {
  /** Cluster of every code. */
  readonly labels: Int32Array;
  /** Means of the clusters `[count, width]`. */
  readonly centres: Float64Array;
  readonly count: number;
  /** Codes nearer than this to a leader belong to it; infinite when the distances show no gap. */
  readonly radius: number;
  /** The cluster of a new code; -1 when it is nearer to none than the radius. */
  assign(code: ArrayLike<number>): number;
}

export interface ClusterOptions {
  readonly seed: number;
  /** Least ratio of neighbouring distances that counts as a gap. Default 1.25. */
  readonly gap?: number;
}

/**
 * Clusters codes.
 * @param codes `[n, width]`
 * @throws CairnError `shape_mismatch`, `not_finite`
 * @example
 * const { count, labels } = clusterCodes(codes, 32, { seed: 7 });
 */
export function clusterCodes(codes: Float32Array, width: number, options: ClusterOptions): CodeClusters {
  const n = codes.length / width;
  if (!Number.isInteger(n) || n < 1) {
    throw new CairnError('shape_mismatch', `Expected rows of ${width} numbers, got ${codes.length} numbers.`);
  }
  const bad = codes.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) {
    throw new CairnError('not_finite', `Expected finite codes, got ${codes[bad]} in row ${Math.floor(bad / width)}.`);
  }
  const radius = gapRadius(codes, width, options);
  const mean = new Float64Array(width);
  for (let i = 0; i < codes.length; i++) mean[i % width]! += codes[i]! / n;
  const signer = new Signer(width, options.seed);
  const index = new LshIndex();
  const leaders: number[] = [];
  const labels = new Int32Array(n);
  const row = (i: number): Float32Array => codes.subarray(i * width, (i + 1) * width);
  const nearestLeader = (code: ArrayLike<number>): { cluster: number; distance: number } => {
    let best = { cluster: -1, distance: Infinity };
    if (leaders.length === 0) return best;
    const signed = signer.sign(code, mean);
    for (const { ref } of index.nearest([{ centre: 0, signed }], 8)) {
      const d = distance(code, row(leaders[ref]!));
      if (d < best.distance) best = { cluster: ref, distance: d };
    }
    return best;
  };
  for (let i = 0; i < n; i++) {
    const code = row(i);
    const near = nearestLeader(code);
    if (near.cluster >= 0 && near.distance <= radius) {
      labels[i] = near.cluster;
      continue;
    }
    labels[i] = leaders.length;
    index.add(leaders.length, signer.sign(code, mean).bits);
    leaders.push(i);
  }
  const count = leaders.length;
  const centres = new Float64Array(count * width);
  const sizes = new Float64Array(count);
  for (let i = 0; i < n; i++) {
    sizes[labels[i]!]!++;
    for (let k = 0; k < width; k++) centres[labels[i]! * width + k]! += codes[i * width + k]!;
  }
  for (let i = 0; i < centres.length; i++) centres[i]! /= sizes[Math.floor(i / width)]!;
  return {
    labels,
    centres,
    count,
    radius,
    assign(code) {
      const near = nearestLeader(code);
      return near.distance <= radius ? near.cluster : -1;
    },
  };
}

const ANCHORS = 96;

/** The middle of the widest gap in the sorted distances from some codes to all, on a log scale. */
function gapRadius(codes: Float32Array, width: number, options: ClusterOptions): number {
  const n = codes.length / width;
  const anchors = new Rng(options.seed).fork('anchors').choice(n, Math.min(n, ANCHORS));
  const distances: number[] = [];
  for (const a of anchors) {
    const from = codes.subarray(a * width, (a + 1) * width);
    for (let i = 0; i < n; i++) {
      if (i !== a) distances.push(distance(from, codes.subarray(i * width, (i + 1) * width)));
    }
  }
  const sorted = Float64Array.from(distances).sort();
  const scale = sorted.at(-1) ?? 0;
  if (!(scale > 0)) return Infinity;
  // A few near or far pairs are no cluster: a gap must have some distances on either side.
  const margin = Math.max(1, Math.min(ANCHORS, sorted.length >> 8));
  let widest = options.gap ?? 1.25;
  let radius = Infinity;
  for (let i = margin; i <= sorted.length - margin; i++) {
    const low = Math.max(sorted[i - 1]!, 1e-6 * scale);
    const ratio = sorted[i]! / low;
    if (ratio > widest) {
      widest = ratio;
      radius = Math.sqrt(low * sorted[i]!);
    }
  }
  return radius;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < b.length; i++) s += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(s);
}
