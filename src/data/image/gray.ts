// Grey images and how they are resized, cut and turned. 0 is black, 255 white.
import { CairnError } from '../../errors.ts';

/** A grey image, row by row: `data[y * width + x]`, 0 = black, 255 = white. */
export interface GrayImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle in pixel units; fractions allowed. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A grey image of one value.
 * @throws CairnError `bad_image` when a side is no positive integer
 */
export function createGray(width: number, height: number, value = 255): GrayImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new CairnError('bad_image', `Expected sides of at least one pixel, got ${width} x ${height}.`);
  }
  return { width, height, data: new Uint8Array(width * height).fill(value) };
}

/**
 * Grey values of RGBA bytes laid over white, by the luma weights of BT.601.
 * @param rgba four bytes per pixel
 */
export function grayFromRgba(rgba: ArrayLike<number>, width: number, height: number): GrayImage {
  const image = createGray(width, height);
  for (let i = 0; i < image.data.length; i++) {
    const k = 4 * i;
    const luma = 0.299 * rgba[k]! + 0.587 * rgba[k + 1]! + 0.114 * rgba[k + 2]!;
    const alpha = rgba[k + 3]! / 255;
    image.data[i] = Math.round(luma * alpha + 255 * (1 - alpha));
  }
  return image;
}

/** The Catmull-Rom cubic: weights of the four pixels around a place, `t` beyond the second. Keeps edges sharper than linear. */
function cubicWeights(t: number): Float64Array {
  return Float64Array.of(
    t * (-0.5 + t * (1 - 0.5 * t)),
    1 + t * t * (-2.5 + 1.5 * t),
    t * (0.5 + t * (2 - 1.5 * t)),
    t * t * (-0.5 + 0.5 * t),
  );
}

/** Source pixels and weights of every output pixel along one axis: areas when shrinking, cubic when enlarging. */
function axisWeights(from: number, length: number, count: number): { first: Int32Array; weights: Float64Array[] } {
  const step = length / count;
  const first = new Int32Array(count);
  const weights: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    if (step <= 1) {
      const centre = from + (i + 0.5) * step - 0.5;
      const low = Math.floor(centre);
      first[i] = low - 1;
      weights.push(cubicWeights(centre - low));
      continue;
    }
    const start = from + i * step;
    const low = Math.floor(start);
    const row = new Float64Array(Math.ceil(start + step) - low);
    for (let k = 0; k < row.length; k++) {
      row[k] = Math.max(0, Math.min(low + k + 1, start + step) - Math.max(low + k, start)) / step;
    }
    first[i] = low;
    weights.push(row);
  }
  return { first, weights };
}

/**
 * Cuts a rectangle and scales it: area averages when shrinking, cubic interpolation when enlarging.
 * @param outside grey value beyond the image; without it the edge pixels are repeated
 *
 * @example
 * resample(image, { x: 10, y: 10, width: 56, height: 56 }, 28, 28);
 */
export function resample(
  image: GrayImage,
  { x, y, width, height }: Rectangle,
  outWidth: number,
  outHeight: number,
  outside?: number,
): GrayImage {
  const out = createGray(outWidth, outHeight);
  const columns = axisWeights(x, width, outWidth);
  const rows = axisWeights(y, height, outHeight);
  const lines = new Map<number, Float64Array>();
  const lineOf = (sy: number): Float64Array => {
    let line = lines.get(sy);
    if (line !== undefined) return line;
    line = new Float64Array(outWidth);
    const py = Math.min(image.height - 1, Math.max(0, sy));
    for (let ox = 0; ox < outWidth; ox++) {
      const weights = columns.weights[ox]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        const sx = columns.first[ox]! + k;
        const px = Math.min(image.width - 1, Math.max(0, sx));
        const value = image.data[py * image.width + px]!;
        sum += weights[k]! * (outside === undefined || (px === sx && py === sy) ? value : outside);
      }
      line[ox] = sum;
    }
    lines.set(sy, line);
    return line;
  };
  for (let oy = 0; oy < outHeight; oy++) {
    const weights = rows.weights[oy]!;
    const total = new Float64Array(outWidth);
    for (let k = 0; k < weights.length; k++) {
      const line = lineOf(rows.first[oy]! + k);
      for (let ox = 0; ox < outWidth; ox++) total[ox]! += weights[k]! * line[ox]!;
    }
    for (const sy of lines.keys()) if (sy < rows.first[oy]!) lines.delete(sy);
    for (let ox = 0; ox < outWidth; ox++)
      out.data[oy * outWidth + ox] = Math.min(255, Math.max(0, Math.round(total[ox]!)));
  }
  return out;
}

/** The whole image at another size. */
export function resize(image: GrayImage, width: number, height: number): GrayImage {
  if (width === image.width && height === image.height) return { width, height, data: image.data.slice() };
  return resample(image, { x: 0, y: 0, width: image.width, height: image.height }, width, height);
}

/** The image turned by `degrees` clockwise about its middle, same size, linear interpolation, edges repeated. */
export function rotate(image: GrayImage, degrees: number): GrayImage {
  const { width, height, data } = image;
  const out = createGray(width, height);
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
  const at = (px: number, py: number): number => {
    return data[Math.min(height - 1, Math.max(0, py)) * width + Math.min(width - 1, Math.max(0, px))]!;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sx = cos * (x - cx) + sin * (y - cy) + cx;
      const sy = -sin * (x - cx) + cos * (y - cy) + cy;
      const [x0, y0] = [Math.floor(sx), Math.floor(sy)];
      const [fx, fy] = [sx - x0, sy - y0];
      const top = at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx;
      const bottom = at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx;
      out.data[y * width + x] = Math.round(top * (1 - fy) + bottom * fy);
    }
  }
  return out;
}
