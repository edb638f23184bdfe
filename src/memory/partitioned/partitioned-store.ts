// One store over several servers, each of which is a store of its own. Whole events go to the server that rendezvous hashing
// names, or to two of them; every question goes to all and the answers are put together, with weights from the counts of the
// whole. A server that does not answer costs its share of every answer and nothing else.
import { sourceText } from '../_source-name.ts';
import { CairnError } from '../../errors.ts';
import { dumpLines } from '../_dump.ts';
import type { Lexical, LexicalOptions } from '../_terms.ts';
import type { Edge, EdgeKind, Link } from '../links.ts';
import { byEdge } from '../links.ts';
import type { Near } from '../_nearest-list.ts';
import type { CentredQuery } from '../lsh.ts';
import {
  type Change,
  type Degree,
  type Entity,
  type FullRecord,
  type Id,
  type OwnedLinks,
  type Row,
  type Sharing,
  type SharingOptions,
  type SourceInfo,
  type SourceName,
  type SourceSlice,
  type Store,
  type StoreStats,
  type Tombstone,
  type Written,
} from '../store.ts';
import { Cluster } from './_cluster.ts';
import { INTERNAL } from './_journal.ts';
import { type Partition, partitionOf } from './_layout.ts';
import {
  firstFilled,
  firstOf,
  heaviest,
  mergeHits,
  mergeNear,
  mergeSorted,
  sumCounts,
  sumEdges,
  sumStats,
} from './_merge.ts';
import { BEHIND_KEPT, EntityCache, fromKept, type Lookup, planWrite, toKept } from './_plan.ts';
import { rebalance, type RebalanceProgress } from './_rebalance.ts';
import { serverDown, type ServerOptions, type StoreKey } from './_seats.ts';
import { Turns } from './_turns.ts';

export type { ServerOptions } from './_seats.ts';
export type { RebalanceProgress } from './_rebalance.ts';

export interface PartitionedStoreOptions {
  readonly servers: readonly ServerOptions[];
  /** On how many servers each event is kept. Default 1, or what the store was made with. */
  readonly replicas?: 1 | 2;
  /** Milliseconds after which servers that fell silent are tried again; 0: only when `heal` is called. Default 1,000. */
  readonly retryMs?: number;
}

/**
 * Opens a store over several servers.
 *
 * @throws CairnError `servers_down` unless more than half of the servers answer, `bad_replicas`, `store_not_partitioned`
 * @example
 * const open = async () => new InMemoryStore();
 * const store = await PartitionedStore.open({ servers: [{ name: 'a', open }, { name: 'b', open }] });
 */
export class PartitionedStore implements Store {
  readonly id = 'partitioned';
  readonly #cluster: Cluster;
  readonly #turns = new Turns();
  readonly #entities = new EntityCache();
  readonly #retryMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #open = true;

  private constructor(cluster: Cluster, retryMs: number) {
    this.#cluster = cluster;
    this.#retryMs = retryMs;
    this.#watch();
  }

  static async open(options: PartitionedStoreOptions): Promise<PartitionedStore> {
    const cluster = await Cluster.open(options.servers, options.replicas);
    return new PartitionedStore(cluster, options.retryMs ?? 1000);
  }

  missing(): readonly string[] {
    return this.#cluster.missing();
  }

  /** Tries servers that do not answer; those that do take what they missed. True when all answer. */
  async heal(): Promise<boolean> {
    return this.#turns.write(() => this.#cluster.heal());
  }

  /** Servers that are named but keep nothing yet. */
  spare(): readonly string[] {
    const { layout, seats } = this.#cluster;
    const members = new Set([...layout.servers, ...(layout.moving?.servers ?? [])]);
    return seats
      .filter((seat) => seat.live && (seat.number === undefined || !members.has(seat.number)))
      .map((seat) => seat.options.name);
  }

  /**
   * Takes in the servers that keep nothing yet: each gets its share of the keys, everything else stays. May be interrupted
   * and called again; questions and writes go on in between.
   */
  async rebalance(
    options: { onProgress?: (p: RebalanceProgress) => void; signal?: AbortSignal } = {},
  ): Promise<number> {
    this.#expectOpen();
    return rebalance(this.#cluster, this.#turns, options);
  }

  async revision(): Promise<number> {
    this.#expectOpen();
    return this.#cluster.next - 1 + this.#cluster.edits;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    this.#expectOpen();
    return this.#turns.write(async () => {
      const { next, edits } = this.#cluster;
      const plan = await planWrite(changes, next, this.#entities, this.#lookup());
      const shares = new Map<StoreKey, Change[]>();
      const give = (key: StoreKey, list: readonly Change[]): void => {
        if (list.length > 0) shares.set(key, [...(shares.get(key) ?? []), ...list]);
      };
      for (const [partition, list] of plan.byPartition) {
        const keys = this.#cluster.keysOf(partition);
        if (keys.every((key) => this.#cluster.storeOf(key) === undefined)) throw this.#down(partition);
        for (const key of keys) give(key, list);
      }
      for (const key of this.#cluster.chairs()) give(key, plan.stats);
      try {
        await this.#cluster.write(shares, { next: plan.next, edits: edits + (plan.edited ? 1 : 0) });
      } catch (error) {
        this.#entities.forget();
        throw error;
      } finally {
        this.#watch();
      }
      return plan.written;
    });
  }

  async count(): Promise<number> {
    return (await this.#ask((store) => store.count())).reduce((sum, n) => sum + n, 0);
  }

  async find(ids: readonly Id[]): Promise<(Row | undefined)[]> {
    return this.#read(async () => (await this.#find(ids, false)).map(({ row }) => row));
  }

  async read(refs: ArrayLike<number>): Promise<(Row | undefined)[]> {
    return firstOf(await this.#ask((store) => store.read(refs)), refs.length);
  }

  async list(options: { before?: number; limit: number; sketches?: boolean }): Promise<Row[]> {
    const lists = await this.#ask((store) => store.list(options));
    return mergeSorted(lists, (a, b) => b.ref - a.ref, options.limit);
  }

  async structure(hash: string): Promise<Uint8Array | undefined> {
    return (await this.#ask((store) => store.structure(hash))).find((bytes) => bytes !== undefined);
  }

  async sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing> {
    return this.#read(async () => {
      const counts = await this.#cluster.askAll(async (store) => ({
        events: await store.count(),
        frequency: (await store.sharing(keys, { limit: 0 })).frequency,
      }));
      const events = counts.reduce((sum, c) => sum + c.events, 0);
      const frequency = sumCounts(
        counts.map((c) => c.frequency),
        keys.length,
      );
      const whole = { events, frequency };
      const lists = await this.#cluster.askAll(
        async (store) => (await store.sharing(keys, { ...options, whole })).hits,
      );
      return { frequency, hits: mergeHits(lists, options.limit, options.also ?? []) };
    });
  }

  async shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
    return firstFilled(await this.#ask((store) => store.shared(keys, refs)), refs.length);
  }

  async near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]> {
    return mergeNear(await this.#ask((store) => store.near(queries, limit)), limit);
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    const lists = await this.#ask((store) => store.nearEntities(module, query, limit));
    const near = lists.map((list) => list.map(({ key, distance }) => ({ ref: key, distance })));
    return mergeNear(near, limit).map(({ ref, distance }) => ({ key: ref, distance }));
  }

  async entities(keys: ArrayLike<number>): Promise<(Entity | undefined)[]> {
    return firstOf(await this.#ask((store) => store.entities(keys)), keys.length);
  }

  async edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[], limit: number): Promise<Edge[][]> {
    const lists = await this.#edges(nodes, kinds);
    return lists.map((edges) => heaviest(edges, limit));
  }

  async degrees(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]> {
    return (await this.#edges(nodes, kinds)).map((edges) => ({
      edges: edges.length,
      weight: edges.reduce((sum, { weight }) => sum + weight, 0),
    }));
  }

  async edgePage(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Promise<Edge[]> {
    return sumEdges(await this.#ask((store) => store.edgePage(after, limit)))
      .sort(byEdge)
      .slice(0, limit);
  }

  async edgeLog(): Promise<number> {
    return (await this.#ask((store) => store.edgeLog())).reduce((sum, n) => sum + n, 0);
  }

  async links(refs: ArrayLike<number>): Promise<(readonly Link[])[]> {
    return firstFilled(await this.#ask((store) => store.links(refs)), refs.length);
  }

  async owners(): Promise<OwnedLinks[]> {
    const lists = await this.#ask((store) => store.owners());
    return mergeSorted(lists, (a, b) => (a.owner < b.owner ? -1 : 1), -1);
  }

  async lexical(terms: ArrayLike<number>, options: LexicalOptions): Promise<Lexical> {
    return this.#read(async () => {
      const counts = await this.#cluster.askAll((store) => store.lexical(terms, { limit: 0 }));
      const whole = {
        documents: counts.reduce((sum, c) => sum + c.documents, 0),
        words: counts.reduce((sum, c) => sum + c.words, 0),
        frequency: sumCounts(
          counts.map((c) => c.frequency),
          terms.length,
        ),
      };
      const lists = await this.#cluster.askAll(
        async (store) => (await store.lexical(terms, { ...options, whole })).hits,
      );
      return { ...whole, hits: mergeHits(lists, options.limit, options.also ?? []) };
    });
  }

  async texts(slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]> {
    const kept = slices.map(({ source, lo, hi }) => ({ source: toKept(source), lo, hi }));
    return firstOf(await this.#ask((store) => store.texts(kept)), slices.length);
  }

  async sources(after: SourceName | undefined, limit: number): Promise<SourceInfo[]> {
    const found = new Map<string, SourceInfo>();
    const add = (source: SourceName, events: number, bytes: number | undefined): void => {
      const key = sourceText(source);
      const old = found.get(key);
      found.set(key, { ...source, events: (old?.events ?? 0) + events, bytes: bytes ?? old?.bytes });
    };
    for (const list of await this.#ask((store) => store.sources(after ?? BEHIND_KEPT, limit))) {
      for (const { uri, sha256, events } of list) add({ uri, sha256 }, events, undefined);
    }
    for (const list of await this.#ask((store) => store.sources(after && toKept(after), limit))) {
      for (const info of list) {
        const kept = fromKept(info);
        if (kept !== undefined) add(kept, 0, info.bytes);
      }
    }
    const behind = after === undefined ? undefined : sourceText(after);
    return [...found]
      .filter(([key]) => behind === undefined || key > behind)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, info]) => info);
  }

  async records(after: number, limit: number): Promise<FullRecord[]> {
    const lists = await this.#ask((store) => store.records(after, limit));
    return mergeSorted(lists, (a, b) => a.ref - b.ref, limit);
  }

  async tombstones(after: string | undefined, limit: number): Promise<Tombstone[]> {
    const lists = await this.#ask((store) => store.tombstones(after, limit));
    return mergeSorted(lists, (a, b) => (a.idHash < b.idHash ? -1 : 1), limit);
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#cluster.askAny((store) => store.stat(name)));
  }

  async statNames(): Promise<string[]> {
    const names = await this.#read(() => this.#cluster.askAny((store) => store.statNames()));
    return names.filter((name) => !name.startsWith(INTERNAL));
  }

  async tombstone(id: Id): Promise<Tombstone | undefined> {
    return (await this.#ask((store) => store.tombstone(id))).find((found) => found !== undefined);
  }

  async *dump(): AsyncIterable<string> {
    yield* dumpLines(this);
  }

  async verify(): Promise<readonly number[]> {
    return (await this.#ask((store) => store.verify())).flat().sort((a, b) => a - b);
  }

  async compact(): Promise<void> {
    await this.#turns.write(() => this.#cluster.askAll((store) => store.compact()));
  }

  /** Sums over the partitions: what several of them keep counts in each. */
  async stats(): Promise<StoreStats> {
    return sumStats(await this.#ask((store) => store.stats()));
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#timer);
    await this.#turns.write(() => this.#cluster.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The edges of each node, whole: a cut list of one partition could not be summed. */
  async #edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Edge[][]> {
    const lists = await this.#ask((store) => store.edges(nodes, kinds, Infinity));
    return Array.from(nodes, (_, i) => sumEdges(lists.map((list) => list[i]!)));
  }

  #ask<T>(question: (store: Store) => Promise<T>): Promise<T[]> {
    return this.#read(() => this.#cluster.askAll(question));
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    this.#expectOpen();
    try {
      return await this.#turns.read(work);
    } finally {
      this.#watch();
    }
  }

  #home(id: Id): Partition {
    return partitionOf(this.#cluster.layout.servers, this.#cluster.layout.replicas, id);
  }

  /** Rows by id, and where they are: while keys move, some are at home already and some not yet. */
  async #find(ids: readonly Id[], strict: boolean): Promise<{ row: Row | undefined; partition: Partition }[]> {
    const found = ids.map((id) => ({ row: undefined as Row | undefined, partition: this.#home(id) }));
    const { moving, replicas } = this.#cluster.layout;
    const rounds = [(id: Id) => this.#home(id)];
    if (moving !== undefined) rounds.push((id) => partitionOf(moving.servers, replicas, id));
    for (const home of rounds) {
      const places = new Map<Partition, number[]>();
      ids.forEach((id, i) => {
        if (found[i]!.row !== undefined) return;
        const partition = home(id);
        places.set(partition, [...(places.get(partition) ?? []), i]);
      });
      await Promise.all(
        [...places].map(async ([partition, list]) => {
          const answer = await this.#cluster.ask(partition, (store) => store.find(list.map((i) => ids[i]!)));
          if (answer === undefined && strict) throw this.#down(partition);
          list.forEach((i, at) => {
            const row = answer?.value[at];
            if (row !== undefined) found[i] = { row, partition };
          });
        }),
      );
    }
    return found;
  }

  #lookup(): Lookup {
    return {
      home: (id) => this.#home(id),
      find: (ids) => this.#find(ids, true),
      users: async (source) => {
        if (this.missing().length > 0) return undefined;
        const counts = await this.#cluster.askAll((store) => usersOf(store, source));
        return counts.reduce((sum, n) => sum + n, 0);
      },
    };
  }

  #down(partition: Partition): CairnError {
    const names = partition.split('_').map((n) => `server-${n}`);
    return serverDown(names.join(' and '), this.#cluster.seat(Number(partition.split('_')[0]))?.fault);
  }

  /** Tries again later what does not answer now. */
  #watch(): void {
    if (this.#timer !== undefined || this.#retryMs <= 0 || !this.#open || this.missing().length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#open) void this.heal().then(() => this.#watch());
    }, this.#retryMs);
    this.#timer.unref();
  }

  #expectOpen(): void {
    if (this.#open) return;
    throw new CairnError('store_closed', 'Expected an open store, got one that was closed.', {
      hint: 'Open it again.',
    });
  }
}

/** Events of one store that name a source: it is listed right behind the same name without its last character. */
async function usersOf(store: Store, source: SourceName): Promise<number> {
  const { uri, sha256 } = source;
  const before = sha256 === '' ? { uri: uri.slice(0, -1), sha256 } : { uri, sha256: sha256.slice(0, -1) };
  const wanted = sourceText(source);
  for (let after: SourceName | undefined = before.uri === '' ? undefined : before; ;) {
    const page: SourceInfo[] = await store.sources(after, 64);
    const found = page.find((info) => sourceText(info) === wanted);
    if (found !== undefined) return found.events;
    const last = page.at(-1);
    if (last === undefined || sourceText(last) > wanted) return 0;
    after = last;
  }
}
