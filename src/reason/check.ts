// The independent checker: replays a certificate against the clues with its own geometry and its own propagation.
// It imports types only, trusts nothing but the clues, never throws, and is short enough to be read in one sitting.
import type { CheckResult, PlaceStep, RemoveStep, SudokuCertificate } from './types.ts';

const CAND = new Uint16Array(81 * 82); // one candidate mask per cell and search level
let stale = 0; // units that changed, one bit each
let at = -1; // the step or tree byte under test
function must(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Error(why);
}

type Board = ReturnType<typeof build>;
function build(n: number) {
  const height = n === 9 ? 3 : 2;
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
  while (stale !== 0) {
    const unit = 31 - Math.clz32(stale);
    stale ^= 1 << unit;
    let [once, twice, fixed] = [0, 0, 0];
    for (let i = unit * n; i < unit * n + n; i++) {
      const mask = CAND[o + units[i]!]!;
      twice |= once & mask;
      once |= mask;
      const single = (mask & (mask - 1)) === 0 ? mask : 0;
      if ((single & fixed) !== 0) return false;
      fixed |= single;
    }
    if (once !== full) return false;
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

/** Walks the preorder tree below the state at offset `o` and adds the full grids at its leaves to `grids`. */
function walk(b: Board, bytes: Uint8Array, o: number, grids: string[]): void {
  const alive = propagate(b, o);
  const byte = bytes[++at];
  const choices = byte !== undefined && byte < b.cells ? CAND[o + byte]! : 0;
  if (byte !== 255) must(alive && (choices & (choices - 1)) !== 0, 'there is nothing to branch on');
  else if (alive) {
    const masks = CAND.subarray(o, o + b.cells);
    must(!masks.some((mask) => mask & (mask - 1)), 'a leaf is neither a contradiction nor a full grid');
    grids.push(Array.from(masks, (mask) => 32 - Math.clz32(mask)).join(''));
  }
  for (let rest = byte === 255 ? 0 : choices; rest !== 0; rest &= rest - 1) {
    CAND.copyWithin(o + b.cells, o, o + b.cells);
    CAND[o + b.cells + byte!] = rest & -rest;
    stale = b.unitBits[byte!]!;
    walk(b, bytes, o + b.cells, grids);
  }
}

/** Writes a digit and takes it from all cells that see it. */
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
  if (by === 7) {
    pattern = shape === '3,3,3,3,0' && sees(c1, c2) && sees(c1, c3);
    pattern &&= CAND[c1] === (b1 | b2) && CAND[c2] === (b1 | b3) && CAND[c3] === (b2 | b3);
  } else if (by === 6) pattern = values.length === 1 && cells.every((c) => target.includes(c));
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
    const filled = Uint8Array.from(clues);
    must(b !== undefined && filled.every((v, cell) => v <= b.n && v === clues[cell]), 'this is no board');
    const given = Array.from(filled.keys()).filter((cell) => clues[cell] !== 0);
    const solves = (grid: string): boolean =>
      grid.length === b.cells &&
      given.every((cell) => Number(grid[cell]) === clues[cell]) &&
      b.members.every((unit) => unit.reduce((bits, c) => bits | (1 << Number(grid[c])), 0) === 2 * b.full);
    const { kind } = certificate;
    const grids = kind === 'several' ? certificate.grids : kind === 'unsolvable' ? [] : [certificate.grid];
    must(grids.every(solves), 'a grid does not solve the board');
    CAND.fill(b.full, 0, b.cells);
    if (kind === 'unique' || kind === 'unsolvable') {
      for (const cell of given) CAND[cell] = 1 << (clues[cell]! - 1);
      stale = 2 ** (3 * b.n) - 1;
      const found: string[] = [];
      const bytes = Uint8Array.from(atob(certificate.tree), (character) => character.charCodeAt(0));
      walk(b, bytes, 0, found);
      must(at + 1 === bytes.length && found.join() === grids.join(), 'the tree proves something else');
    } else if (kind === 'trace') {
      for (const cell of given) place(b, cell, clues[cell]!);
      for (const step of certificate.steps) {
        at++;
        if (step.do === 'remove') mustRemove(b, step);
        else must(filled[step.cell] === 0 && isForced(b, step), 'the digit is not forced here');
        if (step.do === 'place') place(b, step.cell, (filled[step.cell] = step.value));
      }
      must(filled.join('') === grids[0], 'the steps do not fill in this grid');
    } else must(kind === 'solution' || new Set(grids).size === 2, 'two different grids are needed');
    return { ok: true };
  } catch (fault) {
    return { ok: false, step: at, why: fault instanceof Error ? fault.message : String(fault) };
  }
}
