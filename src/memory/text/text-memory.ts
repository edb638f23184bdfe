// The memory of texts: documents come in as bytes, are kept turn by turn as sketches with their words, and are found again by
// a question in plain words. It joins the readers, a Memory and its Store; it opens no files and knows no clock.
import { createHash } from 'node:crypto';
import { CairnError } from '../../errors.ts';
import { Memory, type MemoryOptions, type Remembered } from '../memory.ts';
import type { Change, SourceName } from '../store.ts';
import { termKey, textVector } from './attributes.ts';
import { TEXT_TASK, TextCorpus, type TurnMeta } from './corpus.ts';
import { findEntities } from './entities.ts';
import { type TextErasure, TextEraser } from './erasure.ts';
import { indexedText } from './features.ts';
import { countTermKeys, IdfCounts, IdfTable } from './idf.ts';
import { readText } from './reader.ts';
import { packState, SourceStates, type SourceState } from './sources.ts';
import { type Ranking, reasonsOf, type TextReasons, TextRecall, type TextRecallOptions } from './text-recall.ts';
import { terms } from './tokens.ts';
import { type TextEmbedder, traceOf } from './trace.ts';
import type { Section, TextFormat, Turn } from './tree.ts';

export interface TextMemoryOptions extends MemoryOptions {
  readonly embedder?: TextEmbedder | undefined;
}

/** A document to remember. */
export interface TextDocument {
  /** Name or path: another version under the same name replaces the one before. */
  readonly uri: string;
  /** Text in UTF-8. */
  readonly bytes: Uint8Array;
  readonly format: TextFormat;
  /** SHA-256 of the file when `bytes` were extracted from it; else of the bytes. */
  readonly sha256?: string | undefined;
  /** Milliseconds since 1970: when it is recorded. */
  readonly at: number;
}

export interface RememberTextOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after every section. */
  readonly onProgress?: ((turns: number, of: number) => void) | undefined;
}

export interface RememberedText {
  readonly uri: string;
  readonly sha256: string;
  /** Turns of the document. */
  readonly turns: number;
  /** Turns that were stored by this call. */
  readonly added: number;
  /** Known already: nothing was stored. Under another name when `duplicateOf` says so. */
  readonly duplicate: boolean;
  readonly duplicateOf?: string | undefined;
  /** Turns of earlier versions of this source that do not hold any more. */
  readonly retracted: number;
}

/** A turn that answers. */
export interface TextHit {
  readonly id: string;
  readonly score: number;
  readonly text: string;
  readonly source: string;
  /** Bytes of the source, or of the text that was extracted from it. */
  readonly range: readonly [number, number];
  readonly line: number;
  /** Number of the turn in its source, from 0. */
  readonly ordinal: number;
  readonly title: string | undefined;
  readonly speaker: string | undefined;
  /** When it was said, milliseconds since 1970, where the source tells. */
  readonly at: number | undefined;
  readonly why: TextReasons;
}

const MOST_HITS = 1000;

/**
 * @example
 * const memory = await TextMemory.open({ path: ':memory:', seed: 'mine' });
 * const bytes = new TextEncoder().encode('We met in Oslo.\n\nThe fox was red.');
 * await memory.remember({ uri: 'notes.txt', bytes, format: 'plain', at: 0 });
 * (await memory.recall('Which colour had the fox?', 1))[0].text; // 'The fox was red.'
 */
export class TextMemory {
  readonly memory: Memory;
  readonly #corpus: TextCorpus;
  readonly #recall: TextRecall;
  readonly #states: SourceStates;
  readonly #eraser: TextEraser;
  readonly #embedder: TextEmbedder | undefined;
  readonly #tables = new Map<number, IdfTable>();
  #line: Promise<unknown> = Promise.resolve();

  private constructor(memory: Memory, embedder: TextEmbedder | undefined) {
    this.memory = memory;
    this.#embedder = embedder;
    this.#corpus = new TextCorpus(memory.store);
    this.#states = new SourceStates(memory.store);
    this.#eraser = new TextEraser(memory, this.#corpus, this.#states);
    this.#recall = new TextRecall({
      memory,
      corpus: this.#corpus,
      idf: async () => this.#table(await this.#states.epoch()),
      embedder,
    });
  }

  /** Opens a memory of texts; see `Memory.open` for what it throws. */
  static async open(options: TextMemoryOptions): Promise<TextMemory> {
    const { embedder, ...rest } = options;
    return new TextMemory(await Memory.open(rest), embedder);
  }

  /**
   * Keeps a document. Every section is durable when progress is reported; an interrupted call is taken up by the next one
   * with the same document, and ends with the same records as an uninterrupted one.
   * @throws CairnError `not_text`, `bad_chat`, `bad_provenance`, `bad_time`, `store_full`
   */
  remember(document: TextDocument, options: RememberTextOptions = {}): Promise<RememberedText> {
    return this.#inTurn(() => this.#remember(document, options));
  }

  /**
   * Turns that answer a question, best first, with their place in the source and the reasons.
   * @throws CairnError `bad_count`, `bad_question`
   */
  async recall(question: string, k = 10, options: TextRecallOptions = {}): Promise<TextHit[]> {
    if (!Number.isInteger(k) || k < 1 || k > MOST_HITS) {
      throw new CairnError('bad_count', `Expected 1 to ${MOST_HITS} hits to be asked for, got ${k}.`);
    }
    if (typeof question !== 'string' || question.trim() === '' || question.length > 10_000) {
      throw new CairnError('bad_question', 'Expected a question of 1 to 10,000 characters, got another value.', {
        hint: 'Ask in plain words.',
      });
    }
    const { ranking, best } = await this.#recall.find(question, k, options);
    return best.map((ranked) => {
      const { turn, score } = ranked;
      const { id, text, source, range, line, ordinal, title, speaker, at } = turn;
      const why = reasonsOf(ranked, ranking, options.weights);
      return { id, score, text, source, range, line, ordinal, title, speaker, at, why };
    });
  }

  /** All candidates of a question with their features: what the ranking weighed. */
  async rank(question: string, options: TextRecallOptions = {}): Promise<Ranking> {
    return this.#recall.rank(question, options);
  }

  /** The sources, by name; `complete` is false for one whose reading was interrupted. */
  async sources(): Promise<readonly SourceState[]> {
    return this.#states.all();
  }

  /** A turn with the turns around it. */
  explain(id: string): ReturnType<TextEraser['explain']> {
    return this.#eraser.explain(id);
  }

  /**
   * Forgets one turn: its sketch, words, keys and the bytes of its text.
   * @throws CairnError `bad_event_id`, `event_not_found`
   */
  forget(id: string, at: number): Promise<TextErasure> {
    return this.#inTurn(() => this.#eraser.forget(id, at));
  }

  /** Forgets a source in all versions, with its text. @throws CairnError `source_not_found` */
  forgetSource(uri: string, at: number, options: RememberTextOptions = {}): Promise<TextErasure> {
    return this.#inTurn(() => this.#eraser.forgetSource(uri, at, options));
  }

  async close(): Promise<void> {
    await this.#line.catch(() => undefined);
    await this.memory.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One writer at a time: the neighbours of a turn are those recorded beside it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(work, work);
    this.#line = result.catch(() => undefined);
    return result;
  }

  async #remember(document: TextDocument, options: RememberTextOptions): Promise<RememberedText> {
    const { uri, bytes, format, at } = document;
    const sha256 = document.sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const versions = (await this.#states.all()).filter((state) => state.sha256 === sha256 || state.uri === uri);
    const same = versions.find((state) => state.sha256 === sha256 && state.complete && !state.retracted);
    if (same !== undefined) {
      const elsewhere = same.uri === uri ? {} : { duplicateOf: same.uri };
      return { uri, sha256, turns: same.turns, added: 0, duplicate: true, retracted: 0, ...elsewhere };
    }
    const begun = versions.find((state) => state.uri === uri && state.sha256 === sha256 && !state.retracted);
    let state = begun ?? (await this.#begin({ uri, sha256 }, bytes, format));
    const table = (await this.#table(state.epoch))!;
    let added = 0;
    for (const section of readText(bytes, format, uri)) {
      options.signal?.throwIfAborted();
      const written = await this.#keep(section, { state, table, format, at });
      added += written.filter(({ duplicate }) => !duplicate).length;
      const ordinals = written.map(({ ordinal }) => ordinal);
      state = {
        ...state,
        first: Math.min(state.first ?? Infinity, ...ordinals),
        last: Math.max(state.last ?? 0, ...ordinals),
      };
      options.onProgress?.(section.turns.at(-1)!.ordinal + 1, state.turns);
    }
    // Earlier versions go out of force in the transaction that completes this one.
    const old = versions.filter((v) => v.uri === uri && v.sha256 !== sha256 && !v.retracted);
    const changes: Change[] = [packState({ ...state, complete: true })];
    let retracted = 0;
    for (const version of old) {
      const rows = await this.#states.rows(version);
      changes.push(packState({ ...version, retracted: true }));
      for (const { id, times } of rows) changes.push({ kind: 'times', id, times: { ...times, retractedAt: at } });
      retracted += rows.length;
    }
    await this.memory.store.write(changes);
    return { uri, sha256, turns: state.turns, added, duplicate: false, retracted };
  }

  /** Records that a source is being read, keeps its text, and begins an epoch when the documents have doubled. */
  async #begin(source: SourceName, bytes: Uint8Array, format: TextFormat): Promise<SourceState> {
    const { store } = this.memory;
    const counts = new IdfCounts();
    for (const { turns, title } of readText(bytes, format, source.uri)) {
      for (const turn of turns) counts.add(new Set(terms(indexedText({ ...view(turn), title })).map(termKey)));
    }
    const turns = counts.documents;
    // Any key will do: only the totals are read.
    const known = await store.lexical([0], { limit: 0 });
    const epoch = await this.#states.epoch();
    const current = epoch === 0 ? undefined : await this.#table(epoch);
    const changes: Change[] = [];
    let used = epoch;
    if (current === undefined || known.documents + turns >= 2 * current.documents) {
      await countTermKeys(store, (keys) => counts.add(keys));
      used = epoch + 1;
      const table = counts.table(used);
      this.#tables.set(used, table);
      changes.push({ kind: 'stat', name: `text/idf/${used}`, bytes: table.toBytes() });
    }
    const state: SourceState = { ...source, format, epoch: used, turns, complete: false, retracted: false };
    changes.push({ kind: 'source', source, text: bytes }, packState(state));
    await store.write(changes);
    return state;
  }

  async #keep(
    section: Section,
    about: { readonly state: SourceState; readonly table: IdfTable; readonly format: TextFormat; readonly at: number },
  ): Promise<Remembered[]> {
    const { state, table, format, at } = about;
    const lists = section.turns.map((turn) => terms(indexedText({ ...view(turn), title: section.title })));
    const vectors = lists.map((list) => textVector(list, table.rarity));
    const embeddings = await this.#embedder?.embed(section.turns.map(({ text }) => text));
    return Promise.all(
      section.turns.map((turn, i) => {
        const root = traceOf(
          {
            own: vectors[i]!,
            previous: vectors[i - 1],
            next: vectors[i + 1],
            sentences: turn.sentences.map(({ text }) => text),
            entities: findEntities(turn.text, turn.speaker),
            ...(embeddings === undefined ? {} : { embedding: { id: this.#embedder!.id, vector: embeddings[i]! } }),
          },
          table.rarity,
          this.memory.spec.dim,
        );
        const meta = {
          format,
          section: section.ordinal,
          line: turn.line,
          ...(section.title === undefined ? {} : { title: section.title }),
          ...(turn.speaker === undefined ? {} : { speaker: turn.speaker }),
          ...(turn.at === undefined ? {} : { at: turn.at }),
        } satisfies TurnMeta;
        return this.memory.remember(root, {
          task: TEXT_TASK,
          at,
          terms: termList(lists[i]!),
          meta,
          provenance: {
            source: state.uri,
            sha256: state.sha256,
            ordinal: turn.ordinal,
            range: turn.range,
          },
        });
      }),
    );
  }

  async #table(epoch: number): Promise<IdfTable | undefined> {
    if (epoch === 0) return undefined;
    let table = this.#tables.get(epoch);
    if (table === undefined) {
      const bytes = await this.memory.store.stat(`text/idf/${epoch}`);
      if (bytes === undefined) return undefined;
      this.#tables.set(epoch, (table = IdfTable.fromBytes(bytes)));
    }
    return table;
  }
}

function view(turn: Turn): { speaker: string | undefined; text: string } {
  return { speaker: turn.speaker, text: turn.text };
}

/** Terms as the inverted index takes them: rising keys with counts. */
function termList(list: readonly string[]): { keys: Float64Array; counts: Uint32Array; length: number } | undefined {
  if (list.length === 0) return undefined;
  const counts = new Map<number, number>();
  for (const term of list) {
    const key = termKey(term);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const keys = [...counts.keys()].sort((a, b) => a - b);
  return {
    keys: Float64Array.from(keys),
    counts: Uint32Array.from(keys, (key) => counts.get(key)!),
    length: list.length,
  };
}
