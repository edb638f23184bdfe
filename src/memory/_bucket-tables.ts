// Buckets of the signatures of one centre: one row of references per key and table, in typed arrays, made by counting sorts.
// Beside each reference stand 64 further bits of its signature, so that most of a bucket is passed over without a look at
// the signatures themselves. What is added later waits in a tail; when the tail has grown long, new tables are made one at a
// time between other work, so that no call waits for all of them.
import { SIGNATURE_WORDS } from './signature.ts';

/** The tail may be this long, or an eighth of what is in the tables. */
const TAIL = 8192;
/** References added between two steps of a rebuild. */
const STEP_EVERY = 256;
/** Words of an item: its reference and two words of its signature. */
const ITEM = 3;

interface Tables {
  readonly bits: number;
  /** References below this place of the list are in the tables. */
  readonly upTo: number;
  readonly offsets: Uint32Array[];
  readonly items: Uint32Array[];
}

/** What a query looks for. */
export interface BucketQuery {
  /** All signatures, by reference. */
  readonly words: Uint32Array;
  /** The query's own signature. */
  readonly own: Uint32Array; // [8]
  /** Keys to look up in a table of so many bits. */
  readonly keysOf: (table: number, bits: number) => readonly number[];
  /** Items that are looked through in a table: crowded buckets leave less for keys that are less likely. */
  readonly most: number;
  /** Differing bits of the 64 beside a reference up to which it is visited. */
  readonly within: number;
}

export class BucketTables {
  readonly #tables: number;
  readonly #bitsOf: (count: number) => number;
  readonly #bucketCap: number;
  #refs = new Uint32Array(64);
  #count = 0;
  #built: Tables | undefined;
  #next: Tables | undefined;
  #sinceStep = 0;

  /**
   * @param bitsOf bits of a key for so many references
   * @param bucketCap a bucket longer than this is split on further bits
   */
  constructor(tables: number, bitsOf: (count: number) => number, bucketCap: number) {
    this.#tables = tables;
    this.#bitsOf = bitsOf;
    this.#bucketCap = bucketCap;
  }

  /** References added, also of those that are gone. */
  get count(): number {
    return this.#count;
  }

  /** All references, in the order they were added. */
  get refs(): Uint32Array {
    return this.#refs.subarray(0, this.#count);
  }

  add(ref: number, words: Uint32Array): void {
    if (this.#count === this.#refs.length) {
      const larger = new Uint32Array(this.#refs.length * 2);
      larger.set(this.#refs);
      this.#refs = larger;
    }
    this.#refs[this.#count++] = ref;
    if (++this.#sinceStep >= STEP_EVERY && this.#built !== undefined) this.#step(words);
  }

  /** A signature that is in the tables has changed: they are made anew. */
  invalidate(): void {
    this.#built = undefined;
    this.#next = undefined;
  }

  /** Makes all tables at once, unless they are made. */
  build(words: Uint32Array): void {
    if (this.#built !== undefined) return;
    const made = this.#begin();
    for (let t = 0; t < this.#tables; t++) this.#makeTable(made, t, words);
    this.#built = made;
  }

  /** Visits what is near in the probed buckets, and the tail; a reference may come more than once. */
  collect(query: BucketQuery, visit: (ref: number) => void): void {
    this.build(query.words);
    this.#step(query.words);
    const { bits, upTo, offsets, items } = this.#built!;
    for (let t = 0; t < this.#tables; t++) {
      const starts = offsets[t]!;
      const first = query.own[firstCheck(t)]!;
      const second = query.own[secondCheck(t)]!;
      let left = query.most;
      for (const key of query.keysOf(t, bits)) {
        if (left <= 0) break;
        left -= starts[key + 1]! - starts[key]!;
        visitBucket(items[t]!, starts[key]!, starts[key + 1]!, first, second, query.within, this.#bucketCap, visit);
      }
    }
    for (let i = upTo; i < this.#count; i++) visit(this.#refs[i]!);
  }

  #begin(): Tables {
    return { bits: this.#bitsOf(this.#count), upTo: this.#count, offsets: [], items: [] };
  }

  /** One table of a rebuild that is due or under way. */
  #step(words: Uint32Array): void {
    this.#sinceStep = 0;
    const { upTo } = this.#built!;
    if (this.#next === undefined && this.#count - upTo > Math.max(TAIL, upTo >>> 3)) this.#next = this.#begin();
    if (this.#next === undefined) return;
    this.#makeTable(this.#next, this.#next.offsets.length, words);
    if (this.#next.offsets.length < this.#tables) return;
    this.#built = this.#next;
    this.#next = undefined;
  }

  /** A counting sort of the references by their key in table t. */
  #makeTable({ bits, upTo, offsets, items }: Tables, t: number, words: Uint32Array): void {
    const refs = this.#refs;
    const mask = 2 ** bits - 1;
    const shift = (t & 1) << 4;
    const word = t >>> 1;
    const starts = new Uint32Array(mask + 2);
    const keys = new Uint16Array(upTo);
    for (let i = 0; i < upTo; i++) {
      const key = (words[refs[i]! * SIGNATURE_WORDS + word]! >>> shift) & mask;
      keys[i] = key;
      starts[key + 1] = starts[key + 1]! + 1;
    }
    for (let k = 0; k <= mask; k++) starts[k + 1] = starts[k + 1]! + starts[k]!;
    const next = starts.slice();
    const list = new Uint32Array(upTo * ITEM);
    const first = firstCheck(t);
    const second = secondCheck(t);
    for (let i = 0; i < upTo; i++) {
      const place = next[keys[i]!]!;
      next[keys[i]!] = place + 1;
      const at = place * ITEM;
      const own = refs[i]! * SIGNATURE_WORDS;
      list[at] = refs[i]!;
      list[at + 1] = words[own + first]!;
      list[at + 2] = words[own + second]!;
    }
    offsets.push(starts);
    items.push(list);
  }
}

/** Words of the signature beside an item of table t: not the one its key is from. */
function firstCheck(t: number): number {
  return ((t >>> 1) + 4) % SIGNATURE_WORDS;
}

function secondCheck(t: number): number {
  return ((t >>> 1) + 5) % SIGNATURE_WORDS;
}

/** The inner loop: items from..to of a table whose check words differ from the query's in few bits. */
function visitBucket(
  items: Uint32Array,
  from: number,
  to: number,
  first: number,
  second: number,
  within: number,
  cap: number,
  visit: (ref: number) => void,
): void {
  const extra = to - from <= cap ? 0 : Math.min(16, Math.ceil(Math.log2((to - from) / cap)));
  const mask = (1 << extra) - 1;
  for (let at = from * ITEM; at < to * ITEM; at += ITEM) {
    let a = items[at + 1]! ^ first;
    if ((a & mask) !== 0) continue;
    let b = items[at + 2]! ^ second;
    // Bits of both words, counted together.
    a -= (a >>> 1) & 0x55555555;
    b -= (b >>> 1) & 0x55555555;
    const c = (a & 0x33333333) + ((a >>> 2) & 0x33333333) + (b & 0x33333333) + ((b >>> 2) & 0x33333333);
    const bits = Math.imul((c & 0x0f0f0f0f) + ((c >>> 4) & 0x0f0f0f0f), 0x01010101) >>> 24;
    if (bits <= within) visit(items[at]!);
  }
}
