// Puzzle generator: a random full grid, then clues are taken away as long as one solution is left. Grids come from a
// depth-first search with shuffled digits and a random symmetry, which is close to uniform over all grids but not exactly.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import { countFast, hasOther } from './fast.ts';
import { clueCount, geometryOf, type Grid, type Size } from './geometry.ts';
import { countReference } from './reference.ts';
import { applySymmetry, randomSymmetry } from './symmetry.ts';
import { gradeSudoku, type Tier } from './trace.ts';

export interface GenerateOptions {
  /** Board size. Default 9. */
  readonly n?: Size;
  readonly rng: Rng;
  /** Stop at this many clues, or go on until every clue is needed. Default `minimal`; not used for redundant boards. */
  readonly clues?: number | 'minimal';
  /** Accept only puzzles of this difficulty. */
  readonly tier?: Tier;
  /**
   * `single`: every clue can be left out and the board still has one solution, so a single misread clue always
   * contradicts the others. Such 9x9 boards have 31 to 36 clues, seldom fewer.
   */
  readonly redundancy?: 'none' | 'single';
  /** Give up after this many boards that do not fit the wishes. Default 1000. */
  readonly maxAttempts?: number;
}

export interface GeneratedSudoku {
  readonly puzzle: Grid;
  readonly solution: Grid;
  /** Boards that were made until one fitted: 1 / attempts estimates the acceptance rate. */
  readonly attempts: number;
}

const MAX_NODES = 2000;

function fillGrid(n: Size, rng: Rng): Grid {
  const { unitsOf } = geometryOf(n);
  const all = (1 << n) - 1;
  const grid = new Uint8Array(n * n);
  const used = new Uint16Array(3 * n);
  let nodes = 0;
  const descend = (): boolean => {
    let best = -1;
    let bestMask = 0;
    let fewest = 99;
    for (let cell = 0; cell < grid.length; cell++) {
      if (grid[cell] !== 0) continue;
      const units = unitsOf[cell]!;
      const mask = all & ~(used[units[0]!]! | used[units[1]!]! | used[units[2]!]!);
      let count = 0;
      for (let m = mask; m; m &= m - 1) count++;
      if (count >= fewest) continue;
      fewest = count;
      best = cell;
      bestMask = mask;
      if (count <= 1) break;
    }
    if (best < 0) return true;
    const [row = 0, column = 0, box = 0] = unitsOf[best]!;
    for (let left = fewest; left > 0; left--) {
      if (++nodes > MAX_NODES) return false;
      let skip = left === 1 ? 0 : rng.integer(left);
      let bit = bestMask;
      while (skip-- > 0) bit &= bit - 1;
      bit &= -bit;
      bestMask ^= bit;
      grid[best] = 32 - Math.clz32(bit);
      used[row]! |= bit;
      used[column]! |= bit;
      used[box]! |= bit;
      if (descend()) return true;
      used[row]! &= ~bit;
      used[column]! &= ~bit;
      used[box]! &= ~bit;
    }
    grid[best] = 0;
    return false;
  };
  for (;;) {
    nodes = 0;
    grid.fill(0);
    used.fill(0);
    if (descend()) return grid;
  }
}

/**
 * A random full grid.
 *
 * @example
 * isSolution(randomGrid(9, new Rng(7))); // true
 */
export function randomGrid(n: Size, rng: Rng): Grid {
  return applySymmetry(randomSymmetry(n, rng), fillGrid(n, rng));
}

function isUnique(puzzle: Grid): boolean {
  return (puzzle.length === 81 ? countFast(puzzle, 2) : countReference(puzzle, 2)) === 1;
}

/** True when the clue at `cell` can go: without it the board still has one solution. */
function canDrop(puzzle: Grid, cell: number, value: number): boolean {
  if (puzzle.length === 81) return !hasOther(puzzle, cell, value);
  const kept = puzzle[cell]!;
  puzzle[cell] = 0;
  const unique = countReference(puzzle, 2) === 1;
  puzzle[cell] = kept;
  return unique;
}

/**
 * Takes clues away in random order until `target` are left or none can go. Several are tried at once while boards are
 * full: when all of them can go together, each could have gone alone, so the result is that of single steps.
 */
function dig(solution: Grid, target: number, rng: Rng): Grid {
  const puzzle = solution.slice();
  const order = rng.permutation(puzzle.length);
  let left = puzzle.length;
  const removeRange = (from: number, to: number): void => {
    if (to - from === 1) {
      const cell = order[from]!;
      if (left > target && canDrop(puzzle, cell, solution[cell]!)) {
        puzzle[cell] = 0;
        left--;
      }
      return;
    }
    if (to - from <= left - target) {
      for (let i = from; i < to; i++) puzzle[order[i]!] = 0;
      if (isUnique(puzzle)) {
        left -= to - from;
        return;
      }
      for (let i = from; i < to; i++) puzzle[order[i]!] = solution[order[i]!]!;
    }
    const middle = (from + to) >> 1;
    removeRange(from, middle);
    removeRange(middle, to);
  };
  let next = 0;
  for (const share of [0.4, 0.1, 0.06]) {
    const to = Math.min(next + Math.floor(share * puzzle.length), puzzle.length);
    if (to > next) removeRange(next, to);
    next = to;
  }
  while (next < puzzle.length) removeRange(next, ++next);
  return puzzle;
}

/**
 * Adds clues until each one can be left out. For every clue that is needed there is a witness: another solution of the
 * board without it. The cell that tells most witnesses from the solution is added next. An added clue is never needed.
 */
function addRedundancy(puzzle: Grid, solution: Grid, rng: Rng): void {
  const needed = new Map<number, Grid>();
  const witnessOf = (cell: number): Grid | undefined => {
    const found: Grid[] = [];
    hasOther(puzzle, cell, solution[cell]!, found);
    return found[0];
  };
  for (let cell = 0; cell < puzzle.length; cell++) {
    const witness = puzzle[cell] === 0 ? undefined : witnessOf(cell);
    if (witness !== undefined) needed.set(cell, witness);
  }
  const order = rng.permutation(puzzle.length);
  while (needed.size > 0) {
    let best = -1;
    let bestHits = 0;
    for (const cell of order) {
      if (puzzle[cell] !== 0) continue;
      let hits = 0;
      for (const witness of needed.values()) if (witness[cell] !== solution[cell]) hits++;
      if (hits > bestHits) {
        bestHits = hits;
        best = cell;
      }
    }
    puzzle[best] = solution[best]!;
    for (const [cell, witness] of needed) {
      if (witness[best] === solution[best]) continue;
      const other = witnessOf(cell);
      if (other === undefined) needed.delete(cell);
      else needed.set(cell, other);
    }
  }
}

/** Clues a redundant board is dug to before clues are added, and the most it may have in the end. */
const REDUNDANT_START = 25;
const REDUNDANT_MOST = 36;

/**
 * Makes one puzzle with exactly one solution.
 * @throws CairnError `not_found` when `maxAttempts` boards did not have the wished clues or tier; `bad_option` for
 * options that exclude each other
 *
 * @example
 * const { puzzle, solution } = generateSudoku({ rng: new Rng(7), clues: 28 });
 */
export function generateSudoku(options: GenerateOptions): GeneratedSudoku {
  const { n = 9, rng, clues = 'minimal', tier, redundancy = 'none', maxAttempts = 1000 } = options;
  const target = clues === 'minimal' ? 0 : clues;
  if (!Number.isInteger(target) || target < 0 || target > n * n) {
    throw new CairnError('bad_option', `Expected "minimal" or a number of clues up to ${n * n}, got ${String(clues)}.`);
  }
  if (redundancy === 'single' && (n !== 9 || target !== 0)) {
    throw new CairnError('bad_option', 'Expected a 9x9 board without a clue target for redundancy "single".', {
      hint: 'Leave out n and clues: the redundancy decides how many clues there are.',
    });
  }
  for (let attempts = 1; attempts <= maxAttempts; attempts++) {
    const solution = randomGrid(n, rng);
    const puzzle = dig(solution, redundancy === 'single' ? REDUNDANT_START : target, rng);
    if (redundancy === 'single') {
      addRedundancy(puzzle, solution, rng);
      if (clueCount(puzzle) > REDUNDANT_MOST) continue;
    } else if (target > 0 && clueCount(puzzle) !== target) continue;
    if (tier !== undefined && gradeSudoku(puzzle) !== tier) continue;
    return { puzzle, solution, attempts };
  }
  const wish = [tier === undefined ? '' : `tier "${tier}"`, target > 0 ? `${target} clues` : ''].filter(
    (t) => t !== '',
  );
  throw new CairnError(
    'not_found',
    `Expected a board with ${wish.join(' and ')}, got none in ${maxAttempts} attempts.`,
    {
      hint: 'Raise maxAttempts, ask for more clues (24 and more are common) or for another tier.',
    },
  );
}

/**
 * True when the board has one solution and keeps it whichever single clue is left out.
 *
 * @example
 * isRedundant(generateSudoku({ rng, redundancy: 'single' }).puzzle); // true
 */
export function isRedundant(puzzle: ArrayLike<number>): boolean {
  const board = Uint8Array.from(puzzle);
  if (!isUnique(board)) return false;
  return board.every((value, cell) => value === 0 || canDrop(board, cell, value));
}
