// The embedded store: one SQLite file, one writer. Rows and packed posting lists are on disk; buckets of signatures are
// derived from them at open. Acknowledged means durable: WAL with synchronous=FULL, one fsync per write.
import { statSync } from 'node:fs';
import { compactFile, foldPending } from './_compaction.ts';
import { Dictionary } from './_dictionary.ts';
import { dumpLines } from './_dump.ts';
import { EventRows, type RawEvent } from './_event-rows.ts';
import { contentHash } from './_hash.ts';
import { PostingTable } from './_posting-table.ts';
import { bytesByTable, openFile, pragma, type SqliteFile } from './_schema.ts';
import { packPending, prefixOf, SEGMENT } from './_segments.ts';
import { type PostingPart, rankSharing, sharedLists } from './_sharing.ts';
import { toStoreError } from './_sqlite-errors.ts';
import { bytesOfWords, SqliteIndex } from './_sqlite-index.ts';
import { CairnError } from '../errors.ts';
import type { CentredQuery, LshOptions, Near } from './lsh.ts';
import type {
  Change,
  Id,
  NewEvent,
  Row,
  Sharing,
  SharingOptions,
  Store,
  StoreStats,
  Tombstone,
  Written,
} from './store.ts';
import { isCorrupt } from './store.ts';

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
  readonly #dictionary: Dictionary;
  readonly #postings: PostingTable;
  readonly #index: SqliteIndex;
  readonly #rows: EventRows;
  readonly #statements = new Map<string, ReturnType<SqliteFile['db']['prepare']>>();
  #next: number;
  #edits: number;
  #open = true;

  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const file = openFile(options.path);
    try {
      return new SqliteStore(file, options);
    } catch (error) {
      file.db.close();
      throw toStoreError(error, options.path);
    }
  }

  private constructor(file: SqliteFile, options: SqliteStoreOptions) {
    this.#file = file;
    if (options.maxBytes !== undefined) {
      pragma(file.db, `max_page_count = ${Math.max(1, Math.floor(options.maxBytes / pragma(file.db, 'page_size')))}`);
    }
    this.#dictionary = new Dictionary(file.db);
    this.#rows = new EventRows(file.db, this.#dictionary);
    this.#postings = new PostingTable(file.db);
    this.#index = new SqliteIndex(options.lsh ?? {});
    this.#index.load(file.db, this.#dictionary);
    for (const fault of this.#index.faults) this.#rows.quarantined.add(fault.first);
    const counters = this.#statNow('store/counters');
    const [next, edits] =
      counters === undefined ? [1, 0] : (JSON.parse(Buffer.from(counters).toString()) as [number, number]);
    this.#next = Math.max(next, this.#rows.last() + 1);
    this.#edits = edits;
  }

  async revision(): Promise<number> {
    return this.#next - 1 + this.#edits;
  }

  async count(): Promise<number> {
    return this.#index.count;
  }

  async write(changes: readonly Change[]): Promise<Written[]> {
    this.#expectOpen();
    const { db, path } = this.#file;
    const after: (() => void)[] = [];
    const state: Transaction = {
      fresh: new Map(),
      users: new Map(),
      keys: new Set(),
      entities: new Set(),
      goneRefs: new Set(),
      goneEntities: new Set(),
      next: this.#next,
      edited: false,
    };
    let written: Written[];
    try {
      db.exec('BEGIN IMMEDIATE');
      try {
        written = changes.map((change) => this.#apply(change, state, after));
        for (const { kind, text, structure, n } of state.users.values()) {
          if (kind === 'structure') this.#dictionary.structure(text, structure!, n);
          else this.#dictionary.name(kind, text, n);
        }
        if (state.edited) {
          const counters = Buffer.from(JSON.stringify([state.next, this.#edits + 1]));
          this.#sql('INSERT OR REPLACE INTO stat VALUES (?, ?)').run(['store/counters', counters]);
        }
        db.exec('COMMIT');
      } catch (error) {
        // A full disk rolls back by itself.
        if (db.inTransaction) db.exec('ROLLBACK');
        this.#dictionary.load();
        this.#postings.clearCache();
        throw error;
      }
    } catch (error) {
      throw toStoreError(error, path);
    }
    this.#next = state.next;
    if (state.edited) this.#edits++;
    for (const run of after) run();
    if (state.edited) this.#scrub();
    if (this.#index.pending.size >= SEGMENT) this.#fold();
    return written;
  }

  #apply(change: Change, state: Transaction, after: (() => void)[]): Written {
    switch (change.kind) {
      case 'insert':
        return this.#insert(change.event, state, after);
      case 'replace':
        return this.#replace(change.id, change.sketch, change.dropKeys, state, after);
      case 'remove':
        return this.#remove(change.id, change.at, change.certificate, state, after);
      case 'stat':
        if (change.bytes === undefined) this.#sql('DELETE FROM stat WHERE name = ?').run([change.name]);
        else this.#sql('INSERT OR REPLACE INTO stat VALUES (?, ?)').run([change.name, change.bytes]);
        return { ref: 0, fresh: true, count: 0 };
      default:
        return change satisfies never;
    }
  }

  #insert(event: NewEvent, state: Transaction, after: (() => void)[]): Written {
    const hex = Buffer.from(event.id).toString('hex');
    const known = state.fresh.get(hex) ?? this.#rawById(event.id)?.[0];
    if (known !== undefined) return { ref: known, fresh: false, count: this.#rows.countAgain(this.#rows.raw(known)!) };
    const ref = state.next++;
    state.fresh.set(hex, ref);
    const structure = this.#use(state, 'structure', event.structure.hash, event.structure.bytes);
    const task = this.#use(state, 'task', event.task);
    const source = this.#use(state, 'source', event.source);
    const { id, at, provenance, meta } = event;
    this.#rows.insert(ref, { id, structure, task, source, at, n: 1, provenance, meta }, event.sketch);
    const entry = { prefix: prefixOf(id), centre: event.centre, signature: event.signature, keys: event.keys };
    this.#sql('INSERT INTO pending VALUES (?, ?)').run([ref, packPending(entry)]);
    after.push(() => this.#index.addPending(ref, entry));
    for (const key of event.keys) state.keys.add(key);
    for (const entity of event.entities) {
      const known = this.#index.entity(entity.key) !== undefined && !state.goneEntities.has(entity.key);
      if (known || state.entities.has(entity.key)) continue;
      state.entities.add(entity.key);
      const module = this.#dictionary.name('module', entity.module, 0);
      const insert = this.#sql('INSERT INTO entity (key, module, signature) VALUES (?, ?, ?)');
      const ord = Number(insert.run([entity.key, module, bytesOfWords(entity.signature)]).lastInsertRowid);
      after.push(() => this.#index.addEntity(ord, entity));
    }
    return { ref, fresh: true, count: 1 };
  }

  /** Numbers a shared text or structure; how many events of this transaction use it is written once, at its end. */
  #use(state: Transaction, kind: 'task' | 'source' | 'structure', text: string, bytes?: Uint8Array): number {
    const key = `${kind} ${text}`;
    const entry = state.users.get(key) ?? { kind, text, structure: bytes, n: 0 };
    entry.n++;
    state.users.set(key, entry);
    return kind === 'structure' ? this.#dictionary.structure(text, bytes!, 0) : this.#dictionary.name(kind, text, 0);
  }

  #replace(id: Id, sketch: Uint8Array, dropKeys: boolean, state: Transaction, after: (() => void)[]): Written {
    const raw = this.#expectEvent(id);
    const ref = raw[0];
    this.#rows.replaceSketch(ref, sketch);
    if (dropKeys) this.#dropKeys(ref, state, after);
    state.edited = true;
    return { ref, fresh: true, count: raw[6] };
  }

  #remove(id: Id, at: number, certificate: string, state: Transaction, after: (() => void)[]): Written {
    const raw = this.#expectEvent(id);
    const [ref, , structure, task, source] = raw;
    const row = this.#rows.row(ref);
    const intact = row !== undefined && !isCorrupt(row);
    this.#dropKeys(ref, state, after);
    this.#rows.blank(ref);
    this.#sql('UPDATE pending SET bytes = zeroblob(length(bytes)) WHERE ord = ?').run([ref]);
    this.#sql('DELETE FROM pending WHERE ord = ?').run([ref]);
    const segment = this.#sql('SELECT first, bytes FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1').get([
      ref,
    ]) as [number, Uint8Array] | undefined;
    if (segment !== undefined && (ref - segment[0]) * 40 < segment[1].length - 4) {
      const bytes = SqliteIndex.withoutSlot(segment[1], ref - segment[0]);
      this.#sql('UPDATE segment SET bytes = ? WHERE first = ?').run([bytes, segment[0]]);
    }
    // A damaged row does not say whose count it was in.
    if (intact) this.#dictionary.release(structure, [task, source]);
    this.#sql('INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)').run([contentHash([id]), at, certificate]);
    const idCopy = new Uint8Array(id);
    after.push(() => {
      this.#index.removeEvent(ref, idCopy);
      this.#rows.quarantined.delete(ref);
    });
    state.edited = true;
    return { ref, fresh: true, count: 0 };
  }

  /** Takes the event out of every posting list, and entities that are in no list any more out of the entity index. */
  #dropKeys(ref: number, state: Transaction, after: (() => void)[]): void {
    state.goneRefs.add(ref);
    const pending = this.#index.pending.get(ref);
    const keys = pending === undefined ? this.#postings.remove(ref) : Array.from(pending.keys);
    if (pending !== undefined) {
      this.#sql('UPDATE pending SET bytes = ? WHERE ord = ?').run([
        packPending({ ...pending, keys: new Float64Array(0) }),
        ref,
      ]);
      after.push(() => this.#index.dropPendingKeys(ref));
    }
    for (const key of keys) {
      if (this.#index.entity(key) === undefined || state.keys.has(key)) continue;
      if (this.#postings.has(key) || this.#index.tail(key).some((r) => !state.goneRefs.has(r))) continue;
      state.goneEntities.add(key);
      this.#sql('UPDATE entity SET signature = zeroblob(32) WHERE key = ?').run([key]);
      this.#sql('DELETE FROM entity WHERE key = ?').run([key]);
      after.push(() => this.#index.removeEntity(key));
    }
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
      foldPending(this.#file.db, this.#index, this.#postings);
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
        for (const ref of this.#index.refsOf(id)) {
          const row = this.#rows.row(ref);
          if (row !== undefined && (isCorrupt(row) || Buffer.compare(row.id, id) === 0)) return row;
        }
        return undefined;
      }),
    );
  }

  async read(refs: ArrayLike<number>): Promise<(Row | undefined)[]> {
    this.#expectOpen();
    return this.#guard(() => Array.from(refs, (ref) => this.#rows.row(ref)));
  }

  async list(options: { before?: number; limit: number; sketches?: boolean }): Promise<Row[]> {
    this.#expectOpen();
    return this.#guard(() => this.#rows.list(options.before ?? this.#next, options.limit, options.sketches !== false));
  }

  async structure(hash: string): Promise<Uint8Array | undefined> {
    this.#expectOpen();
    return this.#guard(() => this.#dictionary.structureBytes(hash));
  }

  async sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing> {
    this.#expectOpen();
    return this.#guard(() =>
      rankSharing(
        Array.from(keys, (key) => this.#list(key)),
        this.#next,
        this.#index.count,
        options,
      ),
    );
  }

  async shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
    this.#expectOpen();
    return this.#guard(() =>
      sharedLists(
        Array.from(keys, (key) => this.#list(key)),
        refs,
      ),
    );
  }

  #list(key: number): PostingPart[] {
    const parts = this.#postings.parts(key);
    const tail = this.#index.tail(key);
    if (tail.length > 0) parts.push({ base: 0, values: Uint32Array.from(tail) });
    return parts;
  }

  async near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]> {
    this.#expectOpen();
    return this.#index.events.nearest(queries, limit);
  }

  async nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]> {
    this.#expectOpen();
    const near = this.#index.parts(module)?.nearest([query], limit) ?? [];
    return near.map(({ ref, distance }) => ({ key: this.#index.entityKey(ref)!, distance }));
  }

  async stat(name: string): Promise<Uint8Array | undefined> {
    this.#expectOpen();
    return this.#guard(() => this.#statNow(name));
  }

  async statNames(): Promise<string[]> {
    this.#expectOpen();
    const rows = this.#guard(() => this.#sql('SELECT name FROM stat ORDER BY name').all([]));
    return rows.map((row) => (row as [string])[0]).filter((name) => !name.startsWith('store/'));
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
    const rows = await this.list({ limit: -1 });
    const postings = new Map<number, readonly number[]>();
    const keys = this.#sql('SELECT DISTINCT key FROM posting').all([]) as [number][];
    for (const key of new Set([...keys.map(([key]) => key), ...[...this.#index.tailKeys()].map(([key]) => key)])) {
      postings.set(
        key,
        this.#list(key).flatMap(({ base, values }) => Array.from(values, (v) => base + v)),
      );
    }
    const stats: [string, Uint8Array][] = [];
    for (const name of await this.statNames()) stats.push([name, this.#statNow(name)!]);
    const signature = (ref: number): Uint32Array | undefined =>
      this.#index.events.has(ref) ? this.#index.events.signature(ref) : undefined;
    yield* dumpLines({ rows, postings, stats, signature });
  }

  async verify(): Promise<readonly number[]> {
    this.#expectOpen();
    return this.#guard(() => {
      const [answer] = this.#file.db.prepare('PRAGMA quick_check(1)').raw().get([]) as [string];
      if (answer !== 'ok') throw Object.assign(new Error(answer), { code: 'SQLITE_CORRUPT' });
      this.#rows.readAll();
      return [...this.#rows.quarantined].sort((a, b) => a - b);
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
        events: this.#index.count,
        structures: this.#dictionary.structures,
        entities: this.#index.entityCount,
        tombstones,
        // Pages that are still in the log count as if they were in the file already.
        fileBytes: pragma(this.#file.db, 'page_count') * pragma(this.#file.db, 'page_size'),
        logBytes: statSync(`${this.#file.path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
        bytes: bytesByTable(this.#file.db),
        quarantined: [...this.#rows.quarantined].sort((a, b) => a - b),
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

  #rawById(id: Id): RawEvent | undefined {
    for (const ref of this.#index.refsOf(id)) {
      const raw = this.#rows.raw(ref);
      if (raw !== undefined && Buffer.compare(raw[1], id) === 0) return raw;
    }
    return undefined;
  }

  #expectEvent(id: Id): RawEvent {
    const raw = this.#rawById(id);
    if (raw !== undefined) return raw;
    throw new CairnError(
      'event_not_found',
      `Expected the id of a stored event, got ${Buffer.from(id).toString('hex')}.`,
      {
        hint: 'List the events to see what is there; it may have been forgotten.',
      },
    );
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

/** What one write has done so far; the index in memory learns of it after the commit. */
interface Transaction {
  readonly fresh: Map<string, number>;
  readonly users: Map<
    string,
    { kind: 'task' | 'source' | 'structure'; text: string; structure: Uint8Array | undefined; n: number }
  >;
  /** Keys of events inserted by this write. */
  readonly keys: Set<number>;
  /** Entities added, and events and entities that lost their keys, by this write. */
  readonly entities: Set<number>;
  readonly goneRefs: Set<number>;
  readonly goneEntities: Set<number>;
  next: number;
  edited: boolean;
}
