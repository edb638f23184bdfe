// The value of a sequence of bits cut into intervals in hindsight: the largest sum over the intervals of a partition of
// |sum of the bits| - c sqrt(length). Source: arXiv 1304.7577; the tree form allows aligned dyadic blocks only.
import type { Rng } from '../tensor/index.ts';
import { checkInteger, checkRange } from './_check.ts';

/** Which partitions count: all, those into lengths that are powers of two, or those into aligned dyadic blocks. */
export type Cuts = 'all' | 'dyadic' | 'tree';

export interface IntervalValue {
  /** f_c(b). */
  readonly value: number;
  /** The sum of sqrt(length) over the best partition: minus the derivative by c. */
  readonly roots: number;
}

/** c sqrt(k) for k = 0..length. */
export function penalties(length: number, constant: number): Float64Array {
  return Float64Array.from({ length: length + 1 }, (_, k) => constant * Math.sqrt(k));
}

/**
 * The best partition's value. Takes O(T^2) steps for `all`, O(T log T) for `dyadic`, O(T) for `tree`.
 * @throws CairnError `bad_parameter` for `tree` when the number of bits is not a power of two.
 *
 * @example
 * intervalValue([1, 1, 1, 1, -1, -1, -1, -1], 1).value; // 4 + 4 - 2 * sqrt(4)
 */
export function intervalValue(bits: ArrayLike<number>, constant: number, cuts: Cuts = 'all'): IntervalValue {
  if (cuts === 'tree') {
    checkInteger('log2 of the number of bits', Math.log2(bits.length), 0, 30);
    return treeValue(bits, constant);
  }
  const length = bits.length;
  const penalty = penalties(length, constant);
  const sums = new Float64Array(length + 1);
  const values = new Float64Array(length + 1);
  const roots = new Float64Array(length + 1);
  for (let j = 1; j <= length; j++) {
    sums[j] = sums[j - 1]! + bits[j - 1]!;
    const from = lastCut(values, sums, penalty, j, cuts);
    values[j] = values[from]! + Math.abs(sums[j]! - sums[from]!) - penalty[j - from]!;
    roots[j] = roots[from]! + Math.sqrt(j - from);
  }
  return { value: values[length]!, roots: roots[length]! };
}

/** The start of the last interval of the best partition of the first `j` bits; `values` holds those of shorter prefixes. */
export function lastCut(
  values: Float64Array,
  sums: Float64Array,
  penalty: Float64Array,
  j: number,
  cuts: 'all' | 'dyadic',
): number {
  let best = -Infinity;
  let from = j - 1;
  const end = sums[j]!;
  if (cuts === 'dyadic') {
    for (let size = 1; size <= j; size *= 2) {
      const value = values[j - size]! + Math.abs(end - sums[j - size]!) - penalty[size]!;
      if (value > best) [best, from] = [value, j - size];
    }
    return from;
  }
  for (let i = 0; i < j; i++) {
    const value = values[i]! + Math.abs(end - sums[i]!) - penalty[j - i]!;
    if (value > best) {
      best = value;
      from = i;
    }
  }
  return from;
}

function treeValue(bits: ArrayLike<number>, constant: number): IntervalValue {
  const walk = (from: number, size: number): IntervalValue & { sum: number } => {
    if (size === 1) return { value: Math.abs(bits[from]!) - constant, roots: 1, sum: bits[from]! };
    const left = walk(from, size / 2);
    const right = walk(from + size / 2, size / 2);
    const sum = left.sum + right.sum;
    const root = Math.sqrt(size);
    const whole = Math.abs(sum) - constant * root;
    const halves = left.value + right.value;
    return whole >= halves
      ? { value: whole, roots: root, sum }
      : { value: halves, roots: left.roots + right.roots, sum };
  };
  return walk(0, bits.length);
}

export interface IntervalConstantOptions {
  readonly horizon: number;
  readonly rng: Rng;
  /** Fair strings that the mean is taken over. Default 100. */
  readonly strings?: number;
  readonly cuts?: Cuts;
}

/**
 * c(T): the constant for which the mean of f_c over fair strings is 0, so that f_c itself can be won. Newton's method on
 * one sample of strings: the mean is convex and falling in c, so it converges from below.
 *
 * @returns the constant, and its standard error over the strings.
 * @example
 * intervalConstant({ horizon: 16, rng: new Rng(1) }).constant; // about 1.57
 */
export function intervalConstant(options: IntervalConstantOptions): { constant: number; error: number } {
  const { horizon, rng, strings = 100, cuts = 'all' } = options;
  checkInteger('horizon', horizon, 1, 1_000_000);
  checkInteger('strings', strings, 2, 1_000_000);
  const sample = Array.from({ length: strings }, (_, k) => fairBits(rng.fork(k), horizon));
  let constant = 0.5;
  for (let i = 0; i < 50; i++) {
    const found = sample.map((bits) => intervalValue(bits, constant, cuts));
    const mean = found.reduce((sum, f) => sum + f.value, 0) / strings;
    const roots = found.reduce((sum, f) => sum + f.roots, 0) / strings;
    const step = mean / roots;
    constant += step;
    if (Math.abs(step) > 1e-9) continue;
    const variance = found.reduce((sum, f) => sum + (f.value - mean) ** 2, 0) / (strings - 1);
    return { constant, error: Math.sqrt(variance / strings) / roots };
  }
  return { constant, error: NaN };
}

/** `length` fair bits, each -1 or +1. */
export function fairBits(rng: Rng, length: number): Float64Array {
  const bits = new Float64Array(length);
  for (let t = 0; t < length; t += 32) {
    let word = rng.u32();
    for (let k = t; k < Math.min(length, t + 32); k++) {
      bits[k] = (word & 1) === 0 ? -1 : 1;
      word >>>= 1;
    }
  }
  return bits;
}

export function checkConstant(constant: number): void {
  checkRange('constant', constant, 0, 100);
}
