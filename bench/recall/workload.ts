// Boards with true neighbours: every family of boards is one board with a few cells read otherwise in each member. A query is
// one more member of a family that is not stored, so its nearest boards are its relatives, at many degrees.
import type { Obj } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';

const CELLS = 81;
/** Boards of one family. */
export const FAMILY = 20;
/** Cells that differ between a member and its family's first board: 1 to this many. */
const MOST_CHANGES = 16;
const PRIOR = [50 / 81, ...Array.from({ length: 9 }, () => 31 / 81 / 9)];
const GROUPS = [{ start: 0, size: 10, prior: PRIOR }];
/** The ten classes of a cell, shared by all boards. */
const CLASSES = Array.from({ length: 10 }, (_, digit) => {
  const attributes = new Float32Array(10);
  attributes[digit] = 1;
  return attributes;
});

/** The cells of a family's first board. */
function firstOf(rng: Rng, family: number): number[] {
  const own = rng.fork('family').fork(family);
  return Array.from({ length: CELLS }, () => own.categorical(PRIOR));
}

/** One member of a family; members from FAMILY on are never stored. */
export function member(rng: Rng, family: number, index: number): Obj {
  const own = rng.fork('member').fork(family).fork(index);
  const cells = firstOf(rng, family);
  const changes = 1 + own.integer(MOST_CHANGES);
  for (let k = 0; k < changes; k++) cells[own.integer(CELLS)] = own.categorical(PRIOR);
  const inputs = cells.map((digit) => ({
    object: { module: 'read-digit', attributes: CLASSES[digit]!, groups: GROUPS },
    weight: 1 / CELLS,
  }));
  const read = { module: 'read-board', attributes: unit(own, 4), inputs };
  return { module: 'solve-board', attributes: unit(own, 6), inputs: [{ object: read, weight: 1 }] };
}

function unit(rng: Rng, size: number): Float32Array {
  const x = Float64Array.from({ length: size }, () => rng.uniform());
  const norm = Math.sqrt(x.reduce((s, v) => s + v * v, 0)) * (1 + 1e-7);
  return Float32Array.from(x, (v) => v / norm);
}
