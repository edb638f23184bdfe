// Reads tokenizer.json files that Cairn wrote, with checks; not a general reader of that format.
import { CairnError } from '../errors.ts';
import { withAddedTokens } from './added-tokens.ts';
import { byteLevelAlphabet } from './_byte-level.ts';
import { bpeTokenizer } from './bpe.ts';
import { byteName, byteTokenizer, fromAlphabet } from './char-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

/**
 * Reads the content of a tokenizer.json that Cairn wrote.
 * @throws CairnError `bad_tokenizer` for any other layout.
 */
export function tokenizerFromFile(file: unknown): Tokenizer {
  const base = baseFromFile(file);
  const names = readAdded(field(file, 'added_tokens'), base.vocabSize);
  try {
    return withAddedTokens(base, names);
  } catch (cause) {
    if (CairnError.isInstance(cause)) throw bad(cause.message);
    throw cause;
  }
}

/** Names of added tokens, whose ids must follow those of the model. */
function readAdded(entries: unknown, first: number): string[] {
  if (entries === undefined || entries === null) return [];
  if (!Array.isArray(entries)) throw bad('Expected a list of added_tokens, got something else.');
  const names = entries.map((entry: unknown, i) => {
    const [id, content] = [field(entry, 'id'), field(entry, 'content')];
    if (id !== first + i || typeof content !== 'string') {
      throw bad(`Expected added token ${i} to have id ${first + i} and a content, got ${show(entry)}.`);
    }
    const set = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'].find((key) => field(entry, key) === true);
    if (set !== undefined) throw bad(`Expected \`${set}\` of added token "${content}" to be false, got true.`);
    return content;
  });
  return names;
}

function baseFromFile(file: unknown): Tokenizer {
  const model = field(file, 'model');
  const vocab = field(model, 'vocab');
  const merges = field(model, 'merges');
  if (field(model, 'type') !== 'BPE' || !Array.isArray(merges) || !isRecord(vocab)) {
    throw bad('Expected a BPE model with vocab and merges, got another one.');
  }
  const entries = Object.entries(vocab);
  const names = new Array<string>(entries.length);
  for (const [name, id] of entries) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= names.length || names[id] !== undefined) {
      throw bad(`Expected ids 0 to ${names.length - 1} once each in model.vocab, got ${String(id)}.`);
    }
    names[id] = name;
  }
  if (field(model, 'byte_fallback') === true && merges.length === 0) {
    const firstByte = names.length - 256;
    if (firstByte < 0 || names.slice(firstByte).some((n, b) => n !== byteName(b))) {
      throw bad('Expected the last 256 ids to be <0x00> to <0xFF>.');
    }
    const points = names.slice(0, firstByte).map((n) => n.codePointAt(0) ?? 0);
    if (points.some((p, i) => String.fromCodePoint(p) !== names[i])) {
      throw bad('Expected every other token to be one character.');
    }
    return fromAlphabet(points);
  }
  const alphabet = byteLevelAlphabet();
  if (alphabet.some((c, b) => names[b] !== c)) throw bad('Expected the 256 byte-level tokens in byte order first.');
  if (merges.length === 0 && names.length === 256) return byteTokenizer();
  return bpeTokenizer(readMerges(merges, names));
}

/** Merges as pairs of ids; merge i makes token 256 + i. */
function readMerges(merges: readonly unknown[], names: readonly string[]): [number, number][] {
  if (names.length !== 256 + merges.length) {
    throw bad(`Expected ${256 + merges.length} tokens for ${merges.length} merges, got ${names.length}.`);
  }
  const idOf = new Map(names.map((n, i) => [n, i]));
  return merges.map((merge, i) => {
    const parts: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = parts.map((p) => idOf.get(String(p)));
    const made = 256 + i;
    if (parts.length !== 2 || left === undefined || right === undefined || left >= made || right >= made) {
      throw bad(`Expected merge ${i} to join two earlier tokens, got ${show(merge)}.`);
    }
    if (names[made] !== `${names[left]}${names[right]}`)
      throw bad(`Expected token ${made} to be what merge ${i} makes.`);
    return [left, right];
  });
}

const show = (x: unknown): string => String(JSON.stringify(x)).slice(0, 60);

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);

const field = (x: unknown, key: string): unknown => (isRecord(x) ? x[key] : undefined);

function bad(message: string): CairnError {
  return new CairnError('bad_tokenizer', message, {
    hint: 'Use a tokenizer.json that Cairn wrote (character, byte or byte-pair tokens).',
  });
}
