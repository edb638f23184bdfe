// What travels between the modules of a board: pictures of cells, readings, grids, verdicts; and what a sketch keeps of them.
import { CairnError } from '../../errors.ts';
import type { OneHotGroup } from '../../sketch/index.ts';
import type { Encoder } from '../../route/index.ts';
import { pooledInk } from '../../route/index.ts';

export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const CELLS = 81;
/** Classes of a cell: 0 blank, 1..9. */
export const CLASSES = 10;

/** One cell as MNIST has its digits: [784] ink 0..1, row by row, centred by mass. A cell without ink is blank. */
export interface DigitInput {
  readonly pixels: Float32Array;
  /** `0-9`: any digit. `1-9`: a cell of a Sudoku, in which a 0 cannot stand. */
  readonly among: '0-9' | '1-9';
}

/** What a reader says about one cell. */
export interface DigitReading {
  /** 0 for blank when read among 1-9. */
  readonly digit: number;
  readonly blank: boolean;
  /** [10] calibrated probabilities of 0..9; among 1-9 the entry 0 is "blank". */
  readonly probabilities: Float32Array;
}

/** Pictures of 81 cells: [81, 784] ink 0..1. */
export interface BoardPicture {
  readonly cells: Float32Array;
}

/** A board as it was read. */
export interface BoardReading {
  /** [81] 0 blank, 1..9. */
  readonly digits: Uint8Array;
  /** [81, 10] calibrated probabilities. */
  readonly probabilities: Float32Array;
}

/** Blank or one of 1..9, as ten ones-or-zeros. More than half of a puzzle's cells are blank. */
export const DIGIT_GROUPS: readonly OneHotGroup[] = [
  { start: 0, size: CLASSES, prior: [0.56, ...Array.from({ length: 9 }, () => 0.44 / 9)] },
];

/** [10] one-hot. */
export function oneHotDigit(digit: number): Float32Array {
  const out = new Float32Array(CLASSES);
  out[digit] = 1;
  return out;
}

/** Total ink below which a cell is blank. The faintest MNIST digit has about 19; JPEG-like noise stays below 2. */
export const BLANK_INK = 4;

/** Sum of a cell's ink, in full pixels. */
export function inkOf(pixels: ArrayLike<number>): number {
  let ink = 0;
  for (let i = 0; i < pixels.length; i++) ink += pixels[i]!;
  return ink;
}

/** Features for the router: 7 x 7 pooled ink and its amount. */
export const digitEncoder: Encoder<DigitInput> = (() => {
  const pooled = pooledInk(SIDE, 7);
  return { ...pooled, embed: (input, out, offset) => pooled.embed(input.pixels, out, offset) };
})();

/** The 81 cells of a picture as inputs of `read-digit`. */
export function cellsOf(picture: BoardPicture): DigitInput[] {
  if (picture.cells.length !== CELLS * PIXELS) {
    throw new CairnError('bad_picture', `Expected 81 cells of 784 pixels, got ${picture.cells.length} numbers.`, {
      hint: 'Cut the board into cells first.',
    });
  }
  return Array.from({ length: CELLS }, (_, i) => ({
    pixels: picture.cells.subarray(i * PIXELS, (i + 1) * PIXELS),
    among: '1-9',
  }));
}
