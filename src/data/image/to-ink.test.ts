import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGray, type GrayImage } from './gray.ts';
import { toInk } from './to-ink.ts';

const dot = (width: number, height: number, paper: number, x: number, y: number): GrayImage => {
  const image = createGray(width, height, paper);
  image.data[y * width + x] = 255 - paper;
  return image;
};

test('at its own size a dark picture is its values, and a light one what they lack to white', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 36, maxLength: 36 }), (inner) => {
      const image = createGray(8, 8, 0);
      inner.forEach((v, i) => (image.data[(1 + Math.floor(i / 6)) * 8 + 1 + (i % 6)] = v));
      const ink = toInk(image, 8);
      expect([...ink]).toEqual(Array.from(image.data, (v) => Math.fround(v / 255)));
      const negative = { ...image, data: image.data.map((v) => 255 - v) };
      expect(toInk(negative, 8)).toEqual(ink);
    }),
  );
});

test.each([
  [9, 3, 255],
  [3, 9, 255],
  [9, 3, 0],
])('%i x %i on paper %i: centred on a square of background', (width, height, paper) => {
  const ink = toInk(dot(width, height, paper, (width - 1) / 2, (height - 1) / 2), 9);
  expect([...ink].flatMap((v, i) => (v === 0 ? [] : [i]))).toEqual([40]);
  expect(ink[40]).toBe(1);
});

test('scaled down, the amount of ink stays', () => {
  const image = createGray(20, 20, 255);
  for (let y = 6; y < 14; y++) image.data.fill(0, y * 20 + 4, y * 20 + 12);
  expect(toInk(image, 5).reduce((a, b) => a + b, 0) / 25).toBeCloseTo(64 / 400, 2);
});
