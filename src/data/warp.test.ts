import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { drawWarp, type Warp, warpDigit } from './warp.ts';

const none: Warp = { rotate: 0, scaleX: 1, scaleY: 1, shear: 0, dx: 0, dy: 0, blur: 0, weight: 0 };
const image = new Uint8Array(784);
for (let y = 6; y < 22; y++) for (let x = 10; x < 16; x++) image[y * 28 + x] = 255 - 3 * y;

function warped(warp: Partial<Warp>, source = image): Float32Array {
  const out = new Float32Array(784);
  warpDigit(source, { ...none, ...warp }, out);
  return out;
}

test('no distortion returns the image exactly', () => {
  expect(warped({})).toEqual(Float32Array.from(image, (v) => v / 255));
});

test('a whole shift moves pixels', () => {
  const out = warped({ dx: 2, dy: -3 });
  for (let y = 3; y < 19; y++)
    for (let x = 12; x < 18; x++) expect(out[y * 28 + x]).toBeCloseTo(image[(y + 3) * 28 + x - 2]! / 255, 6);
});

test('a quarter turn turns, counter-clockwise with y downward reversed', () => {
  const dot = new Uint8Array(784);
  dot[5 * 28 + 20] = 255;
  const out = warped({ rotate: Math.PI / 2 }, dot);
  const at = out.findIndex((v) => v > 0.99);
  expect([Math.floor(at / 28), at % 28]).toEqual([20, 22]);
});

test('scale 2 doubles the ink four times over', () => {
  const ink = (a: ArrayLike<number>): number => Array.from(a).reduce((s, v) => s + v, 0);
  const spot = new Uint8Array(784);
  for (let y = 12; y < 16; y++) for (let x = 12; x < 16; x++) spot[y * 28 + x] = 255;
  expect(ink(warped({ scaleX: 2, scaleY: 2 }, spot))).toBeCloseTo(64, 0);
});

test('blur keeps the ink, weight adds or takes it', () => {
  const ink = (a: Float32Array): number => a.reduce((s, v) => s + v, 0);
  const plain = ink(warped({}));
  expect(ink(warped({ blur: 1 }))).toBeCloseTo(plain, 3);
  expect(ink(warped({ weight: 0.5 }))).toBeGreaterThan(plain * 1.1);
  expect(ink(warped({ weight: -0.5 }))).toBeLessThan(plain * 0.9);
});

test('drawn values stay in range and images in 0 to 1', () => {
  const rng = new Rng(7);
  const range = { rotate: 0.2, scale: 0.1, shear: 0.1, shift: 2, blur: 0.8, weight: 0.6 };
  let blurred = 0;
  for (let i = 0; i < 300; i++) {
    const w = drawWarp(rng, range);
    expect(Math.abs(w.rotate)).toBeLessThanOrEqual(0.2);
    expect(Math.abs(w.weight)).toBeLessThanOrEqual(0.6);
    expect(w.blur).toBeLessThanOrEqual(0.8);
    if (w.blur > 0) blurred++;
    expect(warped(w).every((v) => v >= 0 && v <= 1.000001)).toBe(true);
  }
  expect(blurred).toBeGreaterThan(60);
  expect(blurred).toBeLessThan(140);
});
