import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { fwht } from './hadamard.ts';
import { Maps } from './maps.ts';
import { inner, maxDifference, norm, SPEC } from './_testing.ts';

function random(rng: Rng, d: number): Float64Array {
  const x = new Float64Array(d);
  rng.fillNormal(x, 1 / Math.sqrt(d));
  return x;
}

function unit(d: number, i: number): Float64Array {
  const e = new Float64Array(d);
  e[i] = 1;
  return e;
}

describe('fwht', () => {
  it('equals the matrix of signs (-1)^popcount(i & j) for every power of two', () => {
    for (const d of [1, 2, 4, 8, 64, 128]) {
      const x = random(new Rng(d), d);
      const expected = Float64Array.from({ length: d }, (_, i) => {
        let s = 0;
        for (let j = 0; j < d; j++) s += (i & j).toString(2).split('1').length % 2 === 1 ? x[j]! : -x[j]!;
        return s;
      });
      fwht(x);
      expect(maxDifference(x, expected)).toBeLessThan(1e-12);
    }
  });
});

describe('maps', () => {
  it('is orthogonal: inner products stay, the adjoint is the inverse', () => {
    const rng = new Rng(1);
    for (const dim of [512, 1024, 2048] as const) {
      const maps = new Maps({ ...SPEC, dim });
      const map = maps.map('module', 'a');
      const [x, y] = [random(rng, dim), random(rng, dim)];
      const [rx, ry] = [Float64Array.from(x), Float64Array.from(y)];
      maps.rotate(map, rx);
      maps.rotate(map, ry);
      expect(Math.abs(inner(rx, ry) - inner(x, y))).toBeLessThan(1e-12);
      maps.rotateBack(map, rx);
      expect(maxDifference(rx, x)).toBeLessThan(1e-14);
    }
  });

  it('T halves the energy, and mixBack is its adjoint', () => {
    const rng = new Rng(2);
    const maps = new Maps(SPEC);
    for (let k = 0; k < 10; k++) {
      const map = maps.map('position', k);
      const [x, y] = [random(rng, 1024), random(rng, 1024)];
      const tx = Float64Array.from(x);
      const ty = Float64Array.from(y);
      maps.mix(map, tx);
      maps.mixBack(map, ty);
      expect(Math.abs(inner(tx, tx) / inner(x, x) - 0.5)).toBeLessThan(0.06);
      expect(Math.abs(inner(tx, y) - inner(x, ty))).toBeLessThan(1e-12);
    }
  });

  it('desynchronises: inner products of different maps are like those of random vectors', () => {
    const maps = new Maps(SPEC);
    const x = random(new Rng(3), 1024);
    const images = Array.from({ length: 40 }, (_, k) => {
      const v = Float64Array.from(x);
      maps.rotate(maps.map('module', k), v);
      return v;
    });
    const products = images.flatMap((a, i) => images.slice(i + 1).map((b) => (inner(a, b) / norm(x) ** 2) * 32));
    const sd = norm(products) / Math.sqrt(products.length);
    expect(sd).toBeGreaterThan(0.8);
    expect(sd).toBeLessThan(1.2);
    expect(Math.max(...products.map(Math.abs))).toBeLessThan(5.5);
  });

  it('spreads the entries of one map, which a single round does not', () => {
    const worst = (rounds: number): number => {
      const maps = new Maps(SPEC, rounds);
      const [a, b] = [unit(1024, 3), unit(1024, 3)];
      maps.rotate(maps.map('module', 'a'), a);
      maps.rotate(maps.map('module', 'b'), b);
      return Math.abs(inner(a, b)) * 32;
    };
    expect(worst(3)).toBeLessThan(5.5);
    // The trap: with one round two modules' markers are perfectly correlated.
    expect(worst(1)).toBeCloseTo(32, 6);
  });

  it('depends on names, not on the order of calls', () => {
    const a = new Maps(SPEC);
    const b = new Maps(SPEC);
    b.map('position', 9);
    b.map('module', 'x');
    expect(a.map('module', 'x')).toEqual(b.map('module', 'x'));
    expect(a.map('module', 'x')).not.toEqual(a.map('attribute', 'x'));
    expect(new Maps({ ...SPEC, seed: 'other' }).map('module', 'x')).not.toEqual(a.map('module', 'x'));
  });
});
