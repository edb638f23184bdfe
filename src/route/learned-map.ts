// LearnedMap: the second map Phi of UniRoute (2502.08773). Phi(x) = softmax(theta [z; 1]), trained so that Phi Psi predicts the
// errors of the training models, whose Psi is fixed from K-means. Models that come later need no training: only their Psi.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import type { KMeans, FeatureMap } from './kmeans.ts';
import { estimatePsi } from './psi.ts';

export interface LearnedMapOptions {
  readonly rng: Rng;
  /** Sharpness of the start: softmax of -T |z - C|^2. Default 10. */
  readonly temperature?: number;
  /** Shrinkage of the training models' Psi. Default 5. */
  readonly n0?: number;
  /** Default 15. */
  readonly epochs?: number;
  /** Default 512. */
  readonly batch?: number;
  /** Step size of Adam. Default 0.05. */
  readonly learningRate?: number;
  /** Added to the gradient as weightDecay * theta. Default 1e-6. */
  readonly weightDecay?: number;
  /** Let the step size fall to 0 along half a cosine. Default false. */
  readonly anneal?: boolean;
  /** Length of the noise that is added to every row each time it is seen, over the mean length of rows. Default 0. */
  readonly noise?: number;
}

/** A soft map with parameters theta [K, dim + 1]. */
export class LearnedMap implements FeatureMap {
  readonly k: number;
  readonly dim: number;
  /** [K, dim + 1] */
  readonly theta: Float32Array;
  /** The same numbers in the type that training has them in: a loop that sees one type of array is faster than one that sees two. */
  readonly #wide: Float64Array;

  constructor(theta: Float32Array, dim: number) {
    this.dim = dim;
    this.k = theta.length / (dim + 1);
    this.theta = theta;
    this.#wide = Float64Array.from(theta);
    if (!Number.isInteger(this.k) || this.k < 1) {
      throw new CairnError('shape_mismatch', `Expected theta [K, ${dim + 1}], got ${theta.length} numbers.`);
    }
  }

  phi(z: ArrayLike<number>, out = new Float64Array(this.k)): Float64Array {
    return softmaxOf(this.#wide, z, 0, this.dim, this.k, out);
  }
}

/** The start of training: softmax of -T |z - C_k|^2 as parameters [K, dim + 1]. */
export function thetaOf(map: KMeans, temperature: number): Float64Array {
  const { k, dim, centroids } = map;
  const theta = new Float64Array(k * (dim + 1));
  for (let c = 0; c < k; c++) {
    let norm = 0;
    for (let d = 0; d < dim; d++) {
      theta[c * (dim + 1) + d] = 2 * temperature * centroids[c * dim + d]!;
      norm += centroids[c * dim + d]! ** 2;
    }
    theta[c * (dim + 1) + dim] = -temperature * norm;
  }
  return theta;
}

/** Rows whose gradients are added in one pass: the gradient is read and written once for all of them. */
const BLOCK = 4;

/** Rows of features with the errors of the training models on them. */
export interface MapTraining {
  /** [n, dim] */
  readonly features: Float32Array;
  readonly dim: number;
  /** [n, H] errors in [0,1]. */
  readonly error: Float64Array;
}

/** Something else known of the rows, such as the task they come from; kinds that tell it apart are preferred. */
export interface SideLabels {
  /** [n] from 0, -1 where unknown. */
  readonly label: Int32Array;
  /** Different labels. */
  readonly count: number;
  /** Weight of its log loss beside that of the errors. */
  readonly weight: number;
}

/** What training holds fixed: Psi of the models, and of the side labels how often each occurs in a kind. */
export interface MapTargets {
  /** [K, H] */
  readonly psi: Float64Array;
  readonly side?: SideLabels & {
    /** [K, count] */
    readonly share: Float64Array;
  };
}

/**
 * Mean log loss of Phi Psi over the rows `index` and all H models, plus that of the side labels, and its gradient by theta.
 * @param theta [K, dim + 1]
 */
export function mapLoss(
  theta: Float64Array,
  { psi, side }: MapTargets,
  data: MapTraining,
  index: ArrayLike<number>,
): { loss: number; gradient: Float64Array } {
  const { features, dim, error } = data;
  const k = theta.length / (dim + 1);
  const models = psi.length / k;
  const gradient = new Float64Array(theta.length);
  const phi = new Float64Array(k);
  const dPhi = new Float64Array(k);
  const dLogit = new Float64Array(BLOCK * k); // of the rows of one block
  const scale = 1 / (index.length * models);
  let loss = 0;
  for (let from = 0; from < index.length; from += BLOCK) {
    const rows = Math.min(BLOCK, index.length - from);
    for (let r = 0; r < rows; r++) {
      const row = index[from + r]!;
      softmaxOf(theta, features, row * dim, dim, k, phi);
      dPhi.fill(0);
      for (let m = 0; m < models; m++) {
        let raw = 0;
        for (let c = 0; c < k; c++) raw += phi[c]! * psi[c * models + m]!;
        const gamma = Math.min(1 - 1e-4, Math.max(1e-4, raw));
        const e = error[row * models + m]!;
        loss -= scale * (e * Math.log(gamma) + (1 - e) * Math.log(1 - gamma));
        if (gamma !== raw) continue; // clipped: flat
        const d = (scale * (gamma - e)) / (gamma * (1 - gamma));
        for (let c = 0; c < k; c++) dPhi[c] = dPhi[c]! + d * psi[c * models + m]!;
      }
      const label = side ? side.label[row]! : -1;
      if (side && label >= 0) {
        let p = 0;
        for (let c = 0; c < k; c++) p += phi[c]! * side.share[c * side.count + label]!;
        const weight = side.weight / index.length;
        loss -= weight * Math.log(Math.max(p, 1e-4));
        if (p > 1e-4)
          for (let c = 0; c < k; c++) dPhi[c] = dPhi[c]! - (weight / p) * side.share[c * side.count + label]!;
      }
      let inner = 0;
      for (let c = 0; c < k; c++) inner += phi[c]! * dPhi[c]!;
      for (let c = 0; c < k; c++) dLogit[r * k + c] = phi[c]! * (dPhi[c]! - inner);
    }
    addOuter(gradient, dLogit, features, index, from, rows, dim, k);
  }
  return { loss, gradient };
}

/**
 * Trains a map from a K-means start.
 * @param start clusters fitted on unlabelled features
 * @throws CairnError `no_training_models` when there are no errors to learn from
 */
export function fitLearnedMap(
  start: KMeans,
  data: MapTraining & { readonly side?: SideLabels },
  options: LearnedMapOptions,
): LearnedMap {
  const { dim } = data;
  const n = data.features.length / dim;
  const models = data.error.length / n;
  if (!Number.isInteger(models) || models < 1) {
    throw new CairnError('no_training_models', 'Expected labels of at least one training model, got none.', {
      hint: 'Use the K-means map, which needs no labels.',
    });
  }
  const targets = targetsOf(start, data, models, options.n0 ?? 5);
  const theta = thetaOf(start, options.temperature ?? 10);
  const mean = new Float64Array(theta.length);
  const square = new Float64Array(theta.length);
  const rate = options.learningRate ?? 0.05;
  const decay = options.weightDecay ?? 1e-6;
  const batch = options.batch ?? 512;
  const epochs = options.epochs ?? 15;
  const steps = epochs * Math.ceil(n / batch);
  const noisy = options.noise
    ? noiseFor(data.features, dim, batch, options.noise, options.rng.fork('noise'))
    : undefined;
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = options.rng.fork(`epoch-${epoch}`).permutation(n);
    for (let from = 0; from < n; from += batch) {
      const rows = order.subarray(from, Math.min(n, from + batch));
      const { gradient } = noisy ? noisyLoss(theta, targets, data, rows, noisy) : mapLoss(theta, targets, data, rows);
      step++;
      const fixMean = 1 - 0.9 ** step;
      const fixSquare = 1 - 0.999 ** step;
      const size = options.anneal ? rate * 0.5 * (1 + Math.cos((Math.PI * step) / steps)) : rate;
      for (let i = 0; i < theta.length; i++) {
        const g = gradient[i]! + decay * theta[i]!;
        mean[i] = 0.9 * mean[i]! + 0.1 * g;
        square[i] = 0.999 * square[i]! + 0.001 * g * g;
        theta[i] = theta[i]! - (size * (mean[i]! / fixMean)) / (Math.sqrt(square[i]! / fixSquare) + 1e-8);
      }
    }
  }
  return new LearnedMap(Float32Array.from(theta), dim);
}

/** Psi of the training models in the starting clusters, and the shares of the side labels there. */
function targetsOf(
  start: KMeans,
  data: MapTraining & { readonly side?: SideLabels },
  models: number,
  n0: number,
): MapTargets {
  const n = data.error.length / models;
  const hard = new Float64Array(n * start.k);
  for (let i = 0; i < n; i++) hard[i * start.k + start.assign(data.features, i * data.dim)] = 1;
  const shrunk = (target: Float64Array): Float64Array =>
    estimatePsi(hard, target, start.k, { estimator: 'shrunk', n0 }).value;
  const { side } = data;
  if (!side) return { psi: shrunk(data.error) };
  const occurs = new Float64Array(n * side.count);
  side.label.forEach((label, i) => {
    if (label >= 0) occurs[i * side.count + label] = 1;
  });
  return { psi: shrunk(data.error), side: { ...side, share: shrunk(occurs) } };
}

/** Normal numbers that rows take a stretch of, from anywhere: drawing anew for every row would cost more than the training. */
interface Noise {
  readonly pool: Float32Array;
  readonly rng: Rng;
  /** [batch, dim] the rows of one step. */
  readonly rows: Float32Array;
}

function noiseFor(features: Float32Array, dim: number, batch: number, relative: number, rng: Rng): Noise {
  let length = 0;
  for (let at = 0; at < features.length; at += dim) {
    let square = 0;
    for (let d = 0; d < dim; d++) square += features[at + d]! ** 2;
    length += Math.sqrt(square);
  }
  const pool = new Float32Array(64 * dim + 4096);
  rng.fillNormal(pool, (relative * length * dim) / features.length / Math.sqrt(dim));
  return { pool, rng, rows: new Float32Array(batch * dim) };
}

function noisyLoss(
  theta: Float64Array,
  targets: MapTargets,
  data: MapTraining,
  rows: ArrayLike<number>,
  { pool, rng, rows: features }: Noise,
): { loss: number; gradient: Float64Array } {
  const { dim } = data;
  const models = targets.psi.length / (theta.length / (dim + 1));
  const error = new Float64Array(rows.length * models);
  const label = new Int32Array(rows.length);
  const index = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const at = rng.integer(pool.length - dim);
    for (let d = 0; d < dim; d++) features[i * dim + d] = data.features[row * dim + d]! + pool[at + d]!;
    error.set(data.error.subarray(row * models, (row + 1) * models), i * models);
    label[i] = targets.side ? targets.side.label[row]! : -1;
    index[i] = i;
  }
  const side = targets.side && { ...targets.side, label };
  return mapLoss(theta, { psi: targets.psi, ...(side ? { side } : {}) }, { features, dim, error }, index);
}

/** gradient += the sum over a block's rows of dLogit x [z; 1], row after row, so that the block's size changes no bit. */
function addOuter(
  gradient: Float64Array,
  dLogit: Float64Array,
  features: Float32Array,
  index: ArrayLike<number>,
  from: number,
  rows: number,
  dim: number,
  k: number,
): void {
  const width = dim + 1;
  if (rows < BLOCK) {
    for (let r = 0; r < rows; r++) {
      const at = index[from + r]! * dim;
      for (let c = 0; c < k; c++) {
        const d = dLogit[r * k + c]!;
        const base = c * width;
        for (let j = 0; j < dim; j++) gradient[base + j] = gradient[base + j]! + d * features[at + j]!;
        gradient[base + dim] = gradient[base + dim]! + d;
      }
    }
    return;
  }
  const [a0, a1, a2, a3] = [0, 1, 2, 3].map((r) => index[from + r]! * dim) as [number, number, number, number];
  for (let c = 0; c < k; c++) {
    const [d0, d1, d2, d3] = [dLogit[c]!, dLogit[k + c]!, dLogit[2 * k + c]!, dLogit[3 * k + c]!];
    const base = c * width;
    for (let j = 0; j < dim; j++) {
      gradient[base + j] =
        gradient[base + j]! +
        d0 * features[a0 + j]! +
        d1 * features[a1 + j]! +
        d2 * features[a2 + j]! +
        d3 * features[a3 + j]!;
    }
    gradient[base + dim] = gradient[base + dim]! + d0 + d1 + d2 + d3;
  }
}

function softmaxOf(
  theta: Float64Array,
  z: ArrayLike<number>,
  offset: number,
  dim: number,
  k: number,
  out: Float64Array,
): Float64Array {
  const width = dim + 1;
  let c = 0;
  // Four kinds at a time: their sums do not wait for each other.
  for (; c + 4 <= k; c += 4) {
    const b0 = c * width;
    const b1 = b0 + width;
    const b2 = b1 + width;
    const b3 = b2 + width;
    let s0 = theta[b0 + dim]!;
    let s1 = theta[b1 + dim]!;
    let s2 = theta[b2 + dim]!;
    let s3 = theta[b3 + dim]!;
    for (let d = 0; d < dim; d++) {
      const v = z[offset + d]!;
      s0 += theta[b0 + d]! * v;
      s1 += theta[b1 + d]! * v;
      s2 += theta[b2 + d]! * v;
      s3 += theta[b3 + d]! * v;
    }
    out[c] = s0;
    out[c + 1] = s1;
    out[c + 2] = s2;
    out[c + 3] = s3;
  }
  for (; c < k; c++) {
    const base = c * width;
    let sum = theta[base + dim]!;
    for (let d = 0; d < dim; d++) sum += theta[base + d]! * z[offset + d]!;
    out[c] = sum;
  }
  softmaxInPlace(out, 0, k);
  return out;
}

/** Softmax of the numbers from `from` up to `to`. */
export function softmaxInPlace(values: Float64Array, from: number, to: number): void {
  let top = -Infinity;
  for (let c = from; c < to; c++) if (values[c]! > top) top = values[c]!;
  let total = 0;
  for (let c = from; c < to; c++) total += values[c] = Math.exp(values[c]! - top);
  for (let c = from; c < to; c++) values[c] = values[c]! / total;
}
