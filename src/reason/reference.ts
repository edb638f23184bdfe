// The reference solver for every board size: naked and hidden singles, then a branch on a cell with fewest candidates.
// It is the oracle of fast.ts and, with branch logging, the solver that writes search trees the checker can replay.
import { geometryOf, sizeOf, type Grid, type Size } from './geometry.ts';

interface Tables {
  readonly cells: number;
  readonly n: number;
  readonly all: number;
  /** [cells * peers per cell], flat. */
  readonly peers: Uint8Array;
  readonly peerCount: number;
  /** [3n * n], flat. */
  readonly units: Uint8Array;
  /** Per cell the bits of its three units. */
  readonly unitBits: Int32Array;
}

const LEAF = 255;
const tablesOf = new Map<Size, Tables>();
const BITS = Uint8Array.from({ length: 512 }, (_, mask) => {
  let count = 0;
  for (let m = mask; m; m &= m - 1) count++;
  return count;
});

function buildTables(n: Size): Tables {
  const { units, unitsOf, peers } = geometryOf(n);
  return {
    cells: n * n,
    n,
    all: (1 << n) - 1,
    peers: Uint8Array.from(peers.flatMap((p) => [...p])),
    peerCount: peers[0]!.length,
    units: Uint8Array.from(units.flatMap((u) => [...u])),
    unitBits: Int32Array.from(unitsOf.map((mine) => mine.reduce((bits, unit) => bits | (1 << unit), 0))),
  };
}

const CAND = new Uint16Array(82 * 81);
const STACK = new Uint8Array(81);
let depth = 0;
let stale = 0;

/** Spreads the cells on the stack, then hidden singles, to the fixpoint. False on a contradiction. */
function propagate(t: Tables, o: number): boolean {
  const { peers, peerCount, units, unitBits, n, all } = t;
  for (;;) {
    while (depth > 0) {
      const cell = STACK[--depth]!;
      const bit = CAND[o + cell]!;
      for (let i = cell * peerCount, end = i + peerCount; i < end; i++) {
        const peer = peers[i]!;
        const mask = CAND[o + peer]!;
        if ((mask & bit) === 0) continue;
        const left = mask ^ bit;
        if (left === 0) return false;
        CAND[o + peer] = left;
        stale |= unitBits[peer]!;
        if ((left & (left - 1)) === 0) STACK[depth++] = peer;
      }
    }
    if (stale === 0) return true;
    while (stale !== 0 && depth === 0) {
      const unit = 31 - Math.clz32(stale);
      stale &= ~(1 << unit);
      const start = unit * n;
      let once = 0;
      let twice = 0;
      for (let i = start; i < start + n; i++) {
        const mask = CAND[o + units[i]!]!;
        twice |= once & mask;
        once |= mask;
      }
      if (once !== all) return false;
      const hidden = once & ~twice;
      if (hidden === 0) continue;
      for (let i = start; i < start + n; i++) {
        const cell = units[i]!;
        const mask = CAND[o + cell]!;
        const mine = mask & hidden;
        if (mine === 0) continue;
        if (mine & (mine - 1)) return false;
        if (mine === mask) continue;
        CAND[o + cell] = mine;
        stale |= unitBits[cell]!;
        STACK[depth++] = cell;
      }
    }
  }
}

interface Run {
  readonly limit: number;
  readonly solutions: Grid[];
  readonly tree: Uint8Array | undefined;
  treeLength: number;
  nodes: number;
  count: number;
  full: boolean;
}

function log(run: Run, byte: number): void {
  if (run.tree === undefined) return;
  if (run.treeLength === run.tree.length) run.full = true;
  else run.tree[run.treeLength++] = byte;
}

function search(t: Tables, level: number, run: Run): void {
  const o = level * t.cells;
  run.nodes++;
  if (!propagate(t, o)) {
    depth = 0;
    log(run, LEAF);
    return;
  }
  let best = -1;
  let fewest = 99;
  for (let cell = 0; cell < t.cells; cell++) {
    const bits = BITS[CAND[o + cell]!]!;
    if (bits > 1 && bits < fewest) {
      fewest = bits;
      best = cell;
      if (bits === 2) break;
    }
  }
  if (best < 0) {
    log(run, LEAF);
    run.count++;
    run.solutions.push(Uint8Array.from({ length: t.cells }, (_, cell) => 32 - Math.clz32(CAND[o + cell]!)));
    return;
  }
  log(run, best);
  for (let mask = CAND[o + best]!; mask; mask &= mask - 1) {
    const next = o + t.cells;
    CAND.copyWithin(next, o, next);
    CAND[next + best] = mask & -mask;
    depth = 0;
    STACK[depth++] = best;
    stale = t.unitBits[best]!;
    search(t, level + 1, run);
    if (run.count >= run.limit || run.full) return;
  }
}

function start(puzzle: ArrayLike<number>, limit: number, tree?: Uint8Array): Run {
  const n = sizeOf(puzzle);
  let t = tablesOf.get(n);
  if (t === undefined) tablesOf.set(n, (t = buildTables(n)));
  depth = 0;
  for (let cell = 0; cell < t.cells; cell++) {
    const value = puzzle[cell]!;
    CAND[cell] = value === 0 ? t.all : 1 << (value - 1);
    if (value !== 0) STACK[depth++] = cell;
  }
  stale = -1 >>> (32 - 3 * n);
  const run: Run = { limit, solutions: [], tree, treeLength: 0, nodes: 0, count: 0, full: false };
  search(t, 0, run);
  return run;
}

/**
 * Counts the solutions of a 4x4, 6x6 or 9x9 board up to `limit`.
 * @param solutions receives the solutions that were counted, when given
 *
 * @example
 * countReference(parseGrid('1.....2.........')); // 2: more than one
 */
export function countReference(puzzle: ArrayLike<number>, limit = 2, solutions?: Grid[]): number {
  const run = start(puzzle, limit);
  if (solutions !== undefined) solutions.push(...run.solutions);
  return run.count;
}

/** What a proof run found. `tree` is complete for 0 or 1 solution; with 2 the run stopped at the second. */
export interface Proof {
  readonly solutions: readonly Grid[];
  readonly tree: Uint8Array;
  /** The tree would be longer than allowed: nothing is proved. */
  readonly exceeded: boolean;
}

const TREE = new Uint8Array(1 << 16);

/**
 * Solves with branch logging: the preorder tree that proves 0 or 1 solution, or two solutions.
 * @param maxBytes longest tree that is still a proof, at most 65536
 */
export function searchProof(puzzle: ArrayLike<number>, maxBytes = 4096): Proof {
  const run = start(puzzle, 2, TREE.subarray(0, maxBytes));
  return { solutions: run.solutions, tree: TREE.slice(0, run.treeLength), exceeded: run.full };
}
