// Text <-> token ids, without loss for any well-formed Unicode text. Every token stands for a byte string, so decoding is
// concatenation and streams well. Files use the common tokenizer.json layout; this is not a general reader of that format.
import { CairnError } from '../errors.ts';

/** An entry of `added_tokens`: a name that is one token. Cairn writes all its switches as false and reads no others. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The part of tokenizer.json that Cairn writes and reads. */
export interface TokenizerFile {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: null;
  readonly pre_tokenizer: Readonly<Record<string, unknown>> | null;
  readonly post_processor: null;
  readonly decoder: Readonly<Record<string, unknown>>;
  readonly model: {
    readonly type: 'BPE';
    readonly unk_token: null;
    readonly byte_fallback: boolean;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly string[];
  };
}

export interface Tokenizer {
  readonly kind: 'char' | 'byte' | 'bpe';
  /** Added tokens included. */
  readonly vocabSize: number;
  /** Ids of tokens with a name of their own, see `withAddedTokens`. */
  readonly added: ReadonlyMap<string, number>;
  /** Text -> ids, `[n]`. Lone surrogates become U+FFFD. */
  encode(text: string): Int32Array;
  /** Ids -> text; bytes that form no character become U+FFFD. */
  decode(ids: Iterable<number>): string;
  /** The bytes one token stands for. */
  bytes(id: number): Uint8Array;
  toFile(): TokenizerFile;
}

/** Decodes ids one by one and holds back the bytes of an unfinished character. */
export class StreamDecoder {
  readonly #tokenizer: Tokenizer;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that this id completes, possibly empty. */
  push(id: number): string {
    return this.#decoder.decode(this.#tokenizer.bytes(id), { stream: true });
  }

  /** What is left at the end. */
  end(): string {
    return this.#decoder.decode();
  }
}

/** All ids at once; the `decode` of every tokenizer. */
export function decodeAll(tokenizer: Tokenizer, ids: Iterable<number>): string {
  const stream = new StreamDecoder(tokenizer);
  let text = '';
  for (const id of ids) text += stream.push(id);
  return text + stream.end();
}

export function badId(id: number, size: number): CairnError {
  return new CairnError('bad_token', `Expected a token id from 0 to ${size - 1}, got ${id}.`);
}

/** Of a tokenizer that has none. */
export const NONE_ADDED: ReadonlyMap<string, number> = new Map();

/** What all files share. */
export const EMPTY = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  post_processor: null,
} as const;
