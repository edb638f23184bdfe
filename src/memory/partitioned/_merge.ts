// One answer from the answers of all partitions. Each partition's list is cut by the same order and limit as the whole, so
// nothing of the whole's list is missing from them.
import { byEdge, byWeight, type Edge, edgeName } from '../links.ts';
import type { Near } from '../_nearest-list.ts';
import type { StoreStats } from '../store.ts';

export interface Scored {
  readonly ref: number;
  readonly score: number;
}

/** Best first, of equal scores the latest; behind them those of `also`, in their order. */
export function mergeHits(lists: readonly (readonly Scored[])[], limit: number, also: ArrayLike<number>): Scored[] {
  const all = lists.flat();
  const extra = new Set(Array.from(also));
  all.sort((a, b) => b.score - a.score || b.ref - a.ref);
  const best = all.slice(0, Math.max(0, limit));
  const listed = new Set(best.map(({ ref }) => ref));
  const scores = new Map(all.map(({ ref, score }) => [ref, score] as const));
  for (const ref of extra) if (!listed.has(ref) && scores.has(ref)) best.push({ ref, score: scores.get(ref)! });
  return best;
}

export function sumCounts(lists: readonly Uint32Array[], length: number): Uint32Array {
  const sum = new Uint32Array(length);
  for (const list of lists) for (let i = 0; i < length; i++) sum[i]! += list[i]!;
  return sum;
}

/** Nearest first, ties by reference, ties with the last one kept up to twice the limit. */
export function mergeNear(lists: readonly (readonly Near[])[], limit: number): Near[] {
  const found = [...new Map(lists.flat().map((near) => [near.ref, near] as const)).values()];
  found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
  const cut = found[Math.min(limit, found.length) - 1]?.distance ?? 0;
  return found.filter(({ distance }) => distance <= cut).slice(0, limit * 2);
}

/** The first answer that is there, by position. */
export function firstOf<T>(lists: readonly (readonly (T | undefined)[])[], length: number): (T | undefined)[] {
  return Array.from({ length }, (_, i) => lists.find((list) => list[i] !== undefined)?.[i]);
}

/** The first list with anything in it, by position. */
export function firstFilled<T>(lists: readonly (readonly (readonly T[])[])[], length: number): T[][] {
  return Array.from({ length }, (_, i) => [...(lists.find((list) => list[i]!.length > 0)?.[i] ?? [])]);
}

/** Sorted lists joined and cut. */
export function mergeSorted<T>(lists: readonly (readonly T[])[], order: (a: T, b: T) => number, limit: number): T[] {
  const all = lists.flat().sort(order);
  return limit < 0 ? all : all.slice(0, limit);
}

/** Edges with the sums of all partitions, in canonical order. */
export function sumEdges(lists: readonly (readonly Edge[])[]): Edge[] {
  const sums = new Map<string, Edge>();
  for (const edge of lists.flat()) {
    const name = edgeName(edge.from, edge.kind, edge.to);
    const old = sums.get(name);
    if (old === undefined) sums.set(name, edge);
    else {
      const count = old.count + edge.count;
      const seconds = old.seconds + edge.seconds;
      sums.set(name, { ...edge, weight: old.weight + edge.weight, count, seconds, time: Math.floor(seconds / count) });
    }
  }
  return [...sums.values()].sort(byEdge);
}

export function heaviest(edges: readonly Edge[], limit: number): Edge[] {
  return [...edges].sort(byWeight).slice(0, limit);
}

export function sumStats(all: readonly StoreStats[]): StoreStats {
  const sum = (of: (s: StoreStats) => number): number => all.reduce((n, s) => n + of(s), 0);
  const bytes: Record<string, number> = {};
  for (const stats of all) for (const [kind, n] of Object.entries(stats.bytes)) bytes[kind] = (bytes[kind] ?? 0) + n;
  return {
    events: sum((s) => s.events),
    structures: sum((s) => s.structures),
    entities: sum((s) => s.entities),
    tombstones: sum((s) => s.tombstones),
    fileBytes: sum((s) => s.fileBytes),
    logBytes: sum((s) => s.logBytes),
    bytes,
    quarantined: all.flatMap((s) => s.quarantined).sort((a, b) => a - b),
  };
}
