// Lookup tables of the band solver (fast.ts). A band is three rows of nine cells, 27 bits: bit = 9 * row-in-band + column.
// A mini-row is one row's part in one box; a band has nine of them.

/** All 27 cells of a band. */
export const ALL_CELLS = (1 << 27) - 1;

/** Repeats a nine-bit column mask over the three rows of a band. */
export const THREE_ROWS = 1 + 512 + 262144;

const PLACEMENTS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** [512] row of nine bits → three bits: which mini-rows are not empty. */
export const SHAPE = Int32Array.from({ length: 512 }, (_, row) => {
  return (row & 7 ? 1 : 0) | (row & 56 ? 2 : 0) | (row & 448 ? 4 : 0);
});

/**
 * [512] nine mini-row bits (3 * row + box) → the 27 cells of all ways to give each row its own box; 0 when there is no way.
 * One access does the singles of rows and boxes and the candidates locked along rows.
 */
export const KEEP = Int32Array.from({ length: 512 }, (_, shape) => {
  let cells = 0;
  for (const boxes of PLACEMENTS) {
    if (boxes.every((box, row) => shape & (1 << (3 * row + box)))) {
      boxes.forEach((box, row) => (cells |= 7 << (9 * row + 3 * box)));
    }
  }
  return cells;
});

/** [512] columns that only this band can serve → columns this band may still use; 0 when two of them share a box. */
export const EXCLUSIVE = Int32Array.from({ length: 512 }, (_, columns) => {
  let allowed = 0;
  for (let box = 0; box < 3; box++) {
    const mine = (columns >> (3 * box)) & 7;
    if (mine === 0) allowed |= 7 << (3 * box);
    else if (mine & (mine - 1)) return 0;
    else allowed |= mine << (3 * box);
  }
  return allowed;
});

/** [512] columns of a band → those that are the only one of their box, so that the other bands lose them. */
export const CLAIMED = Int32Array.from({ length: 512 }, (_, columns) => {
  let claimed = 0;
  for (let box = 0; box < 3; box++) {
    const mine = (columns >> (3 * box)) & 7;
    if (mine && !(mine & (mine - 1))) claimed |= mine << (3 * box);
  }
  return claimed;
});

/** [512] the row itself when it has exactly one cell left, else 0. */
export const ROW_SINGLE = Int32Array.from({ length: 512 }, (_, row) => (row && !(row & (row - 1)) ? row : 0));

/** [27] cell of a band → itself and the cells of the band outside its row, column and box. */
export const PEER_FREE = Int32Array.from({ length: 27 }, (_, cell) => {
  let keep = 1 << cell;
  for (let other = 0; other < 27; other++) {
    const sameRow = Math.floor(other / 9) === Math.floor(cell / 9);
    const sameBox = Math.floor((other % 9) / 3) === Math.floor((cell % 9) / 3);
    if (!sameRow && !sameBox && other % 9 !== cell % 9) keep |= 1 << other;
  }
  return keep;
});
