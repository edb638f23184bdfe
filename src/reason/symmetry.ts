// Symmetries of a board: rows within bands, bands, the same for columns, transposition (square boxes only) and relabelling;
// and a class key that all symmetric copies of a full grid share, for splits without leakage.
import type { Rng } from '../tensor/index.ts';
import { geometryOf, sizeOf, type Grid, type Size } from './geometry.ts';

/** One symmetry: `cells[i]` is the source cell of target cell i, `digits[v]` the new name of digit v (0 stays 0). */
export interface Symmetry {
  readonly cells: Uint8Array;
  readonly digits: Uint8Array;
}

function lineOrder(rng: Rng, n: number, perBand: number): number[] {
  const bands = rng.permutation(n / perBand);
  return [...bands].flatMap((band) => [...rng.permutation(perBand)].map((line) => band * perBand + line));
}

/**
 * A uniformly random symmetry of the n x n board.
 *
 * @example
 * const moved = applySymmetry(randomSymmetry(9, rng), puzzle);
 */
export function randomSymmetry(n: Size, rng: Rng): Symmetry {
  const { boxH, boxW } = geometryOf(n);
  const rows = lineOrder(rng, n, boxH);
  const columns = lineOrder(rng, n, boxW);
  const transposed = boxH === boxW && rng.bernoulli();
  const cells = new Uint8Array(n * n);
  for (let r = 0; r < n; r++) {
    for (let c = 0; c < n; c++) {
      const [from, to] = [rows[r]!, columns[c]!];
      cells[r * n + c] = transposed ? to * n + from : from * n + to;
    }
  }
  return { cells, digits: Uint8Array.from([0, ...[...rng.permutation(n)].map((v) => v + 1)]) };
}

/** The image of a board or grid under a symmetry, as a new grid. */
export function applySymmetry({ cells, digits }: Symmetry, grid: ArrayLike<number>): Grid {
  return Uint8Array.from(cells, (source) => digits[grid[source]!]!);
}

/** The symmetry that undoes this one. */
export function invertSymmetry({ cells, digits }: Symmetry): Symmetry {
  const backCells = new Uint8Array(cells.length);
  const backDigits = new Uint8Array(digits.length);
  cells.forEach((source, target) => (backCells[source] = target));
  digits.forEach((name, value) => (backDigits[name] = value));
  return { cells: backCells, digits: backDigits };
}

/** Sorted cycle lengths of the map "digit in row i → digit in row j of the same column", as one number in base n + 1. */
function cycleType(lines: readonly Uint8Array[], i: number, j: number, n: number): number {
  const to = new Uint8Array(n + 1);
  for (let c = 0; c < n; c++) to[lines[i]![c]!] = lines[j]![c]!;
  const lengths = new Uint8Array(n + 1);
  let seen = 0;
  for (let v = 1; v <= n; v++) {
    let length = 0;
    for (let w = v; (seen & (1 << w)) === 0; w = to[w]!) {
      seen |= 1 << w;
      length++;
    }
    if (length > 0) lengths[length]!++;
  }
  let code = 0;
  for (let length = 1; length <= n; length++) code = code * (n + 1) + lengths[length]!;
  return code;
}

function sideKey(lines: readonly Uint8Array[], perBand: number): string {
  const n = lines.length;
  const types = lines.map((_, i) => lines.map((_, j) => (i < j ? cycleType(lines, i, j, n) : 0)));
  // A cycle type is the same both ways: the map of (j, i) is the inverse of (i, j).
  const typeOf = (i: number, j: number): number => (i < j ? types[i]![j]! : types[j]![i]!);
  const bands: string[] = [];
  for (let first = 0; first < n; first += perBand) {
    const rows: string[] = [];
    for (let i = first; i < first + perBand; i++) {
      const near: number[] = [];
      const far: number[] = [];
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        (j >= first && j < first + perBand ? near : far).push(typeOf(i, j));
      }
      const text = (codes: number[]): string =>
        codes
          .sort((a, b) => a - b)
          .map((code) => code.toString(36))
          .join('.');
      rows.push(`${text(near)}|${text(far)}`);
    }
    bands.push(rows.sort().join('/'));
  }
  return bands.sort().join('//');
}

/**
 * A key that every symmetric copy of a full grid shares. Different classes may collide, which only makes a split coarser.
 * Split training and test data by the key of the solution grid, before any augmentation.
 *
 * @example
 * classKey(solution) === classKey(applySymmetry(randomSymmetry(9, rng), solution)); // true
 */
export function classKey(solution: ArrayLike<number>): string {
  const n = sizeOf(solution);
  const { boxH, boxW } = geometryOf(n);
  const line = (pick: (k: number) => number): Uint8Array =>
    Uint8Array.from({ length: n }, (_, k) => solution[pick(k)]!);
  const rows = Array.from({ length: n }, (_, r) => line((k) => r * n + k));
  const columns = Array.from({ length: n }, (_, c) => line((k) => k * n + c));
  const sides = [sideKey(rows, boxH), sideKey(columns, boxW)];
  if (boxH === boxW) sides.sort();
  return sides.join('///');
}
