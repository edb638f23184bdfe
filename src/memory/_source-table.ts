// Kept source texts in SQLite: chunk rows under the number of the source's name. They go with the last event that names the
// source. Nothing here opens a transaction.
import { sourceOf, sourceText } from './_source-name.ts';
import type Database from 'libsql';
import type { Dictionary } from './_dictionary.ts';
import { blankRange, CHUNK, chunksIn, chunksOf, packChunk, sliceOf, unpackChunk } from './_source-text.ts';
import type { SourceInfo, SourceName, SourceSlice } from './store.ts';

/** Chunks of one source are numbered consecutively from `source * CHUNKS`. */
const CHUNKS = 2 ** 20;

export class SourceTable {
  readonly #dictionary: Dictionary;
  readonly #statements: Record<'get' | 'put' | 'set' | 'blank' | 'drop' | 'size', Database.Statement>;

  constructor(db: Database.Database, dictionary: Dictionary) {
    this.#dictionary = dictionary;
    const range = 'ord >= ? AND ord < ?';
    this.#statements = {
      get: db.prepare('SELECT bytes FROM source_text WHERE ord = ?').raw(),
      put: db.prepare('INSERT OR REPLACE INTO source_text VALUES (?, ?, ?)'),
      set: db.prepare('UPDATE source_text SET bytes = ? WHERE ord = ?'),
      // Blank rows of the same size are written in place, so that no copy stays behind on a page.
      blank: db.prepare(`UPDATE source_text SET bytes = zeroblob(length(bytes)) WHERE ${range}`),
      drop: db.prepare(`DELETE FROM source_text WHERE ${range}`),
      size: db.prepare(`SELECT total(size), count(*) FROM source_text WHERE ${range}`).raw(),
    };
  }

  put(source: SourceName, text: Uint8Array | undefined): void {
    const known = this.#dictionary.numberOf('source', sourceText(source));
    if (known !== undefined) this.drop(known);
    if (text === undefined) {
      if (known !== undefined) this.#dictionary.dropUnused(known);
      return;
    }
    const ord = this.#dictionary.name('source', sourceText(source), 0);
    let chunk = 0;
    for (const part of chunksOf(text)) this.#statements.put.run([ord * CHUNKS + chunk++, part.length, packChunk(part)]);
    // An empty text is kept too.
    if (chunk === 0) this.#statements.put.run([ord * CHUNKS, 0, packChunk(text)]);
  }

  /** Drops the text of a name that is gone. */
  drop(ord: number): void {
    this.#statements.blank.run([ord * CHUNKS, (ord + 1) * CHUNKS]);
    this.#statements.drop.run([ord * CHUNKS, (ord + 1) * CHUNKS]);
  }

  blank(source: SourceName, lo: number, hi: number): void {
    const ord = this.#dictionary.numberOf('source', sourceText(source));
    if (ord === undefined) return;
    for (const chunk of chunksIn(lo, hi)) {
      const text = this.#chunk(ord, chunk);
      if (text === undefined) return;
      const row = ord * CHUNKS + chunk;
      this.#statements.blank.run([row, row + 1]);
      this.#statements.set.run([packChunk(blankRange(text, chunk, lo, hi)), row]);
    }
  }

  text({ source, lo, hi }: SourceSlice): Uint8Array | undefined {
    const ord = this.#dictionary.numberOf('source', sourceText(source));
    const size = ord === undefined ? undefined : this.#size(ord);
    if (ord === undefined || size === undefined) return undefined;
    const end = Math.min(hi, size);
    const chunks = new Map<number, Uint8Array>();
    for (const chunk of chunksIn(lo, end)) chunks.set(chunk, this.#chunk(ord, chunk) ?? new Uint8Array(CHUNK));
    return sliceOf(chunks, lo, end);
  }

  list(after: SourceName | undefined, limit: number): SourceInfo[] {
    const behind = after === undefined ? undefined : sourceText(after);
    return this.#dictionary
      .list('source')
      .filter(({ text }) => behind === undefined || text > behind)
      .sort((a, b) => (a.text < b.text ? -1 : 1))
      .slice(0, limit)
      .map(({ ord, text, users }) => ({ ...sourceOf(text), events: users, bytes: this.#size(ord) }));
  }

  #size(ord: number): number | undefined {
    const [size, chunks] = this.#statements.size.get([ord * CHUNKS, (ord + 1) * CHUNKS]) as [number, number];
    return chunks === 0 ? undefined : size;
  }

  #chunk(ord: number, chunk: number): Uint8Array | undefined {
    const row = this.#statements.get.get([ord * CHUNKS + chunk]) as [Uint8Array] | undefined;
    return row === undefined ? undefined : unpackChunk(new Uint8Array(row[0]));
  }
}
