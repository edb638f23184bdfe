// Tokens with a name of their own on top of a tokenizer: marks such as <think> that a text spells out and a model sees as one
// id. They are found before anything else is split, and decode to their name, so texts still survive both ways.
import { CairnError } from '../errors.ts';
import { badId, decodeAll, type Tokenizer } from './tokenizer.ts';

const encoder = new TextEncoder();
const MAX_ADDED = 1024;

/**
 * The tokenizer with more tokens, whose ids follow its own in the order given. Where several names fit, the longest wins.
 * @throws CairnError `bad_added_tokens` for a name that is empty, has white space at an end or is there already
 * @example
 * const t = withAddedTokens(charTokenizer('2+5='), ['<think>', '</think>']);
 * t.encode('5<think>').length; // 2
 */
export function withAddedTokens(base: Tokenizer, names: readonly string[]): Tokenizer {
  if (names.length === 0) return base;
  if (base.added.size > 0) throw bad('Expected a tokenizer without added tokens, got one that has some.');
  const first = base.vocabSize;
  const added = new Map<string, number>();
  for (const name of names) {
    if (name === '' || name.trim() !== name)
      throw bad(`Expected a name without white space at its ends, got "${name}".`);
    if (new TextDecoder().decode(encoder.encode(name)) !== name) throw bad(`Expected well-formed text, got "${name}".`);
    if (added.has(name)) throw bad(`Expected each added token once, got "${name}" twice.`);
    added.set(name, first + added.size);
  }
  if (added.size > MAX_ADDED) throw bad(`Expected at most ${MAX_ADDED} added tokens, got ${added.size}.`);
  const table = Array.from(added.keys(), (name) => encoder.encode(name));
  const longestFirst = Array.from(added.keys()).sort((a, b) => b.length - a.length);
  const marks = new RegExp(`(${longestFirst.map(literally).join('|')})`, 'u');
  const vocabSize = first + added.size;
  const self: Tokenizer = {
    kind: base.kind,
    vocabSize,
    added,
    encode(text) {
      const parts = text.split(marks); // text, mark, text, mark, …, text
      if (parts.length === 1) return base.encode(text);
      const pieces = parts.map((part, i) => (i % 2 === 1 ? Int32Array.of(added.get(part)!) : base.encode(part)));
      const ids = new Int32Array(pieces.reduce((n, piece) => n + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        ids.set(piece, at);
        at += piece.length;
      }
      return ids;
    },
    decode: (ids) => decodeAll(self, ids),
    bytes(id) {
      if (id < first) return base.bytes(id);
      const found = table[id - first];
      if (!found) throw badId(id, vocabSize);
      return found;
    },
    toFile: () => ({
      ...base.toFile(),
      added_tokens: Array.from(added, ([content, id]) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: false,
      })),
    }),
  };
  return self;
}

/** A pattern that matches the text itself. */
const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

function bad(message: string): CairnError {
  return new CairnError('bad_added_tokens', message, { hint: 'Name tokens such as <think> and </think>.' });
}
