import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distance, evaluate, randomTensor } from './_testing.ts';
import { fromHalf, toHalf } from './dtype.ts';
import { unbroadcast } from './ops/index.ts';
import { Rng } from './rng.ts';
import {
  addToDim,
  broadcastShapes,
  normalizeAxes,
  reshapeTarget,
  resolveShape,
  shapeText,
  symbolicDim,
  symbolOf,
  unbroadcastAxes,
} from './shape.ts';

/** A shape and one that broadcasts to it, with axes of size 0 and 1 and missing leading axes. */
const broadcastable = fc.array(fc.constantFrom(0, 1, 2, 3), { maxLength: 4 }).chain((full) =>
  fc.record({
    full: fc.constant(full),
    thin: fc
      .tuple(fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }), fc.nat(full.length))
      .map(([ones, cut]) => full.map((d, i) => (ones[i] ? 1 : d)).slice(cut)),
  }),
);

describe('broadcasting', () => {
  it('follows NumPy', () => {
    expect(broadcastShapes([4, 1], [3])).toEqual([4, 3]);
    expect(broadcastShapes([], [2, 0])).toEqual([2, 0]);
    expect(() => broadcastShapes([4, 3], [2, 3])).toThrow(
      'Expected shapes that broadcast, got [4,3] and [2,3] (axis 0: 4 vs 2).',
    );
  });

  it('has unbroadcast as its adjoint: <unb(g, s), x> = <g, expand(x)>', () => {
    fc.assert(
      fc.property(broadcastable, fc.integer(), ({ full, thin }, seed) => {
        const rng = new Rng(seed);
        const { left, right } = evaluate(
          (b) => {
            const g = b.input('g', full);
            const x = b.input('x', thin);
            return { left: unbroadcast(g, x).mul(x).sum(), right: g.mul(x.expand(full)).sum() };
          },
          { g: randomTensor(rng, full), x: randomTensor(rng, thin) },
        );
        expect(distance(left!, right!)).toBeLessThan(1e-12 * 100);
      }),
      { numRuns: 150 },
    );
  });

  it('leaves a gradient alone when nothing was broadcast', () => {
    expect(unbroadcastAxes([2, 1, 3], [2, 1, 3])).toEqual([]);
    expect(unbroadcastAxes([5, 2, 3], [1, 3])).toEqual([0, 1]);
  });
});

describe('reshape targets', () => {
  it('infer one dimension', () => {
    expect(reshapeTarget([2, 6], [-1, 3])).toEqual([4, 3]);
    expect(reshapeTarget([0, 6], [0, -1])).toEqual([0, 0]);
    expect(() => reshapeTarget([2, 3], [4, -1])).toThrow(
      'Expected a shape with 6 elements, got [4,-1] for a tensor [2,3].',
    );
    expect(() => reshapeTarget([4], [-1, -1])).toThrow('Expected at most one -1, got 2.');
  });

  it('keep symbolic dimensions', () => {
    const past = symbolicDim(0);
    expect(reshapeTarget([past, 4], [-1, 2, 2])).toEqual([past, 2, 2]);
    expect(reshapeTarget([past, 4], [2, 2, past])).toEqual([2, 2, past]);
    expect(() => reshapeTarget([past, 4], [2, 2])).toThrow('Expected a shape');
  });
});

describe('symbolic dimensions', () => {
  it('add constants and resolve', () => {
    const next = addToDim(symbolicDim(2), 3);
    expect(symbolOf(next)).toEqual({ symbol: 2, offset: 3 });
    expect(resolveShape([5, next], [0, 0, 7])).toEqual([5, 10]);
    expect(shapeText([5, next])).toBe('[5,s2+3]');
  });
});

it('axes are counted from either end, without repeats', () => {
  expect(normalizeAxes([-1, 0], 3)).toEqual([0, 2]);
  expect(() => normalizeAxes([1, -2], 3)).toThrow('Expected distinct axes, got 1 twice.');
  expect(() => normalizeAxes(3, 3)).toThrow('Expected an axis of a rank-3 tensor, got 3.');
});

it('f16 bits round to nearest even and survive the way back', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const x = fromHalf(bits);
    if (!Number.isNaN(x)) expect(toHalf(x)).toBe(bits);
  }
  expect(fromHalf(toHalf(2049))).toBe(2048);
  expect(fromHalf(toHalf(2051))).toBe(2052);
  expect(fromHalf(toHalf(1e6))).toBe(Infinity);
  expect(fromHalf(toHalf(NaN))).toBeNaN();
});
