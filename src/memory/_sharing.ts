// Counting shared keys: from posting lists to the events that share the most, weighted by how rare each key is.
import type { Sharing } from './store.ts';

/** Weight of a key that `frequency` of `events` have: ln((1 + events) / frequency), 0 for one that nobody has. */
export function rarity(frequency: number, events: number): number {
  return frequency === 0 ? 0 : Math.log((1 + events) / frequency);
}

/**
 * The events with the largest sum of weights over the lists they are in, of equal sums the latest; behind them those of
 * `also` that are in any list.
 *
 * @param lists rising references, one list per key
 * @param size one more than the largest reference
 */
export function rankSharing(
  lists: readonly Uint32Array[],
  size: number,
  events: number,
  limit: number,
  weights?: readonly number[],
  also: ArrayLike<number> = [],
): Sharing {
  const frequency = Uint32Array.from(lists, (list) => list.length);
  const weightOf = (i: number): number => weights?.[i] ?? rarity(frequency[i]!, events);
  const filled = lists.map((_, i) => i).filter((i) => lists[i]!.length > 0);
  if (filled.length === 0) return { frequency, hits: [] };
  if (filled.length === 1 && also.length === 0) {
    const i = filled[0]!;
    const refs = limit === 0 ? [] : Array.from(lists[i]!.subarray(-limit)).reverse();
    return { frequency, hits: refs.map((ref) => ({ ref, score: weightOf(i), shared: [i] })) };
  }
  const scores = new Float64Array(size);
  const refs: number[] = [];
  const seen = new Uint8Array(size);
  for (const i of filled) {
    const weight = weightOf(i);
    const list = lists[i]!;
    for (let p = 0; p < list.length; p++) {
      const ref = list[p]!;
      scores[ref]! += weight;
      if (seen[ref] === 0) {
        seen[ref] = 1;
        refs.push(ref);
      }
    }
  }
  const best = limit === 0 ? [] : largest(refs, scores, limit);
  const listed = new Set(best);
  for (let i = 0; i < also.length; i++) if (seen[also[i]!] === 1 && !listed.has(also[i]!)) best.push(also[i]!);
  const hits = best.map((ref) => ({ ref, score: scores[ref]!, shared: filled.filter((i) => contains(lists[i]!, ref)) }));
  return { frequency, hits };
}

/** The `limit` references of largest score, ties by larger reference, in order: a heap whose root is the worst kept. */
function largest(refs: readonly number[], scores: Float64Array, limit: number): number[] {
  const heap: number[] = [];
  const worse = (a: number, b: number): boolean => scores[a]! < scores[b]! || (scores[a]! === scores[b]! && a < b);
  const sink = (from: number): void => {
    for (let i = from; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && worse(heap[child]!, heap[least]!)) least = child;
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  };
  for (const ref of refs) {
    if (heap.length < limit) {
      heap.push(ref);
      if (heap.length === limit) for (let i = (limit >>> 1) - 1; i >= 0; i--) sink(i);
    } else if (worse(heap[0]!, ref)) {
      heap[0] = ref;
      sink(0);
    }
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1));
}

/** Binary search in a rising list. */
export function contains(list: Uint32Array, value: number): boolean {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (list[mid]! < value) low = mid + 1;
    else high = mid;
  }
  return list[low] === value;
}
