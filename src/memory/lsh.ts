// Locality-sensitive hashing over signatures: 8 tables of 16 bits with query-directed probes, held in typed arrays that are
// derived from the stored signatures. Below `scanBelow` items every signature is compared instead, which is exact.
// Source: multi-probe LSH (Lv et al. 2007); candidate rate after Indyk and Motwani (1998).
import { CairnError } from '../errors.ts';
import { hamming, SIGNATURE_WORDS, type Signed } from './signature.ts';

export interface LshOptions {
  /** Tables of 16 bits, at most 16. */
  readonly tables?: number;
  /** Keys looked up in each table. */
  readonly probes?: number;
  /** Stores smaller than this are scanned. */
  readonly scanBelow?: number;
  /** Below this many items only the first 12 bits of each key are used. */
  readonly shortKeysBelow?: number;
  /** A bucket longer than this is thinned by further signature bits. */
  readonly bucketCap?: number;
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
  const order = Array.from({ length: k }, (_, i) => i).sort(
    (a, b) => Math.abs(projections[a]!) - Math.abs(projections[b]!) || a - b,
  );
  const cost = order.map((i) => projections[i]! ** 2);
  const keys = [base];
  // Sets of positions in `order`; the last element grows (shift) or gains a neighbour (expand): every set is met once.
  const heap: { score: number; last: number; mask: number }[] =
    k === 0 ? [] : [{ score: cost[0]!, last: 0, mask: 1 << order[0]! }];
  while (keys.length < count && heap.length > 0) {
    let best = 0;
    for (let i = 1; i < heap.length; i++) if (heap[i]!.score < heap[best]!.score) best = i;
    const { score, last, mask } = heap[best]!;
    heap[best] = heap[heap.length - 1]!;
    heap.pop();
    keys.push((base ^ mask) & 0xffff);
    if (last + 1 < k) {
      const next = 1 << order[last + 1]!;
      heap.push({
        score: score - cost[last]! + cost[last + 1]!,
        last: last + 1,
        mask: (mask ^ (1 << order[last]!)) | next,
      });
      heap.push({ score: score + cost[last + 1]!, last: last + 1, mask: mask | next });
    }
  }
  return keys;
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

/** An index of signatures by dense reference numbers. References are small integers given by the store. */
export class LshIndex {
  readonly #tables: number;
  readonly #probes: number;
  readonly #scanBelow: number;
  readonly #shortKeysBelow: number;
  readonly #bucketCap: number;
  #words = new Uint32Array(1024 * SIGNATURE_WORDS);
  #centres = new Uint16Array(1024);
  #alive = new Uint8Array(1024);
  #size = 0; // one more than the largest reference seen
  #count = 0;
  #builtTo = 0; // references below this are in the tables, the rest is scanned
  #bits = 16;
  #offsets: Uint32Array[] = [];
  #items: Uint32Array[] = [];

  constructor(options: LshOptions = {}) {
    this.#tables = options.tables ?? 8;
    this.#probes = options.probes ?? 16;
    this.#scanBelow = options.scanBelow ?? 20_000;
    this.#shortKeysBelow = options.shortKeysBelow ?? 200_000;
    this.#bucketCap = options.bucketCap ?? 4096;
    if (this.#tables < 1 || this.#tables > 16) {
      throw new CairnError('bad_option', `Expected 1 to 16 tables, got ${this.#tables}.`);
    }
  }

  get count(): number {
    return this.#count;
  }

  add(ref: number, bits: Uint32Array, centre = 0, offset = 0): void {
    if (ref >= this.#alive.length) this.#grow(ref + 1);
    if (this.#alive[ref] === 0) this.#count++;
    this.#alive[ref] = 1;
    this.#centres[ref] = centre;
    this.#words.set(bits.subarray(offset, offset + SIGNATURE_WORDS), ref * SIGNATURE_WORDS);
    this.#size = Math.max(this.#size, ref + 1);
    if (ref < this.#builtTo) this.#builtTo = 0;
  }

  remove(ref: number): void {
    if (ref >= this.#size || this.#alive[ref] === 0) return;
    this.#alive[ref] = 0;
    this.#count--;
    this.#words.fill(0, ref * SIGNATURE_WORDS, (ref + 1) * SIGNATURE_WORDS);
  }

  has(ref: number): boolean {
    return ref < this.#size && this.#alive[ref] === 1;
  }

  signature(ref: number): Uint32Array {
    return this.#words.slice(ref * SIGNATURE_WORDS, (ref + 1) * SIGNATURE_WORDS);
  }

  /** The centre that an item's signature was made with. */
  centre(ref: number): number {
    return this.#centres[ref] ?? 0;
  }

  /**
   * The candidates nearest in Hamming distance, nearest first, ties by reference. Ties with the last one are kept too (up
   * to twice the limit), so that the list does not depend on the order of insertion.
   */
  nearest(queries: readonly CentredQuery[], limit: number): Near[] {
    const byCentre = new Map(queries.map((q) => [q.centre, q.signed] as const));
    const histogram = new Uint32Array(SIGNATURE_WORDS * 32 + 1);
    const refs: number[] = [];
    const distances: number[] = [];
    const visit = (ref: number): void => {
      if (this.#alive[ref] === 0) return;
      const signed = byCentre.get(this.#centres[ref]!);
      if (signed === undefined) return;
      const d = hamming(signed.bits, this.#words, 0, ref * SIGNATURE_WORDS);
      histogram[d]!++;
      refs.push(ref);
      distances.push(d);
    };
    if (this.#count < this.#scanBelow) for (let ref = 0; ref < this.#size; ref++) visit(ref);
    else for (const ref of this.candidates(queries)) visit(ref);
    let cut = 0;
    for (let seen = 0; cut < histogram.length - 1; cut++) if ((seen += histogram[cut]!) >= limit) break;
    const found: Near[] = [];
    for (let i = 0; i < refs.length; i++)
      if (distances[i]! <= cut) found.push({ ref: refs[i]!, distance: distances[i]! });
    found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
    return found.slice(0, limit * 2);
  }

  /** References that share a probed bucket with the query, and those not yet in the tables; each once. */
  candidates(queries: readonly CentredQuery[]): Uint32Array {
    if (this.#size - this.#builtTo > Math.max(8192, this.#builtTo >>> 3)) this.#build();
    const seen = new Uint8Array(this.#size);
    const out: number[] = [];
    for (const query of queries) {
      for (let t = 0; t < this.#tables && t < this.#offsets.length; t++) {
        const projections = query.signed.projections.subarray(t * 16, t * 16 + this.#bits);
        for (const key of probeKeys(projections, this.#probes)) this.#collect(t, key, query, seen, out);
      }
    }
    for (let ref = this.#builtTo; ref < this.#size; ref++) if (seen[ref] === 0 && this.#alive[ref] === 1) out.push(ref);
    return Uint32Array.from(out);
  }

  #collect(table: number, key: number, query: CentredQuery, seen: Uint8Array, out: number[]): void {
    const items = this.#items[table]!;
    const from = this.#offsets[table]![key]!;
    const to = this.#offsets[table]![key + 1]!;
    // A crowded bucket is split on further bits: of the last word, one bit for every doubling above the cap.
    const extra = to - from > this.#bucketCap ? Math.ceil(Math.log2((to - from) / this.#bucketCap)) : 0;
    const mask = extra === 0 ? 0 : 0xffffffff >>> (32 - Math.min(extra, 32));
    const want = query.signed.bits[SIGNATURE_WORDS - 1]!;
    for (let i = from; i < to; i++) {
      const ref = items[i]!;
      if (seen[ref] === 1 || this.#alive[ref] === 0 || this.#centres[ref] !== query.centre) continue;
      if (mask !== 0 && ((this.#words[ref * SIGNATURE_WORDS + SIGNATURE_WORDS - 1]! ^ want) & mask) !== 0) continue;
      seen[ref] = 1;
      out.push(ref);
    }
  }

  /** Counting sort of all references into one row of offsets and items per table. */
  #build(): void {
    this.#bits = this.#count < this.#shortKeysBelow ? 12 : 16;
    const buckets = 2 ** this.#bits;
    const mask = buckets - 1;
    this.#offsets = [];
    this.#items = [];
    for (let t = 0; t < this.#tables; t++) {
      const keyOf = (ref: number): number =>
        (this.#words[ref * SIGNATURE_WORDS + (t >>> 1)]! >>> ((t & 1) << 4)) & mask;
      const offsets = new Uint32Array(buckets + 1);
      for (let ref = 0; ref < this.#size; ref++) if (this.#alive[ref] === 1) offsets[keyOf(ref) + 1]!++;
      for (let i = 0; i < buckets; i++) offsets[i + 1]! += offsets[i]!;
      const items = new Uint32Array(offsets[buckets]!);
      const next = offsets.slice();
      for (let ref = 0; ref < this.#size; ref++) if (this.#alive[ref] === 1) items[next[keyOf(ref)]!++] = ref;
      this.#offsets.push(offsets);
      this.#items.push(items);
    }
    this.#builtTo = this.#size;
  }

  #grow(need: number): void {
    const capacity = Math.max(need, this.#alive.length * 2);
    const words = new Uint32Array(capacity * SIGNATURE_WORDS);
    words.set(this.#words);
    this.#words = words;
    const centres = new Uint16Array(capacity);
    centres.set(this.#centres);
    this.#centres = centres;
    const alive = new Uint8Array(capacity);
    alive.set(this.#alive);
    this.#alive = alive;
  }
}
