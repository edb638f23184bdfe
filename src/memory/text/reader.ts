// Reads the bytes of a document as a stream of sections with exact byte ranges. Formats only say where turns begin and end;
// cutting of long turns, sentences, byte offsets and numbering are done here, once for all.
import { CairnError } from '../../errors.ts';
import { expectText } from './_binary.ts';
import { readChat } from './_chat.ts';
import { readMarkdown } from './_markdown.ts';
import { readPlain } from './_plain.ts';
import { splitSentences } from './sentences.ts';
import {
  type RawTurn,
  type Section,
  SECTION_TURNS,
  type Sentence,
  textFormats,
  type TextFormat,
  textOf,
  type Turn,
  TURN_CHARACTERS,
} from './tree.ts';

const readers: Readonly<Record<TextFormat, (text: string) => Generator<RawTurn>>> = {
  plain: readPlain,
  markdown: readMarkdown,
  chat: readChat,
};

/** The format that a file name tells; undefined for names that tell none. PDF is 'plain' once its text is extracted. */
export function formatOf(name: string): TextFormat | undefined {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === 'md' || ending === 'markdown') return 'markdown';
  if (ending === 'jsonl' || ending === 'ndjson') return 'chat';
  return ending === 'txt' || ending === 'text' || ending === 'pdf' ? 'plain' : undefined;
}

/**
 * Streams the sections of a document.
 *
 * @param name for errors only
 * @throws CairnError `not_text` for binary, `bad_chat` for a line that is no message, `bad_format`
 * @example
 * const bytes = new TextEncoder().encode('# Trip\n\nWe saw a fox.');
 * [...readText(bytes, 'markdown', 'trip.md')][0].turns[1].text; // 'We saw a fox.'
 */
export function* readText(bytes: Uint8Array, format: TextFormat, name: string): Generator<Section> {
  if (!textFormats.includes(format)) {
    throw new CairnError('bad_format', `Expected ${textFormats.join(', ')} as format, got ${String(format)}.`);
  }
  expectText(bytes, name);
  // A byte order mark would be dropped by the decoder and shift every offset.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (Buffer.byteLength(text) !== bytes.length) {
    throw new CairnError('not_text', `Expected text in UTF-8 in ${name}, got bytes that are not.`, {
      hint: 'Convert it to UTF-8 first, or leave it out.',
    });
  }
  const offsets = new Offsets(text);
  let turns: Turn[] = [];
  let ordinal = 0;
  let sections = 0;
  let current: Pick<RawTurn, 'section' | 'title'> | undefined;
  const close = (): Section => {
    const section: Section = {
      ordinal: sections++,
      turns,
      ...(current?.title === undefined ? {} : { title: current.title }),
    };
    turns = [];
    return section;
  };
  for (const raw of readers[format](text)) {
    for (const piece of piecesOf(text, raw)) {
      const full = turns.length === SECTION_TURNS;
      if (turns.length > 0 && (full || current?.section !== raw.section)) yield close();
      current = raw;
      const { line, byte: from } = offsets.at(piece.start);
      const sentences = piece.sentences.map(([a, b]): Sentence => {
        const low = offsets.at(a).byte;
        return { text: textOf(text.slice(a, b), piece.escaped), range: [low, offsets.at(b).byte] };
      });
      turns.push({
        ordinal: ordinal++,
        text: textOf(text.slice(piece.start, piece.end), piece.escaped),
        range: [from, offsets.at(piece.end).byte],
        line,
        sentences,
        ...(raw.speaker === undefined ? {} : { speaker: raw.speaker }),
        ...(raw.at === undefined ? {} : { at: raw.at }),
      });
    }
  }
  if (turns.length > 0) yield close();
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly escaped: boolean;
  readonly sentences: readonly (readonly [number, number])[];
}

/** A raw turn, trimmed and, when too long, cut between sentences. */
function* piecesOf(text: string, raw: RawTurn): Generator<Piece> {
  const escaped = raw.escaped === true;
  const spans = splitSentences(text.slice(raw.start, raw.end));
  let open: (readonly [number, number])[] = [];
  const piece = (): Piece => {
    const made = { start: open[0]![0], end: open.at(-1)![1], escaped, sentences: open };
    open = [];
    return made;
  };
  for (const [a, b] of spans) {
    const span = [raw.start + a, raw.start + b] as const;
    // An escape must not be cut in two: a sentence that ends inside one is joined with the next.
    const last = open.at(-1);
    if (last !== undefined && escaped && /\\$|\\u[0-9a-f]{0,3}$/i.test(text.slice(last[0], last[1]))) {
      open[open.length - 1] = [last[0], span[1]];
      continue;
    }
    if (open.length > 0 && span[1] - open[0]![0] > TURN_CHARACTERS) yield piece();
    open.push(span);
  }
  if (open.length > 0) yield piece();
}

/** Byte offset and line of rising character offsets, each character looked at once. */
class Offsets {
  readonly #text: string;
  #character = 0;
  #byte = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** Offsets may step back a little (a turn's end, then its sentences): such are counted from the mark, downward. */
  at(character: number): { byte: number; line: number } {
    if (character < this.#character) {
      const back = this.#text.slice(character, this.#character);
      return { byte: this.#byte - Buffer.byteLength(back), line: this.#line - linesIn(back) };
    }
    const step = this.#text.slice(this.#character, character);
    this.#byte += Buffer.byteLength(step);
    this.#line += linesIn(step);
    this.#character = character;
    return { byte: this.#byte, line: this.#line };
  }
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
