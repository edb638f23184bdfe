// Text <-> token ids, without loss for any well-formed Unicode text. Every token stands for a byte string, so decoding is
// concatenation and streams well. Files use the common tokenizer.json layout; this is not a general reader of that format.
import { CairnError } from '../errors.ts';

/** The part of tokenizer.json that Cairn writes and reads. */
export interface TokenizerFile {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly never[];
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
  readonly kind: 'char' | 'byte';
  readonly vocabSize: number;
  /** Text -> ids, `[n]`. Lone surrogates become U+FFFD. */
  encode(text: string): Int32Array;
  /** Ids -> text; bytes that form no character become U+FFFD. */
  decode(ids: Iterable<number>): string;
  /** The bytes one token stands for. */
  bytes(id: number): Uint8Array;
  toFile(): TokenizerFile;
}

const encoder = new TextEncoder();

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

function decodeAll(tokenizer: Tokenizer, ids: Iterable<number>): string {
  const stream = new StreamDecoder(tokenizer);
  let text = '';
  for (const id of ids) text += stream.push(id);
  return text + stream.end();
}

function badId(id: number, size: number): CairnError {
  return new CairnError('bad_token', `Expected a token id from 0 to ${size - 1}, got ${id}.`);
}

/**
 * One token per character of an alphabet (in code point order), then one per byte for everything else.
 * @example
 * const t = charTokenizer('hello');
 * t.decode(t.encode('héllo')); // 'héllo': é is outside the alphabet and takes two byte tokens
 */
export function charTokenizer(text: string): Tokenizer {
  const points = new Set<number>();
  for (const c of text) points.add(c.codePointAt(0)!);
  const isCharacter = (p: number): boolean => p < 0xd800 || p > 0xdfff;
  return fromAlphabet(
    Array.from(points)
      .filter(isCharacter)
      .sort((a, b) => a - b),
  );
}

function fromAlphabet(points: readonly number[]): Tokenizer {
  const idOf = new Map(points.map((p, i) => [p, i]));
  const firstByte = points.length;
  const vocabSize = firstByte + 256;
  const table = [
    ...points.map((p) => encoder.encode(String.fromCodePoint(p))),
    ...Array.from({ length: 256 }, (_, b) => Uint8Array.of(b)),
  ];
  const self: Tokenizer = {
    kind: 'char',
    vocabSize,
    encode(text) {
      const ids: number[] = [];
      for (const c of text) {
        const id = idOf.get(c.codePointAt(0)!);
        if (id !== undefined) ids.push(id);
        else for (const byte of encoder.encode(c)) ids.push(firstByte + byte);
      }
      return Int32Array.from(ids);
    },
    decode: (ids) => decodeAll(self, ids),
    bytes(id) {
      const found = table[id];
      if (!found) throw badId(id, vocabSize);
      return found;
    },
    toFile: () => ({
      ...EMPTY,
      pre_tokenizer: null,
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
      model: {
        type: 'BPE',
        unk_token: null,
        byte_fallback: true,
        vocab: Object.fromEntries([
          ...points.map((p, i) => [String.fromCodePoint(p), i] as const),
          ...Array.from({ length: 256 }, (_, b) => [byteName(b), firstByte + b] as const),
        ]),
        merges: [],
      },
    }),
  };
  return self;
}

/**
 * One token per UTF-8 byte: 256 ids, any text.
 * @example
 * byteTokenizer().encode('é'); // Int32Array [195, 169]
 */
export function byteTokenizer(): Tokenizer {
  const table = Array.from({ length: 256 }, (_, b) => Uint8Array.of(b));
  const self: Tokenizer = {
    kind: 'byte',
    vocabSize: 256,
    encode: (text) => Int32Array.from(encoder.encode(text)),
    decode: (ids) => decodeAll(self, ids),
    bytes(id) {
      const found = table[id];
      if (!found) throw badId(id, 256);
      return found;
    },
    toFile: () => ({
      ...EMPTY,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      model: {
        type: 'BPE',
        unk_token: null,
        byte_fallback: false,
        vocab: Object.fromEntries(byteLevelAlphabet().map((c, b) => [c, b])),
        merges: [],
      },
    }),
  };
  return self;
}

/**
 * Reads the content of a tokenizer.json that Cairn wrote.
 * @throws CairnError `bad_tokenizer` for any other layout.
 */
export function tokenizerFromFile(file: unknown): Tokenizer {
  const model = field(file, 'model');
  const vocab = field(model, 'vocab');
  const merges = field(model, 'merges');
  if (field(model, 'type') !== 'BPE' || !Array.isArray(merges) || merges.length > 0 || !isRecord(vocab)) {
    throw bad('Expected a BPE model without merges, got another one.');
  }
  const entries = Object.entries(vocab);
  const names = new Array<string>(entries.length);
  for (const [name, id] of entries) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= names.length || names[id] !== undefined) {
      throw bad(`Expected ids 0 to ${names.length - 1} once each in model.vocab, got ${String(id)}.`);
    }
    names[id] = name;
  }
  if (field(model, 'byte_fallback') === true) {
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
  if (names.length !== 256 || names.some((n, b) => n !== alphabet[b]))
    throw bad('Expected the 256 byte-level tokens in byte order.');
  return byteTokenizer();
}

const EMPTY = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  post_processor: null,
} as const;

const byteName = (b: number): string => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`;

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);

const field = (x: unknown, key: string): unknown => (isRecord(x) ? x[key] : undefined);

function bad(message: string): CairnError {
  return new CairnError('bad_tokenizer', message, {
    hint: 'Use a tokenizer.json that Cairn wrote (character or byte tokens).',
  });
}

/** The printable stand-ins that the byte-level layout uses for the 256 bytes. */
function byteLevelAlphabet(): string[] {
  let extra = 256;
  return Array.from({ length: 256 }, (_, b) => {
    const printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    return String.fromCharCode(printable ? b : extra++);
  });
}
