// The words of events: how a list of terms is checked and packed, posting lists with counts, and the BM25 ranking that every
// store computes alike. Terms are keys: which word a key stands for is not known here. Source: Robertson and Zaragoza (2009).
import { CairnError } from '../errors.ts';
import { isSealed, readKey, seal, writeKey } from './_segments.ts';
import { largestScores, type PostingPart } from './_sharing.ts';
import { decodePostings, encodePostings, postingsContain, readVarint, varintLength, writeVarint } from './postings.ts';

/** The words of one event. */
export interface TermList {
  /** Distinct term keys, rising. */
  readonly keys: Float64Array;
  /** How often each occurs, at least 1. */
  readonly counts: Uint32Array;
  /** Length of the document in words, those without a key included. */
  readonly length: number;
}

export interface LexicalOptions {
  readonly limit: number;
  /** Per term a non-negative factor of its weight; 1 by default. */
  readonly weights?: readonly number[] | undefined;
  /** Saturation of the count; 1.2 by default. */
  readonly k1?: number | undefined;
  /** How much the length counts, in 0..1; 0.75 by default. */
  readonly b?: number | undefined;
  /** Events to score besides the best. */
  readonly also?: ArrayLike<number> | undefined;
  /** Weighs by these numbers instead of its own: they are of the whole of which this store is a part. */
  readonly whole?: Pick<Lexical, 'documents' | 'words' | 'frequency'> | undefined;
}

/** Events that hold some of the asked terms. */
export interface Lexical {
  /** Events with terms. */
  readonly documents: number;
  /** Sum of their lengths. */
  readonly words: number;
  /** Events with each term, in the order of the terms asked for. */
  readonly frequency: Uint32Array;
  /** Best first by BM25, then the latest; behind them those of `also` that hold any. */
  readonly hits: readonly { readonly ref: number; readonly score: number }[];
}

/** A stretch of a posting list with the count in each event; no counts means 1 everywhere. */
export interface CountedPart extends PostingPart {
  readonly counts?: Uint32Array | undefined;
}

/** Throws `bad_terms` unless the keys rise, every count is positive, and the length is no smaller than their sum. */
export function checkTerms({ keys, counts, length }: TermList): void {
  let sum = 0;
  let rising = keys.length === counts.length && Number.isSafeInteger(length) && length > 0;
  for (let i = 0; i < keys.length; i++) {
    rising &&= Number.isSafeInteger(keys[i]) && keys[i]! >= 0 && (i === 0 || keys[i]! > keys[i - 1]!) && counts[i]! > 0;
    sum += counts[i] ?? 0;
  }
  if (rising && sum <= length) return;
  throw new CairnError('bad_terms', 'Expected rising term keys with positive counts within the length, got others.', {
    hint: 'Sort the keys, count each once, and pass the number of words as length.',
  });
}

export function packTerms({ keys, counts, length }: TermList): Uint8Array {
  let size = varintLength(keys.length) + varintLength(length) + keys.length * 7 + 4;
  for (const n of counts) size += varintLength(n);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = writeVarint(out, writeVarint(out, 0, keys.length), length);
  for (let i = 0; i < keys.length; i++) {
    writeKey(view, at, keys[i]!);
    at = writeVarint(out, at + 7, counts[i]!);
  }
  return seal(out);
}

export function unpackTerms(bytes: Uint8Array): TermList {
  if (!isSealed(bytes)) {
    throw new CairnError('index_corrupt', 'Expected an intact list of terms, got one with another checksum.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [n, a] = readVarint(bytes, 0);
  const [length, b] = readVarint(bytes, a);
  const keys = new Float64Array(n);
  const counts = new Uint32Array(n);
  for (let i = 0, at = b; i < n; i++) {
    keys[i] = readKey(view, at);
    [counts[i], at] = readVarint(bytes, at + 7) as [number, number];
  }
  return { keys, counts, length };
}

/** Packs rising numbers of [0, span), each with a count: the list itself, then which counts exceed 1, then by how much. */
export function encodeCounted(values: Uint32Array, counts: Uint32Array | undefined, span: number): Uint8Array {
  const list = encodePostings(values, span);
  const several: number[] = [];
  if (counts !== undefined) for (let i = 0; i < counts.length; i++) if (counts[i]! > 1) several.push(i);
  const which = several.length === 0 ? new Uint8Array(0) : encodePostings(several, values.length);
  let size = varintLength(list.length) + list.length + (several.length === 0 ? 0 : varintLength(which.length));
  size += which.length;
  for (const i of several) size += varintLength(counts![i]! - 2);
  const out = new Uint8Array(size);
  let at = writeVarint(out, 0, list.length);
  out.set(list, at);
  at += list.length;
  if (several.length === 0) return out;
  at = writeVarint(out, at, which.length);
  out.set(which, at);
  at += which.length;
  for (const i of several) at = writeVarint(out, at, counts![i]! - 2);
  return out;
}

export function decodeCounted(
  bytes: Uint8Array,
  span: number,
): { values: Uint32Array; counts: Uint32Array | undefined } {
  const [length, start] = readVarint(bytes, 0);
  const values = decodePostings(bytes.subarray(start, start + length), span);
  if (start + length === bytes.length) return { values, counts: undefined };
  const [size, first] = readVarint(bytes, start + length);
  const several = decodePostings(bytes.subarray(first, first + size), values.length);
  const counts = new Uint32Array(values.length).fill(1);
  let at = first + size;
  for (const i of several) {
    const [more, next] = readVarint(bytes, at);
    counts[i] = more + 2;
    at = next;
  }
  return { values, counts };
}

/** Whether a packed list with counts holds a value, without unpacking it. */
export function countedContain(bytes: Uint8Array, value: number): boolean {
  const [length, start] = readVarint(bytes, 0);
  return postingsContain(bytes.subarray(start, start + length), value);
}

/** Inverse document frequency as BM25 has it, never negative. */
export function inverseFrequency(frequency: number, documents: number): number {
  return Math.log(1 + (documents - frequency + 0.5) / (frequency + 0.5));
}

/** BM25 score of one term in one document, without the inverse document frequency. */
export function termScore(count: number, length: number, average: number, k1 = 1.2, b = 0.75): number {
  return (count * (k1 + 1)) / (count + k1 * (1 - b + (b * length) / average));
}

/**
 * Ranks events by BM25 over some posting lists.
 *
 * @param lists per term its list in rising parts
 * @param lengths length of each document by reference; 0 where there is none
 * @param totals events with terms and the sum of their lengths
 */
export function rankTerms(
  lists: readonly (readonly CountedPart[])[],
  lengths: ArrayLike<number>,
  totals: { readonly documents: number; readonly words: number },
  options: LexicalOptions,
): Lexical {
  const { limit, weights, k1, b, also = [], whole } = options;
  const { documents, words } = totals;
  const frequency = Uint32Array.from(lists, (parts) => parts.reduce((n, part) => n + part.values.length, 0));
  if (documents === 0) return { documents, words, frequency, hits: [] };
  const average = whole === undefined ? words / documents : whole.words / whole.documents;
  const scores = new Float64Array(lengths.length);
  lists.forEach((parts, i) => {
    const idf = inverseFrequency(whole?.frequency[i] ?? frequency[i]!, whole?.documents ?? documents);
    const weight = idf * (weights?.[i] ?? 1);
    if (weight <= 0) return;
    for (const { base, values, counts } of parts) {
      for (let p = 0; p < values.length; p++) {
        const ref = base + values[p]!;
        scores[ref]! += weight * termScore(counts?.[p] ?? 1, lengths[ref]!, average, k1, b);
      }
    }
  });
  const best = limit <= 0 ? [] : largestScores(scores, limit);
  const listed = new Set(best);
  for (let i = 0; i < also.length; i++) if (scores[also[i]!]! > 0 && !listed.has(also[i]!)) best.push(also[i]!);
  return { documents, words, frequency, hits: best.map((ref) => ({ ref, score: scores[ref]! })) };
}
