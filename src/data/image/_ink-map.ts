// From grey values to ink: which of dark and light is ink, how bright the paper is around each pixel, and how much of it is
// covered. Works under uneven light because the paper is estimated locally.
import { resize, type GrayImage } from './gray.ts';

export interface InkMap {
  readonly width: number;
  readonly height: number;
  /** Ink per pixel, 0 = paper, 255 = the darkest ink of the image. */
  readonly data: Uint8Array;
  /** True when the ink was lighter than the paper. */
  readonly inverted: boolean;
  /** Difference between paper and the darkest ink as a share of the paper's brightness, before scaling. */
  readonly contrast: number;
  /** The same in grey levels. */
  readonly levels: number;
}

/** Means over square windows of the given radius, by a summed-area table. */
function localMeans(image: GrayImage, radius: number): Float32Array {
  const { width, height, data } = image;
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += data[y * width + x]!;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1]! + row;
    }
  }
  const means = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const y0 = Math.max(0, y - radius);
    const y1 = Math.min(height, y + radius + 1);
    const upper = y0 * (width + 1);
    const lower = y1 * (width + 1);
    for (let x = 0; x < width; x++) {
      const x0 = Math.max(0, x - radius);
      const x1 = Math.min(width, x + radius + 1);
      const sum = sums[lower + x1]! - sums[upper + x1]! - sums[lower + x0]! + sums[upper + x0]!;
      means[y * width + x] = sum / ((y1 - y0) * (x1 - x0));
    }
  }
  return means;
}

/** True when the thin structures are lighter than their surroundings: the skewness of the difference to the local mean. */
function isInverted(image: GrayImage): boolean {
  const scale = Math.min(1, 400 / Math.max(image.width, image.height));
  const small = resize(image, Math.ceil(scale * image.width), Math.ceil(scale * image.height));
  const means = localMeans(small, Math.max(4, Math.round(Math.min(small.width, small.height) / 24)));
  let third = 0;
  for (let i = 0; i < means.length; i++) third += (small.data[i]! - means[i]!) ** 3;
  return third > 0;
}

/** Brightness of the paper on a coarse grid of tiles: the 80th percentile of each. */
function paperOf(
  data: Uint8Array,
  width: number,
  height: number,
  tile: number,
): { grid: Float32Array; columns: number; rows: number } {
  const columns = Math.max(1, Math.round(width / tile));
  const rows = Math.max(1, Math.round(height / tile));
  const grid = new Float32Array(columns * rows);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const counts = new Uint32Array(256);
      const [x0, x1] = [Math.floor((c * width) / columns), Math.floor(((c + 1) * width) / columns)];
      const [y0, y1] = [Math.floor((r * height) / rows), Math.floor(((r + 1) * height) / rows)];
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) counts[data[y * width + x]!]!++;
      let left = 0.2 * (x1 - x0) * (y1 - y0);
      let value = 255;
      for (; value > 1 && left - counts[value]! > 0; value--) left -= counts[value]!;
      grid[r * columns + c] = value;
    }
  }
  return { grid, columns, rows };
}

/**
 * The ink of an image. `data` is 0 on paper; thresholds below the noise are left to the reader.
 */
export function inkMap(image: GrayImage): InkMap {
  const { width, height } = image;
  const inverted = isInverted(image);
  const data = inverted ? image.data.map((v) => 255 - v) : image.data;
  const { grid, columns, rows } = paperOf(data, width, height, Math.max(16, Math.min(width, height) / 10));
  const ratio = new Float32Array(width * height);
  const histogram = new Uint32Array(1001);
  for (let y = 0; y < height; y++) {
    const gy = Math.min(rows - 1, Math.max(0, ((y + 0.5) * rows) / height - 0.5));
    const r0 = Math.floor(gy);
    const fy = gy - r0;
    const r1 = Math.min(rows - 1, r0 + 1);
    for (let x = 0; x < width; x++) {
      const gx = Math.min(columns - 1, Math.max(0, ((x + 0.5) * columns) / width - 0.5));
      const c0 = Math.floor(gx);
      const fx = gx - c0;
      const c1 = Math.min(columns - 1, c0 + 1);
      const upper = grid[r0 * columns + c0]! * (1 - fx) + grid[r0 * columns + c1]! * fx;
      const lower = grid[r1 * columns + c0]! * (1 - fx) + grid[r1 * columns + c1]! * fx;
      const paper = upper * (1 - fy) + lower * fy;
      const covered = Math.max(0, paper - data[y * width + x]!) / Math.max(48, paper);
      ratio[y * width + x] = covered;
      histogram[Math.round(1000 * covered)]!++;
    }
  }
  // Full ink is what the darkest 1 % of the pixels have at least.
  let left = 0.01 * width * height;
  let contrast = 1000;
  for (; contrast > 1 && left - histogram[contrast]! > 0; contrast--) left -= histogram[contrast]!;
  const out = new Uint8Array(width * height);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(255, Math.round((255 * 1000 * ratio[i]!) / contrast));
  const brightness = grid.reduce((sum, v) => sum + v, 0) / grid.length;
  const levels = (contrast / 1000) * Math.max(48, brightness);
  return { width, height, data: out, inverted, contrast: contrast / 1000, levels };
}
