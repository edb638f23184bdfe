// The nearest of what is offered, with all ties of the last one, so that the list does not depend on the order of the offers.
import { SIGNATURE_BITS } from './signature.ts';

/** One candidate: its reference and the Hamming distance of 256 bits. */
export interface Near {
  readonly ref: number;
  readonly distance: number;
}

export class NearestList {
  readonly limit: number;
  readonly #histogram = new Uint32Array(SIGNATURE_BITS + 1);
  readonly #refs: number[] = [];
  readonly #distances: number[] = [];
  #cut = SIGNATURE_BITS;
  #kept = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The least distance within which `limit` were offered: what is farther cannot be in the list any more. */
  get cut(): number {
    return this.#cut;
  }

  offer(ref: number, distance: number): void {
    if (distance > this.#cut) return;
    this.#refs.push(ref);
    this.#distances.push(distance);
    const histogram = this.#histogram;
    histogram[distance] = histogram[distance]! + 1;
    this.#kept++;
    while (this.#cut > 0 && this.#kept - histogram[this.#cut]! >= this.limit) this.#kept -= histogram[this.#cut--]!;
  }

  /** Nearest first, ties by reference; ties with the last one up to twice the limit. */
  toSorted(): Near[] {
    const found: Near[] = [];
    this.#refs.forEach((ref, i) => {
      const distance = this.#distances[i]!;
      if (distance <= this.#cut) found.push({ ref, distance });
    });
    found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
    return found.slice(0, this.limit * 2);
  }
}
