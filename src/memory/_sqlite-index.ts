// What the SQLite store derives at open and keeps in memory: ids, signatures, the keys of pending events, entities. Nothing
// here is the only copy of anything.
import type Database from 'libsql';
import type { Dictionary } from './_dictionary.ts';
import { IdTable } from './_id-table.ts';
import {
  eachOfSegment,
  packSegment,
  type PendingEntry,
  placesOf,
  prefixOf,
  unpackPending,
  unpackSegment,
} from './_segments.ts';
import { LshIndex, type LshOptions } from './lsh.ts';
import type { Entity } from './store.ts';

/** One row of damage met while reading the index. */
export interface IndexFault {
  readonly table: 'pending' | 'segment';
  readonly first: number;
}

export class SqliteIndex {
  readonly events: LshIndex;
  readonly #lshOptions: LshOptions;
  /** First 48 bits of an id to the references that have them. */
  readonly #refs = new IdTable();
  readonly pending = new Map<number, PendingEntry>();
  readonly #tail = new Map<number, number[]>();
  readonly #entities = new Map<number, { readonly ord: number; readonly module: string }>();
  readonly #entityKeys = new Map<number, number>();
  readonly #parts = new Map<string, LshIndex>();
  readonly faults: IndexFault[] = [];
  count = 0;

  constructor(options: LshOptions) {
    this.#lshOptions = options;
    this.events = new LshIndex(options);
  }

  get entityCount(): number {
    return this.#entities.size;
  }

  load(db: Database.Database, dictionary: Dictionary): void {
    const [last] = db.prepare('SELECT max(ord) FROM event').raw().get([]) as [number | null];
    this.#refs.reserve(last ?? 0);
    this.events.reserve((last ?? 0) + 1);
    // In portions, so that the rows of a large store are not all in memory at once.
    const some = db.prepare('SELECT first, bytes FROM segment WHERE first > ? ORDER BY first LIMIT 64').raw();
    for (let after = -1; ;) {
      const rows = some.all([after]) as [number, Uint8Array][];
      if (rows.length === 0) break;
      for (const [first, bytes] of rows) this.#loadSegment(db, first, bytes);
      after = rows[rows.length - 1]![0];
    }
    for (const row of db.prepare('SELECT ord, bytes FROM pending ORDER BY ord').raw().all([])) {
      const [ord, bytes] = row as [number, Uint8Array];
      try {
        this.addPending(ord, unpackPending(bytes));
      } catch {
        this.faults.push({ table: 'pending', first: ord });
        this.#recoverIds(db, ord, 1);
      }
    }
    const entities = db.prepare('SELECT ord, key, module, signature FROM entity ORDER BY ord').raw().all([]);
    for (const row of entities) {
      const [ord, key, module, bytes] = row as [number, number, number, Uint8Array];
      this.addEntity(ord, { key, module: dictionary.text(module) ?? '', signature: wordsOf(bytes) });
    }
    this.events.build();
  }

  #loadSegment(db: Database.Database, first: number, bytes: Uint8Array): void {
    try {
      eachOfSegment(bytes, (place, prefix, centre, words) => {
        this.#refs.add(prefix, first + place);
        this.events.add(first + place, words, centre);
        this.count++;
      });
    } catch {
      this.faults.push({ table: 'segment', first });
      this.#recoverIds(db, first, placesOf(bytes));
    }
  }

  /** Events whose index row is damaged are still found by id and listed. */
  #recoverIds(db: Database.Database, first: number, n: number): void {
    const rows = db.prepare('SELECT ord, id FROM event WHERE ord >= ? AND ord < ? AND structure > 0').raw();
    for (const row of rows.all([first, first + n])) {
      const [ord, id] = row as [number, Uint8Array];
      this.#refs.add(prefixOf(id), ord);
      this.count++;
    }
  }

  refsOf(id: Uint8Array): readonly number[] {
    return this.#refs.get(prefixOf(id));
  }

  addPending(ref: number, entry: PendingEntry): void {
    this.pending.set(ref, entry);
    this.#addEvent(ref, entry);
    for (const key of entry.keys) {
      const list = this.#tail.get(key);
      if (list === undefined) this.#tail.set(key, [ref]);
      else list.push(ref);
    }
  }

  /** References of pending events with a key, rising. */
  tail(key: number): readonly number[] {
    return this.#tail.get(key) ?? [];
  }

  tailKeys(): IterableIterator<[number, number[]]> {
    return this.#tail.entries();
  }

  /** All pending events are folded: their keys are in the posting table now. */
  clearPending(): void {
    this.pending.clear();
    this.#tail.clear();
  }

  /** Takes the keys of a pending event away; true when it was pending. */
  dropPendingKeys(ref: number): boolean {
    const entry = this.pending.get(ref);
    if (entry === undefined) return false;
    for (const key of entry.keys) {
      const rest = this.tail(key).filter((r) => r !== ref);
      if (rest.length === 0) this.#tail.delete(key);
      else this.#tail.set(key, rest);
    }
    this.pending.set(ref, { ...entry, keys: new Float64Array(0) });
    return true;
  }

  removeEvent(ref: number, id: Uint8Array): void {
    this.#refs.remove(prefixOf(id), ref);
    this.pending.delete(ref);
    this.events.remove(ref);
    this.count--;
  }

  entity(key: number): { readonly ord: number; readonly module: string } | undefined {
    return this.#entities.get(key);
  }

  /** An entity with its signature. */
  entityOf(key: number): Entity | undefined {
    const entity = this.#entities.get(key);
    if (entity === undefined) return undefined;
    return { key, module: entity.module, signature: this.#parts.get(entity.module)!.signature(entity.ord) };
  }

  parts(module: string): LshIndex | undefined {
    return this.#parts.get(module);
  }

  entityKey(ord: number): number | undefined {
    return this.#entityKeys.get(ord);
  }

  addEntity(ord: number, entity: Entity): void {
    this.#entities.set(entity.key, { ord, module: entity.module });
    this.#entityKeys.set(ord, entity.key);
    let index = this.#parts.get(entity.module);
    if (index === undefined) {
      index = new LshIndex({ ...this.#lshOptions, tables: 4 });
      this.#parts.set(entity.module, index);
    }
    index.add(ord, entity.signature);
  }

  removeEntity(key: number): void {
    const entity = this.#entities.get(key);
    if (entity === undefined) return;
    this.#parts.get(entity.module)?.remove(entity.ord);
    this.#entities.delete(key);
    this.#entityKeys.delete(entity.ord);
  }

  /** The row of a segment without one of its events. */
  static withoutSlot(bytes: Uint8Array, slot: number): Uint8Array {
    const entries = unpackSegment(bytes);
    entries[slot] = undefined;
    return packSegment(entries);
  }

  #addEvent(ref: number, entry: PendingEntry): void {
    this.#refs.add(entry.prefix, ref);
    this.events.add(ref, entry.signature, entry.centre);
    this.count++;
  }
}

/** A signature from its 32 bytes, little-endian. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length >>> 2 }, (_, i) => view.getUint32(i * 4, true));
}

export function bytesOfWords(words: Uint32Array): Uint8Array {
  const out = new Uint8Array(words.length * 4);
  const view = new DataView(out.buffer);
  words.forEach((w, i) => view.setUint32(i * 4, w, true));
  return out;
}
