// Hashed TF-IDF: every term falls on four signed coordinates of R^512, so that texts which share words have a large inner
// product whatever the vocabulary. The signed vector is split into its positive and negative half, since attributes are
// non-negative. Source: feature hashing (Weinberger et al. 2009).
import { KeyHash } from '../_hash.ts';
import { countTerms, TRIGRAM_WEIGHT, trigrams } from './tokens.ts';

/** Signed coordinates, and attributes after the split. */
export const HASH_DIM = 512;
export const ATTRIBUTES = 2 * HASH_DIM;
const COORDINATES = 4;
/** Share of the previous and the next turn in a turn's own vector. */
export const CONTEXT = { previous: 0.4, next: 0.2 } as const;

/** Inverse document frequency of a term, as far as it is known. */
export type Rarity = (term: string) => number;

/** The key of a term: what the inverted index and the vectors know it by. */
export function termKey(term: string): number {
  return new KeyHash(0x7e47).text(term).digest();
}

/**
 * The vector of a list of terms, weights (1 + ln count) · rarity, character 3-grams beside them; not normalised.
 * @returns [1024], non-negative
 */
export function textVector(terms: readonly string[], rarity: Rarity): Float64Array {
  const vector = new Float64Array(ATTRIBUTES);
  for (const [term, count] of countTerms(terms)) {
    const weight = (1 + Math.log(count)) * rarity(term);
    addTerm(vector, term, weight);
    if (/^\p{L}{4,}$/u.test(term)) for (const gram of trigrams(term)) addTerm(vector, gram, TRIGRAM_WEIGHT * weight);
  }
  return vector;
}

/** A turn in its context: 0.4 of the previous and 0.2 of the next turn added, then norm 1 (or 0 for no words at all). */
export function inContext(
  own: ArrayLike<number>,
  previous: ArrayLike<number> | undefined,
  next: ArrayLike<number> | undefined,
): Float32Array {
  const mixed = Float64Array.from(own);
  for (let i = 0; i < mixed.length; i++) {
    mixed[i]! += CONTEXT.previous * (previous?.[i] ?? 0) + CONTEXT.next * (next?.[i] ?? 0);
  }
  return normalised(mixed);
}

/** Norm just below 1, so that rounding to 32 bits never exceeds it. */
export function normalised(vector: ArrayLike<number>): Float32Array {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i]! * vector[i]!;
  const scale = sum === 0 ? 0 : (1 - 1e-6) / Math.sqrt(sum);
  return Float32Array.from(vector, (x) => x * scale);
}

/** A signed vector as non-negative attributes, positive parts first; folded, with signs, when it is longer than `most`. */
export function split(signed: ArrayLike<number>, most: number): Float64Array {
  const half = Math.min(signed.length, most >>> 1);
  const folded = new Float64Array(half);
  for (let i = 0; i < signed.length; i++) {
    const block = Math.floor(i / half);
    folded[i % half]! += (block === 0 || new KeyHash(block).word(i).digest() % 2 === 0 ? 1 : -1) * signed[i]!;
  }
  const out = new Float64Array(2 * half);
  for (let i = 0; i < half; i++) out[folded[i]! >= 0 ? i : half + i] = Math.abs(folded[i]!);
  return out;
}

/** Fewer attributes for a smaller sketch: each half folded on itself. */
export function narrowed(vector: Float32Array, most: number): Float32Array {
  if (vector.length <= most) return vector;
  const from = vector.length >>> 1;
  const half = most >>> 1;
  const out = new Float64Array(2 * half);
  for (let i = 0; i < vector.length; i++) out[i < from ? i % half : half + ((i - from) % half)]! += vector[i]!;
  return normalised(out);
}

/** The vector of one name: eight equal coordinates, so that equal names, and only they, have equal component keys. */
export function nameVector(name: string): Float32Array {
  const vector = new Float64Array(64);
  const hash = new KeyHash(0x6e616d).text(name);
  for (let i = 0, set = 0; set < 8; i++) {
    const at = hash.word(i).digest() % 64;
    if (vector[at] === 0) set++;
    vector[at] = 1;
  }
  return normalised(vector);
}

function addTerm(vector: Float64Array, term: string, weight: number): void {
  const hash = new KeyHash(0x7465726d).text(term);
  for (let i = 0; i < COORDINATES; i++) {
    const bits = hash.word(i).digest();
    vector[(bits % HASH_DIM) + ((bits / HASH_DIM) & 1) * HASH_DIM]! += weight;
  }
}
