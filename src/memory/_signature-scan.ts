// The signatures of one centre in chunks that a kernel compares with a query in sequence: first half of the bits of all items,
// then the other half of those that are near. Which items are found depends on the items alone, not on their order.
import {
  BLOCK,
  CHUNK,
  CHUNK_BYTES,
  COUNT_BITS,
  DISTANCES,
  FIRST_CHUNK,
  FOUND,
  HEAD,
  headOf,
  PLACE_BITS,
  QUERY,
  REST,
  RESTS,
  type SignatureKernel,
} from './_signature-kernel.ts';
import type { NearestList } from './_nearest-list.ts';
import type { PlainScan } from './_plain-scan.ts';
import type { Counts, Scan } from './_scan.ts';
import { SIGNATURE_WORDS } from './signature.ts';

/** Chunks of one kernel, shared by the centres of an index. */
export class SignatureChunks {
  readonly kernel: SignatureKernel;
  #used = 0;

  constructor(kernel: SignatureKernel) {
    this.kernel = kernel;
  }

  /** Where a chunk of its own begins. */
  next(): number {
    const start = FIRST_CHUNK + this.#used++ * CHUNK_BYTES;
    this.kernel.grow(start + CHUNK_BYTES);
    return start;
  }
}

export class SignatureScan implements Scan {
  readonly #chunks: SignatureChunks;
  readonly #starts: number[] = [];
  #refs = new Uint32Array(CHUNK);
  #count = 0;

  constructor(chunks: SignatureChunks) {
    this.#chunks = chunks;
  }

  /** The items of a scan that has grown large, in their places. */
  static from(small: PlainScan, chunks: SignatureChunks, words: Uint32Array): SignatureScan {
    const scan = new SignatureScan(chunks);
    for (const ref of small.refs) scan.add(ref, words, ref * SIGNATURE_WORDS);
    return scan;
  }

  get count(): number {
    return this.#count;
  }

  add(ref: number, words: Uint32Array, offset: number): number {
    const place = this.#count++;
    if (place === this.#refs.length) {
      const larger = new Uint32Array(place * 2);
      larger.set(this.#refs);
      this.#refs = larger;
    }
    if (place === this.#starts.length * CHUNK) this.#starts.push(this.#chunks.next());
    this.set(place, ref, words, offset);
    return place;
  }

  set(place: number, ref: number, words: Uint32Array, offset: number): void {
    this.#refs[place] = ref;
    const bytes = this.#chunks.kernel.bytes();
    const own = new Uint8Array(words.buffer, words.byteOffset + offset * 4, SIGNATURE_WORDS * 4);
    const chunk = this.#starts[Math.floor(place / CHUNK)]!;
    const within = place % CHUNK;
    const head = chunk + headOf(within);
    for (let j = 0; j < HEAD; j++) bytes[head + j * BLOCK] = own[j]!;
    bytes.set(own.subarray(HEAD), chunk + RESTS + within * REST);
  }

  pop(): number {
    return this.#refs[--this.#count]!;
  }

  measure(own: Uint32Array, bits: number): Counts {
    const { kernel } = this.#chunks;
    this.#ask(own);
    let [upTo, below] = [0, 0];
    this.#each((chunk, items) => {
      const blocks = Math.ceil(items / BLOCK);
      const counts = kernel.measure(chunk, blocks, bits);
      upTo += counts & ((1 << COUNT_BITS) - 1);
      below += counts >>> COUNT_BITS;
      // The last block may not be full.
      const heads = kernel.bytes();
      for (let at = chunk + DISTANCES + items; at < chunk + DISTANCES + blocks * BLOCK; at++) {
        if (heads[at]! <= bits) upTo--;
        if (heads[at]! < bits) below--;
        heads[at] = 0xff;
      }
    });
    return { upTo, below };
  }

  within(bits: number): number {
    let sum = 0;
    this.#each((chunk, items) => {
      sum += this.#chunks.kernel.count(chunk, Math.ceil(items / BLOCK), bits);
    });
    return sum;
  }

  collect(own: Uint32Array, bits: number, list: NearestList): void {
    const { kernel } = this.#chunks;
    this.#ask(own);
    this.#each((chunk, items, first) => {
      const n = kernel.collect(chunk, Math.ceil(items / BLOCK), bits, list.cut);
      const found = new Uint32Array(kernel.bytes().buffer, FOUND, n);
      for (let i = 0; i < n; i++) {
        const item = found[i]!;
        list.offer(this.#refs[first + (item & (CHUNK - 1))]!, item >>> PLACE_BITS);
      }
    });
  }

  #ask(own: Uint32Array): void {
    this.#chunks.kernel.bytes().set(new Uint8Array(own.buffer, own.byteOffset, SIGNATURE_WORDS * 4), QUERY);
  }

  /** Every chunk that holds items, with how many and the place of the first. */
  #each(visit: (chunk: number, items: number, first: number) => void): void {
    for (let i = 0, first = 0; first < this.#count; i++, first += CHUNK) {
      visit(this.#starts[i]!, Math.min(CHUNK, this.#count - first), first);
    }
  }
}
