// The independent checker: replays a certificate against the clues with its own geometry and its own propagation.
// It imports types only, trusts nothing but the clues, never throws, and is short enough to be read in one sitting.
import type { CheckResult, PlaceStep, RemoveStep, SudokuCertificate } from './types.ts';

const CAND = new Uint16Array(81 * 82); // one candidate mask per cell and search level
const GOAL = new Uint16Array(81); // the solution the leaves of a tree must show
const SINGLE = Uint16Array.from({ length: 512 }, (_, mask) => ((mask & (mask - 1)) === 0 ? mask : 0));
let stale = 0; // units that changed, one bit each
let at = -1; // the step or tree byte under test
function must(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Error(why);
}

type Board = ReturnType<typeof build>;
function build(n: number, height = n === 9 ? 3 : 2) {
  const all = Array.from({ length: n * n }, (_, cell) => cell);
  const box = (c: number): number => Math.floor(c / n / height) * height + Math.floor(((c % n) * height) / n);
  const unitsOf = all.map((c) => [Math.floor(c / n), n + (c % n), 2 * n + box(c)]);
  const members = Array.from({ length: 3 * n }, (_, u) => all.filter((c) => unitsOf[c]!.includes(u)));
  const unitBits = Int32Array.from(unitsOf, (mine) => mine.reduce((bits, u) => bits | (1 << u), 0));
  const sees = (c: number, d: number): boolean => c - d !== 0 && (unitBits[c]! & unitBits[d]!) !== 0;
  return { n, cells: n * n, full: (1 << n) - 1, members, units: Uint8Array.from(members.flat()), unitBits, sees };
}
const boards = new Map([4, 6, 9].map((n) => [n * n, build(n)]));

/** Naked and hidden singles to the fixpoint on the masks at offset `o`; false on a contradiction. */
function propagate({ n, full, units, unitBits }: Board, o: number): boolean {
  for (let unit = 0; stale !== 0; unit = unit === 3 * n - 1 ? 0 : unit + 1) {
    if ((stale & (1 << unit)) === 0) continue;
    stale ^= 1 << unit;
    let [once, twice, fixed] = [0, 0, 0];
    for (let i = unit * n; i < unit * n + n; i++) {
      const mask = CAND[o + units[i]!]!;
      twice |= once & mask;
      once |= mask;
      if ((fixed & SINGLE[mask]!) !== 0) return false;
      fixed |= SINGLE[mask]!;
    }
    if (once !== full) return false;
    if (((once & ~twice & ~fixed) | (twice & fixed)) === 0) continue;
    for (let i = unit * n; i < unit * n + n; i++) {
      const mask = CAND[o + units[i]!]!;
      if ((mask & (mask - 1)) === 0) continue;
      const hidden = mask & ~twice;
      const left = hidden === 0 ? mask & ~fixed : hidden;
      if (left === 0 || (hidden & (hidden - 1)) !== 0) return false;
      if (left !== mask) stale |= unitBits[units[i]!]!;
      CAND[o + units[i]!] = left;
    }
  }
  return true;
}

/** Walks the preorder tree below the state at offset `o`: every leaf is a contradiction or the grid in GOAL. */
function walk(b: Board, tree: string, o: number): void {
  const alive = propagate(b, o);
  const byte = tree.charCodeAt(++at);
  const choices = byte < b.cells ? CAND[o + byte]! : 0;
  const leaf = byte === 255 && alive ? b.cells : 0;
  must(byte === 255 || (alive && choices !== 0 && SINGLE[choices] === 0), 'there is nothing to branch on');
  for (let cell = 0; cell < leaf; cell++) must(CAND[o + cell] === GOAL[cell], 'a leaf shows another grid');
  for (let rest = choices; rest !== 0; rest &= rest - 1) {
    CAND.copyWithin(o + b.cells, o, o + b.cells);
    CAND[o + b.cells + byte] = rest & -rest;
    stale = b.unitBits[byte]!;
    walk(b, tree, o + b.cells);
  }
}

function mustSolve(b: Board, clues: ArrayLike<number>, grid: string): void {
  for (let cell = 0; cell < b.cells; cell++) {
    const value = grid.charCodeAt(cell) - 48;
    must(
      value >= 1 && value <= b.n && (clues[cell] === 0 || clues[cell] === value),
      'the grid does not keep the clues',
    );
    GOAL[cell] = CAND[cell] = 1 << (value - 1);
  }
  stale = 2 ** (3 * b.n) - 1;
  must(grid.length === b.cells && propagate(b, 0), 'the grid does not solve the board');
}

function place(b: Board, cell: number, value: number): void {
  CAND[cell] = 1 << (value - 1);
  for (let peer = 0; peer < b.cells; peer++) if (b.sees(cell, peer)) CAND[peer]! &= ~(1 << (value - 1));
}

function isForced({ members }: Board, { cell, value, by, unit = -1 }: PlaceStep): boolean {
  if (by === 3) return members[unit]!.filter((c) => CAND[c]! & (1 << (value - 1))).join() === `${cell}`;
  return by === 2 && CAND[cell] === 1 << (value - 1);
}

/** A removal: its pattern is there, and every removed pair follows from it. */
function mustRemove({ n, members, sees }: Board, { by, cells, values, units, removed, hidden }: RemoveStep): void {
  const [home = [], target = []] = units.map((u) => members[u]!);
  const [b1 = 0, b2 = 0, b3 = 0] = values.map((value) => 1 << (value - 1));
  const [c1 = -1, c2 = -1, c3 = -1] = cells;
  const bits = b1 | b2 | b3;
  const others = home.filter((cell) => !cells.includes(cell));
  const shape = [new Set(cells).size, cells.length, new Set(values).size, values.length, units.length].join();
  let pattern = cells.every((cell) => home.includes(cell)) && shape === (by === 4 ? '2,2,2,2,1' : '3,3,3,3,1');
  const wing = CAND[c1] === (b1 | b2) && CAND[c2] === (b1 | b3) && CAND[c3] === (b2 | b3);
  if (by === 7) pattern = shape === '3,3,3,3,0' && wing && sees(c1, c2) && sees(c1, c3);
  else if (by === 6) pattern = values.length === 1 && cells.every((c) => target.includes(c));
  if (hidden || by === 6) pattern &&= others.every((c) => (CAND[c]! & bits) === 0);
  else if (by !== 7) pattern &&= cells.reduce((mask, c) => mask | CAND[c]!, 0) === bits;
  pattern &&= [...values, ...removed.map((pair) => pair[1])].every((v) => Number.isInteger(v) && v >= 1 && v <= n);
  must(pattern && by >= 4 && by <= 7 && removed.length > 0, `strategy ${by} has no such pattern here`);
  for (const [cell, value] of removed) {
    const bit = 1 << (value - 1);
    let follows = (hidden ? cells : others).includes(cell) && ((bit & bits) === 0) === !!hidden;
    if (by === 6) follows = bit === bits && target.includes(cell) && !home.includes(cell);
    else if (by === 7) follows = bit === b3 && sees(cell, c2) && sees(cell, c3);
    must(follows && (CAND[cell]! & bit) !== 0, `removing ${value} from cell ${cell} does not follow`);
    CAND[cell]! &= ~bit;
  }
}

/** Checks a certificate against the clues. @example checkCertificate(clues, { kind: 'solution', grid }).ok // true */
export function checkCertificate(clues: ArrayLike<number>, certificate: SudokuCertificate): CheckResult {
  at = -1;
  try {
    const b = boards.get(clues.length);
    const filled = new Uint8Array(clues);
    must(b !== undefined && filled.every((value, cell) => value <= b.n && value === clues[cell]), 'this is no board');
    const { kind } = certificate;
    GOAL.fill(0);
    if (kind === 'several') for (const grid of certificate.grids) mustSolve(b, clues, grid);
    else if (kind !== 'unsolvable') mustSolve(b, clues, certificate.grid);
    for (let cell = 0; cell < b.cells; cell++) CAND[cell] = clues[cell] === 0 ? b.full : 1 << (clues[cell]! - 1);
    if (kind === 'unique' || kind === 'unsolvable') {
      const tree = atob(certificate.tree);
      stale = 2 ** (3 * b.n) - 1;
      walk(b, tree, 0);
      must(at + 1 === tree.length, 'the tree has bytes left over');
    } else if (kind === 'trace') {
      for (let cell = 0; cell < b.cells; cell++) if (clues[cell] !== 0) place(b, cell, clues[cell]!);
      for (const step of certificate.steps) {
        at++;
        if (step.do === 'remove') mustRemove(b, step);
        else must(filled[step.cell] === 0 && isForced(b, step), 'the digit is not forced here');
        if (step.do === 'place') place(b, step.cell, (filled[step.cell] = step.value));
      }
      must(filled.join('') === certificate.grid, 'the steps do not fill in this grid');
    } else must(kind === 'solution' || new Set(certificate.grids).size === 2, 'two different grids are needed');
    return { ok: true };
  } catch (fault) {
    return { ok: false, step: at, why: fault instanceof Error ? fault.message : String(fault) };
  }
}
