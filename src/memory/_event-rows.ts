// The event and sketch rows of the SQLite store: read with their checksums, written, and overwritten in place.
import { sourceOf } from './_source-name.ts';
import type Database from 'libsql';
import type { Dictionary } from './_dictionary.ts';
import { crc32 } from '../tensor/index.ts';
import { isSealed, seal } from './_segments.ts';
import type { Row, StoredRow, StoredSketchRow, Times } from './store.ts';

type Blob = Uint8Array | null;
type Time = number | null;
/** Columns of an event, those of its times, and its sketch row where it was asked for. */
export type RawEvent = [
  ...[number, Uint8Array, number, number, number, number, number, Blob, Blob, number],
  ...[Time, Time, Time, number | null],
  Blob?,
];

const COLUMNS =
  'event.ord, id, structure, task, source, at, n, provenance, meta, event.crc, valid_from, valid_to, retracted, span.crc';
const TIMES = 'LEFT JOIN span ON span.ord = event.ord';
const EVENT = `SELECT ${COLUMNS} FROM event ${TIMES}`;
const EVENT_AND_SKETCH = `SELECT ${COLUMNS}, bytes FROM event ${TIMES} LEFT JOIN sketch ON sketch.ord = event.ord`;

/** A list of numbers as one parameter: any length with one statement, and a tenth of the calls of one row at a time. */
const LIST = '(SELECT value FROM json_each(?))';

/** Columns of one event row as they stand in the table. */
export interface EventColumns {
  readonly id: Uint8Array;
  readonly structure: number;
  readonly task: number;
  readonly source: number;
  readonly at: number;
  readonly n: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
}

/** CRC-32 over all columns but the row number. */
export function checksumOf(row: EventColumns): number {
  const numbers = Float64Array.of(row.structure, row.task, row.source, row.at, row.n, row.provenance.length);
  let crc = crc32(row.id);
  crc = crc32(new Uint8Array(numbers.buffer), crc);
  crc = crc32(row.provenance, crc);
  return crc32(row.meta, crc);
}

/**
 * A sketch as it is stored: length, bytes, checksum, and zeros up to `size`. A shortened sketch keeps the size of its row, so
 * that SQLite overwrites it in place and no copy of it stays behind on a page.
 */
export function packSketch(sketch: Uint8Array, size = 0): Uint8Array {
  const out = new Uint8Array(Math.max(size, sketch.length + 8));
  new DataView(out.buffer).setUint32(0, sketch.length, true);
  out.set(sketch, 4);
  seal(out.subarray(0, sketch.length + 8));
  return out;
}

/** The bytes that `packSketch` packed; undefined when they are damaged. */
export function unpackSketch(row: Uint8Array): Uint8Array | undefined {
  if (row.length < 8) return undefined;
  const length = new DataView(row.buffer, row.byteOffset).getUint32(0, true);
  if (length + 8 > row.length || !isSealed(row.subarray(0, length + 8))) return undefined;
  return new Uint8Array(row.buffer, row.byteOffset + 4, length);
}

/** The two tables of events. Nothing here opens a transaction. */
export class EventRows {
  /** References of rows that failed their checksum when they were read. */
  readonly quarantined = new Set<number>();
  readonly #dictionary: Dictionary;
  readonly #statements: Record<
    'raw' | 'row' | 'some' | 'list' | 'bare' | 'after' | 'sketch' | 'sketches' | 'last',
    Database.Statement
  >;
  readonly #writes: Record<
    'event' | 'newSketch' | 'count' | 'setSketch' | 'blankEvent' | 'blankSketch' | 'times' | 'noTimes',
    Database.Statement
  >;

  constructor(db: Database.Database, dictionary: Dictionary) {
    this.#dictionary = dictionary;
    const page = 'event.ord < ? AND structure > 0 ORDER BY event.ord DESC LIMIT ?';
    this.#statements = {
      raw: db.prepare(`${EVENT} WHERE event.ord = ?`).raw(),
      row: db.prepare(`${EVENT_AND_SKETCH} WHERE event.ord = ?`).raw(),
      some: db.prepare(`${EVENT_AND_SKETCH} WHERE event.ord IN ${LIST}`).raw(),
      list: db.prepare(`${EVENT_AND_SKETCH} WHERE ${page}`).raw(),
      bare: db.prepare(`${EVENT} WHERE ${page}`).raw(),
      after: db.prepare(`${EVENT_AND_SKETCH} WHERE event.ord > ? AND structure > 0 ORDER BY event.ord LIMIT ?`).raw(),
      sketch: db.prepare('SELECT length(bytes) FROM sketch WHERE ord = ?').raw(),
      sketches: db.prepare(`SELECT ord, bytes FROM sketch WHERE ord IN ${LIST}`).raw(),
      last: db.prepare('SELECT max(ord) FROM event').raw(),
    };
    this.#writes = {
      event: db.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
      newSketch: db.prepare('INSERT INTO sketch VALUES (?, ?)'),
      count: db.prepare('UPDATE event SET n = ?, crc = ? WHERE ord = ?'),
      setSketch: db.prepare('UPDATE sketch SET bytes = ? WHERE ord = ?'),
      blankEvent: db.prepare(
        `UPDATE event SET id = zeroblob(16), structure = 0, task = 0, source = 0, at = 0, n = 0,
         provenance = zeroblob(length(provenance)), meta = zeroblob(length(meta)), crc = 0 WHERE ord = ?`,
      ),
      blankSketch: db.prepare('UPDATE sketch SET bytes = zeroblob(length(bytes)) WHERE ord = ?'),
      times: db.prepare('INSERT OR REPLACE INTO span VALUES (?, ?, ?, ?, ?)'),
      noTimes: db.prepare('DELETE FROM span WHERE ord = ?'),
    };
  }

  /** Rows in the order they were recorded, behind a reference. */
  after(ref: number, limit: number): Row[] {
    return this.#statements.after.all([ref, limit]).map((raw) => this.#toRow(raw as RawEvent));
  }

  last(): number {
    return (this.#statements.last.get([]) as [number | null])[0] ?? 0;
  }

  raw(ref: number): RawEvent | undefined {
    return this.#statements.raw.get([ref]) as RawEvent | undefined;
  }

  row(ref: number): Row | undefined {
    const raw = this.#statements.row.get([ref]) as RawEvent | undefined;
    return raw === undefined || raw[2] === 0 ? undefined : this.#toRow(raw);
  }

  /** Rows by reference, in order, in one statement. */
  some(refs: ArrayLike<number>): (Row | undefined)[] {
    if (refs.length === 1) return [this.row(refs[0]!)];
    const rows = new Map<number, Row>();
    for (const raw of this.#statements.some.all([listOf(refs)]) as RawEvent[]) {
      if (raw[2] !== 0 && !rows.has(raw[0])) rows.set(raw[0], this.#toRow(raw));
    }
    return Array.from(refs, (ref) => rows.get(ref));
  }

  /** Sketches alone, in order, in one statement; undefined when one is gone or damaged, which `row` then says. */
  sketches(refs: ArrayLike<number>): (StoredSketchRow | undefined)[] {
    const found = new Map<number, StoredSketchRow>();
    for (const raw of this.#statements.sketches.all([listOf(refs)])) {
      const [ref, bytes] = raw as [number, Uint8Array];
      const sketch = unpackSketch(bytes);
      if (sketch !== undefined) found.set(ref, { ref, sketch });
    }
    return Array.from(refs, (ref) => found.get(ref));
  }

  /** The latest below a reference first; a negative limit means all. */
  list(before: number, limit: number, withSketches: boolean): Row[] {
    const statement = withSketches ? this.#statements.list : this.#statements.bare;
    return statement.all([before, limit]).map((raw) => this.#toRow(raw as RawEvent));
  }

  /** Reads every row, in portions, because an unfinished iteration would keep the file locked. */
  readAll(): void {
    for (let last = 0; ;) {
      const rows = this.#statements.after.all([last, 256]) as RawEvent[];
      if (rows.length === 0) return;
      for (const raw of rows) this.#toRow(raw);
      last = rows[rows.length - 1]![0];
    }
  }

  insert(ref: number, row: EventColumns, sketch: Uint8Array): void {
    const { id, structure, task, source, at, n, provenance, meta } = row;
    const values = [ref, id, structure, task, source, at, n, provenance, meta, checksumOf(row)];
    this.#writes.event.run(values);
    this.#writes.newSketch.run([ref, packSketch(sketch)]);
  }

  /** Counts duplicates; returns how many there are now. */
  countAgain(raw: RawEvent, more = 1): number {
    const row = { ...columnsOf(raw), n: raw[6] + more };
    this.#writes.count.run([row.n, checksumOf(row), raw[0]]);
    return row.n;
  }

  replaceSketch(ref: number, sketch: Uint8Array): void {
    const [size] = (this.#statements.sketch.get([ref]) as [number] | undefined) ?? [0];
    this.#writes.setSketch.run([packSketch(sketch, size), ref]);
  }

  /** Fills both rows with zeros of the same size, which SQLite does in place: no copy stays behind on another page. */
  blank(ref: number): void {
    this.#writes.blankEvent.run([ref]);
    this.#writes.blankSketch.run([ref]);
    this.#writes.noTimes.run([ref]);
  }

  /** Sets the times of an event. They have rows of one size, so that the row of the event itself is never moved. */
  setTimes(ref: number, times: Times | undefined): void {
    const columns = [times?.validFrom, times?.validTo, times?.retractedAt].map((t) => t ?? null);
    if (columns.every((t) => t === null)) this.#writes.noTimes.run([ref]);
    else this.#writes.times.run([ref, ...columns, timesChecksum(columns)]);
  }

  #toRow(raw: RawEvent): Row {
    const [ref] = raw;
    const own = columnsOf(raw);
    const structure = this.#dictionary.hash(own.structure);
    const task = this.#dictionary.text(own.task);
    const source = this.#dictionary.text(own.source);
    const times = raw.slice(10, 13) as Time[];
    const packed = raw[14];
    const sketch = packed === undefined ? new Uint8Array(0) : packed === null ? undefined : unpackSketch(packed);
    const timesIntact = raw[13] === null || raw[13] === timesChecksum(times);
    const intact = checksumOf(own) === raw[9] && timesIntact && sketch !== undefined;
    if (!intact || structure === undefined || task === undefined || source === undefined) {
      this.quarantined.add(ref);
      return { ref, corrupt: true };
    }
    const { id, at, n, provenance, meta } = own;
    const { uri, sha256 } = sourceOf(source);
    return {
      ref,
      id,
      structure,
      task,
      source: uri,
      sourceHash: sha256,
      at,
      times: raw[13] === null ? undefined : toTimes(times),
      provenance,
      meta,
      sketch,
      count: n,
    } satisfies StoredRow;
  }
}

function listOf(refs: ArrayLike<number>): string {
  return JSON.stringify(Array.from(refs));
}

function timesChecksum(times: readonly Time[]): number {
  return crc32(new Uint8Array(Float64Array.from(times, (t) => t ?? Number.NaN).buffer));
}

function toTimes([validFrom, validTo, retractedAt]: readonly Time[]): Times {
  return {
    ...(typeof validFrom === 'number' ? { validFrom } : {}),
    ...(typeof validTo === 'number' ? { validTo } : {}),
    ...(typeof retractedAt === 'number' ? { retractedAt } : {}),
  };
}

function columnsOf(raw: RawEvent): EventColumns {
  const [, id, structure, task, source, at, n, provenance, meta] = raw;
  const bytes = (value: Blob): Uint8Array => (value === null ? new Uint8Array(0) : new Uint8Array(value));
  return { id: bytes(id), structure, task, source, at, n, provenance: bytes(provenance), meta: bytes(meta) };
}
