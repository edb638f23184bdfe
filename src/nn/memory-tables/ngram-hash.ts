// Rows of a table by the last few tokens: an n-gram is hashed to a row, several hashes give several rows. Computed on the host
// from token ids and fed; 32-bit arithmetic that is exact in JavaScript.

export interface NgramHash {
  /** Tokens of an n-gram: the position's own and those before it. */
  readonly ngram: number;
  /** Rows of the table. */
  readonly entries: number;
  /** Independent hashes: rows of one position. */
  readonly hashes: number;
}

/**
 * Rows for each position, `[ids.length * hashes]`.
 * @param before ids before these, oldest first; positions before the start of the sequence count as id -1
 * @example
 * ngramRows({ ngram: 2, entries: 4096, hashes: 1 }, Int32Array.of(5, 9)); // rows of (-1, 5) and (5, 9)
 */
export function ngramRows(hash: NgramHash, ids: ArrayLike<number>, before: ArrayLike<number> = []): Int32Array {
  const { ngram, entries, hashes } = hash;
  const out = new Int32Array(ids.length * hashes);
  const lead = ngram - 1;
  /** The id at a place before these too. */
  const idAt = (t: number): number => (t >= 0 ? ids[t]! : (before[before.length + t] ?? -1));
  for (let m = 0; m < hashes; m++) {
    const salt = saltOf(m);
    for (let t = 0; t < ids.length; t++) {
      let h = 2166136261;
      for (let i = t - lead; i <= t; i++) {
        h = Math.imul(h ^ (t < lead ? idAt(i) : ids[i]!), 16777619);
        h ^= h >>> 15;
        h = Math.imul(h, salt);
        h ^= h >>> 13;
      }
      out[t * hashes + m] = (h >>> 0) % entries;
    }
  }
  return out;
}

/** An odd multiplier a hash. */
function saltOf(m: number): number {
  return (Math.imul(m + 1, 0x9e3779b1) >>> 0) | 1;
}
