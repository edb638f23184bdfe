// Tokenizers without merges: one token per character of an alphabet (bytes for everything else), or one per byte.
import { byteLevelAlphabet } from './_byte-level.ts';
import { badId, decodeAll, EMPTY, NONE_ADDED, type Tokenizer } from './tokenizer.ts';

const encoder = new TextEncoder();

/** Name of a byte token in a file. */
export const byteName = (b: number): string => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`;

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

/** The character tokenizer of given code points, in id order. */
export function fromAlphabet(points: readonly number[]): Tokenizer {
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
    added: NONE_ADDED,
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
    added: NONE_ADDED,
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
