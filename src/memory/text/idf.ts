// How rare terms are, frozen: a table of document counts by hashed term that vectors are weighed with. A new epoch begins
// when the documents have doubled; texts keep the epoch they were begun with, so that an interrupted reading can go on.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CairnError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { termKey } from './attributes.ts';

const SLOTS = 16_384;

/** Counts of one epoch; two terms in one slot count together. */
export class IdfTable {
  readonly epoch: number;
  readonly documents: number;
  readonly #counts: Uint32Array;

  constructor(epoch: number, documents: number, counts: Uint32Array) {
    this.epoch = epoch;
    this.documents = documents;
    this.#counts = counts;
  }

  /** BM25's inverse document frequency; terms of no document weigh most. */
  readonly rarity = (term: string): number => {
    const n = Math.min(this.#counts[termKey(term) % SLOTS]!, this.documents);
    return Math.log(1 + (this.documents - n + 0.5) / (n + 0.5));
  };

  toBytes(): Uint8Array {
    const numbers = Uint32Array.of(this.epoch, this.documents, ...this.#counts);
    return new Uint8Array(deflateRawSync(new Uint8Array(numbers.buffer)));
  }

  static fromBytes(bytes: Uint8Array): IdfTable {
    const raw = new Uint8Array(inflateRawSync(bytes));
    if (raw.length !== 4 * (SLOTS + 2)) {
      throw new CairnError('store_corrupt', 'Expected a table of term counts, got bytes of another length.', {
        hint: 'Keep a copy of the file and restore a backup.',
      });
    }
    const numbers = new Uint32Array(raw.buffer, raw.byteOffset, SLOTS + 2);
    return new IdfTable(numbers[0]!, numbers[1]!, numbers.slice(2));
  }
}

/** Collects the counts of an epoch from term keys. */
export class IdfCounts {
  readonly #counts = new Uint32Array(SLOTS);
  documents = 0;

  /** Adds one document with its distinct term keys. */
  add(keys: Iterable<number>): void {
    this.documents++;
    const slots = new Set<number>();
    for (const key of keys) slots.add(key % SLOTS);
    for (const slot of slots) this.#counts[slot]!++;
  }

  table(epoch: number): IdfTable {
    return new IdfTable(epoch, this.documents, this.#counts.slice());
  }
}

/** The distinct term keys of every event. */
export async function countTermKeys(store: Store, visit: (keys: Iterable<number>) => void): Promise<void> {
  for (let after = 0; ;) {
    const page = await store.records(after, 256);
    if (page.length === 0) return;
    for (const { event } of page) if (event.terms !== undefined) visit(event.terms.keys);
    after = page.at(-1)!.ref;
  }
}
