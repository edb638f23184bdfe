// Boards that write themselves: a puzzle of our generator in which every clue is a picture from MNIST's test images, never
// a training image. A pure function of seed and index, so that a board's handwriting never has to be stored.
import type { Digits } from '../../data/index.ts';
import { generateSudoku, gradeSudoku } from '../../reason/index.ts';
import { Rng } from '../../tensor/index.ts';
import type { Provenance } from '../module.ts';
import { CELLS, PIXELS, type BoardPicture } from './cells.ts';

export interface GeneratedBoard {
  readonly index: number;
  /** [81] 0 blank. */
  readonly puzzle: Uint8Array;
  readonly solution: Uint8Array;
  /** [81] number of the test image in each cell, -1 where blank. */
  readonly images: Int32Array;
  readonly picture: BoardPicture;
}

/** Test images by their digit. */
export type ImagesByDigit = readonly (readonly number[])[];

export function imagesByDigit(test: Digits): ImagesByDigit {
  const lists: number[][] = Array.from({ length: 10 }, () => []);
  for (let i = 0; i < test.count; i++) lists[test.labels[i]!]!.push(i);
  return lists;
}

/** Every so many boards one is hard. */
const HARD_EVERY = 32;

/**
 * The board with this number of the stream with this seed. Every clue of it can be left out and the solution stays the only
 * one, so that one misread clue always contradicts the others. Such boards are easy; one in 32 is a minimal puzzle that needs
 * more than single candidates, and there a doubtful clue can often not be settled.
 */
export function generateBoard(
  seed: string | number,
  index: number,
  test: Digits,
  byDigit: ImagesByDigit = imagesByDigit(test),
): GeneratedBoard {
  const rng = new Rng(`${seed}`).fork('boards').fork(index);
  const { puzzle, solution } =
    index % HARD_EVERY === HARD_EVERY - 1
      ? hardPuzzle(rng.fork('hard'))
      : generateSudoku({ rng: rng.fork('puzzle'), redundancy: 'single' });
  const pick = rng.fork('images');
  const images = new Int32Array(CELLS).fill(-1);
  const cells = new Float32Array(CELLS * PIXELS);
  for (let cell = 0; cell < CELLS; cell++) {
    if (puzzle[cell] === 0) continue;
    const list = byDigit[puzzle[cell]!]!;
    const image = list[pick.integer(list.length)]!;
    images[cell] = image;
    for (let i = 0; i < PIXELS; i++) cells[cell * PIXELS + i] = test.images[image * PIXELS + i]! / 255;
  }
  return { index, puzzle, solution, images, picture: { cells } };
}

/** A minimal puzzle that single candidates do not solve: more than half of all minimal puzzles. */
function hardPuzzle(rng: Rng): { puzzle: Uint8Array; solution: Uint8Array } {
  for (let attempt = 0; ; attempt++) {
    const made = generateSudoku({ rng: rng.fork(attempt) });
    if (gradeSudoku(made.puzzle) !== 'singles') return made;
  }
}

/** Where a generated board comes from; enough to make it again. */
export function generatedProvenance(seed: string | number, index: number): Provenance {
  return { source: `generated/${seed}`, ordinal: index };
}

/** Seed and index of a generated board; undefined for another source. */
export function seedAndIndex(provenance: Provenance): { seed: string; index: number } | undefined {
  if (!provenance.source.startsWith('generated/') || provenance.ordinal === undefined) return undefined;
  return { seed: provenance.source.slice('generated/'.length), index: provenance.ordinal };
}
