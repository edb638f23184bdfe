// Psi: what a model gets wrong on each kind of input, estimated from a small labelled set (2502.08773). Four estimators;
// `soft` with one-hot Phi equals `shrunk`, `shrunk` with n0 = 0 equals `paper`, K = 1 equals the model means, bit for bit.
// `joint` with one-hot Phi equals `shrunk` too, to rounding.
import { CairnError } from '../errors.ts';
import { jointPsi, type JointFactors } from './joint-psi.ts';
import { columnMeans } from './table.ts';

/** `joint`: the kinds fitted together by ridge regression, see joint-psi.ts; the others take every kind by itself. */
export type Estimator = 'paper' | 'shrunk' | 'soft' | 'joint';

export interface PsiOptions {
  /** Default `soft`. */
  readonly estimator?: Estimator;
  /** Strength of the pull towards the model's mean, in labelled inputs. Default 10; `paper` uses none. */
  readonly n0?: number;
  /** [n] how much each labelled input counts, where they were not drawn evenly. Default 1 each. */
  readonly weight?: Float64Array;
  /** What `joint` found before on the same phi without weights, to be used again. */
  readonly factors?: JointFactors;
}

/** Estimates of K x M values with the weights behind them. */
export interface Psi {
  readonly k: number;
  readonly models: number;
  /** [K, M] */
  readonly value: Float64Array;
  /** [K] labelled inputs (or their mass) in each kind. */
  readonly mass: Float64Array;
  /** [K] effective number (sum w)^2 / sum w^2; for `joint` that of prompts of one kind each that would say as much. */
  readonly effective: Float64Array;
  /** [M] mean over all labelled inputs. */
  readonly mean: Float64Array;
  readonly n0: number;
  /** Labelled inputs in all. */
  readonly count: number;
}

/**
 * @param phi [n, K] assignment of the labelled inputs (rows sum to 1); made one-hot for `paper` and `shrunk`
 * @param target [n, M] errors (or costs) of the labelled inputs
 * @throws CairnError `shape_mismatch`
 * @example
 * estimatePsi(new Float64Array([1, 0, 0, 1]), new Float64Array([0, 1]), 2, { estimator: 'paper' }).value; // [0, 1]
 */
export function estimatePsi(phi: Float64Array, target: Float64Array, k: number, options: PsiOptions = {}): Psi {
  const n = phi.length / k;
  const models = target.length / n;
  if (!Number.isInteger(n) || !Number.isInteger(models) || n < 1) {
    throw new CairnError(
      'shape_mismatch',
      `Expected Phi [n, ${k}] and a target [n, M], got ${phi.length} and ${target.length} numbers.`,
    );
  }
  const estimator = options.estimator ?? 'soft';
  const n0 = estimator === 'paper' ? 0 : (options.n0 ?? 10);
  const weights = isSoft(estimator) ? phi : oneHot(phi, k);
  const sum = new Float64Array(k * models);
  const mass = new Float64Array(k);
  const squares = new Float64Array(k);
  for (let j = 0; j < n; j++) {
    for (let c = 0; c < k; c++) {
      const w = weights[j * k + c]! * (options.weight?.[j] ?? 1);
      if (w === 0) continue;
      mass[c] = mass[c]! + w;
      squares[c] = squares[c]! + w * w;
      for (let m = 0; m < models; m++) sum[c * models + m] = sum[c * models + m]! + w * target[j * models + m]!;
    }
  }
  const mean = options.weight ? weightedMeans(target, options.weight, models) : columnMeans(target, models);
  const { value, effective } =
    estimator === 'joint'
      ? jointPsi(phi, target, k, mean, n0, options.weight, options.factors)
      : {
          value: Float64Array.from(sum, (s, i) => shrink(s, mass[Math.floor(i / models)]!, mean[i % models]!, n0)),
          effective: Float64Array.from(mass, (w, c) => (squares[c]! > 0 ? w ** 2 / squares[c]! : 0)),
        };
  return { k, models, value, mass, effective, mean, n0, count: n };
}

/** Whether the estimator takes a prompt for what it is in part; the others make its assignment one-hot. */
export function isSoft(estimator: Estimator): boolean {
  return estimator === 'soft' || estimator === 'joint';
}

function weightedMeans(target: Float64Array, weight: Float64Array, models: number): Float64Array {
  const means = new Float64Array(models);
  let total = 0;
  for (let j = 0; j < weight.length; j++) {
    total += weight[j]!;
    for (let m = 0; m < models; m++) means[m] = means[m]! + weight[j]! * target[j * models + m]!;
  }
  return means.map((v) => v / total);
}

/**
 * (sum + n0 mean) / (mass + n0), written so that its special cases hold bit for bit: n0 = 0 gives sum / mass, a sum whose
 * own mean is `mean` gives `mean`, and no mass gives `mean`.
 */
export function shrink(sum: number, mass: number, mean: number, n0: number): number {
  if (mass === 0 || n0 === Infinity) return mean;
  const own = sum / mass;
  return n0 === 0 ? own : mean + (mass / (mass + n0)) * (own - mean);
}

/** gamma_m = sum_k Phi_k Psi_km, [M]: the expected error of every model on an input with assignment phi [K]. */
export function expected(phi: ArrayLike<number>, psi: Pick<Psi, 'value' | 'k' | 'models'>): Float64Array {
  const gamma = new Float64Array(psi.models);
  for (let c = 0; c < psi.k; c++) {
    const w = phi[c]!;
    if (w === 0) continue;
    for (let m = 0; m < psi.models; m++) gamma[m] = gamma[m]! + w * psi.value[c * psi.models + m]!;
  }
  return gamma;
}

/** Rows of Phi with all mass on their largest entry (ties: lower index). */
export function oneHot(phi: Float64Array, k: number): Float64Array {
  const out = new Float64Array(phi.length);
  for (let j = 0; j < phi.length / k; j++) {
    let best = 0;
    for (let c = 1; c < k; c++) if (phi[j * k + c]! > phi[j * k + best]!) best = c;
    out[j * k + best] = 1;
  }
  return out;
}
