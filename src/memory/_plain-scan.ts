// The signatures of a small centre, compared one by one: what SignatureScan does with a kernel for many.
import { HEAD } from './_signature-kernel.ts';
import type { NearestList } from './_nearest-list.ts';
import type { Counts, Scan } from './_scan.ts';
import { hamming, SIGNATURE_WORDS } from './signature.ts';

const HEAD_WORDS = HEAD / 4;

export class PlainScan implements Scan {
  #refs = new Uint32Array(16);
  #words = new Uint32Array(16 * SIGNATURE_WORDS);
  #heads = new Uint8Array(0);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** References in the order of their places. */
  get refs(): Uint32Array {
    return this.#refs.subarray(0, this.#count);
  }

  add(ref: number, words: Uint32Array, offset: number): number {
    const place = this.#count++;
    if (place === this.#refs.length) {
      this.#refs = doubled(this.#refs);
      this.#words = doubled(this.#words);
    }
    this.set(place, ref, words, offset);
    return place;
  }

  set(place: number, ref: number, words: Uint32Array, offset: number): void {
    this.#refs[place] = ref;
    for (let i = 0; i < SIGNATURE_WORDS; i++) this.#words[place * SIGNATURE_WORDS + i] = words[offset + i]!;
  }

  pop(): number {
    return this.#refs[--this.#count]!;
  }

  measure(own: Uint32Array, bits: number): Counts {
    if (this.#heads.length < this.#count) this.#heads = new Uint8Array(this.#refs.length);
    let [upTo, below] = [0, 0];
    for (let place = 0; place < this.#count; place++) {
      const head = hamming(own, this.#words, 0, place * SIGNATURE_WORDS, HEAD_WORDS);
      this.#heads[place] = head;
      if (head <= bits) upTo++;
      if (head < bits) below++;
    }
    return { upTo, below };
  }

  within(bits: number): number {
    let sum = 0;
    for (let place = 0; place < this.#count; place++) if (this.#heads[place]! <= bits) sum++;
    return sum;
  }

  collect(own: Uint32Array, bits: number, list: NearestList): void {
    for (let place = 0; place < this.#count; place++) {
      const head = this.#heads[place]!;
      if (head > bits) continue;
      const at = place * SIGNATURE_WORDS + HEAD_WORDS;
      list.offer(this.#refs[place]!, head + hamming(own, this.#words, HEAD_WORDS, at, SIGNATURE_WORDS - HEAD_WORDS));
    }
  }
}

function doubled(old: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(old.length * 2);
  larger.set(old);
  return larger;
}
