// The Store port: what a memory needs from a database. SQLite and an in-memory store implement it; every implementation
// passes the cases of conformance.ts. A store keeps rows and finds them by key; it never encodes or decodes a sketch, never
// reads a clock and never draws a random number.
import { CairnError } from '../errors.ts';
import type { Lexical, LexicalOptions, TermList } from './_terms.ts';
import type { Edge, EdgeKind, Link } from './links.ts';
import type { Near } from './_nearest-list.ts';
import type { CentredQuery } from './lsh.ts';

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
  /** SHA-256 of the source's bytes, 64 hexadecimal digits: which version of the source is meant. */
  readonly sourceHash?: string | undefined;
  readonly times?: Times | undefined;
  /** What it adds to the graph; dated `at`. */
  readonly links?: readonly Link[] | undefined;
  /** Its words, for lexical search. */
  readonly terms?: TermList | undefined;
}

/** When an event holds in the world, and when it was withdrawn: milliseconds since 1970. `at` says when it was recorded. */
export interface Times {
  readonly validFrom?: number | undefined;
  readonly validTo?: number | undefined;
  readonly retractedAt?: number | undefined;
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
  /** Version of the source; empty when none was named. */
  readonly sourceHash: string;
  readonly at: number;
  /** undefined when the event has no time but `at`. */
  readonly times: Times | undefined;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly sketch: Uint8Array;
  /** How often the same event was remembered. */
  readonly count: number;
}

/** What comparing an event with a cue needs of its row. */
export type StoredSketchRow = Pick<StoredRow, 'ref' | 'sketch'>;

/** A row whose checksum does not match: everything else stays readable. */
export interface CorruptRow {
  readonly ref: number;
  readonly corrupt: true;
}

export type Row = StoredRow | CorruptRow;

/** One version of a source: its name and the SHA-256 of its bytes, empty when none was named. */
export interface SourceName {
  readonly uri: string;
  readonly sha256: string;
}

/**
 * Changes of one transaction; they happen together or not at all. Those that name an event by its id name one of an earlier
 * write.
 *
 * - insert: a known id only raises the count. `ref` and `count` are for copies: a reference larger than all before.
 * - replace: another sketch; with `dropKeys` the event also leaves all lists: keys, links and terms.
 * - remove: everything of the event goes, with what it was the last user of: entities, names, structures, source texts.
 *   Without a certificate no tombstone stays: the event has moved elsewhere.
 * - times: sets the times; undefined clears all.
 * - relink: other links instead of the event's own.
 * - links: other links instead of those of an owner that is no event, such as a concept; an empty list ends the owner.
 * - source: keeps the text of a source from now until its last event is removed; undefined drops it.
 * - blank: overwrites a byte range of a kept text with spaces.
 * - tombstone: for copies.
 */
export type Change =
  | { readonly kind: 'insert'; readonly event: NewEvent; readonly ref?: number; readonly count?: number }
  | { readonly kind: 'replace'; readonly id: Id; readonly sketch: Uint8Array; readonly dropKeys: boolean }
  | { readonly kind: 'remove'; readonly id: Id; readonly at: number; readonly certificate: string | undefined }
  | { readonly kind: 'times'; readonly id: Id; readonly times: Times | undefined }
  | { readonly kind: 'relink'; readonly id: Id; readonly links: readonly Link[] }
  | { readonly kind: 'links'; readonly owner: string; readonly at: number; readonly links: readonly Link[] }
  | { readonly kind: 'source'; readonly source: SourceName; readonly text: Uint8Array | undefined }
  | { readonly kind: 'blank'; readonly source: SourceName; readonly lo: number; readonly hi: number }
  | { readonly kind: 'tombstone'; readonly tombstone: Tombstone }
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
  /** Weighs by these numbers instead of its own: they are of the whole of which this store is a part. */
  readonly whole?: { readonly events: number; readonly frequency: ArrayLike<number> } | undefined;
  readonly also?: ArrayLike<number> | undefined;
}

/** Everything a store keeps of one event: what a copy inserts. */
export interface FullRecord {
  readonly ref: number;
  readonly count: number;
  /** With all its entities, links and terms. */
  readonly event: NewEvent;
}

/** Links of an owner that is no event. */
export interface OwnedLinks {
  readonly owner: string;
  readonly at: number;
  readonly links: readonly Link[];
}

/** A byte range of a kept source text. */
export interface SourceSlice {
  readonly source: SourceName;
  readonly lo: number;
  readonly hi: number;
}

/** One version of a source, as it is used. */
export interface SourceInfo extends SourceName {
  /** Events that name it. */
  readonly events: number;
  /** Bytes of its kept text; undefined when the text is not kept. */
  readonly bytes: number | undefined;
}

/** How many edges of the asked kinds leave a node, and the sum of their weights in units. */
export interface Degree {
  readonly edges: number;
  readonly weight: number;
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
  /** Names of servers that do not answer now: their share of every answer is missing. None by default. */
  missing?(): readonly string[];
  /** Rises with every write that changed something. */
  revision(): Promise<number>;
  write(changes: readonly Change[]): Promise<Written[]>;
  /** Events in the store. */
  count(): Promise<number>;
  /** Rows by id, in order; undefined where there is none. */
  find(ids: readonly Id[]): Promise<(Row | undefined)[]>;
  /** Rows by reference, in order; undefined where there is none. */
  read(refs: ArrayLike<number>): Promise<(Row | undefined)[]>;
  /**
   * Sketches by reference, in order; undefined where there is none or where it is damaged. A store that has no faster way
   * than `read` leaves this out.
   */
  sketches?(refs: ArrayLike<number>): Promise<(StoredSketchRow | undefined)[]>;
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
  /** Entities by key, in order; undefined where there is none. */
  entities(keys: ArrayLike<number>): Promise<(Entity | undefined)[]>;
  /** For each node its edges of some kinds, heaviest first, then by kind and target, at most `limit`. */
  edges(nodes: ArrayLike<number>, kinds: readonly EdgeKind[], limit: number): Promise<Edge[][]>;
  degrees(nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]>;
  /** All edges in the order of from, kind, to: those behind `after`, at most `limit`. */
  edgePage(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Promise<Edge[]>;
  /** Contributions to edges ever added or taken away: how much the graph has changed since some earlier number. */
  edgeLog(): Promise<number>;
  /** The links of each event, in order; empty where there are none. */
  links(refs: ArrayLike<number>): Promise<(readonly Link[])[]>;
  owners(): Promise<OwnedLinks[]>;
  /** Events by words: BM25 over the terms. With a limit of 0 it only counts. */
  lexical(terms: ArrayLike<number>, options: LexicalOptions): Promise<Lexical>;
  /** Byte ranges of kept texts, cut to what is there; undefined where the text is not kept. */
  texts(slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]>;
  /** Sources in the order of uri, then hash: those behind `after`. */
  sources(after: SourceName | undefined, limit: number): Promise<SourceInfo[]>;
  /** Whole events in the order they were recorded: those with a larger reference than `after`. Damaged rows are left out. */
  records(after: number, limit: number): Promise<FullRecord[]>;
  /** In the order of their hashes: those behind `after`. */
  tombstones(after: string | undefined, limit: number): Promise<Tombstone[]>;
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

/** Whether a text may name a source: not empty, and without the two characters that stores need. */
export function isSourceName(uri: string): boolean {
  return uri.length > 0 && !uri.includes('\0') && !uri.includes('\u0001');
}

/** The same source; throws `bad_source` unless it has a name and 64 hexadecimal digits or nothing as hash. */
export function expectSource(source: SourceName): SourceName {
  const { uri, sha256 } = source;
  if (isSourceName(uri) && /^([0-9a-f]{64})?$/.test(sha256)) return source;
  throw new CairnError(
    'bad_source',
    'Expected a name without NUL or U+0001 and a SHA-256 in hexadecimal, got others.',
    {
      hint: 'Pass the path or URI of the source, and the hash of its bytes as 64 hexadecimal digits.',
    },
  );
}

export function eventNotFound(id: Id): CairnError {
  return new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
    hint: 'List the events to see what is there; it may have been forgotten.',
  });
}

/** Copies keep their references, which only rise. */
export function expectRef(ref: number, next: number): void {
  if (Number.isSafeInteger(ref) && ref >= next) return;
  throw new CairnError('bad_reference', `Expected a reference of at least ${next}, got ${ref}.`, {
    hint: 'Copy events in the order of their references into a store without later ones.',
  });
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
