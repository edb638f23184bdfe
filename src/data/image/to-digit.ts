// Turns a cell image into what a digit reader trained on MNIST expects: 28 x 28, ink 1 on background 0, the digit scaled to
// a box of 20 x 20 and centred by its centre of mass. Says how much ink there is, so that blank cells need no reader.
import { resample, type GrayImage, type Rectangle } from './gray.ts';

export interface DigitImage {
  /** [28, 28] row by row, ink in [0, 1]; all 0 for a blank cell. */
  readonly pixels: Float32Array;
  /** Ink of the digit as a share of the cell's area, borders and specks left out. */
  readonly ink: number;
  /** True when there is no digit in the cell. */
  readonly blank: boolean;
}

/** Ink below this is paper; a stroke has at least one pixel above STROKE. */
const PAPER = 0.06;
const STROKE = 0.35;
/** Least ink of a digit as a share of the cell. The thinnest MNIST test digit has 0.028. */
const MIN_INK = 0.008;
/** Where MNIST has the centre of mass, in pixels of the 28 x 28 image. */
const CENTRE = 14.5;

interface Part {
  readonly pixels: number[];
  readonly box: Rectangle;
  readonly ink: number;
}

/** Connected parts (eight neighbours) of the ink above a threshold. */
function partsOf(ink: Float32Array, width: number, height: number, threshold: number): Part[] {
  const seen = new Uint8Array(ink.length);
  const parts: Part[] = [];
  for (let start = 0; start < ink.length; start++) {
    if (seen[start] || ink[start]! < threshold) continue;
    const pixels = [start];
    seen[start] = 1;
    let [left, right, top, bottom, mass] = [width, 0, height, 0, 0];
    for (let k = 0; k < pixels.length; k++) {
      const at = pixels[k]!;
      const x = at % width;
      const y = (at - x) / width;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      mass += ink[at]!;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen[next] || ink[next]! < threshold) continue;
          seen[next] = 1;
          pixels.push(next);
        }
      }
    }
    parts.push({ pixels, box: { x: left, y: top, width: right - left + 1, height: bottom - top + 1 }, ink: mass });
  }
  return parts;
}

/** True for what is left of grid lines: it lies along the edges and stays out of the middle of the cell. */
function isBorder({ pixels }: Part, width: number, height: number): boolean {
  const edgeX = 0.13 * width;
  const edgeY = 0.13 * height;
  let inside = 0;
  for (const at of pixels) {
    const x = at % width;
    const y = (at - x) / width;
    if (x >= edgeX && x < width - edgeX && y >= edgeY && y < height - edgeY) inside++;
  }
  return inside < 0.1 * pixels.length;
}

/**
 * Prepares a cell for a digit reader.
 * @param cell dark ink on white, as `findBoard` cuts it
 *
 * @example
 * const { pixels, blank } = toDigitImage(cell);
 */
export function toDigitImage(cell: GrayImage): DigitImage {
  const { width, height } = cell;
  const area = width * height;
  const ink = Float32Array.from(cell.data, (v) => (v > 255 * (1 - PAPER) ? 0 : 1 - v / 255));
  const none: DigitImage = { pixels: new Float32Array(784), ink: 0, blank: true };
  const parts = partsOf(ink, width, height, 0.2).filter((part) => {
    if (isBorder(part, width, height)) return false;
    return part.pixels.some((at) => ink[at]! >= STROKE) && part.ink >= 0.0015 * area;
  });
  // Specks beside a digit: far smaller than its largest part.
  const largest = parts.reduce((most, part) => Math.max(most, part.ink), 0);
  const kept = parts.filter((part) => part.ink >= 0.05 * largest);
  const total = kept.reduce((sum, part) => sum + part.ink, 0);
  if (total < MIN_INK * area) return { ...none, ink: total / area };

  // Keep the faint rim of the strokes, drop everything else.
  const rim = Math.max(1, Math.round(Math.max(width, height) / 28));
  const keep = new Uint8Array(area);
  for (const part of kept) {
    for (const at of part.pixels) {
      const x = at % width;
      const y = (at - x) / width;
      for (let ny = Math.max(0, y - rim); ny <= Math.min(height - 1, y + rim); ny++) {
        keep.fill(1, ny * width + Math.max(0, x - rim), ny * width + Math.min(width - 1, x + rim) + 1);
      }
    }
  }
  const clean = { width, height, data: new Uint8Array(area) };
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let at = 0; at < area; at++) {
    if (!keep[at]) continue;
    clean.data[at] = Math.round(255 * ink[at]!);
    mass += ink[at]!;
    sumX += ink[at]! * ((at % width) + 0.5);
    sumY += ink[at]! * (Math.floor(at / width) + 0.5);
  }
  const scaled = resample(clean, sourceOf(kept, width, height, sumX / mass, sumY / mass), 28, 28, 0);
  const brightest = scaled.data.reduce((most, v) => Math.max(most, v), 0);
  const gain = 1 / Math.max(85, brightest);
  return { pixels: Float32Array.from(scaled.data, (v) => Math.min(1, v * gain)), ink: mass / area, blank: false };
}

/**
 * The square of the cell that becomes the 28 x 28 image: the digit's longer side takes 20 pixels, its centre of mass the
 * middle. A digit that already sits so within its cell keeps the cell's own square, so that nothing is blurred twice.
 * MNIST moves by whole pixels: its centres of mass lie between 14 and 15, 14.5 on average.
 */
function sourceOf(parts: readonly Part[], width: number, height: number, cx: number, cy: number): Rectangle {
  const left = Math.min(...parts.map(({ box }) => box.x));
  const top = Math.min(...parts.map(({ box }) => box.y));
  const right = Math.max(...parts.map(({ box }) => box.x + box.width));
  const bottom = Math.max(...parts.map(({ box }) => box.y + box.height));
  const side = (28 / 20) * Math.max(right - left, bottom - top);
  const off = Math.max(Math.abs((28 * cx) / width - CENTRE), Math.abs((28 * cy) / height - CENTRE));
  if (off < 0.9 && Math.abs(side / Math.max(width, height) - 1) < 0.1) return { x: 0, y: 0, width, height };
  return { x: cx - (CENTRE / 28) * side, y: cy - (CENTRE / 28) * side, width: side, height: side };
}
