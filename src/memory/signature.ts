// 256-bit signatures of sketches: the signs of three seeded sign-Hadamard rounds over the centred sketch, so that the share
// of differing bits estimates the angle. Not an index: see lsh.ts. Source: random hyperplane hashing (Charikar 2002) with
// the fast rounds of Ailon and Chazelle (2009) in place of Gaussian rows.
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';

/** Bits in a signature; eight 32-bit words. */
export const SIGNATURE_BITS = 256;
export const SIGNATURE_WORDS = 8;

/** A signature and the projections whose signs it holds: their size says which bits are unsure. */
export interface Signed {
  readonly bits: Uint32Array; // [8]
  readonly projections: Float32Array; // [256]
}

/**
 * Makes signatures of vectors of one length.
 *
 * @example
 * const signer = new Signer(1024, 'store-seed');
 * signer.sign(sketch, mean).bits; // Uint32Array(8)
 */
export class Signer {
  readonly dim: number;
  readonly #padded: number;
  readonly #signs: Uint32Array[];
  readonly #work: Float32Array;

  constructor(dim: number, seed: string | number) {
    if (!Number.isInteger(dim) || dim < 1) {
      throw new CairnError('bad_dimension', `Expected a positive integer as dimension, got ${dim}.`);
    }
    this.dim = dim;
    this.#padded = Math.max(SIGNATURE_BITS, 2 ** Math.ceil(Math.log2(dim)));
    const rng = new Rng(seed).fork('memory/signature');
    this.#signs = [0, 1, 2].map((round) => {
      const stream = rng.fork(round);
      return Uint32Array.from({ length: this.#padded >>> 5 }, () => stream.u32());
    });
    this.#work = new Float32Array(this.#padded);
  }

  /** Signs of G(values - centre); shorter values count as zero-padded, so a truncated sketch can be signed again. */
  sign(values: ArrayLike<number>, centre?: ArrayLike<number>): Signed {
    if (values.length > this.dim) {
      throw new CairnError('dimension_mismatch', `Expected at most ${this.dim} numbers, got ${values.length}.`, {
        hint: 'Use a sketch that was made with the specification of this memory.',
      });
    }
    const work = this.#work;
    work.fill(0);
    // A shortened sketch is compared in what is left of it, so the centre is cut to the same length.
    for (let i = 0; i < values.length; i++) work[i] = values[i]! - (centre === undefined ? 0 : (centre[i] ?? 0));
    for (const signs of this.#signs) {
      for (let i = 0; i < work.length; i++) work[i] = (1 - 2 * ((signs[i >>> 5]! >>> (i & 31)) & 1)) * work[i]!;
      hadamard(work);
    }
    const projections = work.slice(0, SIGNATURE_BITS);
    const bits = new Uint32Array(SIGNATURE_WORDS);
    for (let i = 0; i < SIGNATURE_BITS; i++) if (projections[i]! > 0) bits[i >>> 5]! |= 1 << (i & 31);
    return { bits, projections };
  }
}

/**
 * Unnormalised Walsh-Hadamard transform in place: only signs and relative sizes are read afterwards. Two levels at a time;
 * `fround` keeps every sum as one level at a time would have stored it, so signatures stay the same bits.
 */
function hadamard(x: Float32Array): void {
  const n = x.length;
  const round = Math.fround;
  let h = 1;
  for (; h * 4 <= n; h *= 4) {
    const h2 = 2 * h;
    const h3 = 3 * h;
    for (let i = 0; i < n; i += h * 4) {
      for (let j = i; j < i + h; j++) {
        const a = x[j]!;
        const b = x[j + h]!;
        const c = x[j + h2]!;
        const d = x[j + h3]!;
        const p = round(a + b);
        const q = round(a - b);
        const r = round(c + d);
        const s = round(c - d);
        x[j] = p + r;
        x[j + h] = q + s;
        x[j + h2] = p - r;
        x[j + h3] = q - s;
      }
    }
  }
  if (h < n) {
    for (let j = 0; j < h; j++) {
      const a = x[j]!;
      const b = x[j + h]!;
      x[j] = a + b;
      x[j + h] = a - b;
    }
  }
}

/** Number of differing bits of two signatures, each read at its own offset in words. */
export function hamming(a: Uint32Array, b: Uint32Array, aOffset = 0, bOffset = 0, words = SIGNATURE_WORDS): number {
  let sum = 0;
  for (let i = 0; i < words; i++) {
    let v = a[aOffset + i]! ^ b[bOffset + i]!;
    v -= (v >>> 1) & 0x55555555;
    v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
    sum += Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return sum;
}

/** The cosine that a Hamming distance stands for: cos(pi * distance / 256); its angle has a sd of about 0.1 rad. */
export function cosineOfHamming(distance: number, bits = SIGNATURE_BITS): number {
  return Math.cos((Math.PI * distance) / bits);
}
