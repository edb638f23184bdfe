// Words in SQLite: a pending row per event until enough have come together, then posting lists with counts, and the lengths
// of all documents, which are also held in memory. Nothing here opens a transaction.
import type Database from 'libsql';
import { GROUP, PostingTable } from './_posting-table.ts';
import { isSealed, seal } from './_segments.ts';
import {
  type CountedPart,
  type Lexical,
  type LexicalOptions,
  packTerms,
  rankTerms,
  type TermList,
  unpackTerms,
} from './_terms.ts';
import { readVarint, varintLength, writeVarint } from './postings.ts';

interface Tail {
  readonly refs: number[];
  readonly counts: number[];
}

export class TermIndex {
  readonly #db: Database.Database;
  readonly #table: PostingTable;
  readonly #pending = new Map<number, TermList>();
  readonly #tail = new Map<number, Tail>();
  #lengths = new Uint32Array(1024);
  #documents = 0;
  #words = 0;
  /** First references of rows that failed their checksum when they were read. */
  readonly faults: number[] = [];

  constructor(db: Database.Database) {
    this.#db = db;
    this.#table = new PostingTable(db, 'term');
    for (const row of db.prepare('SELECT grp, bytes FROM document ORDER BY grp').raw().all([])) {
      const [group, bytes] = row as [number, Uint8Array];
      if (isSealed(bytes)) unpackLengths(bytes).forEach((length, i) => this.#setLength(group * GROUP + i, length));
      else this.faults.push(group * GROUP);
    }
    for (const row of db.prepare('SELECT ord, bytes FROM pending_term ORDER BY ord').raw().all([])) {
      const [ref, bytes] = row as [number, Uint8Array];
      if (isSealed(bytes)) this.#addPending(ref, unpackTerms(new Uint8Array(bytes)));
      else this.faults.push(ref);
    }
  }

  /** Writes the words of a new event; run what it returns after the commit. */
  insert(ref: number, terms: TermList): () => void {
    this.#db.prepare('INSERT INTO pending_term VALUES (?, ?)').run([ref, packTerms(terms)]);
    return () => this.#addPending(ref, terms);
  }

  /** Takes events out of all lists; run what it returns after the commit. */
  remove(refs: readonly number[]): () => void {
    const known = refs.filter((ref) => (this.#lengths[ref] ?? 0) > 0);
    const folded = known.filter((ref) => !this.#pending.has(ref));
    for (const ref of known) {
      if (!this.#pending.has(ref)) continue;
      this.#db.prepare('UPDATE pending_term SET bytes = zeroblob(length(bytes)) WHERE ord = ?').run([ref]);
      this.#db.prepare('DELETE FROM pending_term WHERE ord = ?').run([ref]);
    }
    if (folded.length > 0) {
      this.#table.remove(folded);
      const gone = new Set(folded);
      for (const group of new Set(folded.map((ref) => Math.floor(ref / GROUP)))) this.#writeLengths(group, gone);
    }
    return () => {
      for (const ref of known) {
        this.#dropPending(ref);
        this.#setLength(ref, 0);
      }
    };
  }

  /** Moves pending events into the lists; call inside a transaction, then `clearPending` after the commit. */
  fold(): void {
    for (const [key, { refs, counts }] of this.#tail) this.#table.append(key, refs, counts);
    for (const group of new Set([...this.#pending.keys()].map((ref) => Math.floor(ref / GROUP)))) {
      this.#writeLengths(group, new Set(), true);
    }
    this.#db.exec('DELETE FROM pending_term');
  }

  clearPending(): void {
    this.#pending.clear();
    this.#tail.clear();
  }

  /** Forgets what was read inside a transaction that was rolled back. */
  reload(): void {
    this.#table.reload();
  }

  search(keys: ArrayLike<number>, options: LexicalOptions): Lexical {
    const lists = Array.from(keys, (key) => this.#list(key));
    return rankTerms(lists, this.#lengths, { documents: this.#documents, words: this.#words }, options);
  }

  /** The words of some events; empty where there are none. */
  termsOf(refs: readonly number[]): Map<number, TermList> {
    const found = new Map<number, TermList>();
    const folded: number[] = [];
    for (const ref of refs) {
      const pending = this.#pending.get(ref);
      if (pending !== undefined) found.set(ref, pending);
      else if ((this.#lengths[ref] ?? 0) > 0) folded.push(ref);
    }
    for (const [ref, list] of this.#table.keysOf(folded)) {
      list.sort((a, b) => a.key - b.key);
      const keys = Float64Array.from(list, ({ key }) => key);
      found.set(ref, { keys, counts: Uint32Array.from(list, ({ count }) => count), length: this.#lengths[ref]! });
    }
    return found;
  }

  #list(key: number): CountedPart[] {
    const parts = this.#table.parts(key);
    const tail = this.#tail.get(key);
    if (tail !== undefined)
      parts.push({ base: 0, values: Uint32Array.from(tail.refs), counts: Uint32Array.from(tail.counts) });
    return parts;
  }

  #addPending(ref: number, terms: TermList): void {
    this.#pending.set(ref, terms);
    this.#setLength(ref, terms.length);
    terms.keys.forEach((key, i) => {
      const tail = this.#tail.get(key);
      if (tail === undefined) this.#tail.set(key, { refs: [ref], counts: [terms.counts[i]!] });
      else {
        tail.refs.push(ref);
        tail.counts.push(terms.counts[i]!);
      }
    });
  }

  #dropPending(ref: number): void {
    for (const key of this.#pending.get(ref)?.keys ?? []) {
      const { refs, counts } = this.#tail.get(key)!;
      const at = refs.indexOf(ref);
      refs.splice(at, 1);
      counts.splice(at, 1);
      if (refs.length === 0) this.#tail.delete(key);
    }
    this.#pending.delete(ref);
  }

  #setLength(ref: number, length: number): void {
    if (ref >= this.#lengths.length) {
      const grown = new Uint32Array(Math.max(ref + 1, this.#lengths.length * 2));
      grown.set(this.#lengths);
      this.#lengths = grown;
    }
    const old = this.#lengths[ref]!;
    this.#documents += (length > 0 ? 1 : 0) - (old > 0 ? 1 : 0);
    this.#words += length - old;
    this.#lengths[ref] = length;
  }

  /** Lengths of the folded events of one group, without some; `all` takes the pending ones in. */
  #writeLengths(group: number, without: ReadonlySet<number>, all = false): void {
    const first = group * GROUP;
    const lengths = Array.from(this.#lengths.subarray(first, first + GROUP), (length, i) =>
      without.has(first + i) || (!all && this.#pending.has(first + i)) ? 0 : length,
    );
    while (lengths.length > 0 && lengths[lengths.length - 1] === 0) lengths.pop();
    if (lengths.length === 0) this.#db.prepare('DELETE FROM document WHERE grp = ?').run([group]);
    else this.#db.prepare('INSERT OR REPLACE INTO document VALUES (?, ?)').run([group, packLengths(lengths)]);
  }
}

function packLengths(lengths: readonly number[]): Uint8Array {
  const out = new Uint8Array(lengths.reduce((sum, n) => sum + varintLength(n), 4));
  let at = 0;
  for (const n of lengths) at = writeVarint(out, at, n);
  return seal(out);
}

function unpackLengths(bytes: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length - 4;) {
    const [length, next] = readVarint(bytes, at);
    lengths.push(length);
    at = next;
  }
  return lengths;
}
