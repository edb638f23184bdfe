// The self-similar adversary: bits whose halves agree a little more often than not, at every scale alike. A stress
// generator for predictors, with its exact moments. After arXiv 1304.7576; the formalisation here is our own.
import type { Rng } from '../tensor/index.ts';
import { checkInteger, checkRange } from './_check.ts';

/** A Hurst exponent from the correlation of the halves of a block: E S_n^2 = n^(2H) when kappa is the same at all scales. */
export function hurstOf(kappa: number): number {
  return (1 + Math.log2(1 + kappa)) / 2;
}

/**
 * The correlation of halves that gives a gain `deviation` in the variance of the sum of 2^levels bits at least cost, for
 * every increasing convex cost: the same at all levels.
 *
 * @example
 * equalKappa(4, 10); // 4^(1/10) - 1 = 0.1487
 */
export function equalKappa(deviation: number, levels: number): number {
  checkRange('deviation', deviation, 1e-9, 1e9);
  checkInteger('levels', levels, 1, 60);
  return deviation ** (1 / levels) - 1;
}

/**
 * 2^levels bits. Blocks are joined two by two; the second is negated so that the signs of the two sums agree with chance
 * (1 + q) / 2. Ties are left.
 * @param q in [-1,1]: 0 gives fair bits, positive values trends, negative ones reversals.
 *
 * @example
 * fractalBits(10, 0.3, new Rng(7)); // 1,024 bits with Hurst exponent about 0.63
 */
export function fractalBits(levels: number, q: number, rng: Rng): Float64Array {
  checkInteger('levels', levels, 0, 24);
  checkRange('q', q, -1, 1);
  const bits = Float64Array.from({ length: 2 ** levels }, () => rng.rademacher());
  let sums = bits.slice();
  for (let level = 0; level < levels; level++) {
    const half = 2 ** level;
    const joined = new Float64Array(sums.length / 2);
    for (let block = 0; block < joined.length; block++) {
      const first = sums[2 * block]!;
      let second = sums[2 * block + 1]!;
      const agree = rng.bernoulli((1 + q) / 2);
      if (first * second !== 0 && first * second > 0 !== agree) {
        second = -second;
        const start = (2 * block + 1) * half;
        for (let t = start; t < start + half; t++) bits[t] = -bits[t]!;
      }
      joined[block] = first + second;
    }
    sums = joined;
  }
  return bits;
}

/** Exact moments of the sum S of 2^levels fractal bits. */
export interface FractalMoments {
  /** E|S| and E S^2. */
  readonly meanAbsolute: number;
  readonly meanSquare: number;
  /** Correlation of the halves at every level, from pairs of bits to the whole. */
  readonly kappas: readonly number[];
  /** log E S^2 / log 2^levels / 2. */
  readonly hurst: number;
}

/** By convolution of the distribution of |S|, level by level: O(4^levels) steps. */
export function fractalMoments(levels: number, q: number): FractalMoments {
  checkInteger('levels', levels, 1, 13);
  checkRange('q', q, -1, 1);
  let chance = Float64Array.of(0, 1); // of |S| = 0, 1, ...
  const kappas: number[] = [];
  for (let level = 0; level < levels; level++) {
    const [mean, square] = [moment(chance, 1), moment(chance, 2)];
    kappas.push((q * mean * mean) / square);
    const next = new Float64Array(2 * chance.length - 1);
    for (let a = 0; a < chance.length; a++) {
      if (chance[a] === 0) continue;
      for (let b = 0; b < chance.length; b++) {
        const both = chance[a]! * chance[b]!;
        next[a + b]! += (both * (1 + q)) / 2;
        next[Math.abs(a - b)]! += (both * (1 - q)) / 2;
      }
    }
    chance = next;
  }
  const meanSquare = moment(chance, 2);
  return { meanAbsolute: moment(chance, 1), meanSquare, kappas, hurst: Math.log2(meanSquare) / (2 * levels) };
}

function moment(chance: Float64Array, power: number): number {
  return chance.reduce((sum, p, a) => sum + p * a ** power, 0);
}
