// Nearest signatures by comparing all of them: the head, which is the first half of the bits, of every item, and the rest of
// those whose heads are nearest. Which items are offered depends on the items alone, not on their order.
import type { NearestList } from './_nearest-list.ts';
import { HEAD } from './_signature-kernel.ts';

/** Items that can be compared with a query in sequence. Places are dense: removing one is popping the last into its place. */
export interface Scan {
  readonly count: number;
  /** Adds an item; returns its place. */
  add(ref: number, words: Uint32Array, offset: number): number;
  /** Puts another item in a place. */
  set(place: number, ref: number, words: Uint32Array, offset: number): void;
  /** Takes the last item out; returns its reference. */
  pop(): number;
  /** Compares the heads of all items with a query's; counts those that differ in at most, and in less than, so many bits. */
  measure(own: Uint32Array, bits: number): Counts;
  /** Items of the last query whose heads differ in at most so many bits. */
  within(bits: number): number;
  /** Offers those items with their distance of all bits. */
  collect(own: Uint32Array, bits: number, list: NearestList): void;
}

/** Items that differ in at most, and in less than, some number of bits. */
export interface Counts {
  readonly upTo: number;
  readonly below: number;
}

/** So many items are compared in all bits at once. */
const ALL_BELOW = 32_768;
/** Of more, so many of the nearest heads, or this many for each one asked for. */
const LEAST = 4096;
const PER_ASKED = 8;

/**
 * Offers the items nearest to the queries: of large sets those whose heads are nearest.
 *
 * @param guess differing bits of a head within which there may be enough; it changes the time, not what is offered
 * @returns how many they were
 */
export function scanNearest(
  scans: readonly { readonly scan: Scan; readonly own: Uint32Array }[],
  list: NearestList,
  guess = 48,
): number {
  const total = scans.reduce((sum, { scan }) => sum + scan.count, 0);
  if (total === 0) return guess;
  const counts = scans.map(({ scan, own }) => scan.measure(own, guess));
  const enough = Math.max(LEAST, PER_ASKED * list.limit);
  const bits = total <= Math.max(ALL_BELOW, enough) ? HEAD * 8 : leastBits(scans, enough, guess, counts);
  for (const { scan, own } of scans) scan.collect(own, bits, list);
  return total <= ALL_BELOW ? guess : bits;
}

/** The fewest differing bits of a head within which there are so many items; at most all bits. */
function leastBits(
  scans: readonly { readonly scan: Scan }[],
  wanted: number,
  guess: number,
  counts: readonly Counts[],
): number {
  const isEnough = (bits: number): boolean => scans.reduce((sum, { scan }) => sum + scan.within(bits), 0) >= wanted;
  const sumOf = (of: 'upTo' | 'below'): number => counts.reduce((sum, c) => sum + c[of], 0);
  let bits = guess;
  if (sumOf('upTo') < wanted) {
    do bits++;
    while (bits < HEAD * 8 && !isEnough(bits));
  } else if (sumOf('below') >= wanted) {
    do bits--;
    while (bits > 0 && isEnough(bits - 1));
  }
  return bits;
}
