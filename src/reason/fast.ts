// The fast 9x9 solver: for each digit and band one 27-bit set of cells still possible, depth-first, no allocation in the
// search. It only counts and finds solutions; proofs come from reference.ts, whose propagation the checker can replay.
import { CairnError } from '../errors.ts';
import * as bands from './_bands.ts';
import type { Grid } from './geometry.ts';

// Local names: a module loader may turn imported bindings into getters, far too slow for the inner loop.
const { ALL_CELLS, CLAIMED, EXCLUSIVE, KEEP, PEER_FREE, ROW_SINGLE, SHAPE, THREE_ROWS } = bands;

const FAIL = 0;
const SOLVED = 1;
const OPEN = 2;

// One level of the search is 27 candidate words (3 * digit + band), then 27 words of cells whose digit was propagated.
const PLACED = 27;
const LEVEL = 54;
const S = new Int32Array(LEVEL * 83);
const CELL_DIGIT = new Uint8Array(81);

let limit = 0;
let found = 0;
let nodes = 0;
let sink: Grid[] | undefined;

/** Propagates the digits in `dirty` (and all that follows) at offset `o`. */
function propagate(o: number, dirty: number): number {
  for (;;) {
    while (dirty) {
      const d = 31 - Math.clz32(dirty);
      dirty &= ~(1 << d);
      const k = o + 3 * d;
      let a = S[k]!;
      let b = S[k + 1]!;
      let c = S[k + 2]!;
      for (;;) {
        const a0 = a;
        const b0 = b;
        const c0 = c;
        a &= KEEP[SHAPE[a & 511]! | (SHAPE[(a >> 9) & 511]! << 3) | (SHAPE[a >> 18]! << 6)]!;
        b &= KEEP[SHAPE[b & 511]! | (SHAPE[(b >> 9) & 511]! << 3) | (SHAPE[b >> 18]! << 6)]!;
        c &= KEEP[SHAPE[c & 511]! | (SHAPE[(c >> 9) & 511]! << 3) | (SHAPE[c >> 18]! << 6)]!;
        if (a === 0 || b === 0 || c === 0) return FAIL;
        let pa = (a | (a >> 9) | (a >> 18)) & 511;
        let pb = (b | (b >> 9) | (b >> 18)) & 511;
        let pc = (c | (c >> 9) | (c >> 18)) & 511;
        if ((pa | pb | pc) !== 511) return FAIL;
        const ka = EXCLUSIVE[pa & ~(pb | pc)]!;
        const kb = EXCLUSIVE[pb & ~(pa | pc)]!;
        const kc = EXCLUSIVE[pc & ~(pa | pb)]!;
        if (ka === 0 || kb === 0 || kc === 0) return FAIL;
        pa &= ka;
        pb &= kb;
        pc &= kc;
        const sa = CLAIMED[pa]!;
        const sb = CLAIMED[pb]!;
        const sc = CLAIMED[pc]!;
        a &= Math.imul(ka & ~(sb | sc), THREE_ROWS);
        b &= Math.imul(kb & ~(sa | sc), THREE_ROWS);
        c &= Math.imul(kc & ~(sa | sb), THREE_ROWS);
        if (a === a0 && b === b0 && c === c0) break;
      }
      S[k] = a;
      S[k + 1] = b;
      S[k + 2] = c;
      const qa = ROW_SINGLE[a & 511]! | (ROW_SINGLE[(a >> 9) & 511]! << 9) | (ROW_SINGLE[a >> 18]! << 18);
      const qb = ROW_SINGLE[b & 511]! | (ROW_SINGLE[(b >> 9) & 511]! << 9) | (ROW_SINGLE[b >> 18]! << 18);
      const qc = ROW_SINGLE[c & 511]! | (ROW_SINGLE[(c >> 9) & 511]! << 9) | (ROW_SINGLE[c >> 18]! << 18);
      const na = qa & ~S[k + PLACED]!;
      const nb = qb & ~S[k + PLACED + 1]!;
      const nc = qc & ~S[k + PLACED + 2]!;
      if ((na | nb | nc) === 0) continue;
      S[k + PLACED] = qa;
      S[k + PLACED + 1] = qb;
      S[k + PLACED + 2] = qc;
      for (let e = 0, j = o; e < 9; e++, j += 3) {
        if (e === d) continue;
        const wa = S[j]!;
        const wb = S[j + 1]!;
        const wc = S[j + 2]!;
        if (((wa & na) | (wb & nb) | (wc & nc)) === 0) continue;
        S[j] = wa & ~na;
        S[j + 1] = wb & ~nb;
        S[j + 2] = wc & ~nc;
        dirty |= 1 << e;
      }
    }
    let open = 0;
    for (let band = 0; band < 3; band++) {
      let once = 0;
      let twice = 0;
      for (let j = o + band, end = j + 27; j < end; j += 3) {
        const word = S[j]!;
        twice |= once & word;
        once |= word;
      }
      if (once !== ALL_CELLS) return FAIL;
      open |= twice;
      const singles = once & ~twice;
      if (singles === 0) continue;
      for (let d = 0, j = o + band; d < 9; d++, j += 3) {
        let fresh = S[j]! & singles & ~S[j + PLACED]!;
        while (fresh) {
          const cell = 31 - Math.clz32(fresh);
          fresh &= ~(1 << cell);
          S[j] = S[j]! & PEER_FREE[cell]!;
          dirty |= 1 << d;
        }
      }
    }
    if (dirty === 0) return open === 0 ? SOLVED : OPEN;
  }
}

/** The branching cell at offset `o`: band * 32 + cell, with two candidates if there is one such cell, else three, else any. */
function chooseCell(o: number): number {
  let three = -1;
  let more = -1;
  for (let band = 0; band < 3; band++) {
    let once = 0;
    let twice = 0;
    let thrice = 0;
    let often = 0;
    for (let j = o + band, end = j + 27; j < end; j += 3) {
      const word = S[j]!;
      often |= thrice & word;
      thrice |= twice & word;
      twice |= once & word;
      once |= word;
    }
    const pairs = twice & ~thrice;
    if (pairs) return (band << 5) | (31 - Math.clz32(pairs));
    const triples = thrice & ~often;
    if (triples) three = (band << 5) | (31 - Math.clz32(triples));
    else if (often) more = (band << 5) | (31 - Math.clz32(often));
  }
  return three >= 0 ? three : more;
}

function readSolution(o: number): Grid {
  for (let d = 0; d < 9; d++) {
    for (let band = 0; band < 3; band++) {
      let word = S[o + 3 * d + band]!;
      while (word) {
        const cell = 31 - Math.clz32(word);
        word &= ~(1 << cell);
        CELL_DIGIT[27 * band + cell] = d + 1;
      }
    }
  }
  return CELL_DIGIT.slice();
}

function search(o: number, dirty: number): void {
  for (;;) {
    nodes++;
    const state = propagate(o, dirty);
    if (state === FAIL) return;
    if (state === SOLVED) {
      found++;
      if (sink !== undefined) sink.push(readSolution(o));
      return;
    }
    const at = chooseCell(o);
    const band = at >> 5;
    const bit = 1 << (at & 31);
    let d = 0;
    while ((S[o + 3 * d + band]! & bit) === 0) d++;
    // Guess d one level down; here it is struck out, and the loop goes on with what that leaves.
    const next = o + LEVEL;
    S.copyWithin(next, o, next);
    let changed = 1 << d;
    for (let e = 0, j = next + band; e < 9; e++, j += 3) {
      if (e === d) S[j] = S[j]! & PEER_FREE[at & 31]!;
      else if (S[j]! & bit) {
        S[j] = S[j]! & ~bit;
        changed |= 1 << e;
      }
    }
    search(next, changed);
    if (found >= limit) return;
    S[o + 3 * d + band]! &= ~bit;
    dirty = 1 << d;
  }
}

/** Loads a board at level 0, leaving out the clue of one cell. */
function load(puzzle: ArrayLike<number>, without = -1): void {
  if (puzzle.length !== 81) {
    throw new CairnError('bad_board', `Expected 81 cells, got ${puzzle.length}.`, {
      hint: 'Use the reference solver for 4x4 and 6x6 boards.',
    });
  }
  S.fill(ALL_CELLS, 0, PLACED);
  S.fill(0, PLACED, LEVEL);
  for (let band = 0, cell = 0; band < 3; band++) {
    let given = 0;
    for (let bit = 0; bit < 27; bit++, cell++) {
      const value = puzzle[cell]!;
      if (value === 0 || cell === without) continue;
      if (!(value >= 1 && value <= 9)) {
        throw new CairnError('bad_board', `Expected digits 0 to 9, got ${value} at cell ${cell}.`);
      }
      const k = 3 * (value - 1) + band;
      given |= 1 << bit;
      S[k]! &= PEER_FREE[bit]!;
      S[k + PLACED]! |= 1 << bit;
    }
    for (let k = band; k < PLACED; k += 3) S[k]! &= S[k + PLACED]! | ~given;
  }
}

/**
 * Counts the solutions of a 9x9 board up to `upTo`.
 * @param puzzle 81 cells, 0 = empty
 * @param solutions receives the solutions that were counted, when given
 * @returns the number of solutions, at most `upTo`
 * @throws CairnError `bad_board` for another number of cells or a value above 9
 *
 * @example
 * countFast(puzzle, 2) === 1; // exactly one solution
 */
export function countFast(puzzle: ArrayLike<number>, upTo = 2, solutions?: Grid[]): number {
  load(puzzle);
  limit = upTo;
  found = 0;
  nodes = 0;
  sink = solutions;
  search(0, 511);
  sink = undefined;
  return found;
}

/**
 * True when the board has a solution whose `cell` is not `value`; the cell itself counts as empty. This is the question
 * a generator asks before it drops a clue: one search for one solution instead of a count of two.
 */
export function hasOther(puzzle: ArrayLike<number>, cell: number, value: number, solutions?: Grid[]): boolean {
  load(puzzle, cell);
  S[3 * (value - 1) + Math.floor(cell / 27)]! &= ~(1 << (cell % 27));
  limit = 1;
  found = 0;
  nodes = 0;
  sink = solutions;
  search(0, 511);
  sink = undefined;
  return found > 0;
}

/** Search nodes of the last call: states that were propagated. */
export function lastNodes(): number {
  return nodes;
}
