// An index of signatures, apart for every centre, derived from the stored ones. Centres with fewer than `scanBelow` items are
// compared in sequence by a vector kernel: reading the first half of a million signatures takes less time than looking into the
// buckets of one query. Larger ones, and `candidates`, use tables of 16 bits with query-directed probes.
import { BucketTables } from './_bucket-tables.ts';
import { type Near, NearestList } from './_nearest-list.ts';
import { PlainScan } from './_plain-scan.ts';
import { type Scan, scanNearest } from './_scan.ts';
import { SignatureChunks, SignatureScan } from './_signature-scan.ts';
import { signatureKernel } from './_signature-wasm.ts';
import { CairnError } from '../errors.ts';
import { probeKeys } from './probes.ts';
import { hamming, SIGNATURE_WORDS, type Signed } from './signature.ts';

export interface LshOptions {
  /** Tables of 16 bits, at most 16; default 8. */
  readonly tables?: number;
  /** Keys looked up in each table; default 48. */
  readonly probes?: number;
  /** Centres with fewer items are scanned; default 4,000,000. */
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

/** A query as seen from one centre. Items are compared with the signature made for their own centre. */
export interface CentredQuery {
  readonly centre: number;
  readonly signed: Signed;
}

/** Marks a reference that is not there; no centre has this number. */
const NONE = 0xffff;
/** Items of a centre from which on a kernel compares them; it takes half a megabyte for a start. */
const KERNEL_FROM = 4096;

/** The items of one centre. */
interface Group {
  readonly buckets: BucketTables;
  scan: Scan;
}

/** An index of signatures by dense reference numbers. References are small integers given by the store. */
export class LshIndex {
  readonly #tables: number;
  readonly #probes: number;
  readonly #scanBelow: number;
  readonly #bucketCap: number;
  readonly #within: number;
  readonly #most: number;
  readonly #bitsOf: (count: number) => number;
  readonly #groups = new Map<number, Group>();
  #chunks: SignatureChunks | undefined;
  #words = new Uint32Array(1024 * SIGNATURE_WORDS);
  #centres = new Uint16Array(1024).fill(NONE);
  /** The centre in whose buckets a reference stands, also after it has gone. */
  #listed = new Uint16Array(1024).fill(NONE);
  /** The place of a reference in the scan of its centre. */
  #places = new Uint32Array(1024);
  /** 1 while a query has met a reference. */
  #seen = new Uint8Array(1024);
  /** Differing bits that were enough for the last query. */
  #guess: number | undefined;
  #size = 0; // one more than the largest reference seen
  #count = 0;

  constructor(options: LshOptions = {}) {
    this.#tables = options.tables ?? 8;
    this.#probes = options.probes ?? 48;
    this.#scanBelow = options.scanBelow ?? 4_000_000;
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
    const before = this.#centres[ref]!;
    if (before === NONE) this.#count++;
    else if (before !== centre) this.#unscan(ref);
    const at = ref * SIGNATURE_WORDS;
    for (let i = 0; i < SIGNATURE_WORDS; i++) this.#words[at + i] = bits[offset + i]!;
    this.#centres[ref] = centre;
    this.#size = Math.max(this.#size, ref + 1);
    const group = this.#groupOf(centre);
    if (before === centre) group.scan.set(this.#places[ref]!, ref, this.#words, at);
    else this.#places[ref] = group.scan.add(ref, this.#words, at);
    if (group.scan.count === KERNEL_FROM && group.scan instanceof PlainScan) {
      this.#chunks ??= new SignatureChunks(signatureKernel());
      group.scan = SignatureScan.from(group.scan, this.#chunks, this.#words);
    }
    if (this.#listed[ref] === centre) {
      group.buckets.invalidate();
      return;
    }
    this.#listed[ref] = centre;
    group.buckets.add(ref, this.#words);
  }

  remove(ref: number): void {
    if (!this.has(ref)) return;
    this.#unscan(ref);
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
    for (const { scan, buckets } of this.#groups.values()) {
      if (scan.count >= this.#scanBelow) buckets.build(this.#words);
    }
  }

  /**
   * The candidates nearest in Hamming distance, nearest first, ties by reference. Ties with the last one are kept too (up
   * to twice the limit), so that the list does not depend on the order of insertion.
   */
  nearest(queries: readonly CentredQuery[], limit: number): Near[] {
    const list = new NearestList(limit);
    const scans: { scan: Scan; own: Uint32Array }[] = [];
    const large: CentredQuery[] = [];
    for (const query of queries) {
      const scan = this.#groups.get(query.centre)?.scan;
      if (scan === undefined) continue;
      if (scan.count < this.#scanBelow) scans.push({ scan, own: query.signed.bits });
      else large.push(query);
    }
    this.#guess = scanNearest(scans, list, this.#guess);
    this.#visit(large, (ref, own) => {
      list.offer(ref, hamming(own, this.#words, 0, ref * SIGNATURE_WORDS));
    });
    return list.toSorted();
  }

  /** All references that share a probed bucket with the query, and those not yet in the tables; each once. */
  candidates(queries: readonly CentredQuery[]): Uint32Array {
    const out: number[] = [];
    this.#visit(queries, (ref) => out.push(ref), true);
    return Uint32Array.from(out);
  }

  /** Every item of the probed buckets once, with the query's signature for its centre. `all`: also of crowded buckets. */
  #visit(queries: readonly CentredQuery[], visit: (ref: number, own: Uint32Array) => void, all = false): void {
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
      const keysOf = (table: number, bits: number): number[] =>
        probeKeys(signed.projections.subarray(table * 16, table * 16 + bits), this.#probes);
      const within = all ? 64 : this.#within;
      const most = all ? Infinity : this.#most / (this.#tables * queries.length);
      group.buckets.collect({ words: this.#words, own: signed.bits, keysOf, within, most }, once);
    }
    for (let i = 0; i < met.length; i++) seen[met[i]!] = 0;
  }

  #groupOf(centre: number): Group {
    let group = this.#groups.get(centre);
    if (group === undefined) {
      group = { buckets: new BucketTables(this.#tables, this.#bitsOf, this.#bucketCap), scan: new PlainScan() };
      this.#groups.set(centre, group);
    }
    return group;
  }

  /** Takes an item out of its scan: the last one fills its place. */
  #unscan(ref: number): void {
    const { scan } = this.#groups.get(this.#centres[ref]!)!;
    const place = this.#places[ref]!;
    const last = scan.pop();
    if (last === ref) return;
    scan.set(place, last, this.#words, last * SIGNATURE_WORDS);
    this.#places[last] = place;
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
    const places = new Uint32Array(capacity);
    places.set(this.#places);
    this.#places = places;
    this.#seen = new Uint8Array(capacity);
  }
}
