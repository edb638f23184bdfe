import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { dot } from './_orthonormal.ts';
import { FeatureMap } from './features.ts';
import { MomentSignature } from './moment-signature.ts';
import { Moments } from './moments.ts';
import { ellipsoidSource, linearSource } from './synthetic.ts';

const numbers = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 3, maxLength: 3 });

function momentsOf(map: FeatureMap, points: readonly ArrayLike<number>[]): Moments {
  const m = new Moments(map.size);
  for (const x of points) m.add(map.apply(x));
  return m;
}

describe('features', () => {
  it('are scaled so that inner products are powers of the inner product of the points', () => {
    const map = new FeatureMap({ dim: 3, degree: 3 });
    expect(map.size).toBe(20);
    fc.assert(
      fc.property(numbers, numbers, (x, y) => {
        const s = dot(x, y);
        expect(dot(map.apply(x), map.apply(y))).toBeCloseTo(1 + s + s * s + s ** 3, 1);
      }),
    );
  });

  it('random products keep the powers in the mean when the monomials are too many', () => {
    const x = Float64Array.from({ length: 30 }, (_, i) => Math.sin(i) / 4);
    const y = Float64Array.from({ length: 30 }, (_, i) => Math.cos(3 * i) / 4);
    let sum = 0;
    for (let seed = 0; seed < 60; seed++) {
      const map = new FeatureMap({ dim: 30, degree: 2, seed });
      expect(map.size).toBe(256);
      sum += dot(map.apply(x), map.apply(y)) / 60;
    }
    expect(Math.abs(sum - (1 + dot(x, y)) ** 2)).toBeLessThan(0.1);
  });

  it('still show equations through random products', () => {
    const rng = new Rng(5);
    const source = linearSource(rng, 30, 3);
    const map = new FeatureMap({ dim: 30, degree: 2, seed: 1 });
    const points = Array.from({ length: 60 }, () => source.draw(rng).map((v) => v / 4));
    const signature = MomentSignature.of(momentsOf(map, points));
    expect(signature.rank).toBe(10); // monomials up to degree 2 of three coordinates
    expect(signature.residual(map.apply(source.draw(rng).map((v) => v / 4)))).toBeLessThan(1e-6);
    expect(signature.residual(map.apply(Float64Array.from({ length: 30 }, () => rng.normal() / 4)))).toBeGreaterThan(
      0.3,
    );
  });

  it('refuse points of another dimension, infinite ones and bad specifications', () => {
    const map = new FeatureMap({ dim: 3 });
    expect(() => map.apply([1, 2])).toThrow('Expected a point of 3 numbers, got 2.');
    expect(() => map.apply([1, Number.NaN, 0])).toThrow('Expected features below 32768 in size, got NaN');
    expect(() => new FeatureMap({ dim: 3, degree: 9 })).toThrow('Expected a positive dimension');
    expect(() => new FeatureMap({ dim: 3, scale: 3 })).toThrow('Expected a power of two as scale, got 3.');
  });
});

describe('moments', () => {
  it('of two streams add up to those of one stream, bit for bit and in any order', () => {
    fc.assert(
      fc.property(fc.array(numbers, { maxLength: 12 }), fc.array(numbers, { maxLength: 12 }), (a, b) => {
        const map = new FeatureMap({ dim: 3, degree: 2 });
        const merged = momentsOf(map, a);
        merged.merge(momentsOf(map, b));
        expect(merged.equals(momentsOf(map, [...b.toReversed(), ...a]))).toBe(true);
        merged.subtract(momentsOf(map, b));
        expect(merged.equals(momentsOf(map, a))).toBe(true);
      }),
    );
  });

  it('come back exactly after 20,000 points were added and removed', () => {
    const map = new FeatureMap({ dim: 4, degree: 2 });
    const rng = new Rng(3);
    const source = ellipsoidSource(rng, 4);
    const kept = Array.from({ length: 40 }, () => map.apply(source.draw(rng)));
    const moments = new Moments(map.size);
    for (const phi of kept) moments.add(phi);
    const before = moments.clone();
    const others = Array.from({ length: 20_000 }, () => map.apply(source.draw(rng, 0.1)));
    for (const phi of others) moments.add(phi, 0.37);
    for (const phi of others.toReversed()) moments.remove(phi, 0.37);
    expect(moments.equals(before)).toBe(true);
  });

  it('refuse features of another length and weights above 1', () => {
    const moments = new Moments(3);
    expect(() => moments.add([1, 2])).toThrow('Expected 3 features, got 2.');
    expect(() => moments.add([1, 2, 3], 2)).toThrow('Expected a weight above 0 and at most 1, got 2.');
  });
});
