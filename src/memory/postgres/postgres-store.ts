// The store on one PostgreSQL server. Rows, posting lists and signatures live in tables, and the server itself ranks by shared
// keys and by Hamming distance: nothing is loaded at open. A write has its effect exactly once even when the server dies in
// the middle and comes back, because every writer leaves the number and the result of its last write in the same transaction.
import { CairnError } from '../../errors.ts';
import { dumpLines } from '../_dump.ts';
import { contentHash } from '../_hash.ts';
import type { Lexical, LexicalOptions } from '../_terms.ts';
import { type Edge, type EdgeKind, type Link, unpackLinks } from '../links.ts';
import type { Near } from '../_nearest-list.ts';
import type { CentredQuery, LshOptions } from '../lsh.ts';
import {
  type Change,
  type Degree,
  type Entity,
  type FullRecord,
  type Id,
  idToText,
  isCorrupt,
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
import { degrees, edgePage, edges, owners } from './_graph.ts';
import { fillBuckets } from './_insert.ts';
import type { Fragment, Sql } from './_link.ts';
import { groupOf, packGroup } from './_lists.ts';
import { blobs, fromText, numbers, toBytes, toText } from './_literals.ts';
import { type Lock, takeLock } from './_lock.ts';
import { lexical, nearByBuckets, nearByScan, nearEntities, shared, sharing } from './_read.ts';
import { entitiesOf, readRecords } from './_records.ts';
import { rowsBefore, rowsById, rowsByRef } from './_rows.ts';
import { prepareSchema, TABLES } from './_schema.ts';
import { Server } from './_server.ts';
import { listSources, readTexts } from './_sources.ts';
import { parseTarget } from './_target.ts';
import { applyChanges, type Counters } from './_write.ts';

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database?schema=name&sslmode=require`. */
  readonly url: string;
  /** Schema of the tables, created if need be: `cairn`, or what the URL says. */
  readonly schema?: string;
  /** Refuses to share the store with another client; the other way round a write waits for its turn. Default false. */
  readonly exclusive?: boolean;
  /** How long in all to try again while the server does not answer. Default 15,000. */
  readonly patienceMs?: number;
  /** Partitions of each partitioned table of a new store. Default 16. */
  readonly hashPartitions?: number;
  /** `probes` per table, and `scanBelow`: smaller stores compare every signature. Default 16 and 100,000. */
  readonly lsh?: Pick<LshOptions, 'probes' | 'scanBelow'>;
}

/**
 * Opens a store on a PostgreSQL server (14 or newer).
 *
 * @throws CairnError `store_url`, `store_denied`, `store_missing`, `store_unreachable`, `store_locked`, `store_foreign`,
 * `store_newer`, `store_not_writable`
 * @example
 * const store = await PostgresStore.open({ url: 'postgres://me:secret@db.example/notes' });
 */
export class PostgresStore implements Store {
  readonly id = 'postgres';
  readonly #server: Server;
  readonly #lock: Lock | undefined;
  readonly #writer: number;
  readonly #scanBelow: number;
  readonly #probes: number;
  #sequence = 0;
  #line: Promise<unknown> = Promise.resolve();
  #open = true;

  private constructor(server: Server, lock: Lock | undefined, writer: number, options: PostgresStoreOptions) {
    this.#server = server;
    this.#lock = lock;
    this.#writer = writer;
    this.#scanBelow = options.lsh?.scanBelow ?? 100_000;
    this.#probes = options.lsh?.probes ?? 16;
  }

  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const partitions = options.hashPartitions ?? 16;
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > 256) {
      throw new CairnError('bad_option', `Expected 1 to 256 hash partitions, got ${partitions}.`);
    }
    const server = new Server(parseTarget(options.url, options.schema), options.patienceMs ?? 15_000);
    let lock: Lock | undefined;
    try {
      await prepareSchema(server, partitions);
      if (options.exclusive === true) lock = await takeLock(server);
      const writer = await server.read(async (sql) => {
        const [row] = await sql<{ id: number }[]>`INSERT INTO writer (seq, result) VALUES (0, '') RETURNING id`;
        return row!.id;
      });
      return new PostgresStore(server, lock, writer, options);
    } catch (error) {
      await lock?.release();
      await server.close();
      throw error;
    }
  }

  /** The server without user and password, for people. */
  get where(): string {
    return this.#server.where;
  }

  async revision(): Promise<number> {
    const { next, edits } = await this.#counters();
    return next - 1 + edits;
  }

  async count(): Promise<number> {
    return (await this.#counters()).events;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    const result = this.#line.then(() => this.#write(changes));
    this.#line = result.catch(() => undefined);
    return result;
  }

  async #write(changes: readonly Change[]): Promise<Written[]> {
    this.#expectOpen();
    const sequence = ++this.#sequence;
    return this.#server.transaction(async (sql) => {
      // An attempt whose connection broke may have been committed, or may still be: its row lock makes this one wait.
      const [writer] = await sql<{ seq: number; result: string }[]>`
        SELECT seq, result FROM writer WHERE id = ${this.#writer} FOR UPDATE`;
      if (writer?.seq === sequence) return JSON.parse(writer.result) as Written[];
      const [row] = await sql<(Counters & { epoch: number })[]>`${counterRow(sql)} FOR UPDATE`;
      this.#lock?.check(row!.epoch);
      const counters: Counters = { ...row! };
      const written = await applyChanges(sql, changes, counters);
      if (!counters.bucketed && counters.events >= this.#scanBelow) {
        await fillBuckets(sql, undefined);
        counters.bucketed = true;
      }
      const { next, edits, events, bucketed, edgeLog, documents, words } = counters;
      await sql`UPDATE meta SET next = ${next}, edits = ${edits}, events = ${events}, bucketed = ${bucketed},
        edge_log = ${edgeLog}, documents = ${documents}, words = ${words}`;
      await sql`INSERT INTO writer OVERRIDING SYSTEM VALUE VALUES (${this.#writer}, ${sequence}, ${JSON.stringify(written)})
        ON CONFLICT (id) DO UPDATE SET seq = EXCLUDED.seq, result = EXCLUDED.result`;
      return written;
    });
  }

  async find(ids: readonly Id[]): Promise<(Row | undefined)[]> {
    if (ids.length === 0) return [];
    const rows = await this.#read((sql) => rowsById(sql, blobs(ids)));
    const byId = new Map(rows.map(({ id, row }) => [idToText(id), row] as const));
    return ids.map((id) => byId.get(idToText(id)));
  }

  async read(refs: ArrayLike<number>): Promise<(Row | undefined)[]> {
    if (refs.length === 0) return [];
    const rows = new Map((await this.#read((sql) => rowsByRef(sql, refs))).map((row) => [row.ref, row] as const));
    return Array.from(refs, (ref) => rows.get(ref));
  }

  async list(options: { before?: number; limit: number; sketches?: boolean }): Promise<Row[]> {
    const { before = Infinity, limit, sketches = true } = options;
    return this.#read((sql) => rowsBefore(sql, before, limit, sketches));
  }

  async structure(hash: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#read(
      (sql) => sql<{ bytes: Uint8Array }[]>`SELECT bytes FROM structure WHERE hash = ${toText(hash)}`,
    );
    return row === undefined ? undefined : new Uint8Array(row.bytes);
  }

  async sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing> {
    return this.#read((sql) => sharing(sql, keys, options));
  }

  async shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
    return this.#read((sql) => shared(sql, keys, refs));
  }

  async near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]> {
    if (queries.length === 0 || limit < 1) return [];
    const { bucketed, events } = await this.#counters();
    if (bucketed && events >= this.#scanBelow) {
      return this.#read((sql) => nearByBuckets(sql, queries, limit, this.#probes));
    }
    return this.#read((sql) => nearByScan(sql, queries, limit));
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    return this.#read((sql) => nearEntities(sql, module, query, limit));
  }

  async entities(keys: ArrayLike<number>): Promise<(Entity | undefined)[]> {
    const found = await this.#read((sql) => entitiesOf(sql, keys));
    return Array.from(keys, (key) => found.get(key));
  }

  async edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[], limit: number): Promise<Edge[][]> {
    return this.#read((sql) => edges(sql, nodes, kinds, limit));
  }

  async degrees(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]> {
    return this.#read((sql) => degrees(sql, nodes, kinds));
  }

  async edgePage(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Promise<Edge[]> {
    return this.#read((sql) => edgePage(sql, after, limit));
  }

  async edgeLog(): Promise<number> {
    return (await this.#counters()).edgeLog;
  }

  async links(refs: ArrayLike<number>): Promise<(readonly Link[])[]> {
    const rows = await this.#read(
      (sql) => sql<{ ref: number; links: Uint8Array }[]>`
        SELECT ref, links FROM event WHERE ref = ANY(${numbers(refs)}::int[]) AND links IS NOT NULL`,
    );
    const found = new Map(rows.map(({ ref, links }) => [ref, unpackLinks(toBytes(links))] as const));
    return Array.from(refs, (ref) => found.get(ref) ?? []);
  }

  async owners(): Promise<OwnedLinks[]> {
    return this.#read(owners);
  }

  async lexical(terms: ArrayLike<number>, options: LexicalOptions): Promise<Lexical> {
    const totals = await this.#counters();
    return this.#read((sql) => lexical(sql, terms, totals, options));
  }

  async texts(slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]> {
    return this.#read((sql) => readTexts(sql, slices));
  }

  async sources(after: SourceName | undefined, limit: number): Promise<SourceInfo[]> {
    return this.#read((sql) => listSources(sql, after, limit));
  }

  async records(after: number, limit: number): Promise<FullRecord[]> {
    return this.#read((sql) => readRecords(sql, after, limit));
  }

  async tombstones(after: string | undefined, limit: number): Promise<Tombstone[]> {
    const behind = Buffer.from(after ?? '', 'hex');
    const rows = await this.#read(
      (sql) => sql<{ hash: Uint8Array; at: number; certificate: string }[]>`
        SELECT * FROM tombstone WHERE hash > ${behind} ORDER BY hash LIMIT ${limit}`,
    );
    return rows.map(({ hash, at, certificate }) => toTombstone(hash, at, certificate));
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#read(
      (sql) => sql<{ bytes: Uint8Array }[]>`SELECT bytes FROM stat WHERE name = ${toText(name)}`,
    );
    return row === undefined ? undefined : new Uint8Array(row.bytes);
  }

  async statNames(): Promise<string[]> {
    const rows = await this.#read((sql) => sql<{ name: string }[]>`SELECT name FROM stat`);
    return rows.map(({ name }) => fromText(name)).sort();
  }

  async tombstone(id: Id): Promise<Tombstone | undefined> {
    const hash = contentHash([id]);
    const [row] = await this.#read(
      (sql) => sql<{ at: number; certificate: string }[]>`SELECT at, certificate FROM tombstone WHERE hash = ${hash}`,
    );
    if (row === undefined) return undefined;
    return toTombstone(hash, row.at, row.certificate);
  }

  async *dump(): AsyncIterable<string> {
    yield* dumpLines(this);
  }

  async verify(): Promise<readonly number[]> {
    const damaged: number[] = [];
    for (let before = 2 ** 31 - 1; ;) {
      const rows = await this.list({ before, limit: 512 });
      if (rows.length === 0) return damaged.sort((a, b) => a - b);
      for (const row of rows) if (isCorrupt(row)) damaged.push(row.ref);
      before = rows[rows.length - 1]!.ref;
    }
  }

  /** Packs all posting rows and writes every table anew, which takes an exclusive lock on each in turn. */
  async compact(): Promise<void> {
    const { next } = await this.#counters();
    await this.#server.transaction(async (sql) => {
      await sql`SELECT FROM meta FOR UPDATE`;
      for (let group = 0; group <= groupOf(next - 1); group++) await packGroup(sql, group);
    });
    const tables = TABLES.map((name) => `"${this.#server.target.schema}".${name}`).join(', ');
    await this.#read((sql) => sql.unsafe(`VACUUM FULL ${tables}`).simple());
  }

  async stats(): Promise<StoreStats> {
    const { schema } = this.#server.target;
    return this.#read(async (sql) => {
      const sizes = await sql<{ name: string; bytes: number }[]>`
        SELECT coalesce(p.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
        FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
        WHERE s.nspname = ${schema} AND c.relkind = 'r' GROUP BY 1 ORDER BY 1`;
      const [n] = await sql<{ events: number; structures: number; entities: number; tombstones: number }[]>`
        SELECT (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM structure) AS structures,
          (SELECT count(*) FROM entity) AS entities, (SELECT count(*) FROM tombstone) AS tombstones`;
      const bytes = Object.fromEntries(sizes.map(({ name, bytes }) => [name, bytes]));
      const fileBytes = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
      return { ...n!, fileBytes, logBytes: 0, bytes, quarantined: [] };
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#line;
    try {
      await this.#server.read((sql) => sql`DELETE FROM writer WHERE id = ${this.#writer}`);
    } catch (error) {
      // A server that is gone keeps one row of a writer that will not come back.
      if (!CairnError.isInstance(error)) throw error;
    } finally {
      await this.#lock?.release();
      await this.#server.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #counters(): Promise<Counters> {
    const [row] = await this.#read((sql) => sql<Counters[]>`${counterRow(sql)}`);
    return row!;
  }

  #read<T>(work: (sql: Sql) => PromiseLike<T>): Promise<T> {
    this.#expectOpen();
    return this.#server.read(async (sql) => work(sql));
  }

  #expectOpen(): void {
    if (this.#open) return;
    throw new CairnError('store_closed', 'Expected an open store, got one that was closed.', {
      hint: 'Open it again.',
    });
  }
}

function counterRow(sql: Sql): Fragment {
  return sql`SELECT next, edits, events, bucketed, edge_log AS "edgeLog", documents, words, epoch FROM meta`;
}

function toTombstone(hash: Uint8Array, at: number, certificate: string): Tombstone {
  return { idHash: Buffer.from(hash).toString('hex'), at, certificate: fromText(certificate) };
}
