// One matrix of the block-random family as an operator: x → Σ_c x_c · column c and its adjoint, from columns that are made
// when they are first used. Columns have norm 1 and different matrices are incoherent, but a matrix is not orthogonal:
// decoders that need an inverse solve for it. After the construction of arXiv 1905.12730.
import { type BlockFamily, blockColumn } from './block-dictionary.ts';

/** Numbers per block of sketches of this family. */
export const BLOCK_SIZE = 32;
/** Share of blocks present in a column: enough for incoherence, few enough that single contributions stay visible. */
export const BLOCK_DENSITY = 0.25;

/** Columns of one matrix, kept as a sign per block row and one pattern. */
export class BlockMap {
  readonly #family: BlockFamily;
  readonly #name: string;
  /** [capacity, blocks] 0 where a block is absent. */
  #entries = new Float64Array(0);
  /** [capacity, size] ±1. */
  #patterns = new Float64Array(0);
  #known = 0;

  constructor(dim: number, seed: string, name: string) {
    this.#family = { seed, blocks: dim / BLOCK_SIZE, size: BLOCK_SIZE, density: BLOCK_DENSITY };
    this.#name = name;
  }

  /** Σ_c x_c · column c. @param x [d] @returns [d] */
  forward(x: Float64Array): Float64Array {
    const { blocks } = this.#family;
    const out = new Float64Array(x.length);
    for (let c = 0; c < x.length; c++) {
      if (x[c] === 0) continue;
      this.#expect(c + 1);
      for (let r = 0; r < blocks; r++) {
        const v = x[c]! * this.#entries[c * blocks + r]!;
        if (v === 0) continue;
        const at = r * BLOCK_SIZE;
        for (let i = 0; i < BLOCK_SIZE; i++) out[at + i] = out[at + i]! + v * this.#patterns[c * BLOCK_SIZE + i]!;
      }
    }
    return out;
  }

  /** ⟨column c, y⟩ of the first `count` columns, 0 behind them. @param y [d] @returns [d] */
  adjoint(y: Float64Array, count: number): Float64Array {
    const { blocks } = this.#family;
    this.#expect(count);
    const out = new Float64Array(y.length);
    for (let c = 0; c < count; c++) {
      let sum = 0;
      for (let r = 0; r < blocks; r++) {
        const entry = this.#entries[c * blocks + r]!;
        if (entry === 0) continue;
        let s = 0;
        for (let i = 0; i < BLOCK_SIZE; i++) s += this.#patterns[c * BLOCK_SIZE + i]! * y[r * BLOCK_SIZE + i]!;
        sum += entry * s;
      }
      out[c] = sum;
    }
    return out;
  }

  /** Makes the columns below `count`. */
  #expect(count: number): void {
    if (count <= this.#known) return;
    const { blocks } = this.#family;
    const capacity = this.#patterns.length / BLOCK_SIZE;
    if (count > capacity) {
      const larger = Math.max(count, 2 * capacity, 16);
      this.#entries = grown(this.#entries, larger * blocks);
      this.#patterns = grown(this.#patterns, larger * BLOCK_SIZE);
    }
    for (let c = this.#known; c < count; c++) {
      const column = blockColumn(this.#family, this.#name, c);
      const first = Math.floor(column.findIndex((v) => v !== 0) / BLOCK_SIZE) * BLOCK_SIZE;
      let power = 0;
      for (const v of column) power += v * v;
      // The pattern is known up to a sign; it is the first block's, so that block's entry is positive.
      for (let i = 0; i < BLOCK_SIZE; i++) this.#patterns[c * BLOCK_SIZE + i] = Math.sign(column[first + i]!);
      for (let r = 0; r < blocks; r++) {
        const agrees = column[r * BLOCK_SIZE]! * this.#patterns[c * BLOCK_SIZE]!;
        this.#entries[c * blocks + r] = agrees / Math.sqrt(power);
      }
    }
    this.#known = count;
  }
}

function grown(from: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(length);
  out.set(from);
  return out;
}
