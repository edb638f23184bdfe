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

/** Which of the lists hold each reference. */
export function sharedLists(lists: readonly (readonly PostingPart[])[], refs: ArrayLike<number>): number[][] {
  const filled = lists.map((_, i) => i).filter((i) => lists[i]!.length > 0);
  return Array.from(refs, (ref) => filled.filter((i) => holds(lists[i]!, ref)));
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

/** Binary search in the part that could hold the reference. */
function holds(parts: readonly PostingPart[], ref: number): boolean {
  for (let p = parts.length - 1; p >= 0; p--) {
    const { base, values } = parts[p]!;
    if (values.length === 0 || base + values[0]! > ref) continue;
    const value = ref - base;
    let low = 0;
    let high = values.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (values[mid]! < value) low = mid + 1;
      else high = mid;
    }
    return values[low] === value;
  }
  return false;
}
