// The plainest store: Maps and full scans, nothing on disk. For tests and throw-away memories, and the oracle that the
// other stores must agree with.
import { sourceText } from './_source-name.ts';
import { dumpLines } from './_dump.ts';
import { contentHash } from './_hash.ts';
import { applyChange, checkChanges, dropUnnamed, emptyState, itemOf, toEdge } from './_in-memory-state.ts';
import { rarity } from './_sharing.ts';
import { type Lexical, type LexicalOptions, rankTerms } from './_terms.ts';
import { byEdge, byWeight, type Edge, type EdgeKind, type Link } from './links.ts';
import type { Near } from './_nearest-list.ts';
import type { CentredQuery } from './lsh.ts';
import { hamming } from './signature.ts';
import type {
  Change,
  Degree,
  Entity,
  FullRecord,
  Id,
  OwnedLinks,
  Row,
  Sharing,
  SharingOptions,
  SourceInfo,
  SourceName,
  SourceSlice,
  Store,
  StoreStats,
  Tombstone,
  Written,
} from './store.ts';

/** Changes that alter what was there, and so raise the revision. */
const edits: ReadonlySet<Change['kind']> = new Set([
  'replace',
  'remove',
  'times',
  'relink',
  'links',
  'source',
  'blank',
]);

/** @example const store = new InMemoryStore(); */
export class InMemoryStore implements Store {
  readonly id = 'memory';
  readonly #state = emptyState();

  async revision(): Promise<number> {
    return this.#state.next - 1 + this.#state.edits;
  }

  async count(): Promise<number> {
    return this.#state.items.size;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    checkChanges(this.#state, changes);
    const written = changes.map((change) => applyChange(this.#state, change));
    dropUnnamed(this.#state);
    if (changes.some(({ kind }) => edits.has(kind))) this.#state.edits++;
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
    const { events, frequency: counts } = options.whole ?? { events: items.length, frequency };
    const weights = Array.from(counts, (f, i) => rarity(f, events) * (options.likeness?.[i] ?? 1));
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
    for (const [ref, { event }] of this.#state.items) {
      const query = queries.find((q) => q.centre === event.centre);
      if (query !== undefined) found.push({ ref, distance: hamming(query.signed.bits, event.signature) });
    }
    return nearest(found, limit);
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    const found = [...this.#state.entities.values()]
      .filter((entity) => entity.module === module)
      .map((entity) => ({ ref: entity.key, distance: hamming(query.signed.bits, entity.signature) }));
    return nearest(found, limit).map(({ ref, distance }) => ({ key: ref, distance }));
  }

  async entities(keys: ArrayLike<number>): Promise<(Entity | undefined)[]> {
    return Array.from(keys, (key) => this.#state.entities.get(key));
  }

  async edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[], limit: number): Promise<Edge[][]> {
    const all = [...this.#state.edges.values()].filter(({ kind }) => kinds.includes(kind)).map(toEdge);
    return Array.from(nodes, (node) =>
      all
        .filter(({ from }) => from === node)
        .sort(byWeight)
        .slice(0, limit),
    );
  }

  async degrees(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]> {
    return (await this.edges(nodes, kinds, Infinity)).map((edges) => ({
      edges: edges.length,
      weight: edges.reduce((sum, { weight }) => sum + weight, 0),
    }));
  }

  async edgePage(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Promise<Edge[]> {
    const all = [...this.#state.edges.values()].map(toEdge).sort(byEdge);
    return all.filter((edge) => after === undefined || byEdge(edge, after) > 0).slice(0, limit);
  }

  async edgeLog(): Promise<number> {
    return this.#state.edgeLog;
  }

  async links(refs: ArrayLike<number>): Promise<(readonly Link[])[]> {
    return Array.from(refs, (ref) => this.#state.items.get(ref)?.event.links ?? []);
  }

  async owners(): Promise<OwnedLinks[]> {
    return [...this.#state.owners.values()].sort((a, b) => (a.owner < b.owner ? -1 : 1));
  }

  async lexical(terms: ArrayLike<number>, options: LexicalOptions): Promise<Lexical> {
    const lengths = new Uint32Array(this.#state.next);
    const totals = { documents: 0, words: 0 };
    const items = [...this.#state.items].sort(([a], [b]) => a - b);
    for (const [ref, { event }] of items) {
      if (event.terms === undefined) continue;
      lengths[ref] = event.terms.length;
      totals.documents++;
      totals.words += event.terms.length;
    }
    const lists = Array.from(terms, (term) => {
      const found = items.flatMap(([ref, { event }]) => {
        const i = event.terms?.keys.indexOf(term) ?? -1;
        return i < 0 ? [] : [[ref, event.terms!.counts[i]!] as const];
      });
      const values = Uint32Array.from(found, ([ref]) => ref);
      return [{ base: 0, values, counts: Uint32Array.from(found, ([, count]) => count) }];
    });
    return rankTerms(lists, lengths, totals, options);
  }

  async texts(slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]> {
    return slices.map(({ source, lo, hi }) => this.#state.sources.get(sourceText(source))?.text?.slice(lo, hi));
  }

  async sources(after: SourceName | undefined, limit: number): Promise<SourceInfo[]> {
    const users = new Map<string, number>();
    for (const { row } of this.#state.items.values()) {
      const key = sourceText({ uri: row.source, sha256: row.sourceHash });
      users.set(key, (users.get(key) ?? 0) + 1);
    }
    return [...this.#state.sources]
      .filter(([key]) => after === undefined || key > sourceText(after))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, { name, text }]) => ({ ...name, events: users.get(key) ?? 0, bytes: text?.length }));
  }

  async records(after: number, limit: number): Promise<FullRecord[]> {
    const refs = [...this.#state.items.keys()].filter((ref) => ref > after).sort((a, b) => a - b);
    return refs.slice(0, limit).map((ref) => {
      const { row, event, keys } = this.#state.items.get(ref)!;
      const own = Float64Array.from(keys).sort();
      const entities = Array.from(own, (key) => this.#state.entities.get(key)).filter((e) => e !== undefined);
      const { sourceHash, times, sketch, count } = row;
      return { ref, count, event: { ...event, sourceHash, times, sketch, keys: own, entities } };
    });
  }

  async tombstones(after: string | undefined, limit: number): Promise<Tombstone[]> {
    return [...this.#state.tombstones.values()]
      .filter(({ idHash }) => after === undefined || idHash > after)
      .sort((a, b) => (a.idHash < b.idHash ? -1 : 1))
      .slice(0, limit);
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    return this.#state.stats.get(name);
  }

  async statNames(): Promise<string[]> {
    return [...this.#state.stats.keys()].sort();
  }

  async tombstone(id: Id): Promise<Tombstone | undefined> {
    return this.#state.tombstones.get(Buffer.from(contentHash([id])).toString('hex'));
  }

  async *dump(): AsyncIterable<string> {
    yield* dumpLines(this);
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

/** Nearest first, ties by reference, ties with the last one kept up to twice the limit. */
function nearest(found: Near[], limit: number): Near[] {
  found.sort((a, b) => a.distance - b.distance || a.ref - b.ref);
  const cut = found[Math.min(limit, found.length) - 1]?.distance ?? 0;
  return found.filter(({ distance }) => distance <= cut).slice(0, limit * 2);
}
