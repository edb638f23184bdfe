// What is wrong with a board that was read from an image: which clues take part in a contradiction. It needs no
// probabilities; repair.ts weighs the alternatives.
import { countFast } from './fast.ts';
import { clashes, type Grid } from './geometry.ts';

export interface Diagnosis {
  /** How many solutions the board has as it was read. */
  readonly state: 'unique' | 'several' | 'unsolvable';
  /** The solution, when there is exactly one. */
  readonly solution?: Grid;
  /** Clues whose removal alone makes the board solvable; empty when more than one clue must be wrong. */
  readonly implicated: readonly number[];
  /** A contradictory set of clues from which none can be left out: at least one of them is wrong. */
  readonly core: readonly number[];
  /** Pairs of equal digits that see each other. */
  readonly clashes: readonly (readonly [number, number])[];
}

/**
 * Says whether a 9x9 board is solvable and, if not, which clues are implicated.
 * @param board 81 cells, 0 = empty
 * @param doubt per cell how unsure the reading is; the core prefers cells with more doubt
 *
 * @example
 * const { state, implicated } = diagnose(board); // read the implicated cells again with a larger reader
 */
export function diagnose(board: ArrayLike<number>, doubt?: ArrayLike<number>): Diagnosis {
  const work = Uint8Array.from(board);
  const solutions: Grid[] = [];
  const count = countFast(work, 2, solutions);
  if (count > 0) {
    const base = { implicated: [], core: [], clashes: [] };
    return count === 1 ? { state: 'unique', solution: solutions[0]!, ...base } : { state: 'several', ...base };
  }
  const clues = [...work.keys()].filter((cell) => work[cell] !== 0);
  const implicated = clues.filter((cell) => {
    const value = work[cell]!;
    work[cell] = 0;
    const solvable = countFast(work, 1) > 0;
    work[cell] = value;
    return solvable;
  });
  // Surest clues are dropped first, as long as the contradiction stays; what is left is a minimal core.
  const order = doubt === undefined ? clues : clues.toSorted((a, b) => doubt[a]! - doubt[b]!);
  for (const cell of order) {
    const value = work[cell]!;
    work[cell] = 0;
    if (countFast(work, 1) > 0) work[cell] = value;
  }
  return { state: 'unsolvable', implicated, core: clues.filter((cell) => work[cell] !== 0), clashes: clashes(board) };
}
