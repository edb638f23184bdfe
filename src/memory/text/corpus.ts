// Turns as they are read back from a store: rows, the text of their byte ranges, neighbours, and counts of terms. Candidates
// are kept while the store does not change.
import { unpackMeta, unpackProvenance } from '../_record.ts';
import { idToText, isCorrupt, type Row, type Store, type StoredRow } from '../store.ts';
import { termKey } from './attributes.ts';
import { type Candidate, candidateOf, type TurnView } from './features.ts';
import { textFormats, type TextFormat, textOf } from './tree.ts';

/** Task of every text event. */
export const TEXT_TASK = 'text';
const MOST_KEPT = 8192;
/** How far neighbours reach. */
const REACH = 2;

/** What is kept beside the sketch of a turn. */
export interface TurnMeta {
  readonly format: TextFormat;
  readonly section: number;
  readonly line: number;
  readonly title?: string | undefined;
  readonly speaker?: string | undefined;
  /** When it was said, milliseconds since 1970. */
  readonly at?: number | undefined;
}

/** A turn with all that a hit shows. */
export interface StoredTurn extends TurnView {
  readonly range: readonly [number, number];
  readonly line: number;
  readonly version: string;
  readonly recordedAt: number;
  readonly retractedAt: number | undefined;
}

export interface StoredCandidate extends Candidate {
  readonly turn: StoredTurn;
}

export interface LexicalHits {
  readonly documents: number;
  readonly words: number;
  readonly frequency: ReadonlyMap<string, number>;
  readonly refs: readonly number[];
}

export class TextCorpus {
  readonly #store: Store;
  readonly #kept = new Map<number, StoredCandidate | undefined>();
  #revision = -1;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Events by words, best first; with a limit of 0 only counts. */
  async lexical(terms: readonly string[], limit: number, weights?: readonly number[]): Promise<LexicalHits> {
    // Two terms with one key would be counted twice by the store.
    const keys = terms.map(termKey);
    const found = await this.#store.lexical(keys, { limit, ...(weights === undefined ? {} : { weights }) });
    return {
      documents: found.documents,
      words: found.words,
      frequency: new Map(terms.map((term, i) => [term, found.frequency[i]!] as const)),
      refs: found.hits.map(({ ref }) => ref),
    };
  }

  /** Turns by reference with their neighbours up to two places away in the same section; what is no text is left out. */
  async candidates(refs: readonly number[]): Promise<StoredCandidate[]> {
    const wanted = new Set<number>();
    for (const ref of refs) for (let step = -REACH; step <= REACH; step++) if (ref + step > 0) wanted.add(ref + step);
    const asked = new Set(refs);
    const found = await this.turns([...wanted]);
    const places = new Set<string>();
    for (const [ref, candidate] of found) {
      if (candidate === undefined || !asked.has(ref)) continue;
      const { source, version, ordinal } = candidate.turn;
      for (let step = -REACH; step <= REACH; step++) places.add(`${source}\0${version}\0${ordinal + step}`);
    }
    return [...found.values()].filter(
      (c): c is StoredCandidate =>
        c !== undefined &&
        (asked.has(c.turn.ref) || places.has(`${c.turn.source}\0${c.turn.version}\0${c.turn.ordinal}`)),
    );
  }

  /** Turns by reference; undefined for what is no readable text. */
  async turns(refs: readonly number[]): Promise<Map<number, StoredCandidate | undefined>> {
    const revision = await this.#store.revision();
    if (revision !== this.#revision || this.#kept.size > MOST_KEPT) this.#kept.clear();
    this.#revision = revision;
    const missing = refs.filter((ref) => !this.#kept.has(ref));
    if (missing.length > 0) {
      const rows = await this.#store.read(missing);
      const turns = await this.read(rows);
      missing.forEach((ref, i) => this.#kept.set(ref, turns[i]));
    }
    return new Map(refs.map((ref) => [ref, this.#kept.get(ref)] as const));
  }

  /** Rows as candidates, in order. */
  async read(rows: readonly (Row | undefined)[]): Promise<(StoredCandidate | undefined)[]> {
    const parts = rows.map((row) =>
      row === undefined || isCorrupt(row) || row.task !== TEXT_TASK ? undefined : partsOf(row),
    );
    const texts = await this.#store.texts(
      parts.flatMap((part) =>
        part === undefined
          ? []
          : [{ source: { uri: part.row.source, sha256: part.row.sourceHash }, lo: part.range[0], hi: part.range[1] }],
      ),
    );
    let next = 0;
    return parts.map((part) => {
      if (part === undefined) return undefined;
      const bytes = texts[next++];
      return bytes === undefined ? undefined : (candidateOf(turnOf(part, bytes)) as StoredCandidate);
    });
  }
}

interface Parts {
  readonly row: StoredRow;
  readonly meta: TurnMeta;
  readonly range: readonly [number, number];
  readonly ordinal: number;
}

function partsOf(row: StoredRow): Parts | undefined {
  const { range, ordinal } = unpackProvenance(row.source, row.provenance);
  const meta = unpackMeta(row.meta);
  if (range === undefined || ordinal === undefined || !isTurnMeta(meta)) return undefined;
  return { row, meta, range, ordinal };
}

function turnOf({ row, meta, range, ordinal }: Parts, bytes: Uint8Array): StoredTurn {
  const raw = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return {
    ref: row.ref,
    id: idToText(row.id),
    source: row.source,
    version: row.sourceHash,
    ordinal,
    section: meta.section,
    line: meta.line,
    range,
    text: textOf(raw, meta.format === 'chat'),
    title: meta.title,
    speaker: meta.speaker,
    at: meta.at,
    recordedAt: row.at,
    retractedAt: row.times?.retractedAt,
  };
}

function isTurnMeta(value: unknown): value is TurnMeta {
  if (typeof value !== 'object' || value === null) return false;
  const { format, section, line } = value as Partial<TurnMeta>;
  return textFormats.includes(format as TextFormat) && Number.isInteger(section) && Number.isInteger(line);
}
