// Board geometry for sizes 4, 6 and 9, the one-line text form, and the plain test of a full grid.
// Nothing here searches; solvers and generators build on these tables.
import { CairnError } from '../errors.ts';

/** Board size: 4 (2x2 boxes), 6 (boxes of 2 rows x 3 columns) or 9 (3x3 boxes). */
export type Size = 4 | 6 | 9;

/** A board or a full grid, row by row: n*n cells, 0 = empty, else 1..n. */
export type Grid = Uint8Array;

/** The units and peers of one board size. */
export interface Geometry {
  readonly n: Size;
  /** Rows of a box. */
  readonly boxH: number;
  /** Columns of a box. */
  readonly boxW: number;
  /** 3n units of n cells each: rows 0..n-1, columns n..2n-1, boxes 2n..3n-1. */
  readonly units: readonly Uint8Array[];
  /** Per cell its row, column and box unit. */
  readonly unitsOf: readonly Uint8Array[];
  /** Per cell the cells that share a unit with it: 20 at n = 9, 12 at n = 6, 7 at n = 4. */
  readonly peers: readonly Uint8Array[];
}

function buildGeometry(n: Size): Geometry {
  const boxH = n === 9 ? 3 : 2;
  const boxW = n / boxH;
  const units = Array.from({ length: 3 * n }, () => new Uint8Array(n));
  const fill = new Uint8Array(3 * n);
  const unitsOf: Uint8Array[] = [];
  for (let cell = 0; cell < n * n; cell++) {
    const row = Math.floor(cell / n);
    const column = cell % n;
    const box = Math.floor(row / boxH) * (n / boxW) + Math.floor(column / boxW);
    const mine = Uint8Array.of(row, n + column, 2 * n + box);
    unitsOf.push(mine);
    for (const unit of mine) units[unit]![fill[unit]!++] = cell;
  }
  const peers = unitsOf.map((mine, cell) => {
    const set = new Set<number>();
    for (const unit of mine) for (const other of units[unit]!) if (other !== cell) set.add(other);
    return Uint8Array.from([...set].sort((a, b) => a - b));
  });
  return { n, boxH, boxW, units, unitsOf, peers };
}

const geometries = new Map<Size, Geometry>();

/**
 * The geometry of a board size; built once per size.
 *
 * @example
 * geometryOf(9).peers[0].length; // 20
 */
export function geometryOf(n: Size): Geometry {
  let geometry = geometries.get(n);
  if (geometry === undefined) geometries.set(n, (geometry = buildGeometry(n)));
  return geometry;
}

/**
 * The board size of a grid.
 * @throws CairnError `bad_board` when the number of cells is not 16, 36 or 81
 */
export function sizeOf(grid: { readonly length: number }): Size {
  if (grid.length === 81) return 9;
  if (grid.length === 36) return 6;
  if (grid.length === 16) return 4;
  throw new CairnError('bad_board', `Expected 81, 36 or 16 cells, got ${grid.length}.`, {
    hint: 'Give one character per cell, row by row, with . or 0 for an empty cell.',
  });
}

/**
 * Reads the text form: one line of n*n characters, digits, `.` or `0` for empty.
 * @throws CairnError `bad_board` that names the length, or the first character that is no cell
 *
 * @example
 * parseGrid('1...' + '..3.' + '.2..' + '...4')[6]; // 3
 */
export function parseGrid(text: string): Grid {
  const line = text.trim();
  const n = sizeOf(line);
  const grid = new Uint8Array(n * n);
  for (let cell = 0; cell < grid.length; cell++) {
    const character = line[cell]!;
    const value = character === '.' ? 0 : character.charCodeAt(0) - 48;
    if (!(value >= 0 && value <= n)) {
      throw new CairnError(
        'bad_board',
        `Expected digits 1 to ${n}, "." or "0", got ${JSON.stringify(character)} at cell ${cell} (row ${Math.floor(cell / n) + 1}, column ${(cell % n) + 1}).`,
        { hint: 'Replace it by the digit of the cell, or by "." when the cell is empty.' },
      );
    }
    grid[cell] = value;
  }
  return grid;
}

/** The text form of a board, with `.` for empty. */
export function formatGrid(grid: ArrayLike<number>): string {
  let text = '';
  for (let cell = 0; cell < grid.length; cell++) text += grid[cell] === 0 ? '.' : String(grid[cell]);
  return text;
}

/** Number of clues of a board. */
export function clueCount(grid: ArrayLike<number>): number {
  let count = 0;
  for (let cell = 0; cell < grid.length; cell++) if (grid[cell] !== 0) count++;
  return count;
}

/** True when every unit of `grid` holds each digit once and every clue of `puzzle` is kept. */
export function isSolution(grid: ArrayLike<number>, puzzle?: ArrayLike<number>): boolean {
  const { n, units } = geometryOf(sizeOf(grid));
  if (puzzle !== undefined) {
    if (puzzle.length !== grid.length) return false;
    for (let cell = 0; cell < grid.length; cell++) if (puzzle[cell] !== 0 && puzzle[cell] !== grid[cell]) return false;
  }
  const all = (2 << n) - 2;
  return units.every((unit) => unit.reduce((seen, cell) => seen | (1 << grid[cell]!), 0) === all);
}

/** Pairs of cells that hold the same digit and share a unit: contradictions one can see without solving. */
export function clashes(grid: ArrayLike<number>): [number, number][] {
  const { peers } = geometryOf(sizeOf(grid));
  const pairs: [number, number][] = [];
  for (let cell = 0; cell < grid.length; cell++) {
    if (grid[cell] === 0) continue;
    for (const peer of peers[cell]!) if (peer > cell && grid[peer] === grid[cell]) pairs.push([cell, peer]);
  }
  return pairs;
}
