// The Store port: what a memory needs from a database. SQLite and an in-memory store implement it; every implementation
// passes the cases of conformance.ts. A store keeps rows and finds them by key; it never encodes or decodes a sketch, never
// reads a clock and never draws a random number.
import { CairnError } from '../errors.ts';
import type { CentredQuery, Near } from './lsh.ts';

/** 128 bits: a prefix of the SHA-256 of what an event is. */
export type Id = Uint8Array;

/** What is written for one event. */
export interface NewEvent {
  readonly id: Id; // [16]
  readonly structure: { readonly hash: string; readonly bytes: Uint8Array };
  readonly task: string;
  readonly source: string;
  /** Milliseconds since 1970, given by the caller. */
  readonly at: number;
  /** Where in the source the event comes from, packed by the memory. */
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly sketch: Uint8Array;
  readonly signature: Uint32Array; // [8]
  /** The centre that the signature was made with. */
  readonly centre: number;
  /** Component keys, distinct and rising. */
  readonly keys: Float64Array;
  /** Signatures of its components' own sketches. */
  readonly entities: readonly Entity[];
}

/** A component as an item of its own: found by similarity, it leads to the events by its key. */
export interface Entity {
  readonly key: number;
  readonly module: string;
  readonly signature: Uint32Array; // [8]
}

/** What is read of one event. `ref` numbers the events of this store in the order they were recorded. */
export interface StoredRow {
  readonly ref: number;
  readonly id: Id;
  readonly structure: string;
  readonly task: string;
  readonly source: string;
  readonly at: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly sketch: Uint8Array;
  /** How often the same event was remembered. */
  readonly count: number;
}

/** A row whose checksum does not match: everything else stays readable. */
export interface CorruptRow {
  readonly ref: number;
  readonly corrupt: true;
}

export type Row = StoredRow | CorruptRow;

/** Changes of one transaction; they happen together or not at all. 'replace' and 'remove' name events of earlier writes. */
export type Change =
  | { readonly kind: 'insert'; readonly event: NewEvent }
  | { readonly kind: 'replace'; readonly id: Id; readonly sketch: Uint8Array; readonly dropKeys: boolean }
  | { readonly kind: 'remove'; readonly id: Id; readonly at: number; readonly certificate: string }
  | { readonly kind: 'stat'; readonly name: string; readonly bytes: Uint8Array | undefined };

/** What a change did. `fresh` is false when the event was there already; `count` says how often by now. */
export interface Written {
  readonly ref: number;
  readonly fresh: boolean;
  readonly count: number;
}

/** Events that have some of the asked keys. */
export interface Sharing {
  /** Events with each key, in the order of the keys asked for. */
  readonly frequency: Uint32Array;
  /** Best first: sum of the weights of the shared keys, then the latest. */
  readonly hits: readonly { readonly ref: number; readonly score: number }[];
}

export interface SharingOptions {
  readonly limit: number;
  /** Per key a positive factor of its weight; 1 by default. */
  readonly likeness?: readonly number[] | undefined;
  readonly also?: ArrayLike<number> | undefined;
}

export interface Tombstone {
  readonly idHash: string;
  readonly at: number;
  readonly certificate: string;
}

export interface StoreStats {
  readonly events: number;
  readonly structures: number;
  readonly entities: number;
  readonly tombstones: number;
  /** Bytes of the data file, free pages included; 0 for a store without files. */
  readonly fileBytes: number;
  /** Bytes of the write-ahead log beside it: bounded, and empty after a clean close. */
  readonly logBytes: number;
  /** Bytes by kind of record, pages counted as a whole. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly quarantined: readonly number[];
}

/**
 * Keyed rows, posting lists and signatures under transactions. Methods are asynchronous so that a store may live on other
 * machines. After `write` resolves its changes survive the end of the process.
 */
export interface Store extends AsyncDisposable {
  readonly id: string;
  /** Rises with every write that changed something. */
  revision(): Promise<number>;
  write(changes: readonly Change[]): Promise<Written[]>;
  /** Events in the store. */
  count(): Promise<number>;
  /** Rows by id, in order; undefined where there is none. */
  find(ids: readonly Id[]): Promise<(Row | undefined)[]>;
  /** Rows by reference, in order; undefined where there is none. */
  read(refs: ArrayLike<number>): Promise<(Row | undefined)[]>;
  /** The latest rows first, below `before` if given; without their sketches when `sketches` is false. */
  list(options: { readonly before?: number; readonly limit: number; readonly sketches?: boolean }): Promise<Row[]>;
  structure(hash: string): Promise<Uint8Array | undefined>;
  /**
   * Events that share keys. A key weighs ln((1 + events) / events with the key), so that what is everywhere explains nothing,
   * times its likeness. Of equal scores the latest `limit` come first; behind them those of `also` that share any.
   */
  sharing(keys: ArrayLike<number>, options: SharingOptions): Promise<Sharing>;
  /** For each event the positions of the keys that it has, in the list asked for. */
  shared(keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]>;
  /** Events whose signature is near. */
  near(queries: readonly CentredQuery[], limit: number): Promise<readonly Near[]>;
  /** Entities of one module whose signature is near. */
  nearEntities(module: string, query: CentredQuery, limit: number): Promise<{ key: number; distance: number }[]>;
  stat(name: string): Promise<Uint8Array | undefined>;
  statNames(): Promise<string[]>;
  tombstone(id: Id): Promise<Tombstone | undefined>;
  /** All records as text lines in the order of their ids: equal content gives equal lines in every store. */
  dump(): AsyncIterable<string>;
  /** Names the references of rows that fail their checksum; throws `store_corrupt` when the file itself is damaged. */
  verify(): Promise<readonly number[]>;
  /** Gives back the room of what was erased; answers stay the same. */
  compact(): Promise<void>;
  stats(): Promise<StoreStats>;
  close(): Promise<void>;
}

export function isCorrupt(row: Row): row is CorruptRow {
  return 'corrupt' in row;
}

const hexDigits = /^[0-9a-f]{32}$/;

/** The 32 hexadecimal digits that name an event outside the store. */
export function idToText(id: Id): string {
  return Buffer.from(id).toString('hex');
}

/** Throws `bad_event_id` for anything but 32 hexadecimal digits. */
export function idFromText(text: string): Id {
  if (typeof text !== 'string' || !hexDigits.test(text)) {
    const shown = typeof text === 'string' ? JSON.stringify(text.slice(0, 40)) : typeof text;
    throw new CairnError('bad_event_id', `Expected 32 hexadecimal digits as event id, got ${shown}.`, {
      hint: 'Use an id that remember, recall or list returned.',
    });
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
}
