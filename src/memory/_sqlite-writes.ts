// What one write does to the SQLite tables, change by change. The caller opens and ends the transaction and then runs what
// is left to do in memory: the index learns of a change only after it is durable.
import { sourceText } from './_source-name.ts';
import type { SqliteFile } from './_schema.ts';
import type { EventRows, RawEvent } from './_event-rows.ts';
import type { Dictionary } from './_dictionary.ts';
import type { GraphTable } from './_graph-table.ts';
import { contentHash } from './_hash.ts';
import type { PostingTable } from './_posting-table.ts';
import { packPending, prefixOf } from './_segments.ts';
import type { SourceTable } from './_source-table.ts';
import { bytesOfWords, SqliteIndex } from './_sqlite-index.ts';
import type { TermIndex } from './_term-index.ts';
import { checkTerms } from './_terms.ts';
import { checkLinks, EdgeSum, type Link } from './links.ts';
import {
  type Change,
  eventNotFound,
  expectRef,
  expectSource,
  type Id,
  idToText,
  isCorrupt,
  type NewEvent,
  type Written,
} from './store.ts';

/** The tables of an open file. */
export interface SqliteTables {
  readonly sql: (text: string) => ReturnType<SqliteFile['db']['prepare']>;
  readonly dictionary: Dictionary;
  readonly rows: EventRows;
  readonly postings: PostingTable;
  readonly index: SqliteIndex;
  readonly graph: GraphTable;
  readonly terms: TermIndex;
  readonly sources: SourceTable;
}

interface Users {
  readonly kind: 'task' | 'source' | 'structure';
  readonly text: string;
  readonly structure: Uint8Array | undefined;
  n: number;
}

/** One write. */
export class SqliteWrite {
  readonly #t: SqliteTables;
  /** Runs in order after the commit. */
  readonly after: (() => void)[] = [];
  /** Reference for the next event. */
  next: number;
  /** Whether an old row was changed, so that the revision must rise. */
  edited = false;
  /** Whether something was taken out, so that its bytes must leave the log too. */
  erased = false;
  /** Contributions to edges. */
  edgeChanges = 0;
  readonly #fresh = new Map<string, number>();
  readonly #users = new Map<string, Users>();
  /** Keys of events inserted by this write. */
  readonly #keys = new Set<number>();
  readonly #entities = new Set<number>();
  /** Events that leave all lists. */
  readonly #gone = new Set<number>();
  /** Structure, task and source that lost a user; settled after the new users are counted. */
  readonly #released: [structure: number, task: number, source: number][] = [];
  readonly #edges = new EdgeSum();

  constructor(tables: SqliteTables, next: number) {
    this.#t = tables;
    this.next = next;
  }

  apply(change: Change): Written {
    switch (change.kind) {
      case 'insert':
        return this.#insert(change.event, change.ref, change.count);
      case 'replace':
        return this.#replace(change.id, change.sketch, change.dropKeys);
      case 'remove':
        return this.#remove(change.id, change.at, change.certificate);
      case 'times': {
        const [ref, , , , , , n] = this.#expectEvent(change.id);
        this.#t.rows.setTimes(ref, change.times);
        return this.#edited(ref, n);
      }
      case 'relink': {
        const [ref, , , , , at, n] = this.#expectEvent(change.id);
        this.#setLinks(ref, change.links, at);
        return this.#edited(ref, n);
      }
      case 'links': {
        const { owner, at, links } = change;
        const old = this.#t.graph.owned(owner);
        if (old !== undefined) this.#count(old.links, old.at, -1);
        this.#count(links, at, 1);
        this.#t.graph.putOwned({ owner, at, links });
        return this.#edited(0, 0);
      }
      case 'source':
        this.#t.sources.put(expectSource(change.source), change.text);
        this.erased ||= change.text === undefined;
        return this.#edited(0, 0);
      case 'blank':
        this.#t.sources.blank(change.source, change.lo, change.hi);
        this.erased = true;
        return this.#edited(0, 0);
      case 'tombstone': {
        const { idHash, at, certificate } = change.tombstone;
        this.#t
          .sql('INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)')
          .run([Buffer.from(idHash, 'hex'), at, certificate]);
        return { ref: 0, fresh: true, count: 0 };
      }
      case 'stat':
        if (change.bytes === undefined) this.#t.sql('DELETE FROM stat WHERE name = ?').run([change.name]);
        else this.#t.sql('INSERT OR REPLACE INTO stat VALUES (?, ?)').run([change.name, change.bytes]);
        return { ref: 0, fresh: true, count: 0 };
      default:
        return change satisfies never;
    }
  }

  /** What is written once for all changes: numbers of users, lists without the events that left, edges. */
  finish(): void {
    for (const { kind, text, structure, n } of this.#users.values()) {
      if (kind === 'structure') this.#t.dictionary.structure(text, structure!, n);
      else this.#t.dictionary.name(kind, text, n);
    }
    for (const [structure, ...names] of this.#released) {
      for (const ord of this.#t.dictionary.release(structure, names)) this.#t.sources.drop(ord);
    }
    if (this.#gone.size > 0) this.#dropKeys();
    this.#t.graph.apply(this.#edges.increments());
  }

  #edited(ref: number, count: number): Written {
    this.edited = true;
    return { ref, fresh: true, count };
  }

  #insert(event: NewEvent, asked: number | undefined, count = 1): Written {
    const { sql, rows, index, terms } = this.#t;
    const hex = idToText(event.id);
    const known = this.#fresh.get(hex) ?? this.#rawById(event.id)?.[0];
    if (known !== undefined) return { ref: known, fresh: false, count: rows.countAgain(rows.raw(known)!, count) };
    const ref = asked ?? this.next;
    expectRef(ref, this.next);
    this.next = ref + 1;
    this.#fresh.set(hex, ref);
    const structure = this.#use('structure', event.structure.hash, event.structure.bytes);
    const task = this.#use('task', event.task);
    const source = this.#use('source', sourceText(expectSource({ uri: event.source, sha256: event.sourceHash ?? '' })));
    const { id, at, provenance, meta } = event;
    rows.insert(ref, { id, structure, task, source, at, n: count, provenance, meta }, event.sketch);
    if (event.times !== undefined) rows.setTimes(ref, event.times);
    if (event.links !== undefined) this.#addLinks(ref, event.links, at);
    if (event.terms !== undefined) {
      checkTerms(event.terms);
      this.after.push(terms.insert(ref, event.terms));
    }
    const entry = { prefix: prefixOf(id), centre: event.centre, signature: event.signature, keys: event.keys };
    sql('INSERT INTO pending VALUES (?, ?)').run([ref, packPending(entry)]);
    this.after.push(() => index.addPending(ref, entry));
    for (const key of event.keys) this.#keys.add(key);
    for (const entity of event.entities) {
      if (index.entity(entity.key) !== undefined || this.#entities.has(entity.key)) continue;
      this.#entities.add(entity.key);
      const module = this.#t.dictionary.name('module', entity.module, 0);
      const insert = sql('INSERT INTO entity (key, module, signature) VALUES (?, ?, ?)');
      const ord = Number(insert.run([entity.key, module, bytesOfWords(entity.signature)]).lastInsertRowid);
      this.after.push(() => index.addEntity(ord, entity));
    }
    return { ref, fresh: true, count };
  }

  /** Numbers a shared text or structure; how many events of this write use it is written once, at its end. */
  #use(kind: 'task' | 'source' | 'structure', text: string, bytes?: Uint8Array): number {
    const key = `${kind} ${text}`;
    const entry = this.#users.get(key) ?? { kind, text, structure: bytes, n: 0 };
    entry.n++;
    this.#users.set(key, entry);
    return kind === 'structure'
      ? this.#t.dictionary.structure(text, bytes!, 0)
      : this.#t.dictionary.name(kind, text, 0);
  }

  #replace(id: Id, sketch: Uint8Array, dropKeys: boolean): Written {
    const [ref, , , , , at, n] = this.#expectEvent(id);
    this.#t.rows.replaceSketch(ref, sketch);
    if (dropKeys) {
      this.#gone.add(ref);
      this.#setLinks(ref, [], at);
    }
    this.erased = true;
    return this.#edited(ref, n);
  }

  #remove(id: Id, at: number, certificate: string | undefined): Written {
    const { sql, rows, index } = this.#t;
    const [ref, , structure, task, source, recorded] = this.#expectEvent(id);
    const row = rows.row(ref);
    const intact = row !== undefined && !isCorrupt(row);
    this.#gone.add(ref);
    this.#setLinks(ref, [], recorded);
    rows.blank(ref);
    const segment = sql('SELECT first, bytes FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1').get([ref]) as
      | [number, Uint8Array]
      | undefined;
    if (segment !== undefined && (ref - segment[0]) * 40 < segment[1].length - 4) {
      const bytes = SqliteIndex.withoutSlot(segment[1], ref - segment[0]);
      sql('UPDATE segment SET bytes = ? WHERE first = ?').run([bytes, segment[0]]);
    }
    // A damaged row does not say whose count it was in.
    if (intact) this.#released.push([structure, task, source]);
    if (certificate !== undefined) {
      sql('INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)').run([contentHash([id]), at, certificate]);
    }
    const idCopy = new Uint8Array(id);
    this.after.push(() => {
      index.removeEvent(ref, idCopy);
      rows.quarantined.delete(ref);
    });
    this.erased = true;
    return { ...this.#edited(ref, 0), count: 0 };
  }

  /**
   * Takes the events that left out of every posting list, and entities that are in no list any more out of the entity index,
   * in one pass for all of them.
   */
  #dropKeys(): void {
    const { sql, index, postings, terms } = this.#t;
    const keys = new Set<number>();
    const folded: number[] = [];
    for (const ref of this.#gone) {
      const pending = index.pending.get(ref);
      if (pending === undefined) {
        folded.push(ref);
        continue;
      }
      for (const key of pending.keys) keys.add(key);
      const bare = packPending({ ...pending, keys: new Float64Array(0) });
      const blank = sql('UPDATE pending SET bytes = zeroblob(length(bytes)) WHERE ord = ?');
      blank.run([ref]);
      if (this.#isRemoved(ref)) sql('DELETE FROM pending WHERE ord = ?').run([ref]);
      else sql('UPDATE pending SET bytes = ? WHERE ord = ?').run([bare, ref]);
      this.after.unshift(() => index.dropPendingKeys(ref));
    }
    if (folded.length > 0) for (const key of postings.remove(folded)) keys.add(key);
    this.after.push(terms.remove([...this.#gone]));
    for (const key of keys) {
      if (index.entity(key) === undefined || this.#keys.has(key)) continue;
      if (postings.has(key) || index.tail(key).some((ref) => !this.#gone.has(ref))) continue;
      sql('UPDATE entity SET signature = zeroblob(32) WHERE key = ?').run([key]);
      sql('DELETE FROM entity WHERE key = ?').run([key]);
      this.after.push(() => index.removeEntity(key));
    }
  }

  #isRemoved(ref: number): boolean {
    return this.#t.rows.raw(ref)?.[2] === 0;
  }

  #addLinks(ref: number, links: readonly Link[], at: number): void {
    this.#count(links, at, 1);
    this.#t.graph.putLinks(ref, links);
  }

  #setLinks(ref: number, links: readonly Link[], at: number): void {
    this.#count(this.#t.graph.links(ref), at, -1);
    this.#addLinks(ref, links, at);
  }

  #count(links: readonly Link[], at: number, sign: 1 | -1): void {
    checkLinks(links);
    this.#edges.add(links, at, sign);
    this.edgeChanges += links.length;
  }

  #rawById(id: Id): RawEvent | undefined {
    for (const ref of this.#t.index.refsOf(id)) {
      const raw = this.#t.rows.raw(ref);
      if (raw !== undefined && Buffer.compare(raw[1], id) === 0) return raw;
    }
    return undefined;
  }

  #expectEvent(id: Id): RawEvent {
    const raw = this.#rawById(id);
    if (raw !== undefined) return raw;
    throw eventNotFound(id);
  }
}
