// The embedded store: one SQLite file, one writer. Rows and packed posting lists are on disk; buckets of signatures are
// derived from them at open. Acknowledged means durable: WAL with synchronous=FULL, one fsync per write.
import { statSync } from 'node:fs';
import { compactFile, foldPending } from './_compaction.ts';
import { Dictionary } from './_dictionary.ts';
import { dumpLines } from './_dump.ts';
import { EventRows } from './_event-rows.ts';
import { GraphTable } from './_graph-table.ts';
import { contentHash } from './_hash.ts';
import { PostingTable } from './_posting-table.ts';
import { bytesByTable, openFile, pragma, type SqliteFile } from './_schema.ts';
import { SEGMENT } from './_segments.ts';
import { type KeyLists, type PostingPart, rankSharing, sharingOf } from './_sharing.ts';
import { SourceTable } from './_source-table.ts';
import { toStoreError } from './_sqlite-errors.ts';
import { SqliteIndex } from './_sqlite-index.ts';
import { readRecords } from './_sqlite-records.ts';
import { type SqliteTables, SqliteWrite } from './_sqlite-writes.ts';
import { TermIndex } from './_term-index.ts';
import type { Lexical, LexicalOptions } from './_terms.ts';
import { CairnError } from '../errors.ts';
import type { Edge, EdgeKind, Link } from './links.ts';
import type { Near } from './_nearest-list.ts';
import type { CentredQuery, LshOptions } from './lsh.ts';
import {
  type Change,
  type Degree,
  type Entity,
  type FullRecord,
  type Id,
  isCorrupt,
  type OwnedLinks,
  type Row,
  type Sharing,
  type SharingOptions,
  type SourceInfo,
  type SourceName,
  type SourceSlice,
  type Store,
  type StoredSketchRow,
  type StoreStats,
  type Tombstone,
  type Written,
} from './store.ts';

export interface SqliteStoreOptions {
  /** A file that is created if need be, or `:memory:`. */
  readonly path: string;
  readonly lsh?: LshOptions;
  /** Refuses to grow the file beyond this many bytes; unlimited by default. */
  readonly maxBytes?: number;
}

/**
 * Opens an SQLite store.
 *
 * @throws CairnError `store_locked`, `store_foreign`, `store_newer`, `store_corrupt`, `store_not_writable`, `store_full`
 * @example
 * const store = await SqliteStore.open({ path: '.cairn/cairn.db' });
 */
export class SqliteStore implements Store {
  readonly id = 'sqlite';
  readonly #file: SqliteFile;
  readonly #tables: SqliteTables;
  readonly #statements = new Map<string, ReturnType<SqliteFile['db']['prepare']>>();
  #next: number;
  #edits: number;
  #edgeLog: number;
  #open = true;

  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const file = openFile(options.path);
    try {
      return new SqliteStore(file, options);
    } catch (error) {
      file.close();
      throw toStoreError(error, options.path);
    }
  }

  private constructor(file: SqliteFile, options: SqliteStoreOptions) {
    this.#file = file;
    if (options.maxBytes !== undefined) {
      pragma(file.db, `max_page_count = ${Math.max(1, Math.floor(options.maxBytes / pragma(file.db, 'page_size')))}`);
    }
    const dictionary = new Dictionary(file.db);
    const rows = new EventRows(file.db, dictionary);
    const index = new SqliteIndex(options.lsh ?? {});
    index.load(file.db, dictionary);
    this.#tables = {
      sql: (text) => this.#sql(text),
      dictionary,
      rows,
      postings: new PostingTable(file.db, 'posting'),
      index,
      graph: new GraphTable(file.db),
      terms: new TermIndex(file.db),
      sources: new SourceTable(file.db, dictionary),
    };
    for (const { first } of index.faults) rows.quarantined.add(first);
    for (const first of this.#tables.terms.faults) rows.quarantined.add(first);
    const counters = this.#statNow('store/counters');
    const [next, edits, edgeLog = 0] =
      counters === undefined ? [1, 0] : (JSON.parse(Buffer.from(counters).toString()) as number[]);
    this.#next = Math.max(next!, rows.last() + 1);
    this.#edits = edits!;
    this.#edgeLog = edgeLog;
  }

  async revision(): Promise<number> {
    return this.#next - 1 + this.#edits;
  }

  async count(): Promise<number> {
    return this.#tables.index.count;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    this.#expectOpen();
    const { db, path } = this.#file;
    const write = new SqliteWrite(this.#tables, this.#next);
    let written: Written[];
    try {
      db.exec('BEGIN IMMEDIATE');
      try {
        written = changes.map((change) => write.apply(change));
        write.finish();
        if (write.edited || write.edgeChanges > 0) {
          const edits = this.#edits + (write.edited ? 1 : 0);
          const counters = Buffer.from(JSON.stringify([write.next, edits, this.#edgeLog + write.edgeChanges]));
          this.#sql('INSERT OR REPLACE INTO stat VALUES (?, ?)').run(['store/counters', counters]);
        }
        db.exec('COMMIT');
      } catch (error) {
        // A full disk rolls back by itself.
        if (db.inTransaction) db.exec('ROLLBACK');
        this.#tables.dictionary.load();
        this.#tables.postings.reload();
        this.#tables.terms.reload();
        throw error;
      }
    } catch (error) {
      throw toStoreError(error, path);
    }
    this.#next = write.next;
    this.#edgeLog += write.edgeChanges;
    if (write.edited) this.#edits++;
    for (const run of write.after) run();
    if (write.erased) this.#scrub();
    if (this.#tables.index.pending.size >= SEGMENT) this.#fold();
    return written;
  }

  /** Copies the log into the file and empties it, and gives free pages back: what was overwritten is in no file any more. */
  #scrub(): void {
    try {
      this.#file.db.prepare('PRAGMA incremental_vacuum').all();
      // The first number is 1 when a reader of another program kept the log from being emptied.
      if (pragma(this.#file.db, 'wal_checkpoint(TRUNCATE)') === 1) {
        throw new CairnError('log_in_use', 'Expected to empty the log after an erasure, got a reader that holds it.', {
          hint: 'The event is gone from the store; its bytes leave the log when the other program ends and this store is closed.',
        });
      }
    } catch (error) {
      throw toStoreError(error, this.#file.path);
    }
  }

  #fold(): void {
    try {
      foldPending(this.#file.db, this.#tables);
    } catch (error) {
      // The events are durable in their pending rows; folding is tried again after the next write.
      const fault = toStoreError(error, this.#file.path);
      if (fault.code !== 'store_full') throw fault;
    }
  }

  async find(ids: readonly Id[]): Promise<(Row | undefined)[]> {
    this.#expectOpen();
    return this.#guard(() =>
      ids.map((id) => {
        for (const ref of this.#tables.index.refsOf(id)) {
          const row = this.#tables.rows.row(ref);
          if (row !== undefined && (isCorrupt(row) || Buffer.compare(row.id, id) === 0)) return row;
        }
        return undefined;
      }),
    );
  }

  async read(refs: ArrayLike<number>): Promise<(Row | undefined)[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.rows.some(refs));
  }

  async sketches(refs: ArrayLike<number>): Promise<(StoredSketchRow | undefined)[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.rows.sketches(refs));
  }

  async list(options: { before?: number; limit: number; sketches?: boolean }): Promise<Row[]> {
    this.#expectOpen();
    return this.#guard(() =>
      this.#tables.rows.list(options.before ?? this.#next, options.limit, options.sketches !== false),
    );
  }

  async structure(hash: string): Promise<Uint8Array | undefined> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.dictionary.structureBytes(hash));
  }

  async sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing> {
    this.#expectOpen();
    return this.#guard(() => {
      const all = Array.from(keys);
      const { count } = this.#tables.index;
      // Without a limit only those asked about are looked at, in the packed lists.
      if (options.limit === 0) return sharingOf(all, this.#lists, count, options);
      return rankSharing(
        all.map((key) => this.#list(key)),
        this.#next,
        count,
        options,
      );
    });
  }

  async shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
    this.#expectOpen();
    return this.#guard(() => {
      const filled = Array.from(keys, (key, i) => ({ key, i })).filter(({ key }) => this.#lists.count(key) > 0);
      return Array.from(refs, (ref) => filled.filter(({ key }) => this.#lists.contains(key, ref)).map(({ i }) => i));
    });
  }

  /** Folded and pending lists together. */
  readonly #lists: KeyLists = {
    count: (key) => this.#tables.postings.count(key) + this.#tables.index.tail(key).length,
    contains: (key, ref) =>
      this.#tables.postings.contains(key, ref) ||
      (this.#tables.index.pending.has(ref) && this.#tables.index.tail(key).includes(ref)),
  };

  #list(key: number): PostingPart[] {
    const parts = this.#tables.postings.parts(key);
    const tail = this.#tables.index.tail(key);
    if (tail.length > 0) parts.push({ base: 0, values: Uint32Array.from(tail) });
    return parts;
  }

  async near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]> {
    this.#expectOpen();
    return this.#tables.index.events.nearest(queries, limit);
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    this.#expectOpen();
    const near = this.#tables.index.parts(module)?.nearest([query], limit) ?? [];
    return near.map(({ ref, distance }) => ({ key: this.#tables.index.entityKey(ref)!, distance }));
  }

  async entities(keys: ArrayLike<number>): Promise<(Entity | undefined)[]> {
    this.#expectOpen();
    return Array.from(keys, (key) => this.#tables.index.entityOf(key));
  }

  async edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[], limit: number): Promise<Edge[][]> {
    this.#expectOpen();
    return this.#guard(() => Array.from(nodes, (node) => this.#tables.graph.edges(node, kinds, limit)));
  }

  async degrees(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]> {
    this.#expectOpen();
    return this.#guard(() => Array.from(nodes, (node) => this.#tables.graph.degree(node, kinds)));
  }

  async edgePage(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Promise<Edge[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.graph.page(after, limit));
  }

  async edgeLog(): Promise<number> {
    return this.#edgeLog;
  }

  async links(refs: ArrayLike<number>): Promise<(readonly Link[])[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.graph.linksOf(refs));
  }

  async owners(): Promise<OwnedLinks[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.graph.owners());
  }

  async lexical(terms: ArrayLike<number>, options: LexicalOptions): Promise<Lexical> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.terms.search(terms, options));
  }

  async texts(slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]> {
    this.#expectOpen();
    return this.#guard(() => slices.map((slice) => this.#tables.sources.text(slice)));
  }

  async sources(after: SourceName | undefined, limit: number): Promise<SourceInfo[]> {
    this.#expectOpen();
    return this.#guard(() => this.#tables.sources.list(after, limit));
  }

  async records(after: number, limit: number): Promise<FullRecord[]> {
    this.#expectOpen();
    return this.#guard(() => readRecords(this.#tables, after, limit));
  }

  async tombstones(after: string | undefined, limit: number): Promise<Tombstone[]> {
    this.#expectOpen();
    const page = 'SELECT hash, at, certificate FROM tombstone WHERE hash > ? ORDER BY hash LIMIT ?';
    const rows = this.#guard(() => this.#sql(page).all([Buffer.from(after ?? '', 'hex'), limit]));
    return rows.map((row) => {
      const [hash, at, certificate] = row as [Uint8Array, number, string];
      return { idHash: Buffer.from(hash).toString('hex'), at, certificate };
    });
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    this.#expectOpen();
    return this.#guard(() => this.#statNow(name));
  }

  async statNames(): Promise<string[]> {
    this.#expectOpen();
    const rows = this.#guard(() => this.#sql('SELECT name FROM stat ORDER BY name').all([]));
    return rows
      .map((row) => (row as [string])[0])
      .filter((name) => !name.startsWith('store/') && !GraphTable.isOwner(name));
  }

  async tombstone(id: Id): Promise<Tombstone | undefined> {
    this.#expectOpen();
    const hash = contentHash([id]);
    const row = this.#guard(() => this.#sql('SELECT at, certificate FROM tombstone WHERE hash = ?').get([hash]));
    if (row === undefined) return undefined;
    const [at, certificate] = row as [number, string];
    return { idHash: Buffer.from(hash).toString('hex'), at, certificate };
  }

  async *dump(): AsyncIterable<string> {
    this.#expectOpen();
    yield* dumpLines(this);
  }

  async verify(): Promise<readonly number[]> {
    this.#expectOpen();
    return this.#guard(() => {
      const [answer] = this.#file.db.prepare('PRAGMA quick_check(1)').raw().get([]) as [string];
      if (answer !== 'ok') throw Object.assign(new Error(answer), { code: 'SQLITE_CORRUPT' });
      this.#tables.rows.readAll();
      return [...this.#tables.rows.quarantined].sort((a, b) => a - b);
    });
  }

  async compact(): Promise<void> {
    this.#expectOpen();
    this.#guard(() => compactFile(this.#file.db));
    this.#scrub();
  }

  async stats(): Promise<StoreStats> {
    this.#expectOpen();
    return this.#guard(() => {
      const [tombstones] = this.#sql('SELECT count(*) FROM tombstone').get([]) as [number];
      return {
        events: this.#tables.index.count,
        structures: this.#tables.dictionary.structures,
        entities: this.#tables.index.entityCount,
        tombstones,
        // Pages that are still in the log count as if they were in the file already.
        fileBytes: pragma(this.#file.db, 'page_count') * pragma(this.#file.db, 'page_size'),
        logBytes: statSync(`${this.#file.path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
        bytes: bytesByTable(this.#file.db),
        quarantined: [...this.#tables.rows.quarantined].sort((a, b) => a - b),
      };
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.clear();
    this.#guard(() => this.#file.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #statNow(name: string): Uint8Array | undefined {
    const row = this.#sql('SELECT bytes FROM stat WHERE name = ?').get([name]) as [Uint8Array] | undefined;
    return row === undefined ? undefined : new Uint8Array(row[0]);
  }

  #sql(text: string): ReturnType<SqliteFile['db']['prepare']> {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#file.db.prepare(text);
      if (text.startsWith('SELECT')) statement.raw();
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, this.#file.path);
    }
  }

  #expectOpen(): void {
    if (this.#open) return;
    throw new CairnError('store_closed', 'Expected an open store, got one that was closed.', {
      hint: 'Open it again.',
    });
  }
}
