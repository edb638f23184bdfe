// The human-style solver: strategies from easy to hard, one checkable step at a time, in a fixed scan order that is part of
// the data. It never guesses; a puzzle that needs search stays unsolved (arXiv:2409.10502 trains on such orders).
import { bitCount, findLocked, findRectangle, findSubset, findWing, type Candidates } from './_strategies.ts';
import { geometryOf, sizeOf, type Geometry, type Grid } from './geometry.ts';
import type { PlaceStep, RemoveStep, Step, Strategy, Trace } from './types.ts';

/** Strategies in the order in which they are tried; 8 only when asked for. */
export const strategyOrder = [2, 3, 6, 4, 5, 7] as const satisfies readonly Strategy[];

/** Difficulty: what the hardest needed strategy is. `search` means that none of them suffices. */
export type Tier = 'singles' | 'locked' | 'sets' | 'wing' | 'search';

export interface TraceOptions {
  /** Strategies that may be used, tried in the order given. Default 2, 3, 6, 4, 5, 7. */
  readonly strategies?: readonly Strategy[];
  /** Stop after this many steps. */
  readonly maxSteps?: number;
}

/** A trace with the state it ended in. */
export interface TraceResult extends Trace {
  /** The board as far as it was filled in. */
  readonly grid: Grid;
  /** True when a cell lost its last candidate or a unit its last place for a digit: the board has no solution. */
  readonly contradiction: boolean;
}

function findNakedSingle(cand: Candidates, grid: Grid): PlaceStep | undefined {
  for (let cell = 0; cell < cand.length; cell++) {
    if (grid[cell] === 0 && bitCount[cand[cell]!] === 1) {
      return { do: 'place', cell, value: 32 - Math.clz32(cand[cell]!), by: 2 };
    }
  }
  return undefined;
}

function findHiddenSingle(g: Geometry, cand: Candidates, grid: Grid): PlaceStep | undefined {
  for (let unit = 0; unit < 3 * g.n; unit++) {
    const members = g.units[unit]!;
    let once = 0;
    let twice = 0;
    for (let i = 0; i < g.n; i++) {
      const mask = cand[members[i]!]!;
      twice |= once & mask;
      once |= mask;
    }
    let hidden = once & ~twice;
    for (let i = 0; i < g.n; i++) if (grid[members[i]!] !== 0) hidden &= ~cand[members[i]!]!;
    if (hidden === 0) continue;
    const bit = hidden & -hidden;
    const cell = members.find((c) => (cand[c]! & bit) !== 0)!;
    return { do: 'place', cell, value: 32 - Math.clz32(bit), by: 3, unit };
  }
  return undefined;
}

function findRemoval(by: Strategy, g: Geometry, cand: Candidates, clues: ArrayLike<number>): RemoveStep | undefined {
  switch (by) {
    case 4:
      return findSubset(g, cand, 2);
    case 5:
      return findSubset(g, cand, 3);
    case 6:
      return findLocked(g, cand);
    case 7:
      return findWing(g, cand);
    case 8:
      return findRectangle(g, cand, clues);
    case 2:
    case 3:
      return undefined;
    default:
      by satisfies never;
      return undefined;
  }
}

function isContradictory(g: Geometry, cand: Candidates): boolean {
  const all = (1 << g.n) - 1;
  if (cand.includes(0)) return true;
  return g.units.some((unit) => unit.reduce((mask, cell) => mask | cand[cell]!, 0) !== all);
}

/**
 * Solves a board step by step as people do, as far as the strategies reach.
 * @param puzzle 16, 36 or 81 cells, 0 = empty; it is not changed
 *
 * @example
 * const { solved, steps } = traceSolve(puzzle);
 * steps[0]; // { do: 'place', cell: 12, value: 4, by: 2 }
 */
export function traceSolve(puzzle: ArrayLike<number>, options: TraceOptions = {}): TraceResult {
  const { strategies = strategyOrder, maxSteps = Infinity } = options;
  const g = geometryOf(sizeOf(puzzle));
  const grid = new Uint8Array(g.n * g.n);
  const cand = new Uint16Array(g.n * g.n).fill((1 << g.n) - 1);
  const steps: Step[] = [];
  const order: number[] = [];
  const perPlaced: number[] = [];
  let empty = g.n * g.n;
  let used = 0;
  let contradiction = false;
  const place = (cell: number, value: number): void => {
    const bit = 1 << (value - 1);
    if ((cand[cell]! & bit) === 0) contradiction = true;
    cand[cell] = bit;
    grid[cell] = value;
    empty--;
    for (const peer of g.peers[cell]!) cand[peer]! &= ~bit;
  };
  for (let cell = 0; cell < grid.length; cell++) if (puzzle[cell] !== 0) place(cell, puzzle[cell]!);
  for (;;) {
    if (empty === 0 || steps.length >= maxSteps || contradiction) break;
    let step: Step | undefined;
    for (const by of strategies) {
      if (by === 2) step = findNakedSingle(cand, grid);
      else if (by === 3) step = findHiddenSingle(g, cand, grid);
      else step = findRemoval(by, g, cand, puzzle);
      if (step !== undefined) break;
    }
    if (step === undefined) break;
    steps.push(step);
    used |= 1 << step.by;
    if (step.do === 'place') {
      place(step.cell, step.value);
      order.push(step.cell);
      perPlaced.push(used);
      used = 0;
    } else {
      for (const [cell, value] of step.removed) cand[cell]! &= ~(1 << (value - 1));
    }
  }
  contradiction ||= isContradictory(g, cand);
  return { steps, solved: empty === 0 && !contradiction, order, strategies: perPlaced, grid, contradiction };
}

const tiers: readonly (readonly [Tier, readonly Strategy[]])[] = [
  ['singles', [2, 3]],
  ['locked', [2, 3, 6]],
  ['sets', [2, 3, 6, 4, 5]],
  ['wing', [2, 3, 6, 4, 5, 7]],
];

/**
 * The tier of a board with one solution: the smallest set of strategies that solves it.
 *
 * @example
 * gradeSudoku(puzzle); // 'locked'
 */
export function gradeSudoku(puzzle: ArrayLike<number>): Tier {
  for (const [tier, strategies] of tiers) if (traceSolve(puzzle, { strategies }).solved) return tier;
  return 'search';
}
