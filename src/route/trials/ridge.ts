// Ridge regression of errors on features: what routers are compared with. Retrained on the labelled set it is a heavier per-model
// model than a row of Psi; fitted on all labels ("clairvoyant") it is a bound, not a competitor.
import { cholesky, choleskySolve, matrix } from '../../tensor/index.ts';

/** A linear prediction per target. */
export interface Ridge {
  readonly dim: number;
  readonly targets: number;
  /** [dim + 1, targets]; the last row is the intercept. */
  readonly weights: Float64Array;
}

/**
 * @param features [n, dim]
 * @param target [n, T]
 * @param penalty added to the diagonal, the intercept's included
 * @example
 * const model = fitRidge(features, dim, errors, 20);
 */
export function fitRidge(features: Float32Array, dim: number, target: Float64Array, penalty: number): Ridge {
  const n = features.length / dim;
  const targets = target.length / n;
  const width = dim + 1;
  const gram = matrix(width, width);
  const right = matrix(width, targets);
  const x = new Float64Array(width);
  x[dim] = 1;
  for (let j = 0; j < n; j++) {
    for (let d = 0; d < dim; d++) x[d] = features[j * dim + d]!;
    for (let a = 0; a < width; a++) {
      const v = x[a]!;
      for (let b = 0; b <= a; b++) gram.data[a * width + b] = gram.data[a * width + b]! + v * x[b]!;
      for (let t = 0; t < targets; t++)
        right.data[a * targets + t] = right.data[a * targets + t]! + v * target[j * targets + t]!;
    }
  }
  for (let a = 0; a < width; a++) gram.data[a * width + a] = gram.data[a * width + a]! + penalty;
  return { dim, targets, weights: choleskySolve(cholesky(gram), right).data };
}

/** Predictions [n, T] for features [n, dim]. */
export function predictRidge(model: Ridge, features: Float32Array): Float64Array {
  const { dim, targets, weights } = model;
  const n = features.length / dim;
  const out = new Float64Array(n * targets);
  for (let j = 0; j < n; j++) {
    for (let t = 0; t < targets; t++) {
      let sum = weights[dim * targets + t]!;
      for (let d = 0; d < dim; d++) sum += features[j * dim + d]! * weights[d * targets + t]!;
      out[j * targets + t] = sum;
    }
  }
  return out;
}
