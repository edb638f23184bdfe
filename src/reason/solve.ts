// Counting and proving for boards of any size: the fast solver where it applies, the reference solver elsewhere, and
// certificates for every verdict. Nothing here is trusted: check.ts replays what is written.
import { countFast } from './fast.ts';
import { formatGrid, type Grid } from './geometry.ts';
import { countReference, searchProof } from './reference.ts';
import { traceSolve, type TraceOptions } from './trace.ts';
import type { SudokuCertificate } from './types.ts';

/**
 * Counts the solutions of a board of any size up to `limit`.
 * @param solutions receives the solutions that were counted, when given
 *
 * @example
 * countSolutions(puzzle); // 1: exactly one, 2: at least two
 */
export function countSolutions(puzzle: ArrayLike<number>, limit = 2, solutions?: Grid[]): number {
  return puzzle.length === 81 ? countFast(puzzle, limit, solutions) : countReference(puzzle, limit, solutions);
}

/** The solution of a board that has exactly one, else undefined. */
export function solveUnique(puzzle: ArrayLike<number>): Grid | undefined {
  const solutions: Grid[] = [];
  return countSolutions(puzzle, 2, solutions) === 1 ? solutions[0] : undefined;
}

/** What could be proved about a board. `abstain`: the proof would be longer than allowed, so nothing is claimed. */
export type Verdict =
  | { readonly verdict: 'unique'; readonly solution: Grid; readonly certificate: SudokuCertificate }
  | { readonly verdict: 'unsolvable'; readonly certificate: SudokuCertificate }
  | { readonly verdict: 'several'; readonly certificate: SudokuCertificate }
  | { readonly verdict: 'abstain'; readonly maxBytes: number };

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/**
 * Proves that a board has exactly one solution, none, or several, with a certificate that `checkCertificate` replays.
 * @param options.maxBytes longest search tree, one byte per node; default 4096
 *
 * @example
 * const proof = proveSudoku(puzzle);
 * if (proof.verdict === 'unique') checkCertificate(puzzle, proof.certificate).ok; // true
 */
export function proveSudoku(puzzle: ArrayLike<number>, options: { readonly maxBytes?: number } = {}): Verdict {
  const { maxBytes = 4096 } = options;
  const { solutions, tree, exceeded } = searchProof(puzzle, maxBytes);
  const [first, second] = solutions;
  if (first !== undefined && second !== undefined) {
    const grids = [formatGrid(first), formatGrid(second)] as const;
    return { verdict: 'several', certificate: { kind: 'several', grids } };
  }
  if (exceeded) return { verdict: 'abstain', maxBytes };
  if (first === undefined) return { verdict: 'unsolvable', certificate: { kind: 'unsolvable', tree: toBase64(tree) } };
  const certificate = { kind: 'unique', grid: formatGrid(first), tree: toBase64(tree) } as const;
  return { verdict: 'unique', solution: first, certificate };
}

/**
 * A step by step solution as certificate, or undefined when the strategies do not reach the end. A valid trace also shows
 * that there is no other solution, because every step is forced.
 */
export function certifyTrace(puzzle: ArrayLike<number>, options: TraceOptions = {}): SudokuCertificate | undefined {
  const { solved, steps, grid } = traceSolve(puzzle, options);
  return solved ? { kind: 'trace', steps, grid: formatGrid(grid) } : undefined;
}
