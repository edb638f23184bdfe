// The simplest sparse network: one constant a bucket, the mean of the targets that fall into it. Closed form, no training. For
// a function of Lipschitz constant L it errs by at most L times the diameter of the bucket.
import { CairnError } from '../../errors.ts';

export interface BucketConstant {
  readonly buckets: number;
  readonly tables: number;
  readonly outDim: number;
  /** `[tables, buckets, outDim]`; the mean of all targets where a bucket has none. */
  readonly values: Float64Array;
  /** Rows a bucket was fitted on, `[tables, buckets]`. */
  readonly loads: Int32Array;
}

/**
 * Fits the mean target of each bucket.
 * @param route buckets `[N * tables]`, row by row
 * @param targets `[N, outDim]`
 * @example
 * const model = fitBucketConstant({ buckets: 2, tables: 1, outDim: 1 }, Int32Array.of(0, 0, 1), [1, 3, 5]);
 * model.values; // [2, 5]
 */
export function fitBucketConstant(
  sizes: Pick<BucketConstant, 'buckets' | 'tables' | 'outDim'>,
  route: Int32Array,
  targets: ArrayLike<number>,
): BucketConstant {
  const { buckets, tables, outDim } = sizes;
  const rows = route.length / tables;
  if (rows * outDim !== targets.length || rows === 0) {
    throw new CairnError('shape_mismatch', `Expected ${rows * outDim} targets, got ${targets.length}.`);
  }
  const values = new Float64Array(tables * buckets * outDim);
  const loads = new Int32Array(tables * buckets);
  const mean = new Float64Array(outDim);
  for (let i = 0; i < targets.length; i++) mean[i % outDim]! += targets[i]! / rows;
  for (let i = 0; i < route.length; i++) {
    const bucket = (i % tables) * buckets + route[i]!;
    loads[bucket]!++;
    const row = Math.floor(i / tables);
    for (let o = 0; o < outDim; o++) values[bucket * outDim + o]! += targets[row * outDim + o]!;
  }
  for (let bucket = 0; bucket < loads.length; bucket++) {
    const n = loads[bucket]!;
    for (let o = 0; o < outDim; o++) {
      values[bucket * outDim + o] = n === 0 ? mean[o]! : values[bucket * outDim + o]! / n;
    }
  }
  return { ...sizes, values, loads };
}

/** Mean over the tables of the constants of each row's buckets: `[N, outDim]`. */
export function predictBucketConstant(model: BucketConstant, route: Int32Array): Float64Array {
  const { tables, buckets, outDim, values } = model;
  const out = new Float64Array((route.length / tables) * outDim);
  for (let i = 0; i < route.length; i++) {
    const from = ((i % tables) * buckets + route[i]!) * outDim;
    const to = Math.floor(i / tables) * outDim;
    for (let o = 0; o < outDim; o++) out[to + o]! += values[from + o]! / tables;
  }
  return out;
}
