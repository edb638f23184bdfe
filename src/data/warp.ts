// Small random changes of 28 x 28 digit images for training: shift, scale, rotation, shear, stroke weight, blur. Plain
// host code on grey values from 0 to 1; it makes variants of real handwriting and invents no digits.
import type { Rng } from '../tensor/index.ts';

const SIDE = 28;
const PIXELS = SIDE * SIDE;

/** One distortion. All zeros (and scales 1) leave the image as it is. */
export interface Warp {
  /** Radians, counter-clockwise. */
  readonly rotate: number;
  readonly scaleX: number;
  readonly scaleY: number;
  /** Horizontal shift in pixels per pixel of height. */
  readonly shear: number;
  /** Shift in pixels. */
  readonly dx: number;
  readonly dy: number;
  /** 0 to 1: share of a 3 x 3 binomial blur. */
  readonly blur: number;
  /** -1 to 1: below 0 the stroke is thinned, above 0 thickened (blend with the 3 x 3 cross minimum or maximum). */
  readonly weight: number;
}

/** The largest distortions to draw; every field as in `Warp`, scales as a relative change. */
export interface WarpRange {
  readonly rotate: number;
  readonly scale: number;
  readonly shear: number;
  readonly shift: number;
  readonly blur: number;
  readonly weight: number;
}

/** Draws a distortion: uniform within the range; blur and stroke weight each in one image of three. */
export function drawWarp(rng: Rng, range: WarpRange): Warp {
  const within = (limit: number): number => (2 * rng.uniformF32() - 1) * limit;
  const rotate = within(range.rotate);
  const scaleX = 1 + within(range.scale);
  const scaleY = 1 + within(range.scale);
  const shear = within(range.shear);
  const dx = within(range.shift);
  const dy = within(range.shift);
  const blur = Math.max(0, (rng.uniformF32() - 2 / 3) * 3) * range.blur;
  const bold = rng.uniformF32();
  const weight = bold < 1 / 3 ? (bold * 6 - 1) * range.weight : 0;
  return { rotate, scaleX, scaleY, shear, dx, dy, blur, weight };
}

const moved = new Float32Array(PIXELS);
const framed = new Float32Array((SIDE + 2) * (SIDE + 2));

/**
 * Writes the distorted image `[28, 28]` (0 to 1) to `out` at `offset`.
 * @param image grey bytes of one image, `[784]`
 */
export function warpDigit(image: Uint8Array, warp: Warp, out: Float32Array, offset = 0): void {
  affine(image, warp, moved);
  if (warp.blur === 0 && warp.weight === 0) {
    out.set(moved, offset);
    return;
  }
  const stride = SIDE + 2;
  const { blur, weight } = warp;
  if (weight !== 0) {
    frame(moved);
    const share = Math.abs(weight);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const i = (y + 1) * stride + x + 1;
        const c = framed[i]!;
        const around = [framed[i - 1]!, framed[i + 1]!, framed[i - stride]!, framed[i + stride]!] as const;
        const extreme = weight > 0 ? Math.max(c, ...around) : Math.min(c, ...around);
        moved[y * SIDE + x] = c + share * (extreme - c);
      }
    }
  }
  if (blur === 0) {
    out.set(moved, offset);
    return;
  }
  frame(moved);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const i = (y + 1) * stride + x + 1;
      const c = framed[i]!;
      const edges = framed[i - 1]! + framed[i + 1]! + framed[i - stride]! + framed[i + stride]!;
      const corners =
        framed[i - stride - 1]! + framed[i - stride + 1]! + framed[i + stride - 1]! + framed[i + stride + 1]!;
      out[offset + y * SIDE + x] = c + blur * ((4 * c + 2 * edges + corners) / 16 - c);
    }
  }
}

function frame(image: Float32Array): void {
  for (let y = 0; y < SIDE; y++) {
    framed.set(image.subarray(y * SIDE, (y + 1) * SIDE), (y + 1) * (SIDE + 2) + 1);
  }
}

/** Inverse affine map about the centre with bilinear interpolation; outside is background. */
function affine(image: Uint8Array, warp: Warp, out: Float32Array): void {
  const c = Math.cos(warp.rotate);
  const s = Math.sin(warp.rotate);
  const centre = (SIDE - 1) / 2;
  // forward: p = R * Shear * Scale * q + d; here q = Scale^-1 Shear^-1 R^-1 (p - d)
  const xx = (c - warp.shear * -s) / warp.scaleX;
  const xy = (s - warp.shear * c) / warp.scaleX;
  const yx = -s / warp.scaleY;
  const yy = c / warp.scaleY;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const px = x - centre - warp.dx;
      const py = y - centre - warp.dy;
      const qx = xx * px + xy * py + centre;
      const qy = yx * px + yy * py + centre;
      const x0 = Math.floor(qx);
      const y0 = Math.floor(qy);
      let v = 0;
      if (x0 >= -1 && y0 >= -1 && x0 < SIDE && y0 < SIDE) {
        const fx = qx - x0;
        const fy = qy - y0;
        const i = y0 * SIDE + x0;
        const left = x0 >= 0;
        const right = x0 < SIDE - 1;
        if (y0 >= 0) v += (1 - fy) * ((left ? (1 - fx) * image[i]! : 0) + (right ? fx * image[i + 1]! : 0));
        if (y0 < SIDE - 1)
          v += fy * ((left ? (1 - fx) * image[i + SIDE]! : 0) + (right ? fx * image[i + SIDE + 1]! : 0));
      }
      out[y * SIDE + x] = v / 255;
    }
  }
}
