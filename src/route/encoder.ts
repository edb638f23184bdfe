// What a router sees of an input before any module has run: a short feature vector that costs next to nothing. One interface;
// this file has the encoder for small grey images. Text has its own.
import { CairnError } from '../errors.ts';

/** Turns inputs into features. The same input always gives the same bytes. */
export interface Encoder<I> {
  /** Names the features; a router fitted on other features is refused. */
  readonly id: string;
  readonly dim: number;
  /** Operations per input, for honest accounting. */
  readonly flop: number;
  /** Writes [dim] features of one input to `out` at `offset`. */
  embed(input: I, out: Float32Array, offset: number): void;
}

/** Features of n inputs, [n, dim]. */
export function embedAll<I>(encoder: Encoder<I>, inputs: readonly I[]): Float32Array {
  const out = new Float32Array(inputs.length * encoder.dim);
  inputs.forEach((input, i) => encoder.embed(input, out, i * encoder.dim));
  return out;
}

/**
 * Cheap statistics of a square grey image: mean ink of a grid of cells, scaled to unit norm, and the norm itself (as
 * log(1 + total ink), divided by 8 so that it weighs about as much as one cell).
 * @param side pixels on a side, a multiple of `cells`
 * @example
 * pooledInk(28, 7).dim; // 50
 */
export function pooledInk(side: number, cells: number): Encoder<ArrayLike<number>> {
  if (side % cells !== 0) {
    throw new CairnError('bad_parameter', `Expected a side that is a multiple of ${cells}, got ${side}.`);
  }
  const block = side / cells;
  const pooled = cells * cells;
  return {
    id: `pooled-ink/${side}x${cells}`,
    dim: pooled + 1,
    flop: side * side + 4 * pooled,
    embed(input, out, offset) {
      if (input.length !== side * side) {
        throw new CairnError('shape_mismatch', `Expected ${side * side} pixels, got ${input.length}.`);
      }
      out.fill(0, offset, offset + pooled + 1);
      let total = 0;
      for (let y = 0; y < side; y++) {
        const base = offset + Math.floor(y / block) * cells;
        for (let x = 0; x < side; x++) {
          const ink = input[y * side + x]!;
          const i = base + Math.floor(x / block);
          out[i] = out[i]! + ink;
          total += ink;
        }
      }
      let norm = 0;
      for (let i = 0; i < pooled; i++) norm += out[offset + i]! ** 2;
      const scale = norm > 0 ? 1 / Math.sqrt(norm) : 0;
      for (let i = 0; i < pooled; i++) out[offset + i] = out[offset + i]! * scale;
      out[offset + pooled] = Math.log1p(total) / 8;
    },
  };
}
