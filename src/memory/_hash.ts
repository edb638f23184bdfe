// Hashes of the memory: 53-bit keys of components, 128-bit content ids of events, CRC-32 of stored rows. The keys are fast
// and not cryptographic; the ids are a prefix of SHA-256.
import { createHash } from 'node:crypto';

/** Two 32-bit lanes, mixed word by word; the result is an integer below 2^53 that a Map, SQLite and JSON hold exactly. */
export class KeyHash {
  #a: number;
  #b: number;

  constructor(seed: number) {
    this.#a = (0x9e3779b9 ^ seed) | 0;
    this.#b = (0x85ebca6b + Math.imul(seed, 0xc2b2ae35)) | 0;
  }

  word(value: number): this {
    const a = Math.imul(this.#a ^ value, 0xcc9e2d51);
    const b = Math.imul(this.#b + value, 0x1b873593);
    this.#a = Math.imul((a << 15) | (a >>> 17), 0x85ebca6b) ^ (b >>> 13);
    this.#b = Math.imul((b << 13) | (b >>> 19), 0xc2b2ae35) ^ (a >>> 16);
    return this;
  }

  /** A key below 2^53 as two words. */
  key(value: number): this {
    return this.word(value | 0).word(Math.floor(value / 4294967296));
  }

  text(value: string): this {
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
    return this.word(value.length ^ 0x5bd1e995);
  }

  digest(): number {
    const a = finish(this.#a ^ Math.imul(this.#b, 0x27d4eb2f));
    const b = finish(this.#b ^ a);
    return (a >>> 0) + (b & 0x1fffff) * 4294967296;
  }
}

function finish(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The first `bytes` bytes of the SHA-256 of the parts, each preceded by its length. */
export function contentHash(parts: readonly Uint8Array[], bytes = 16): Uint8Array {
  const hash = createHash('sha256');
  const length = new DataView(new ArrayBuffer(4));
  for (const part of parts) {
    length.setUint32(0, part.length, true);
    hash.update(new Uint8Array(length.buffer));
    hash.update(part);
  }
  return new Uint8Array(hash.digest()).slice(0, bytes);
}
