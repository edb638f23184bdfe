// The labelled examples of one task, and columns over them: the value of any feature or module on every example, kept as it
// grows, and packed into bits where it is Boolean.
import type { Library } from './library.ts';
import type { Reference } from './model.ts';

/** Examples with targets, in the order they came. Every fourth is held out of training. */
export class Samples {
  readonly #library: Library;
  readonly #xs: ArrayLike<number>[] = [];
  readonly #ys: number[] = [];
  readonly #contexts: (ArrayLike<number> | undefined)[] = [];
  readonly #memos: Map<Reference, number>[] = [];
  readonly #columns = new Map<Reference, number[]>();
  readonly #bits = new Map<Reference, { words: Uint32Array; length: number; boolean: boolean }>();

  constructor(library: Library) {
    this.#library = library;
  }

  get count(): number {
    return this.#ys.length;
  }

  get targets(): readonly number[] {
    return this.#ys;
  }

  x(i: number): ArrayLike<number> {
    return this.#xs[i]!;
  }

  context(i: number): ArrayLike<number> | undefined {
    return this.#contexts[i];
  }

  add(x: ArrayLike<number>, y: number, context?: ArrayLike<number>): void {
    this.#push(x, y, context, new Map());
  }

  #push(x: ArrayLike<number>, y: number, context: ArrayLike<number> | undefined, memo: Map<Reference, number>): void {
    this.#xs.push(x);
    this.#ys.push(y);
    this.#contexts.push(context);
    this.#memos.push(memo);
  }

  /** Values of a reference on all examples. */
  column(reference: Reference): readonly number[] {
    let column = this.#columns.get(reference);
    if (column === undefined) this.#columns.set(reference, (column = []));
    for (let i = column.length; i < this.#xs.length; i++) {
      column.push(this.#library.evaluate(reference, this.#xs[i]!, this.#memos[i]!));
    }
    return column;
  }

  /** The value of a reference on one example. */
  valueAt(reference: Reference, i: number): number {
    return this.#library.evaluate(reference, this.#xs[i]!, this.#memos[i]!);
  }

  /** A reference's values as bits, or nothing when one of them is neither 0 nor 1. */
  bits(reference: Reference): Uint32Array | undefined {
    let entry = this.#bits.get(reference);
    if (entry === undefined)
      this.#bits.set(reference, (entry = { words: new Uint32Array(4), length: 0, boolean: true }));
    if (!entry.boolean) return undefined;
    const column = this.column(reference);
    const words = Math.max(4, 2 ** Math.ceil(Math.log2(Math.max(1, column.length / 32))));
    if (words > entry.words.length) {
      const grown = new Uint32Array(words);
      grown.set(entry.words);
      entry.words = grown;
    }
    for (; entry.length < column.length; entry.length++) {
      const v = column[entry.length]!;
      if (v === 1) entry.words[entry.length >>> 5]! |= 1 << (entry.length & 31);
      else if (v !== 0) {
        entry.boolean = false;
        return undefined;
      }
    }
    return entry.words;
  }

  /** Targets as bits; only when all are 0 or 1. */
  targetBits(): Uint32Array {
    const words = new Uint32Array(Math.max(1, Math.ceil(this.#ys.length / 32)));
    this.#ys.forEach((y, i) => {
      if (y === 1) words[i >>> 5]! |= 1 << (i & 31);
    });
    return words;
  }

  /** The examples `from` to `to` as samples of their own; what was evaluated on them stays known. */
  slice(from: number, to: number): Samples {
    return this.pick(Array.from({ length: to - from }, (_, i) => from + i));
  }

  /** The examples with these indices as samples of their own. */
  pick(indices: readonly number[]): Samples {
    const part = new Samples(this.#library);
    for (const i of indices) part.#push(this.#xs[i]!, this.#ys[i]!, this.#contexts[i], this.#memos[i]!);
    return part;
  }
}

/** Whether example `i` is kept out of training. */
export const isHeldOut = (i: number): boolean => i % 4 === 3;

/** Number of set bits of a 32-bit word. */
export function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
