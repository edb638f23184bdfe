// Forgetting texts: one turn or a whole source, each with its words, keys and bytes, and a certificate. What a neighbour's
// sketch holds of a forgotten turn (its share of the context) cannot be taken out and is named instead.
import { CairnError } from '../../errors.ts';
import type { Erasure } from '../_erasure.ts';
import type { Memory } from '../memory.ts';
import { type Change, idFromText, idToText } from '../store.ts';
import type { StoredCandidate, StoredTurn, TextCorpus } from './corpus.ts';
import { packState, type SourceStates, stateName } from './sources.ts';

/** The certificate of forgetting a text. */
export interface TextErasure {
  readonly source: string;
  /** Certificates of the events that went. */
  readonly events: readonly Erasure[];
  /** Bytes of source text that were overwritten or dropped. */
  readonly textBytes: number;
  /** Turns whose sketch was made with a share of a forgotten neighbour: hashed, weighted and mixed, but not subtracted. */
  readonly influenced: readonly string[];
  /** True when nothing of the source is left. */
  readonly sourceGone: boolean;
}

export interface TextExplanation {
  readonly turn: StoredTurn;
  readonly before: readonly StoredTurn[];
  readonly after: readonly StoredTurn[];
  /** Bytes of its sketch, and how often it was remembered. */
  readonly bytes: number;
  readonly count: number;
}

export class TextEraser {
  readonly #memory: Memory;
  readonly #corpus: TextCorpus;
  readonly #states: SourceStates;

  constructor(memory: Memory, corpus: TextCorpus, states: SourceStates) {
    this.#memory = memory;
    this.#corpus = corpus;
    this.#states = states;
  }

  async explain(id: string): Promise<TextExplanation> {
    const { own, around } = await this.#around(id);
    const event = await this.#memory.get(id);
    return {
      turn: own.turn,
      before: around.filter(({ ordinal }) => ordinal < own.turn.ordinal),
      after: around.filter(({ ordinal }) => ordinal > own.turn.ordinal),
      bytes: event!.bytes,
      count: event!.count,
    };
  }

  async forget(id: string, at: number): Promise<TextErasure> {
    const { own, around } = await this.#around(id);
    const { source, version, range } = own.turn;
    const name = { uri: source, sha256: version };
    const blank: Change = { kind: 'blank', source: name, lo: range[0], hi: range[1] };
    const erased = await this.#memory.forget(id, 'subtract', { at, also: [blank] });
    // The text went with its last event; the record of the source goes too.
    const state = (await this.#states.all()).find((s) => s.uri === source && s.sha256 === version);
    const gone = state !== undefined && (await this.#states.rows(state)).length === 0;
    if (gone) {
      await this.#memory.store.write([
        { kind: 'stat', name: stateName(name), bytes: undefined },
        { kind: 'source', source: name, text: undefined },
      ]);
    }
    return {
      source,
      events: [erased],
      textBytes: range[1] - range[0],
      influenced: around.filter(({ ordinal }) => Math.abs(ordinal - own.turn.ordinal) === 1).map((turn) => turn.id),
      sourceGone: gone,
    };
  }

  async forgetSource(
    uri: string,
    at: number,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: ((turns: number, of: number) => void) | undefined;
    } = {},
  ): Promise<TextErasure> {
    const states = (await this.#states.all()).filter((state) => state.uri === uri);
    if (states.length === 0) {
      throw new CairnError(
        'source_not_found',
        `Expected the name of a remembered source, got '${uri.slice(0, 200)}'.`,
        {
          hint: 'List the sources to see their names.',
        },
      );
    }
    const events: Erasure[] = [];
    let textBytes = 0;
    for (const state of states) {
      const rows = await this.#states.rows(state);
      const known = await this.#memory.store.sources({ uri, sha256: '' }, 64);
      textBytes += known.find((s) => s.uri === uri && s.sha256 === state.sha256)?.bytes ?? 0;
      // An interruption leaves a source that is no longer complete: asking again goes on.
      await this.#memory.store.write([packState({ ...state, complete: false })]);
      for (const { id } of rows) {
        options.signal?.throwIfAborted();
        events.push(await this.#memory.forget(idToText(id), 'subtract', { at }));
        options.onProgress?.(events.length, rows.length);
      }
      await this.#memory.store.write([
        { kind: 'stat', name: stateName(state), bytes: undefined },
        { kind: 'source', source: state, text: undefined },
      ]);
    }
    return { source: uri, events, textBytes, influenced: [], sourceGone: true };
  }

  async #around(id: string): Promise<{ own: StoredCandidate; around: readonly StoredTurn[] }> {
    const [row] = await this.#memory.store.find([idFromText(id)]);
    const [own] = await this.#corpus.read([row]);
    if (row === undefined || own === undefined) {
      throw new CairnError('event_not_found', `Expected the id of a remembered text, got ${id}.`, {
        hint: 'Recall to see what is there; it may have been forgotten.',
      });
    }
    const near = await this.#corpus.candidates([row.ref]);
    const around = near
      .map(({ turn }) => turn)
      .filter((turn) => turn.ref !== row.ref && turn.section === own.turn.section)
      .sort((a, b) => a.ordinal - b.ordinal);
    return { own, around };
  }
}
