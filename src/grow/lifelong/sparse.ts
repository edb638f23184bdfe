// Sparse linear functions by orthogonal matching pursuit, and sparse threshold functions (logistic regression refitted at
// every step of the pursuit). Real parameters, so they are judged on held-out samples. Pati et al. 1993; Friedman 2001 for
// choosing the next input by the gradient of the loss.
import { cholesky, choleskySolve, matrix } from '../../tensor/index.ts';
import { errorBits, type Fit, modelBits } from './fit.ts';
import type { Model, Reference, TargetKind } from './model.ts';
import { isHeldOut, type Samples } from './samples.ts';

export interface SparseOptions {
  /** Most inputs. Default 8. */
  readonly maxInputs?: number;
  /** Numbers count as met within this distance. */
  readonly tolerance: number;
}

/** The sparse function with the shortest description, or nothing while there are too few samples. */
export function fitSparse(
  samples: Samples,
  references: readonly Reference[],
  kind: TargetKind,
  options: SparseOptions,
): Fit | undefined {
  const { maxInputs = 8, tolerance } = options;
  const train: number[] = [];
  for (let i = 0; i < samples.count; i++) if (!isHeldOut(i)) train.push(i);
  if (train.length < 8) return undefined;
  const columns = references.flatMap((reference) => standard(reference, samples.column(reference), train));
  if (columns.length === 0) return undefined;
  const y = Float64Array.from(train, (i) => samples.targets[i]!);
  const chosen: Column[] = [];
  let best: Fit | undefined;
  let solution = emptySolution(y, kind);
  while (chosen.length < Math.min(maxInputs, train.length >> 2)) {
    const next = strongest(columns, chosen, solution.residual);
    if (next === undefined) break;
    chosen.push(next);
    solution = kind === 'boolean' ? logistic(chosen, y) : leastSquares(chosen, y, tolerance);
    const fit = toFit(samples, chosen, solution.weights, kind, references.length, tolerance);
    if (best === undefined || fit.bits < best.bits) best = fit;
    if (fit.errors === 0 && solution.wrong(tolerance) === 0) break;
  }
  return best;
}

interface Column {
  readonly reference: Reference;
  readonly mean: number;
  readonly sd: number;
  /** Standardised values of the training samples. */
  readonly z: Float64Array;
}

function standard(reference: Reference, column: readonly number[], train: readonly number[]): Column[] {
  let mean = 0;
  for (const i of train) mean += column[i]! / train.length;
  let variance = 0;
  for (const i of train) variance += (column[i]! - mean) ** 2 / train.length;
  const sd = Math.sqrt(variance);
  if (!(sd > 1e-12)) return [];
  return [{ reference, mean, sd, z: Float64Array.from(train, (i) => (column[i]! - mean) / sd) }];
}

function strongest(columns: readonly Column[], chosen: readonly Column[], residual: Float64Array): Column | undefined {
  let best: Column | undefined;
  let top = 1e-9;
  for (const column of columns) {
    if (chosen.includes(column)) continue;
    let dot = 0;
    for (let i = 0; i < residual.length; i++) dot += column.z[i]! * residual[i]!;
    if (Math.abs(dot) > top) {
      top = Math.abs(dot);
      best = column;
    }
  }
  return best;
}

interface Solution {
  /** Of the standardised columns, the constant last. */
  readonly weights: Float64Array;
  readonly residual: Float64Array;
  /** Training samples that are missed. */
  wrong(tolerance: number): number;
}

function emptySolution(y: Float64Array, kind: TargetKind): Solution {
  const mean = y.reduce((s, v) => s + v, 0) / y.length;
  const residual = y.map((v) => v - mean);
  const limit = (tolerance: number): number => (kind === 'boolean' ? 0.5 : tolerance);
  const wrong = (tolerance: number): number => residual.filter((v) => Math.abs(v) > limit(tolerance)).length;
  return { weights: Float64Array.of(mean), residual, wrong };
}

/**
 * Least squares, then again without the samples it misses by far: a few wrong inputs or targets would bend the weights of
 * all. What is left out has residual 0, so that the next input is chosen by the rest.
 */
function leastSquares(chosen: readonly Column[], y: Float64Array, tolerance: number): Solution {
  let weights = normalEquations(chosen, y, undefined, 1e-9);
  const kept = new Float64Array(y.length).fill(1);
  const missed = (): Float64Array => y.map((v, i) => v - dotRow(chosen, weights, i));
  for (let round = 0; round < 8; round++) {
    const residual = missed();
    const sizes = residual.map(Math.abs).sort();
    const cut = Math.max(tolerance, 4 * sizes[sizes.length >> 1]!);
    let changed = false;
    residual.forEach((v, i) => {
      const keep = Math.abs(v) <= cut ? 1 : 0;
      changed ||= keep !== kept[i];
      kept[i] = keep;
    });
    if (!changed) break;
    weights = normalEquations(chosen, y, kept, 1e-9);
  }
  const all = missed();
  return {
    weights,
    residual: all.map((v, i) => v * kept[i]!),
    wrong: (tolerance) => all.filter((v) => Math.abs(v) > tolerance).length,
  };
}

/** Newton steps on the logistic loss with a light ridge, which keeps separable data finite. */
function logistic(chosen: readonly Column[], y: Float64Array): Solution {
  let weights: Float64Array = new Float64Array(chosen.length + 1);
  const n = y.length;
  const p = new Float64Array(n);
  const spread = new Float64Array(n);
  const working = new Float64Array(n);
  for (let step = 0; step < 25; step++) {
    for (let i = 0; i < n; i++) {
      const s = dotRow(chosen, weights, i);
      p[i] = 1 / (1 + Math.exp(-s));
      spread[i] = Math.max(1e-6, p[i]! * (1 - p[i]!));
      working[i] = s + (y[i]! - p[i]!) / spread[i]!;
    }
    const next = normalEquations(chosen, working, spread, 1e-4);
    const change = next.reduce((m, v, k) => Math.max(m, Math.abs(v - weights[k]!)), 0);
    const size = next.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    weights = next;
    if (change < 1e-6 * (1 + size)) break;
  }
  const residual = y.map((v, i) => v - 1 / (1 + Math.exp(-dotRow(chosen, weights, i))));
  return { weights, residual, wrong: () => residual.filter((v) => Math.abs(v) > 0.5).length };
}

function dotRow(chosen: readonly Column[], weights: Float64Array, i: number): number {
  let s = weights[chosen.length]!;
  for (let k = 0; k < chosen.length; k++) s += weights[k]! * chosen[k]!.z[i]!;
  return s;
}

/** Weighted least squares with a ridge of `ridge` per sample on all weights but the constant. */
function normalEquations(
  chosen: readonly Column[],
  y: Float64Array,
  sampleWeights: Float64Array | undefined,
  ridge: number,
): Float64Array {
  const k = chosen.length + 1;
  const a = new Float64Array(k * k);
  const b = new Float64Array(k);
  const row = new Float64Array(k).fill(1);
  for (let i = 0; i < y.length; i++) {
    for (let j = 0; j < k - 1; j++) row[j] = chosen[j]!.z[i]!;
    const w = sampleWeights === undefined ? 1 : sampleWeights[i]!;
    for (let p = 0; p < k; p++) {
      b[p]! += w * row[p]! * y[i]!;
      for (let q = 0; q <= p; q++) a[p * k + q]! += w * row[p]! * row[q]!;
    }
  }
  for (let p = 0; p < k; p++) {
    a[p * k + p]! += p < k - 1 ? ridge * y.length : 1e-12 * y.length;
    for (let q = 0; q < p; q++) a[q * k + p] = a[p * k + q]!;
  }
  return Float64Array.from(choleskySolve(cholesky(matrix(k, k, a)), matrix(k, 1, b)).data);
}

function toFit(
  samples: Samples,
  chosen: readonly Column[],
  standardised: Float64Array,
  kind: TargetKind,
  candidates: number,
  tolerance: number,
): Fit {
  const weights = chosen.map((c, k) => standardised[k]! / c.sd);
  const bias = chosen.reduce((s, c, k) => s - weights[k]! * c.mean, standardised[chosen.length]!);
  const threshold = kind === 'boolean';
  const model: Model = { kind: 'sparse', inputs: chosen.map((c) => c.reference), weights, bias, threshold };
  const columns = chosen.map((c) => samples.column(c.reference));
  let errors = 0;
  let judged = 0;
  let all = 0;
  for (let i = 0; i < samples.count; i++) {
    let s = bias;
    for (let k = 0; k < columns.length; k++) s += weights[k]! * columns[k]![i]!;
    const y = samples.targets[i]!;
    const wrong = threshold ? s > 0 !== y > 0.5 : Math.abs(s - y) > tolerance;
    if (wrong) all++;
    if (!isHeldOut(i)) continue;
    judged++;
    if (wrong) errors++;
  }
  const parameters = (chosen.length + 1) * 0.5 * Math.log2(samples.count);
  let choice = 0;
  for (let k = 0; k < chosen.length; k++) choice += Math.log2(candidates);
  return {
    model,
    judged,
    errors,
    bits: modelBits('sparse', 1) + choice + parameters + missBits(samples.count, all, kind),
    logHypotheses: undefined,
  };
}

/** Bits for what is missed: which samples, and for numbers also what they are instead. */
export function missBits(n: number, wrong: number, kind: TargetKind): number {
  return errorBits(n, wrong) + (kind === 'number' ? 16 * wrong : 0);
}
