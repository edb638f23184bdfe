import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CairnError } from '../errors.ts';
import { loadMnist, readIdx, toDigits } from './mnist.ts';

test('both splits as shipped', () => {
  const train = loadMnist('train');
  const check = loadMnist('test');
  expect([train.count, check.count]).toEqual([60_000, 10_000]);
  expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect([...check.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  const mean = train.images.reduce((s, x) => s + x, 0) / train.images.length / 255;
  expect(mean).toBeCloseTo(0.1307, 4);
});

test('a damaged header is refused, never with a crash', () => {
  const good = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 5, 6);
  expect(readIdx(good)).toEqual({ shape: [2, 1], data: Uint8Array.of(5, 6) });
  for (let n = 0; n < good.length; n++) expect(() => readIdx(good.subarray(0, n))).toThrow(CairnError);
  expect(() => readIdx(Uint8Array.of(0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255, 1))).toThrow(
    /Expected .* bytes of data/,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        expect(readIdx(bytes).data.length).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(CairnError.isInstance(error)).toBe(true);
      }
    }),
  );
});

test('images and labels must agree', () => {
  const images = { shape: [1, 28, 28], data: new Uint8Array(784) };
  expect(toDigits(images, { shape: [1], data: Uint8Array.of(3) }).count).toBe(1);
  expect(() => toDigits(images, { shape: [2], data: Uint8Array.of(3, 4) })).toThrow('Expected 1 labels, got [2].');
  expect(() => toDigits(images, { shape: [1], data: Uint8Array.of(10) })).toThrow(/got 10 at 0/);
  expect(() =>
    toDigits({ shape: [1, 27, 28], data: new Uint8Array(756) }, { shape: [1], data: Uint8Array.of(3) }),
  ).toThrow(/28, 28/);
});
