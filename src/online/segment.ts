// Hindsight: the partition of a past into intervals, each with its own best expert, that explains it best. Change points,
// and the regret of what was done in every interval, come with it (arXiv 1304.7577, the payoff f_c for N experts).
import { CairnError } from '../errors.ts';
import { checkBit } from './_check.ts';
import { checkConstant } from './interval-value.ts';

export interface SegmentOptions {
  /** c: an interval of length l costs c sqrt(l log2 N). Default 2.1: fair coins are then worth nothing in the mean. */
  readonly constant?: number;
  /** No interval is longer. Default: all of it; then O(N T^2) steps. */
  readonly longest?: number;
  /** The gains of what was really done, for the regret of every interval. */
  readonly own?: ArrayLike<number>;
}

export interface Segment {
  /** First step, and the step after the last. */
  readonly start: number;
  readonly end: number;
  /** The best expert inside. */
  readonly expert: number;
  /** Its gain inside. */
  readonly gain: number;
  /** Its gain minus one's own; only with `own`. */
  readonly regret?: number;
}

export interface Segmentation {
  readonly segments: readonly Segment[];
  /** Starts of the segments whose best expert differs from the one before. */
  readonly changePoints: readonly number[];
  /** The sum over segments of gain - cost. */
  readonly value: number;
}

/**
 * The best segmentation of the gains of N experts.
 * @param gains [experts, time], each in [-1,1]
 * @throws CairnError `bad_outcome` for gains out of range or of unequal length.
 *
 * @example
 * const bits = [...Array(40).fill(1), ...Array(40).fill(-1)];
 * segment([bits, bits.map((b) => -b)]).changePoints; // [40]
 */
export function segment(gains: readonly ArrayLike<number>[], options: SegmentOptions = {}): Segmentation {
  const { constant = 2.1, own } = options;
  const length = gains[0]?.length ?? 0;
  const { longest = length } = options;
  checkConstant(constant);
  for (const row of own === undefined ? gains : [...gains, own]) {
    if (row.length !== length) {
      throw new CairnError('bad_outcome', `Expected ${length} gains of every expert, got ${row.length}.`, {
        hint: 'Give one row of equal length for every expert.',
      });
    }
    for (let t = 0; t < length; t++) checkBit(row[t]!);
  }
  const sums = gains.map(prefixSums);
  const scale = constant * Math.sqrt(Math.max(1, Math.log2(gains.length)));
  const cost = Float64Array.from({ length: length + 1 }, (_, k) => scale * Math.sqrt(k));
  const values = new Float64Array(length + 1);
  const from = new Int32Array(length + 1);
  for (let j = 1; j <= length; j++) {
    let best = -Infinity;
    for (let i = Math.max(0, j - longest); i < j; i++) {
      let gain = -Infinity;
      for (const s of sums) gain = Math.max(gain, s[j]! - s[i]!);
      const value = values[i]! + gain - cost[j - i]!;
      if (value > best) {
        best = value;
        from[j] = i;
      }
    }
    values[j] = best;
  }
  const segments: Segment[] = [];
  const ownSums = own && prefixSums(own);
  for (let end = length; end > 0; end = from[end]!) segments.unshift(describe(from[end]!, end));
  const changePoints = segments.slice(1).flatMap((s, i) => (s.expert === segments[i]!.expert ? [] : [s.start]));
  return { segments, changePoints, value: values[length]! };

  function describe(start: number, end: number): Segment {
    const inside = sums.map((s) => s[end]! - s[start]!);
    const gain = Math.max(...inside);
    const found = { start, end, expert: inside.indexOf(gain), gain };
    return ownSums ? { ...found, regret: gain - (ownSums[end]! - ownSums[start]!) } : found;
  }
}

function prefixSums(row: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(row.length + 1);
  for (let t = 0; t < row.length; t++) sums[t + 1] = sums[t]! + row[t]!;
  return sums;
}
