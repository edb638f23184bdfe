// Counting shared keys: from posting lists to the events that share the most, weighted by how rare each key is.
import type { Sharing, SharingOptions } from './store.ts';

/** A stretch of a posting list: references are `base` plus these rising numbers. */
export interface PostingPart {
  readonly base: number;
  readonly values: Uint32Array;
}

/** Weight of a key that `frequency` of `events` have: ln((1 + events) / frequency). */
export function rarity(frequency: number, events: number): number {
  return Math.log((1 + events) / Math.max(1, frequency));
}

/**
 * The events with the largest sum of weights over the lists they are in, of equal sums the latest; behind them those of
 * `also` that are in any list.
 *
 * @param lists per key its list in rising parts
 * @param size one more than the largest reference
 */
export function rankSharing(
  lists: readonly (readonly PostingPart[])[],
  size: number,
  events: number,
  options: SharingOptions,
): Sharing {
  const { limit, likeness, whole, also = [] } = options;
  const frequency = Uint32Array.from(lists, (parts) => parts.reduce((n, part) => n + part.values.length, 0));
  const weightOf = (i: number): number =>
    rarity(whole?.frequency[i] ?? frequency[i]!, whole?.events ?? events) * (likeness?.[i] ?? 1);
  const filled = lists.map((_, i) => i).filter((i) => frequency[i]! > 0);
  if (filled.length === 0) return { frequency, hits: [] };
  if (filled.length === 1 && also.length === 0) {
    const i = filled[0]!;
    return { frequency, hits: lastOf(lists[i]!, limit).map((ref) => ({ ref, score: weightOf(i) })) };
  }
  // Every weight is positive, so an event without any key keeps a score of 0.
  const scores = new Float64Array(size);
  for (const i of filled) {
    const weight = weightOf(i);
    for (const { base, values } of lists[i]!) addWeight(scores, base, values, weight);
  }
  const best = limit === 0 ? [] : largestScores(scores, limit);
  const listed = new Set(best);
  for (let i = 0; i < also.length; i++) if (scores[also[i]!]! > 0 && !listed.has(also[i]!)) best.push(also[i]!);
  return { frequency, hits: best.map((ref) => ({ ref, score: scores[ref]! })) };
}

/** Lists that answer without being unpacked. */
export interface KeyLists {
  /** References with a key. */
  count(key: number): number;
  contains(key: number, ref: number): boolean;
}

/** As `rankSharing` with a limit of 0: frequencies, and the sums of those asked about that are in any list. */
export function sharingOf(
  keys: readonly number[],
  lists: KeyLists,
  events: number,
  { likeness, also = [] }: SharingOptions,
): Sharing {
  const frequency = Uint32Array.from(keys, (key) => lists.count(key));
  const hits: { ref: number; score: number }[] = [];
  for (const ref of new Set(Array.from(also))) {
    let score = 0;
    keys.forEach((key, i) => {
      if (frequency[i]! > 0 && lists.contains(key, ref)) score += rarity(frequency[i]!, events) * (likeness?.[i] ?? 1);
    });
    if (score > 0) hits.push({ ref, score });
  }
  return { frequency, hits };
}

/** The one loop over all postings. */
function addWeight(scores: Float64Array, base: number, values: Uint32Array, weight: number): void {
  for (let p = 0; p < values.length; p++) {
    const ref = base + values[p]!;
    scores[ref] = scores[ref]! + weight;
  }
}

function lastOf(parts: readonly PostingPart[], limit: number): number[] {
  const refs: number[] = [];
  for (let p = parts.length - 1; p >= 0 && refs.length < limit; p--) {
    const { base, values } = parts[p]!;
    for (let i = values.length - 1; i >= 0 && refs.length < limit; i--) refs.push(base + values[i]!);
  }
  return refs;
}

/** The `limit` references of largest score, ties by larger reference, in order: a heap whose root is the worst kept. */
export function largestScores(scores: Float64Array, limit: number): number[] {
  const heap: number[] = [];
  const worse = (a: number, b: number): boolean => {
    const difference = scores[a]! - scores[b]!;
    return difference < 0 || (difference === 0 && a < b);
  };
  const sink = (from: number): void => {
    for (let i = from; ;) {
      let least = i;
      const left = 2 * i + 1;
      if (left < heap.length && worse(heap[left]!, heap[least]!)) least = left;
      if (left + 1 < heap.length && worse(heap[left + 1]!, heap[least]!)) least = left + 1;
      if (least === i) return;
      const moved = heap[i]!;
      heap[i] = heap[least]!;
      heap[least] = moved;
      i = least;
    }
  };
  for (let ref = 0; ref < scores.length; ref++) {
    if (scores[ref] === 0) continue;
    if (heap.length < limit) {
      heap.push(ref);
      if (heap.length === limit) for (let i = (limit >>> 1) - 1; i >= 0; i--) sink(i);
    } else if (scores[ref]! >= scores[heap[0]!]! && worse(heap[0]!, ref)) {
      heap[0] = ref;
      sink(0);
    }
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1));
}
