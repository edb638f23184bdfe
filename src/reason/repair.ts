// Repairs a board that was read from an image: among all readings of the cells, those with exactly one solution are weighed
// by their probability, and the best is answered only if nothing else, seen or unseen, can weigh more than delta beside it.
//
// One solver call rules out many readings: if the board without a set of clues has no solution, or only one, then every
// other way to read these cells is inconsistent. So the few doubtful cells are left out in every call, and the sure ones in
// sets of growing improbability; what has not been looked at counts against the answer with its full probability.
import { readCells, ReadingQueue, type ReadCell } from './_readings.ts';
import { diagnose } from './diagnose.ts';
import { countFast, lastNodes } from './fast.ts';
import type { Grid } from './geometry.ts';
import { proveSudoku } from './solve.ts';
import type { SudokuCertificate } from './types.ts';

export interface RepairOptions {
  /** Largest accepted probability that the answer is wrong. Default 1e-3. */
  readonly delta?: number;
  /** Least probability of every digit of a cell that is not blank: how far the calibration is trusted. Default 1e-5. */
  readonly floor?: number;
  /** Work bound: search nodes plus four for each solution, 2 to 3 microseconds each. Default 60 000. */
  readonly maxWork?: number;
  /** Least relative weight of a set of deviating cells that is still looked at. Default 1e-9. */
  readonly minWeight?: number;
}

/** A cell whose most likely digit was not taken. */
export interface ChangedCell {
  readonly cell: number;
  readonly from: number;
  readonly to: number;
}

/** A reading with exactly one solution. */
export interface ConsistentBoard {
  readonly board: Grid;
  readonly solution: Grid;
  readonly changed: readonly ChangedCell[];
  /** Probability of this reading over that of the most likely digits. */
  readonly weight: number;
}

interface RepairSearch {
  /** The most likely class of every cell. */
  readonly read: Grid;
  /** Solver calls made. */
  readonly calls: number;
  /** Relative probability of the readings that were not looked at. */
  readonly unseen: number;
  /** Consistent boards found, most probable first (at most eight). */
  readonly consistent: readonly ConsistentBoard[];
}

export interface RepairAnswer extends RepairSearch {
  readonly status: 'answered';
  readonly board: Grid;
  readonly solution: Grid;
  readonly changed: readonly ChangedCell[];
  /** Proof that the solution is the only one of `board`. */
  readonly certificate: SudokuCertificate;
  /** Lower bound of the probability that `board` is what was written, given the reader's probabilities. */
  readonly posterior: number;
}

export type WithheldReason = 'inconsistent' | 'ambiguous' | 'unverified' | 'unproved';

export interface RepairWithheld extends RepairSearch {
  readonly status: 'withheld';
  readonly reason: WithheldReason;
  /** The reason in words. */
  readonly text: string;
  /** Cells to read again with a larger reader, the most useful first. */
  readonly suspects: readonly number[];
  /** Lower bound of the probability of the best consistent board; 0 when there is none. */
  readonly posterior: number;
}

export type RepairResult = RepairAnswer | RepairWithheld;

const texts = {
  inconsistent: 'No consistent board within the budget.',
  ambiguous: 'Several consistent boards are too likely.',
  unverified: 'The reading is not verified: too many likely readings are left unchecked.',
  unproved: 'The proof of the solution would be longer than allowed.',
} as const satisfies Record<WithheldReason, string>;

/** Cells with odds above this are left open in every call, as long as the board then has at most BASE_SOLUTIONS. */
const DOUBTFUL = 2e-3;
const BASE_SOLUTIONS = 8;
/** A set of readings whose free cells leave more solutions is split; one that cannot be split is tried value by value. */
const SET_SOLUTIONS = 32;
const LISTED = 8;

/** The consistent readings in which exactly the cells of `deviating` differ from the top, and those of `open` are free. */
function consistentReadings(
  solutions: readonly Grid[],
  deviating: readonly ReadCell[],
  open: readonly ReadCell[],
  add: (values: readonly number[], weight: number, solution: Grid) => void,
): void {
  const cells = [...deviating, ...open];
  const blanks = cells.flatMap((c, i) => (c.ratio[0]! > 0 ? [i] : []));
  const byReading = new Map<string, { values: number[]; weight: number; solution: Grid; count: number }>();
  for (const solution of solutions) {
    for (let mask = 0; mask < 1 << blanks.length; mask++) {
      const values = cells.map((c) => solution[c.cell]!);
      blanks.forEach((i, k) => {
        if (mask & (1 << k)) values[i] = 0;
      });
      if (deviating.some((c, i) => values[i] === c.top)) continue;
      const key = values.join('');
      const seen = byReading.get(key);
      if (seen !== undefined) seen.count++;
      else {
        const weight = cells.reduce((product, c, i) => product * c.ratio[values[i]!]!, 1);
        byReading.set(key, { values, weight, solution, count: 1 });
      }
    }
  }
  for (const { values, weight, solution, count } of byReading.values()) if (count === 1) add(values, weight, solution);
}

/** All ways to give each cell another class than its top one. */
function valueTuples(cells: readonly ReadCell[]): number[][] {
  return cells.reduce<number[][]>(
    (tuples, { top, ratio }) =>
      tuples.flatMap((tuple) => [...ratio.keys()].filter((v) => v !== top && ratio[v]! > 0).map((v) => [...tuple, v])),
    [[]],
  );
}

/** How many of the most doubtful cells can be left open at once without too many solutions. */
function chooseOpen(cells: readonly ReadCell[], board: Grid): { open: number; calls: number } {
  let open = 0;
  for (let blanks = 0; open < cells.length && open < 12 && cells[open]!.odds >= DOUBTFUL; open++) {
    if (cells[open]!.ratio[0]! > 0 && ++blanks > 4) break;
  }
  for (let calls = 1; ; calls++) {
    if (open === 0) return { open, calls: calls - 1 };
    const trial = board.slice();
    for (let i = 0; i < open; i++) trial[cells[i]!.cell] = 0;
    if (countFast(trial, BASE_SOLUTIONS + 1) <= BASE_SOLUTIONS) return { open, calls };
    open--;
  }
}

/**
 * Finds the board that was meant, from calibrated class probabilities per cell, and proves its solution; or withholds.
 *
 * The posterior is `w / (w + others + unseen)`: the weight of the best reading with exactly one solution, of all other such
 * readings that were found, and of every reading that was not looked at. A clue that the others imply costs one solver call
 * to verify; one that they do not is checked against each digit that would also give a board with one solution.
 * @param probabilities [81][10] or flat [810]: per cell the probabilities of blank, 1, ..., 9
 * @throws CairnError `bad_probabilities`
 *
 * @example
 * const result = repairReading(await reader.predict(cells, 81));
 * if (result.status === 'answered') result.solution; // else read result.suspects again with a larger reader
 */
export function repairReading(
  probabilities: ArrayLike<number> | ArrayLike<ArrayLike<number>>,
  options: RepairOptions = {},
): RepairResult {
  const { delta = 1e-3, floor = 1e-5, maxWork = 60_000, minWeight = 1e-9 } = options;
  const cells = readCells(probabilities, floor);
  const read = new Uint8Array(81);
  for (const { cell, top } of cells) read[cell] = top;
  const { open: openCount, calls: openCalls } = chooseOpen(cells, read);
  const queue = new ReadingQueue(cells, openCount);
  let unseen = cells.reduce((product, c) => product * (1 + c.odds), 1);
  let calls = openCalls;
  let work = 0;
  let total = 0;
  const consistent: ConsistentBoard[] = [];
  for (;;) {
    const best = consistent[0]?.weight ?? 0;
    if (best > 0 && best >= (1 - delta) * (total + unseen)) break;
    if (best < (1 - delta) * total && unseen < best) break;
    if (work >= maxWork) break;
    const set = queue.next();
    if (set === undefined || set.mass < minWeight) break;
    const deviating = set.deviating.map((i) => cells[i]!);
    const open = cells.slice(0, set.open).filter((c) => !deviating.includes(c));
    const board = read.slice();
    for (const { cell } of deviating) board[cell] = 0;
    for (const { cell } of open) board[cell] = 0;
    const count = (limit: number, solutions: Grid[]): number => {
      const found = countFast(board, limit, solutions);
      calls++;
      work += lastNodes() + 4 * found;
      return found;
    };
    const add = (values: readonly number[], weight: number, solution: Grid): void => {
      const changed: ChangedCell[] = [];
      const reading = read.slice();
      [...deviating, ...open].forEach(({ cell, top }, i) => {
        reading[cell] = values[i]!;
        if (values[i] !== top) changed.push({ cell, from: top, to: values[i]! });
      });
      total += weight;
      consistent.push({ board: reading, solution, changed, weight });
      consistent.sort((a, b) => b.weight - a.weight);
      if (consistent.length > LISTED) consistent.length = LISTED;
    };
    const solutions: Grid[] = [];
    if (count(SET_SOLUTIONS + 1, solutions) <= SET_SOLUTIONS) {
      consistentReadings(solutions, deviating, open, add);
    } else if (queue.split(set) || deviating.length > 2) {
      continue;
    } else {
      for (const values of valueTuples(deviating)) {
        deviating.forEach(({ cell }, i) => (board[cell] = values[i]!));
        const found: Grid[] = [];
        const weight = deviating.reduce((product, c, i) => product * c.ratio[values[i]!]!, 1);
        if (count(2, found) === 1) add(values, weight, found[0]!);
      }
    }
    unseen = Math.max(0, unseen - set.mass);
  }

  const best = consistent[0];
  const search = { read, calls, unseen, consistent };
  const posterior = best === undefined ? 0 : best.weight / (total + unseen);
  const withhold = (reason: WithheldReason): RepairWithheld => {
    return {
      status: 'withheld',
      reason,
      text: texts[reason],
      suspects: suspectsOf(cells, read, consistent),
      posterior,
      ...search,
    };
  };
  if (best === undefined) return withhold('inconsistent');
  if (posterior < 1 - delta) return withhold(best.weight < (1 - delta) * total ? 'ambiguous' : 'unverified');
  const proof = proveSudoku(best.board);
  if (proof.verdict !== 'unique') return withhold('unproved');
  const { solution, changed } = best;
  return {
    status: 'answered',
    board: best.board,
    solution,
    changed,
    certificate: proof.certificate,
    posterior,
    ...search,
  };
}

/** Cells in which the likely boards differ, then those that take part in a contradiction, each by falling doubt. */
function suspectsOf(cells: readonly ReadCell[], read: Grid, consistent: readonly ConsistentBoard[]): number[] {
  const doubt = new Float64Array(81);
  for (const { cell, odds } of cells) doubt[cell] = odds;
  const disputed = new Set<number>();
  for (const { changed } of consistent) for (const { cell } of changed) disputed.add(cell);
  const { implicated, core } = diagnose(read, doubt);
  const byDoubt = (group: Iterable<number>): number[] => [...group].sort((a, b) => doubt[b]! - doubt[a]!);
  const rest = cells.filter((c) => c.odds >= DOUBTFUL).map((c) => c.cell);
  return [...new Set([...byDoubt(disputed), ...byDoubt(implicated), ...rest, ...byDoubt(core)])];
}
