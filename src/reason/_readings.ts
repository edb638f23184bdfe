// The weights of a board reading relative to its most likely digits, and the sets of cells that may deviate from them, in
// order of decreasing weight. Used by repair.ts only.
import { CairnError } from '../errors.ts';

/** A cell that may hold a clue. */
export interface ReadCell {
  readonly cell: number;
  /** The most likely class, 0 = blank. */
  readonly top: number;
  /** [10] probability of each class over that of the top class; the top itself has 1. */
  readonly ratio: Float64Array;
  /** Sum of the ratios of all other classes: the odds that the top class is wrong. */
  readonly odds: number;
}

/** Below this a class "blank" or, beside a certain blank, a digit does not count as possible. */
const BLANK_EPSILON = 1e-6;

/**
 * The cells that may hold a clue, most doubtful first.
 * @param probabilities [81][10] or flat [810], class 0 = blank
 * @param floor least probability of every digit of a cell that is not blank
 * @throws CairnError `bad_probabilities`
 */
export function readCells(probabilities: ArrayLike<number> | ArrayLike<ArrayLike<number>>, floor: number): ReadCell[] {
  const nested = probabilities.length === 81;
  if (!nested && probabilities.length !== 810) {
    throw new CairnError(
      'bad_probabilities',
      `Expected 81 rows of 10 probabilities, got ${probabilities.length} entries.`,
      {
        hint: 'Pass one row per cell with the classes blank, 1, ..., 9.',
      },
    );
  }
  const cells: ReadCell[] = [];
  for (let cell = 0; cell < 81; cell++) {
    const p = new Float64Array(10);
    let total = 0;
    for (let value = 0; value < 10; value++) {
      const row = nested ? (probabilities[cell] as ArrayLike<number>) : undefined;
      const x = row === undefined ? (probabilities[10 * cell + value] as number) : row[value];
      if (x === undefined || !(x >= 0) || !Number.isFinite(x)) {
        throw new CairnError(
          'bad_probabilities',
          `Expected probabilities, got ${String(x)} for class ${value} of cell ${cell}.`,
        );
      }
      p[value] = x;
      total += x;
    }
    if (!(total > 0))
      throw new CairnError('bad_probabilities', `Expected a positive sum at cell ${cell}, got ${total}.`);
    for (let value = 0; value < 10; value++) p[value]! /= total;
    if (p[0]! > 1 - BLANK_EPSILON) continue;
    if (p[0]! < BLANK_EPSILON) p[0] = 0;
    let top = 0;
    for (let value = 0; value < 10; value++) {
      if (value > 0) p[value] = Math.max(p[value]!, floor * (1 - p[0]!));
      if (p[value]! > p[top]!) top = value;
    }
    const ratio = p.map((x) => x / p[top]!);
    const odds = ratio.reduce((sum, x) => sum + x, 0) - 1;
    cells.push({ cell, top, ratio, odds });
  }
  return cells.sort((a, b) => b.odds - a.odds);
}

/**
 * A set of readings: the cells of `deviating` differ from their top class, the first `open` cells are free (unless they
 * deviate), all others are as read. Cells are indices into the list of `readCells`.
 */
export interface ReadingSet {
  readonly deviating: readonly number[];
  readonly open: number;
  /** Relative probability of all readings of the set. */
  readonly mass: number;
  /** True for sets that have successors in the enumeration, false for parts of a set that was split. */
  readonly whole: boolean;
}

/**
 * Partition of all readings into sets, taken by decreasing mass: first the one where only the `open` most doubtful cells
 * are free, then those where one sure cell deviates, then two, and so on. A set can be split when it is too large to solve.
 */
export class ReadingQueue {
  readonly #cells: readonly ReadCell[];
  readonly #open: number;
  readonly #heap: ReadingSet[] = [];

  constructor(cells: readonly ReadCell[], open: number) {
    this.#cells = cells;
    this.#open = open;
    this.#push([], open, true);
  }

  /** The next set, or undefined when all were taken. Queues its successors. */
  next(): ReadingSet | undefined {
    const best = this.#pop();
    if (best === undefined || !best.whole) return best;
    const { deviating } = best;
    const last = deviating.at(-1);
    const after = last === undefined ? this.#open : last + 1;
    if (after < this.#cells.length) {
      this.#push([...deviating, after], this.#open, true);
      if (last !== undefined) this.#push([...deviating.slice(0, -1), after], this.#open, true);
    }
    return best;
  }

  /** Splits a set by its least doubtful free cell; false when it has none. */
  split({ deviating, open }: ReadingSet): boolean {
    let cell = open - 1;
    while (deviating.includes(cell)) cell--;
    if (cell < 0) return false;
    this.#push(deviating, cell, false);
    this.#push([...deviating, cell], cell, false);
    return true;
  }

  #push(deviating: readonly number[], open: number, whole: boolean): void {
    const cells = this.#cells;
    let mass = 1;
    for (const i of deviating) mass *= cells[i]!.odds;
    for (let i = 0; i < open; i++) if (!deviating.includes(i)) mass *= 1 + cells[i]!.odds;
    const heap = this.#heap;
    let at = heap.push({ deviating, open, mass, whole }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.mass >= heap[at]!.mass) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  #pop(): ReadingSet | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      let largest = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child]!.mass > heap[largest]!.mass) largest = child;
      }
      if (largest === at) return first;
      [heap[largest], heap[at]] = [heap[at]!, heap[largest]!];
      at = largest;
    }
  }
}
