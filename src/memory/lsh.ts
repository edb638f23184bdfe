// Locality-sensitive hashing over signatures: tables of 16 bits with query-directed probes, held in typed arrays that are
// derived from the stored signatures, apart for every centre. Centres with fewer than `scanBelow` items are compared one by
// one instead, which is exact.
// Source: multi-probe LSH (Lv et al. 2007); candidate rate after Indyk and Motwani (1998).
import { BucketTables } from './_bucket-tables.ts';
import { CairnError } from '../errors.ts';
import { hamming, SIGNATURE_WORDS, type Signed } from './signature.ts';

export interface LshOptions {
  /** Tables of 16 bits, at most 16; default 8. */
  readonly tables?: number;
  /** Keys looked up in each table; default 48. */
  readonly probes?: number;
  /** Centres with fewer items are scanned. */
  readonly scanBelow?: number;
  /** Below this many items only the first 12 bits of each key are used; by default the bits follow the number of items. */
  readonly shortKeysBelow?: number;
  /** A bucket longer than this is thinned by further signature bits. */
  readonly bucketCap?: number;
  /**
   * Differing bits of 64 up to which an item of a probed bucket is looked at; 64 looks at all. Default 24: an item at cosine
   * 0.7 has 16 ± 3.5 of them, an unrelated one 32 ± 4.
   */
  readonly within?: number;
  /** Items of buckets that a query looks through, shared evenly by tables and centres; default 65,536. */
  readonly most?: number;
}

/** One candidate: its reference and the Hamming distance of 256 bits. */
export interface Near {
  readonly ref: number;
  readonly distance: number;
}

/** A query as seen from one centre. Items are compared with the signature made for their own centre. */
export interface CentredQuery {
  readonly centre: number;
  readonly signed: Signed;
}

/**
 * The keys to look up in one table, nearest first: the query's own key, then keys with bits flipped in order of the sum of
 * squares of the flipped projections. No key repeats.
 *
 * @param projections [k] the query's projections of this table
 * @param count keys wanted
 * @example
 * probeKeys(new Float32Array([0.1, -2, 3]), 2); // [0b101, 0b100]
 */
export function probeKeys(projections: ArrayLike<number>, count: number): number[] {
  const k = projections.length;
  let base = 0;
  for (let i = 0; i < k; i++) if (projections[i]! > 0) base |= 1 << i;
  const keys = [base];
  if (k === 0) return keys;
  const { order, cost } = byUncertainty(projections);
  // Sets of positions in `order`; the last element grows (shift) or gains a neighbour (expand): every set is met once.
  const scores = [cost[0]!];
  const lasts = [0];
  const masks = [1 << order[0]!];
  while (keys.length < count && scores.length > 0) {
    let best = 0;
    for (let i = 1; i < scores.length; i++) if (scores[i]! < scores[best]!) best = i;
    const score = scores[best]!;
    const last = lasts[best]!;
    const mask = masks[best]!;
    keys.push((base ^ mask) & 0xffff);
    if (last + 1 === k) {
      scores[best] = scores[scores.length - 1]!;
      lasts[best] = lasts[lasts.length - 1]!;
      masks[best] = masks[masks.length - 1]!;
      scores.pop();
      lasts.pop();
      masks.pop();
      continue;
    }
    const next = 1 << order[last + 1]!;
    scores[best] = score - cost[last]! + cost[last + 1]!;
    lasts[best] = last + 1;
    masks[best] = (mask ^ (1 << order[last]!)) | next;
    scores.push(score + cost[last + 1]!);
    lasts.push(last + 1);
    masks.push(mask | next);
  }
  return keys;
}

/** Positions by the size of their projection, least first, and the squares in that order. */
function byUncertainty(projections: ArrayLike<number>): { order: Uint8Array; cost: Float64Array } {
  const k = projections.length;
  const order = new Uint8Array(k);
  const cost = new Float64Array(k);
  for (let i = 0; i < k; i++) {
    const own = projections[i]! ** 2;
    let at = i;
    for (; at > 0 && cost[at - 1]! > own; at--) {
      cost[at] = cost[at - 1]!;
      order[at] = order[at - 1]!;
    }
    cost[at] = own;
    order[at] = i;
  }
  return { order, cost };
}

/**
 * Probability that a pair with this cosine shares a bucket: 1 - (1 - p^k)^L with p = 1 - arccos(cos)/pi.
 *
 * @example
 * candidateRate(0.9, 10, 8); // 0.852
 */
export function candidateRate(cosine: number, bits: number, tables: number): number {
  const p = 1 - Math.acos(Math.max(-1, Math.min(1, cosine))) / Math.PI;
  return 1 - (1 - p ** bits) ** tables;
}

/** Marks a reference that is not there; no centre has this number. */
const NONE = 0xffff;

/** An index of signatures by dense reference numbers. References are small integers given by the store. */
export class LshIndex {
  readonly #tables: number;
  readonly #probes: number;
  readonly #scanBelow: number;
  readonly #bucketCap: number;
  readonly #within: number;
  readonly #most: number;
  readonly #bitsOf: (count: number) => number;
  readonly #groups = new Map<number, BucketTables>();
  #words = new Uint32Array(1024 * SIGNATURE_WORDS);
  #centres = new Uint16Array(1024).fill(NONE);
  /** The centre in whose group a reference stands, also after it has gone. */
  #listed = new Uint16Array(1024).fill(NONE);
  /** 1 while a query has met a reference. */
  #seen = new Uint8Array(1024);
  #size = 0; // one more than the largest reference seen
  #count = 0;

  constructor(options: LshOptions = {}) {
    this.#tables = options.tables ?? 8;
    this.#probes = options.probes ?? 48;
    this.#scanBelow = options.scanBelow ?? 20_000;
    this.#bucketCap = options.bucketCap ?? 4096;
    this.#within = options.within ?? 24;
    this.#most = options.most ?? 65_536;
    const { shortKeysBelow } = options;
    // About 8 items a bucket, between 10 and 16 bits.
    this.#bitsOf = (count) => {
      if (shortKeysBelow !== undefined) return count < shortKeysBelow ? 12 : 16;
      return Math.max(10, Math.min(16, Math.round(Math.log2(Math.max(1, count / 8)))));
    };
    if (this.#tables < 1 || this.#tables > 16) {
      throw new CairnError('bad_option', `Expected 1 to 16 tables, got ${this.#tables}.`);
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Makes room for references below `size` at once. */
  reserve(size: number): void {
    if (size > this.#centres.length) this.#grow(size);
  }

  add(ref: number, bits: Uint32Array, centre = 0, offset = 0): void {
    if (ref >= this.#centres.length) this.#grow(Math.max(ref + 1, this.#centres.length * 2));
    if (this.#centres[ref] === NONE) this.#count++;
    const at = ref * SIGNATURE_WORDS;
    for (let i = 0; i < SIGNATURE_WORDS; i++) this.#words[at + i] = bits[offset + i]!;
    this.#centres[ref] = centre;
    this.#size = Math.max(this.#size, ref + 1);
    let group = this.#groups.get(centre);
    if (group === undefined) {
      group = new BucketTables(this.#tables, this.#bitsOf, this.#bucketCap);
      this.#groups.set(centre, group);
    }
    if (this.#listed[ref] === centre) {
      group.invalidate();
      return;
    }
    this.#listed[ref] = centre;
    group.add(ref, this.#words);
  }

  remove(ref: number): void {
    if (!this.has(ref)) return;
    this.#centres[ref] = NONE;
    this.#count--;
    this.#words.fill(0, ref * SIGNATURE_WORDS, (ref + 1) * SIGNATURE_WORDS);
  }

  has(ref: number): boolean {
    return ref < this.#size && this.#centres[ref] !== NONE;
  }

  /** The centre that an item's signature was made with. */
  centre(ref: number): number {
    return this.has(ref) ? this.#centres[ref]! : 0;
  }

  signature(ref: number): Uint32Array {
    return this.#words.slice(ref * SIGNATURE_WORDS, (ref + 1) * SIGNATURE_WORDS);
  }

  /** Makes the tables of all centres that are too large to scan, so that the first query need not. */
  build(): void {
    for (const group of this.#groups.values()) if (group.count >= this.#scanBelow) group.build(this.#words);
  }

  /**
   * The candidates nearest in Hamming distance, nearest first, ties by reference. Ties with the last one are kept too (up
   * to twice the limit), so that the list does not depend on the order of insertion.
   */
  nearest(queries: readonly CentredQuery[], limit: number): Near[] {
    const histogram = new Uint32Array(SIGNATURE_WORDS * 32 + 1);
    const refs: number[] = [];
    const distances: number[] = [];
    // The least distance within which `limit` have been seen: what is farther cannot be in the list any more.
    let cut = histogram.length - 1;
    let within = 0;
    this.#visit(queries, (ref, own) => {
      const d = hamming(own, this.#words, 0, ref * SIGNATURE_WORDS);
      if (d > cut) return;
      refs.push(ref);
      distances.push(d);
      histogram[d] = histogram[d]! + 1;
      within++;
      while (cut > 0 && within - histogram[cut]! >= limit) within -= histogram[cut--]!;
    });
    const found: Near[] = [];
    for (let i = 0; i < refs.length; i++) {
      if (distances[i]! <= cut) found.push({ ref: refs[i]!, distance: distances[i]! });
    }
    found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
    return found.slice(0, limit * 2);
  }

  /** All references that share a probed bucket with the query, and those not yet in the tables; each once. */
  candidates(queries: readonly CentredQuery[]): Uint32Array {
    const out: number[] = [];
    this.#visit(queries, (ref) => out.push(ref), true);
    return Uint32Array.from(out);
  }

  /** Every candidate once, with the query's signature for its centre. `probe`: all of the probed buckets, of all centres. */
  #visit(queries: readonly CentredQuery[], visit: (ref: number, own: Uint32Array) => void, probe = false): void {
    const seen = this.#seen;
    const centres = this.#centres;
    const met: number[] = [];
    for (const { centre, signed } of queries) {
      const group = this.#groups.get(centre);
      if (group === undefined) continue;
      const once = (ref: number): void => {
        if (seen[ref] === 1 || centres[ref] !== centre) return;
        seen[ref] = 1;
        met.push(ref);
        visit(ref, signed.bits);
      };
      if (!probe && group.count < this.#scanBelow) for (const ref of group.refs) once(ref);
      else {
        const keysOf = (table: number, bits: number): number[] =>
          probeKeys(signed.projections.subarray(table * 16, table * 16 + bits), this.#probes);
        const within = probe ? 64 : this.#within;
        const most = probe ? Infinity : this.#most / (this.#tables * queries.length);
        group.collect({ words: this.#words, own: signed.bits, keysOf, within, most }, once);
      }
    }
    for (let i = 0; i < met.length; i++) seen[met[i]!] = 0;
  }

  #grow(capacity: number): void {
    const words = new Uint32Array(capacity * SIGNATURE_WORDS);
    words.set(this.#words);
    this.#words = words;
    const grown = (old: Uint16Array): Uint16Array<ArrayBuffer> => {
      const larger = new Uint16Array(capacity).fill(NONE);
      larger.set(old);
      return larger;
    };
    this.#centres = grown(this.#centres);
    this.#listed = grown(this.#listed);
    this.#seen = new Uint8Array(capacity);
  }
}
