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
}

/** A soft map with parameters theta [K, dim + 1]. */
export class LearnedMap implements FeatureMap {
  readonly k: number;
  readonly dim: number;
  /** [K, dim + 1] */
  readonly theta: Float32Array;

  constructor(theta: Float32Array, dim: number) {
    this.dim = dim;
    this.k = theta.length / (dim + 1);
    this.theta = theta;
    if (!Number.isInteger(this.k) || this.k < 1) {
      throw new CairnError('shape_mismatch', `Expected theta [K, ${dim + 1}], got ${theta.length} numbers.`);
    }
  }

  phi(z: ArrayLike<number>, out = new Float64Array(this.k)): Float64Array {
    return softmaxOf(this.theta, z, 0, this.dim, this.k, out);
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

/** Rows of features with the errors of the training models on them. */
export interface MapTraining {
  /** [n, dim] */
  readonly features: Float32Array;
  readonly dim: number;
  /** [n, H] errors in [0,1]. */
  readonly error: Float64Array;
}

/**
 * Mean log loss of Phi Psi over the rows `index` and all H models, and its gradient by theta.
 * @param theta [K, dim + 1]
 * @param psi [K, H]
 */
export function mapLoss(
  theta: Float64Array,
  psi: Float64Array,
  data: MapTraining,
  index: ArrayLike<number>,
): { loss: number; gradient: Float64Array } {
  const { features, dim, error } = data;
  const width = dim + 1;
  const k = theta.length / width;
  const models = psi.length / k;
  const gradient = new Float64Array(theta.length);
  const phi = new Float64Array(k);
  const dPhi = new Float64Array(k);
  const scale = 1 / (index.length * models);
  let loss = 0;
  for (let i = 0; i < index.length; i++) {
    const row = index[i]!;
    const at = row * dim;
    softmaxOf(theta, features, at, dim, k, phi);
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
    let inner = 0;
    for (let c = 0; c < k; c++) inner += phi[c]! * dPhi[c]!;
    for (let c = 0; c < k; c++) {
      const d = phi[c]! * (dPhi[c]! - inner);
      if (d === 0) continue;
      const base = c * width;
      for (let j = 0; j < dim; j++) gradient[base + j] = gradient[base + j]! + d * features[at + j]!;
      gradient[base + dim] = gradient[base + dim]! + d;
    }
  }
  return { loss, gradient };
}

/**
 * Trains a map from a K-means start.
 * @param start clusters fitted on unlabelled features
 * @throws CairnError `no_training_models` when there are no errors to learn from
 */
export function fitLearnedMap(start: KMeans, data: MapTraining, options: LearnedMapOptions): LearnedMap {
  const { dim } = data;
  const n = data.features.length / dim;
  const models = data.error.length / n;
  if (!Number.isInteger(models) || models < 1) {
    throw new CairnError('no_training_models', 'Expected labels of at least one training model, got none.', {
      hint: 'Use the K-means map, which needs no labels.',
    });
  }
  const hard = new Float64Array(n * start.k);
  for (let i = 0; i < n; i++) hard[i * start.k + start.assign(data.features, i * dim)] = 1;
  const psi = estimatePsi(hard, data.error, start.k, { estimator: 'shrunk', n0: options.n0 ?? 5 }).value;
  const theta = thetaOf(start, options.temperature ?? 10);
  const mean = new Float64Array(theta.length);
  const square = new Float64Array(theta.length);
  const rate = options.learningRate ?? 0.05;
  const decay = options.weightDecay ?? 1e-6;
  const batch = options.batch ?? 512;
  let step = 0;
  for (let epoch = 0; epoch < (options.epochs ?? 15); epoch++) {
    const order = options.rng.fork(`epoch-${epoch}`).permutation(n);
    for (let from = 0; from < n; from += batch) {
      const { gradient } = mapLoss(theta, psi, data, order.subarray(from, Math.min(n, from + batch)));
      step++;
      const fixMean = 1 - 0.9 ** step;
      const fixSquare = 1 - 0.999 ** step;
      for (let i = 0; i < theta.length; i++) {
        const g = gradient[i]! + decay * theta[i]!;
        mean[i] = 0.9 * mean[i]! + 0.1 * g;
        square[i] = 0.999 * square[i]! + 0.001 * g * g;
        theta[i] = theta[i]! - (rate * (mean[i]! / fixMean)) / (Math.sqrt(square[i]! / fixSquare) + 1e-8);
      }
    }
  }
  return new LearnedMap(Float32Array.from(theta), dim);
}

function softmaxOf(
  theta: ArrayLike<number>,
  z: ArrayLike<number>,
  offset: number,
  dim: number,
  k: number,
  out: Float64Array,
): Float64Array {
  const width = dim + 1;
  let top = -Infinity;
  for (let c = 0; c < k; c++) {
    const base = c * width;
    let sum = theta[base + dim]!;
    for (let d = 0; d < dim; d++) sum += theta[base + d]! * z[offset + d]!;
    out[c] = sum;
    if (sum > top) top = sum;
  }
  let total = 0;
  for (let c = 0; c < k; c++) total += out[c] = Math.exp(out[c]! - top);
  for (let c = 0; c < k; c++) out[c] = out[c]! / total;
  return out;
}
