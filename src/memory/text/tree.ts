// What a text is read into: a document yields sections, a section has turns, a turn has sentences. Every part knows its byte
// range in the source, so that a quotation can be checked against the file. Not the sketch's trace: see trace.ts.
import { CairnError } from '../../errors.ts';

/** Bytes `[from, to)` of the source. */
export type ByteRange = readonly [number, number];

/** One utterance, paragraph or list item: the unit that is remembered and found. */
export interface Turn {
  /** Number in the document, from 0. */
  readonly ordinal: number;
  readonly text: string;
  /** Where the text stands; in JSON the inside of the string literal, escapes and all. */
  readonly range: ByteRange;
  /** Line of its first byte, from 1. */
  readonly line: number;
  readonly speaker?: string | undefined;
  /** When it was said, milliseconds since 1970. */
  readonly at?: number | undefined;
  readonly sentences: readonly Sentence[];
}

export interface Sentence {
  readonly text: string;
  readonly range: ByteRange;
}

/** Neighbouring turns that belong together: a chapter, a heading's text, a session; at most `SECTION_TURNS`. */
export interface Section {
  readonly ordinal: number;
  readonly title?: string | undefined;
  readonly turns: readonly Turn[];
}

/** Formats that the readers know. A PDF is read as the plain text of its pages, with form feeds between them. */
export const textFormats = ['plain', 'markdown', 'chat'] as const;
export type TextFormat = (typeof textFormats)[number];

/** Longest section: what is streamed and committed at once. */
export const SECTION_TURNS = 64;
/** Longest turn in characters; longer paragraphs are cut between sentences. */
export const TURN_CHARACTERS = 1000;

/** A turn as a reader finds it, before it is numbered; offsets in characters of the document. */
export interface RawTurn {
  readonly start: number;
  readonly end: number;
  /** True when the text stands as a JSON string literal. */
  readonly escaped?: boolean | undefined;
  readonly speaker?: string | undefined;
  readonly at?: number | undefined;
  /** A new value begins a new section. */
  readonly section: string | number;
  readonly title?: string | undefined;
}

/** The text between two offsets, with the escapes of a JSON string resolved where it is one. */
export function textOf(raw: string, escaped: boolean): string {
  if (!escaped) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch (cause) {
    throw new CairnError('bad_chat', 'Expected the inside of a JSON string, got other text.', {
      hint: 'The source changed since it was remembered; remember it again.',
      cause,
    });
  }
}
