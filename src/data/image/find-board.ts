// Finds a Sudoku board in a grey image and cuts its 81 cells: by the grid lines where they are, else by the box lines or
// the frame, else by an even split. It reads no digits; to-digit.ts prepares the cells for a reader.
import { CairnError } from '../../errors.ts';
import { findComb, lineNear, profileOf, skewOf } from './_grid-lines.ts';
import { inkMap, type InkMap } from './_ink-map.ts';
import { createGray, resize, rotate, type GrayImage, type Rectangle } from './gray.ts';

/** How the cells were found: by all lines, by the lines around the boxes, by the frame only, or by an even split. */
export type BoardGrid = 'lines' | 'boxes' | 'frame' | 'even';

export interface FoundBoard {
  /** 81 cells, dark ink on white, grid lines blanked out, scaled so that the darkest ink of the board is black. */
  readonly cells: readonly GrayImage[];
  readonly grid: BoardGrid;
  /** Where the board lies, in pixels of the image, after it was turned upright. */
  readonly bounds: Rectangle;
  /** Degrees by which the image was turned (clockwise) before the cells were cut. */
  readonly turned: number;
  /** True when the ink was lighter than the paper. */
  readonly inverted: boolean;
}

const MIN_SIDE = 90;
/** Longest sides of the images in which cells are cut, lines are looked for and the angle is measured. */
const MOST_SIDE = 1400;
const WORK_SIDE = 560;
const SKEW_SIDE = 320;
/** Least difference between ink and paper: a share of the paper's brightness, and grey levels. */
const MIN_CONTRAST = 0.12;
const MIN_LEVELS = 18;

const patterns = [
  ['lines', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['boxes', [0, 3, 6, 9]],
  ['frame', [0, 9]],
] as const satisfies readonly (readonly [BoardGrid, readonly number[]])[];

interface Axis {
  /** Ten line positions. */
  readonly at: number[];
  /** Width of each line; 0 where none was found. */
  readonly width: number[];
}

/** The ten lines along one axis at full size, from a rough place found at working size. */
function refine(
  map: InkMap,
  axis: 'x' | 'y',
  rough: { first: number; pitch: number },
  across: readonly [number, number],
  lines: readonly number[],
): Axis {
  const profile = profileOf(map, axis, ...across);
  const at: (number | undefined)[] = Array.from({ length: 10 }, () => undefined);
  const width = Array.from({ length: 10 }, () => 0);
  for (const k of lines) {
    const found = lineNear(profile, rough.first + k * rough.pitch, Math.max(2, 0.12 * rough.pitch));
    if (found === undefined) continue;
    at[k] = found.centre;
    width[k] = found.width;
  }
  // Lines that were not found lie evenly between the nearest ones that were.
  const known = [...at.keys()].filter((k) => at[k] !== undefined);
  const place = (k: number): number => {
    const own = at[k];
    if (own !== undefined) return own;
    const below = known.findLast((j) => j < k);
    const above = known.find((j) => j > k);
    if (below !== undefined && above !== undefined) {
      return at[below]! + ((k - below) / (above - below)) * (at[above]! - at[below]!);
    }
    const anchor = below ?? above;
    return anchor === undefined ? rough.first + 0.5 + k * rough.pitch : at[anchor]! + (k - anchor) * rough.pitch;
  };
  return { at: Array.from({ length: 10 }, (_, k) => place(k)), width };
}

/** Share of a line that is really drawn, between two ends across it. */
function coverage(map: InkMap, axis: 'x' | 'y', position: number, from: number, to: number): number {
  const { width, height, data } = map;
  const limit = axis === 'x' ? width : height;
  let hit = 0;
  let count = 0;
  for (let j = Math.max(0, Math.round(from)); j < Math.min(axis === 'x' ? height : width, Math.round(to)); j++) {
    let ink = 0;
    for (let i = Math.max(0, Math.round(position) - 2); i <= Math.min(limit - 1, Math.round(position) + 2); i++) {
      ink = Math.max(ink, axis === 'x' ? data[j * width + i]! : data[i * width + j]!);
    }
    if (ink > 50) hit++;
    count++;
  }
  return count === 0 ? 0 : hit / count;
}

function locate(map: InkMap, small: InkMap): { grid: BoardGrid; x: Axis; y: Axis } | undefined {
  const scale = map.width / small.width;
  for (const [grid, lines] of patterns) {
    const x = findComb(profileOf(small, 'x', 0, small.height), lines);
    const y = findComb(profileOf(small, 'y', 0, small.width), lines);
    const spanX: [number, number] = [x.first, x.first + 9 * x.pitch];
    const spanY: [number, number] = [y.first, y.first + 9 * y.pitch];
    const ratio = x.pitch / y.pitch;
    const drawn = lines.map((k) => [
      coverage(small, 'x', x.first + k * x.pitch, ...spanY),
      coverage(small, 'y', y.first + k * y.pitch, ...spanX),
    ]);
    const shares = drawn.flat();
    const mean = shares.reduce((sum, v) => sum + v, 0) / shares.length;
    const weak = shares.filter((v) => v < 0.5).length;
    if (ratio < 0.7 || ratio > 1.43 || mean < 0.75 || weak > shares.length / 6) continue;
    const full = (comb: { first: number; pitch: number }): { first: number; pitch: number } => ({
      first: (comb.first + 0.5) * scale - 0.5,
      pitch: comb.pitch * scale,
    });
    const across = ([from, to]: [number, number]): [number, number] => [from * scale, to * scale];
    return {
      grid,
      x: refine(map, 'x', full(x), across(spanY), lines),
      y: refine(map, 'y', full(y), across(spanX), lines),
    };
  }
  return undefined;
}

/** One cell between its lines, with the lines blanked out. */
function cut(map: InkMap, x: Axis, y: Axis, row: number, column: number): GrayImage {
  const [left, right, top, bottom] = [x.at[column]!, x.at[column + 1]!, y.at[row]!, y.at[row + 1]!];
  const [x0, y0] = [Math.round(left), Math.round(top)];
  const [width, height] = [Math.max(4, Math.round(right - left)), Math.max(4, Math.round(bottom - top))];
  const image = createGray(width, height);
  const clear = (lineWidth: number): number => (lineWidth === 0 ? 0 : lineWidth / 2 + Math.max(0.5, 0.012 * width));
  const low = { x: left + clear(x.width[column]!), y: top + clear(y.width[row]!) };
  const high = { x: right - clear(x.width[column + 1]!), y: bottom - clear(y.width[row + 1]!) };
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const [sx, sy] = [x0 + i, y0 + j];
      if (sx + 1 <= low.x || sx >= high.x || sy + 1 <= low.y || sy >= high.y) continue;
      if (sx < 0 || sy < 0 || sx >= map.width || sy >= map.height) continue;
      image.data[j * width + i] = 255 - map.data[sy * map.width + sx]!;
    }
  }
  return image;
}

/** The image scaled down so that its longer side is at most `side`. */
function shrink<T extends GrayImage>(image: T, side: number): T {
  const scale = side / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  return { ...image, ...resize(image, Math.ceil(scale * image.width), Math.ceil(scale * image.height)) };
}

/**
 * Finds the board in an image and cuts it into 81 cells, row by row.
 * @throws CairnError `image_too_small` (a side below 90 pixels), `no_ink` (nothing is darker or lighter than the paper),
 * `no_board` (no grid was found, and the image is not square enough to be split evenly)
 *
 * @example
 * const { cells, grid } = findBoard(readPng(bytes));
 * const digits = cells.map(toDigitImage);
 */
export function findBoard(image: GrayImage): FoundBoard {
  if (Math.min(image.width, image.height) < MIN_SIDE) {
    throw new CairnError(
      'image_too_small',
      `Expected an image of at least ${MIN_SIDE} x ${MIN_SIDE} pixels, got ${image.width} x ${image.height}.`,
      { hint: 'Use a larger picture of the board: 10 pixels a cell are the least, 28 and more are better.' },
    );
  }
  const source = shrink(image, MOST_SIDE);
  let map = inkMap(source);
  if (map.contrast < MIN_CONTRAST || map.levels < MIN_LEVELS) {
    throw new CairnError('no_ink', 'Expected a board in the image, got no ink at all.', {
      hint: 'Use a picture in which lines and digits stand out from the paper.',
    });
  }
  let turned = 0;
  const skew = skewOf(shrink(map, SKEW_SIDE));
  let found = locate(map, shrink(map, WORK_SIDE));
  if (Math.abs(skew) >= 0.3) {
    const upright = inkMap(rotate(source, -skew));
    const again = locate(upright, shrink(upright, WORK_SIDE));
    if (again !== undefined && (found === undefined || rank(again.grid) <= rank(found.grid))) {
      [map, found, turned] = [upright, again, -skew];
    }
  }
  if (found === undefined) {
    const ratio = image.width / image.height;
    if (ratio < 0.8 || ratio > 1.25) {
      throw new CairnError(
        'no_board',
        `Expected grid lines or a square picture of the board alone, got ${image.width} x ${image.height} pixels without a grid.`,
        { hint: 'Cut the picture to the board.' },
      );
    }
    const even = (length: number): Axis => ({
      at: Array.from({ length: 10 }, (_, k) => (k * length) / 9),
      width: Array.from({ length: 10 }, () => 0),
    });
    found = { grid: 'even', x: even(map.width), y: even(map.height) };
  }
  const { grid, x, y } = found;
  const cells = Array.from({ length: 81 }, (_, cell) => cut(map, x, y, Math.floor(cell / 9), cell % 9));
  const scale = image.width / source.width;
  const bounds = {
    x: scale * x.at[0]!,
    y: scale * y.at[0]!,
    width: scale * (x.at[9]! - x.at[0]!),
    height: scale * (y.at[9]! - y.at[0]!),
  };
  return { cells, grid, bounds, turned, inverted: map.inverted };
}

function rank(grid: BoardGrid): number {
  return grid === 'lines' ? 0 : grid === 'boxes' ? 1 : grid === 'frame' ? 2 : 3;
}
