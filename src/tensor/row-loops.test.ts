import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { adamOnRows, createRowSums } from './_row-loops.ts';
import { Rng } from './rng.ts';

const ROWS = 7;

/** The same in plain words. */
function slowly(reads: readonly { index: Int32Array; gradient: Float32Array }[], width: number): Map<number, number[]> {
  const sums = new Map<number, number[]>();
  for (const { index, gradient } of reads) {
    index.forEach((row, i) => {
      const sum = sums.get(row) ?? Array.from({ length: width }, () => 0);
      sums.set(
        row,
        sum.map((s, k) => s + gradient[i * width + k]!),
      );
    });
  }
  return sums;
}

const counts = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 3 });

test('sums and steps are those of the plain loops, bit for bit, step after step', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 11 }), fc.array(counts, { maxLength: 4 }), fc.nat(), (width, steps, seed) => {
      const rng = new Rng(seed);
      const sumByRow = createRowSums(ROWS, width);
      const table = (): Float32Array => Float32Array.from({ length: ROWS * width }, () => rng.uniform());
      const fast = { w: table(), m: table(), v: table() };
      const slow = { w: fast.w.slice(), m: fast.m.slice(), v: fast.v.slice() };
      const rates = { beta1: 0.9, beta2: 0.95, step: 0.01, floor: 1e-6 };
      for (const lengths of steps) {
        const reads = lengths.map((n) => ({
          index: Int32Array.from({ length: n }, () => rng.integer(ROWS)),
          gradient: Float32Array.from({ length: n * width }, () => rng.normal()),
        }));
        const read = sumByRow(reads);
        const expected = slowly(reads, width);
        expect([...read.touched.subarray(0, read.count)]).toEqual([...expected.keys()]);
        expect([...read.sums.subarray(0, read.count * width)]).toEqual([...expected.values()].flat());
        expect(read.finite).toBe(true);
        adamOnRows(fast.w, fast.m, fast.v, read, width, rates);
        for (const [row, sum] of expected) {
          sum.forEach((g, k) => {
            const at = row * width + k;
            const m = slow.m[at]! * rates.beta1 + g;
            const v = slow.v[at]! * rates.beta2 + g * g;
            slow.m[at] = m;
            slow.v[at] = v;
            slow.w[at] = slow.w[at]! - (rates.step * m) / (Math.sqrt(v) + rates.floor);
          });
        }
        expect(fast).toEqual(slow);
      }
    }),
  );
});

test.each([Number.NaN, Infinity, -Infinity])(
  '%d among the gradients is found, also where it meets its opposite',
  (bad) => {
    const sumByRow = createRowSums(ROWS, 3);
    for (let at = 0; at < 12; at++) {
      const gradient = Float32Array.from({ length: 12 }, (_, k) => k);
      gradient[at] = bad;
      if (at > 2) gradient[at - 3] = -bad;
      expect(sumByRow([{ index: Int32Array.of(2, 2, 5, 2), gradient }]).finite).toBe(false);
    }
    expect(sumByRow([{ index: Int32Array.of(2), gradient: Float32Array.of(1, 2, 3) }]).finite).toBe(true);
  },
);
