// The loops of row-optim.ts: gradients summed by row, since a step may read a row many times, and Adam on a row. Memory is kept
// from step to step and loops are unrolled, because this is what a table adds to a step, a fiftieth of that of a small model.
import type { TypedArray } from './dtype.ts';

/** Rows that were read and the gradient of each read, `[reads, width]`. */
export interface Read {
  readonly index: ArrayLike<number>;
  readonly gradient: ArrayLike<number>;
}

/** Valid until the next step. */
export interface RowSums {
  /** Number of different rows. */
  readonly count: number;
  /** The rows, in the order in which they were first read. */
  readonly touched: Int32Array;
  /** Their sums below each other, `[count, width]`. */
  readonly sums: Float64Array;
  /** Whether all gradients are. */
  readonly finite: boolean;
}

/** The summing of one table of `rows` rows. */
export function createRowSums(rows: number, width: number): (reads: readonly Read[]) => RowSums {
  /** Place of a row among the sums of this step, or -1. */
  const placeOf = new Int32Array(rows).fill(-1);
  let touched = new Int32Array(0);
  let sums = new Float64Array(0);
  return (reads) => {
    const most = Math.min(
      rows,
      reads.reduce((n, r) => n + r.index.length, 0),
    );
    if (touched.length < most) {
      touched = new Int32Array(most);
      sums = new Float64Array(most * width);
    }
    let count = 0;
    for (const { index, gradient } of reads) count = sumReads(index, gradient, width, placeOf, touched, sums, count);
    for (let i = 0; i < count; i++) placeOf[touched[i]!] = -1;
    return { count, touched, sums, finite: allFinite(sums, count * width) };
  };
}

function sumReads(
  index: ArrayLike<number>,
  gradient: ArrayLike<number>,
  width: number,
  placeOf: Int32Array,
  touched: Int32Array,
  sums: Float64Array,
  before: number,
): number {
  let count = before;
  const even = width - (width % 4);
  for (let i = 0; i < index.length; i++) {
    const row = index[i]!;
    const from = i * width;
    const place = placeOf[row]!;
    if (place < 0) {
      placeOf[row] = count;
      touched[count] = row;
      const to = count++ * width;
      for (let k = 0; k < width; k++) sums[to + k] = gradient[from + k]!;
      continue;
    }
    const to = place * width;
    let k = 0;
    for (; k < even; k += 4) {
      sums[to + k] = sums[to + k]! + gradient[from + k]!;
      sums[to + k + 1] = sums[to + k + 1]! + gradient[from + k + 1]!;
      sums[to + k + 2] = sums[to + k + 2]! + gradient[from + k + 2]!;
      sums[to + k + 3] = sums[to + k + 3]! + gradient[from + k + 3]!;
    }
    for (; k < width; k++) sums[to + k] = sums[to + k]! + gradient[from + k]!;
  }
  return count;
}

/** A number that is not finite makes NaN of 0, and NaN stays. Its sum is not finite either. */
function allFinite(values: Float64Array, length: number): boolean {
  const zero = 0;
  let probe = zero;
  for (let i = 0; i < length; i++) probe += values[i]! * zero;
  return probe === 0;
}

/** What Adam does with a row; moments are kept divided by `1 - beta`, as in optim.ts. */
export interface AdamRates {
  readonly beta1: number;
  readonly beta2: number;
  readonly step: number;
  readonly floor: number;
}

/** `m = beta1 m + g`, `v = beta2 v + g^2`, `w = w - step m / (sqrt v + floor)` on the rows of `sums`. */
export function adamOnRows(
  w: TypedArray,
  m: TypedArray,
  v: TypedArray,
  { count, touched, sums }: RowSums,
  width: number,
  { beta1, beta2, step, floor }: AdamRates,
): void {
  const odd = width % 2 === 1;
  for (let place = 0; place < count; place++) {
    const end = (place + 1) * width;
    let at = touched[place]! * width;
    let from = place * width;
    if (odd) {
      const g = sums[from]!;
      const first = m[at]! * beta1 + g;
      const second = v[at]! * beta2 + g * g;
      m[at] = first;
      v[at] = second;
      w[at] = w[at]! - (step * first) / (Math.sqrt(second) + floor);
      at++;
      from++;
    }
    for (; from < end; from += 2, at += 2) {
      const g = sums[from]!;
      const h = sums[from + 1]!;
      const firstG = m[at]! * beta1 + g;
      const firstH = m[at + 1]! * beta1 + h;
      const secondG = v[at]! * beta2 + g * g;
      const secondH = v[at + 1]! * beta2 + h * h;
      m[at] = firstG;
      m[at + 1] = firstH;
      v[at] = secondG;
      v[at + 1] = secondH;
      w[at] = w[at]! - (step * firstG) / (Math.sqrt(secondG) + floor);
      w[at + 1] = w[at + 1]! - (step * firstH) / (Math.sqrt(secondH) + floor);
    }
  }
}
