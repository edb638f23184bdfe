// What the cases of the conformance suite share: made-up events and the dump of a store as a list.
import { Rng } from '../tensor/index.ts';
import { SIGNATURE_WORDS } from './signature.ts';
import type { Change, NewEvent, Store } from './store.ts';

/** Makes stores. `reopen` closes one and opens the same data again, or returns it as it is if nothing outlives it. */
export interface StoreFactory {
  open(): Promise<Store>;
  reopen(store: Store): Promise<Store>;
}

export interface ConformanceCase {
  readonly name: string;
  run(factory: StoreFactory): Promise<void>;
}

/** A made-up event: 20 places with one of 5 contents each, as keys, and random bytes as its sketch. */
export function syntheticEvent(rng: Rng, n: number): NewEvent {
  const keys = new Set<number>();
  for (let place = 0; place < 20; place++) keys.add(1000 + place * 8 + rng.integer(5)).add(10 + rng.integer(5));
  keys.add(1_000_000 + n);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => rng.integer(256));
  return {
    id: bytes(16),
    structure: { hash: n % 7 === 0 ? 'structure-b' : 'structure-a', bytes: Uint8Array.of(n % 7 === 0 ? 2 : 1) },
    task: n % 5 === 0 ? 'solve' : 'read',
    source: `source-${n % 3}`,
    at: 1_700_000_000_000 + n,
    provenance: Uint8Array.of(n & 255),
    meta: bytes(rng.integer(20)),
    sketch: bytes(100 + rng.integer(20)),
    signature: Uint32Array.from({ length: SIGNATURE_WORDS }, () => rng.u32()),
    centre: n % 2,
    keys: Float64Array.from(keys).sort(),
    entities: [...keys].filter((key) => key < 100).map((key) => ({ key, module: 'part', signature: wordsFor(key) })),
  };
}

export function many(n: number, seed: number): NewEvent[] {
  const rng = new Rng(seed);
  return Array.from({ length: n }, (_, i) => syntheticEvent(rng, i));
}

export function insert(event: NewEvent): Change {
  return { kind: 'insert', event };
}

export function wordsFor(key: number): Uint32Array {
  const rng = new Rng(key);
  return Uint32Array.from({ length: SIGNATURE_WORDS }, () => rng.u32());
}

export async function dumpOf(store: Store): Promise<string[]> {
  const all: string[] = [];
  for await (const line of store.dump()) all.push(line);
  return all;
}
