// The plainest store: Maps and full scans, nothing on disk. For tests and throw-away memories, and the oracle that the
// other stores must agree with.
import { CairnError } from '../errors.ts';
import { dumpLines } from './_dump.ts';
import { contentHash } from './_hash.ts';
import { rarity } from './_sharing.ts';
import type { CentredQuery, Near } from './lsh.ts';
import { hamming } from './signature.ts';
import {
  type Change,
  type Entity,
  type Id,
  idToText,
  type Row,
  type Sharing,
  type SharingOptions,
  type Store,
  type StoredRow,
  type StoreStats,
  type Tombstone,
  type Written,
} from './store.ts';

interface Item {
  readonly row: StoredRow;
  readonly signature: Uint32Array;
  readonly centre: number;
  readonly keys: ReadonlySet<number>;
}

interface State {
  readonly items: Map<number, Item>;
  readonly structures: Map<string, Uint8Array>;
  readonly entities: Map<number, Entity>;
  readonly stats: Map<string, Uint8Array>;
  readonly tombstones: Map<string, Tombstone>;
  next: number;
  edits: number;
}

/** @example const store = new InMemoryStore(); */
export class InMemoryStore implements Store {
  readonly id = 'memory';
  #state: State = {
    items: new Map(),
    structures: new Map(),
    entities: new Map(),
    stats: new Map(),
    tombstones: new Map(),
    next: 1,
    edits: 0,
  };

  async revision(): Promise<number> {
    return this.#state.next - 1 + this.#state.edits;
  }

  async count(): Promise<number> {
    return this.#state.items.size;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    const old = this.#state;
    // All or nothing by working on a copy.
    const state: State = {
      items: new Map(old.items),
      structures: new Map(old.structures),
      entities: new Map(old.entities),
      stats: new Map(old.stats),
      tombstones: new Map(old.tombstones),
      next: old.next,
      edits: old.edits,
    };
    for (const change of changes) if (change.kind === 'replace' || change.kind === 'remove') expectItem(old, change.id);
    const written = changes.map((change) => apply(state, change));
    if (changes.some(({ kind }) => kind === 'replace' || kind === 'remove')) state.edits++;
    this.#state = state;
    return written;
  }

  async find(ids: readonly Id[]): Promise<(Row | undefined)[]> {
    return ids.map((id) => itemOf(this.#state, id)?.row);
  }

  async read(refs: ArrayLike<number>): Promise<(Row | undefined)[]> {
    return Array.from(refs, (ref) => this.#state.items.get(ref)?.row);
  }

  async list(options: { before?: number; limit: number; sketches?: boolean }): Promise<Row[]> {
    const refs = [...this.#state.items.keys()]
      .filter((ref) => ref < (options.before ?? Infinity))
      .sort((a, b) => b - a);
    const some = options.limit < 0 ? refs : refs.slice(0, options.limit);
    return some.map((ref) => {
      const { row } = this.#state.items.get(ref)!;
      return options.sketches === false ? { ...row, sketch: new Uint8Array(0) } : row;
    });
  }

  async structure(hash: string): Promise<Uint8Array | undefined> {
    return this.#state.structures.get(hash);
  }

  async sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing> {
    const items = [...this.#state.items.values()];
    const frequency = Uint32Array.from(Array.from(keys, (key) => items.filter((item) => item.keys.has(key)).length));
    const weights = Array.from(frequency, (f, i) => rarity(f, items.length) * (options.likeness?.[i] ?? 1));
    const all: { ref: number; score: number }[] = [];
    for (const [ref, item] of this.#state.items) {
      const shared = Array.from(keys, (_, i) => i).filter((i) => item.keys.has(keys[i]!));
      if (shared.length > 0) all.push({ ref, score: shared.reduce((sum, i) => sum + weights[i]!, 0) });
    }
    all.sort((a, b) => b.score - a.score || b.ref - a.ref);
    const best = all.slice(0, options.limit);
    const also = Array.from(options.also ?? []).filter((ref) => !best.some((hit) => hit.ref === ref));
    return { frequency, hits: [...best, ...also.flatMap((ref) => all.find((hit) => hit.ref === ref) ?? [])] };
  }

  async shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
    return Array.from(refs, (ref) => {
      const own = this.#state.items.get(ref)?.keys;
      return Array.from(keys, (_, i) => i).filter((i) => own?.has(keys[i]!) === true);
    });
  }

  async near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]> {
    const found: Near[] = [];
    for (const [ref, { signature, centre }] of this.#state.items) {
      const query = queries.find((q) => q.centre === centre);
      if (query !== undefined) found.push({ ref, distance: hamming(query.signed.bits, signature) });
    }
    return nearest(found, limit);
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    const found = [...this.#state.entities.values()]
      .filter((entity) => entity.module === module)
      .map((entity) => ({ ref: entity.key, distance: hamming(query.signed.bits, entity.signature) }));
    return nearest(found, limit).map(({ ref, distance }) => ({ key: ref, distance }));
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    return this.#state.stats.get(name);
  }

  async statNames(): Promise<string[]> {
    return [...this.#state.stats.keys()].sort();
  }

  async tombstone(id: Id): Promise<Tombstone | undefined> {
    return this.#state.tombstones.get(idToText(id));
  }

  async *dump(): AsyncIterable<string> {
    const postings = new Map<number, number[]>();
    for (const [ref, { keys }] of this.#state.items) {
      for (const key of keys) postings.set(key, [...(postings.get(key) ?? []), ref]);
    }
    yield* dumpLines({
      rows: await this.list({ limit: -1 }),
      postings,
      stats: [...this.#state.stats],
      signature: (ref) => this.#state.items.get(ref)?.signature,
    });
  }

  async verify(): Promise<readonly number[]> {
    return [];
  }

  async compact(): Promise<void> {}

  async stats(): Promise<StoreStats> {
    const { items, structures, entities, tombstones } = this.#state;
    let sketch = 0;
    for (const { row } of items.values()) sketch += row.sketch.length;
    return {
      events: items.size,
      structures: structures.size,
      entities: entities.size,
      tombstones: tombstones.size,
      fileBytes: 0,
      logBytes: 0,
      bytes: { sketch },
      quarantined: [],
    };
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

function apply(state: State, change: Change): Written {
  switch (change.kind) {
    case 'insert': {
      const { event } = change;
      const known = itemOf(state, event.id);
      if (known !== undefined) {
        const row = { ...known.row, count: known.row.count + 1 };
        state.items.set(row.ref, { ...known, row });
        return { ref: row.ref, fresh: false, count: row.count };
      }
      const { id, task, source, at, provenance, meta, sketch, signature, centre, keys } = event;
      const row = {
        ref: state.next++,
        id,
        structure: event.structure.hash,
        task,
        source,
        at,
        provenance,
        meta,
        sketch,
        count: 1,
      };
      state.items.set(row.ref, { row, signature, centre, keys: new Set(keys) });
      state.structures.set(row.structure, event.structure.bytes);
      for (const entity of event.entities) if (!state.entities.has(entity.key)) state.entities.set(entity.key, entity);
      return { ref: row.ref, fresh: true, count: 1 };
    }
    case 'replace': {
      const item = expectItem(state, change.id);
      const row = { ...item.row, sketch: change.sketch };
      state.items.set(row.ref, { ...item, row, keys: change.dropKeys ? new Set() : item.keys });
      if (change.dropKeys) dropUnused(state, item.keys);
      return { ref: row.ref, fresh: true, count: row.count };
    }
    case 'remove': {
      const item = expectItem(state, change.id);
      state.items.delete(item.row.ref);
      dropUnused(state, item.keys);
      if (![...state.items.values()].some(({ row }) => row.structure === item.row.structure)) {
        state.structures.delete(item.row.structure);
      }
      const idHash = Buffer.from(contentHash([change.id])).toString('hex');
      state.tombstones.set(idToText(change.id), { idHash, at: change.at, certificate: change.certificate });
      return { ref: item.row.ref, fresh: true, count: 0 };
    }
    case 'stat':
      if (change.bytes === undefined) state.stats.delete(change.name);
      else state.stats.set(change.name, change.bytes);
      return { ref: 0, fresh: true, count: 0 };
    default:
      return change satisfies never;
  }
}

function dropUnused(state: State, keys: ReadonlySet<number>): void {
  for (const key of keys) if (![...state.items.values()].some((item) => item.keys.has(key))) state.entities.delete(key);
}

function itemOf(state: State, id: Id): Item | undefined {
  for (const item of state.items.values()) if (Buffer.compare(item.row.id, id) === 0) return item;
  return undefined;
}

function expectItem(state: State, id: Id): Item {
  const item = itemOf(state, id);
  if (item !== undefined) return item;
  throw new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
    hint: 'List the events to see what is there; it may have been forgotten.',
  });
}

/** Nearest first, ties by reference, ties with the last one kept up to twice the limit. */
function nearest(found: Near[], limit: number): Near[] {
  found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
  const cut = found[Math.min(limit, found.length) - 1]?.distance ?? 0;
  return found.filter(({ distance }) => distance <= cut).slice(0, limit * 2);
}
