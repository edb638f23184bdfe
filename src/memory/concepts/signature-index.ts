// Finds concepts with similar equations: 256-bit signs of their centred signature vectors in the tables of the memory's own
// index, then exact centred similarity. Not an index of points: a point is tested by its residual. Source: 2310.12143.
import { LshIndex, type LshOptions } from '../lsh.ts';
import { Signer } from '../signature.ts';
import { conceptSimilarity } from './algebra.ts';
import type { MomentSignature } from './moment-signature.ts';

export interface SimilarConcept {
  readonly ref: number;
  /** Centred similarity. */
  readonly similarity: number;
}

/**
 * An index over signatures by small integers.
 *
 * @example
 * const index = new SignatureIndex(20, 'seed');
 * index.set(3, signature);
 * index.nearest(signature, 1); // [{ ref: 3, similarity: 1 }]
 */
export class SignatureIndex {
  readonly #signer: Signer;
  readonly #index: LshIndex;
  readonly #signatures = new Map<number, MomentSignature>();

  /** @param features k of the signatures; the options are those of the tables. */
  constructor(features: number, seed: string | number, options: LshOptions = {}) {
    this.#signer = new Signer((features * (features + 1)) / 2, seed);
    this.#index = new LshIndex(options);
  }

  get count(): number {
    return this.#index.count;
  }

  /** Adds a signature or replaces the one with this reference. */
  set(ref: number, signature: MomentSignature): void {
    this.#signatures.set(ref, signature);
    this.#index.add(ref, this.#signer.sign(signature.toVector()).bits);
  }

  remove(ref: number): void {
    this.#signatures.delete(ref);
    this.#index.remove(ref);
  }

  /** The most similar concepts, best first, ties by reference. Misses some of the less similar ones in a large index. */
  nearest(signature: MomentSignature, limit: number): SimilarConcept[] {
    const signed = this.#signer.sign(signature.toVector());
    // The Hamming distance only sorts candidates: several times the limit are compared exactly.
    const near = this.#index.nearest([{ centre: 0, signed }], Math.max(32, limit * 8));
    return near
      .map(({ ref }) => ({ ref, similarity: conceptSimilarity(signature, this.#signatures.get(ref)!) }))
      .sort((a, b) => b.similarity - a.similarity || a.ref - b.ref)
      .slice(0, limit);
  }
}
