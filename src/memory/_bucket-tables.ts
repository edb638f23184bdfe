// Buckets of the signatures of one centre: one row of references per key and table, in typed arrays, made by counting sorts.
// What is added later waits in a tail; when the tail has grown long, new tables are made one at a time between other work,
// so that no call waits for all of them.
import { SIGNATURE_WORDS } from './signature.ts';

/** The tail may be this long, or an eighth of what is in the tables. */
const TAIL = 8192;
/** References added between two steps of a rebuild. */
const STEP_EVERY = 256;

interface Tables {
  readonly bits: number;
  /** References below this place of the list are in the tables. */
  readonly upTo: number;
  readonly offsets: Uint32Array[];
  readonly items: Uint32Array[];
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

  /** @param bitsOf bits of a key for so many references */
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

  /**
   * Visits the references in the probed buckets and the tail; a reference may come more than once.
   * @param keysOf keys to look up in a table of so many bits
   * @param own the query's signature: crowded buckets are split on further bits of it
   */
  collect(
    words: Uint32Array,
    own: Uint32Array,
    keysOf: (table: number, bits: number) => readonly number[],
    visit: (ref: number) => void,
  ): void {
    this.build(words);
    this.#step(words);
    const { bits, upTo, offsets, items } = this.#built!;
    for (let t = 0; t < this.#tables; t++) {
      const starts = offsets[t]!;
      const list = items[t]!;
      // Bits of another table's word, half of the signature away.
      const word = ((t >>> 1) + 4) % SIGNATURE_WORDS;
      for (const key of keysOf(t, bits)) {
        const from = starts[key]!;
        const to = starts[key + 1]!;
        if (to - from <= this.#bucketCap) {
          for (let i = from; i < to; i++) visit(list[i]!);
          continue;
        }
        const extra = Math.min(16, Math.ceil(Math.log2((to - from) / this.#bucketCap)));
        const mask = (1 << extra) - 1;
        for (let i = from; i < to; i++) {
          if (((words[list[i]! * SIGNATURE_WORDS + word]! ^ own[word]!) & mask) === 0) visit(list[i]!);
        }
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
    const list = new Uint32Array(upTo);
    for (let i = 0; i < upTo; i++) {
      const at = next[keys[i]!]!;
      next[keys[i]!] = at + 1;
      list[at] = refs[i]!;
    }
    offsets.push(starts);
    items.push(list);
  }
}
