// Draws a board of digit images with its grid lines, dark on light, at any scale. What it draws, find-board.ts can read.
import { CairnError } from '../../errors.ts';
import { createGray, resample, type GrayImage } from './gray.ts';

export interface RenderBoardOptions {
  /** Pixels of a cell's side. Default 56, twice the size of an MNIST image. */
  readonly cell?: number;
  /** Empty border around the board in pixels. Default half a cell. */
  readonly margin?: number;
  /** Width of the thin lines between cells in pixels; 0 leaves them out. Default cell / 28. */
  readonly line?: number;
  /** Width of the lines around the boxes and the board; 0 leaves them out. Default 2.5 thin lines. */
  readonly boxLine?: number;
  /** Grey value of the ink. Default 0. */
  readonly ink?: number;
  /** Grey value of the paper. Default 255. */
  readonly paper?: number;
}

/**
 * Draws 81 digit images (28 x 28, 0 = background, 255 = ink, as MNIST has them) into a grid; undefined is an empty cell.
 * @throws CairnError `bad_board` for another number of cells or pixels, `bad_option` for a cell below 10 pixels
 *
 * @example
 * const image = renderBoard(cells, { cell: 28 });
 */
export function renderBoard(cells: readonly (Uint8Array | undefined)[], options: RenderBoardOptions = {}): GrayImage {
  const {
    cell = 56,
    margin = Math.round(cell / 2),
    line = cell / 28,
    boxLine = 2.5 * line,
    ink = 0,
    paper = 255,
  } = options;
  if (cells.length !== 81) throw new CairnError('bad_board', `Expected 81 cells, got ${cells.length}.`);
  if (!Number.isInteger(cell) || cell < 10 || !Number.isInteger(margin) || margin < 0) {
    throw new CairnError(
      'bad_option',
      `Expected a cell of 10 pixels or more and a margin of 0 or more, got ${cell} and ${margin}.`,
    );
  }
  const size = 9 * cell + 2 * margin;
  // Ink coverage from 0 (paper) to 255, turned into grey values at the end.
  const cover = createGray(size, size, 0);
  for (let at = 0; at < 81; at++) {
    const pixels = cells[at];
    if (pixels === undefined) continue;
    if (pixels.length !== 784) {
      throw new CairnError('bad_board', `Expected 784 pixels in cell ${at}, got ${pixels.length}.`);
    }
    const digit = resample(
      { width: 28, height: 28, data: pixels },
      { x: 0, y: 0, width: 28, height: 28 },
      cell,
      cell,
      0,
    );
    const top = margin + cell * Math.floor(at / 9);
    const left = margin + cell * (at % 9);
    for (let y = 0; y < cell; y++) {
      cover.data.set(digit.data.subarray(y * cell, (y + 1) * cell), (top + y) * size + left);
    }
  }
  const from = Math.max(0, margin - boxLine / 2);
  const to = Math.min(size, margin + 9 * cell + boxLine / 2);
  for (let k = 0; k <= 9; k++) {
    const width = k % 3 === 0 ? boxLine : line;
    const middle = margin + k * cell;
    const [low, high] = [middle - width / 2, middle + width / 2];
    for (let a = Math.max(0, Math.floor(low)); a < Math.min(size, Math.ceil(high)); a++) {
      const share = Math.round(255 * Math.max(0, Math.min(a + 1, high) - Math.max(a, low)));
      for (let b = Math.floor(from); b < Math.ceil(to); b++) {
        cover.data[a * size + b] = Math.max(cover.data[a * size + b]!, share);
        cover.data[b * size + a] = Math.max(cover.data[b * size + a]!, share);
      }
    }
  }
  const image = createGray(size, size);
  for (let i = 0; i < cover.data.length; i++)
    image.data[i] = Math.round(paper + ((ink - paper) * cover.data[i]!) / 255);
  return image;
}
