import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { BaggedMap, mapsOf } from './bagged-map.ts';
import { compileMap } from './compiled-map.ts';
import { fitKMeans } from './kmeans.ts';
import { LearnedMap } from './learned-map.ts';

function normals(rng: Rng, count: number): Float32Array {
  const out = new Float32Array(count);
  rng.fillNormal(out);
  return out;
}

test('shares are those of the maps side by side, to single precision, for any sizes', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 37 }), { minLength: 1, maxLength: 6 }),
      (seed, dim, kinds) => {
        const rng = new Rng(seed);
        const maps = kinds.map((k) => new LearnedMap(normals(rng, k * (dim + 1)), dim));
        const bag = new BaggedMap(maps);
        const fast = compileMap(bag);
        for (let i = 0; i < 3; i++) {
          const z = normals(rng, dim);
          const [own, exact] = [fast.phi(z), bag.phi(z)];
          expect(own).toHaveLength(exact.length);
          for (let c = 0; c < exact.length; c++) expect(Math.abs(own[c]! - exact[c]!)).toBeLessThan(1e-5);
          expect(own.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a map is compiled once and keeps its parts; one that has other parts stays as it is', () => {
  const rng = new Rng(5);
  const bag = new BaggedMap([3, 4].map((k) => new LearnedMap(normals(rng, k * 3), 2)));
  expect(compileMap(bag)).toBe(compileMap(bag));
  expect(mapsOf(compileMap(bag))).toBe(bag.maps);
  const means = fitKMeans(normals(rng, 40), 2, { k: 3, rng });
  expect(compileMap(means)).toBe(means);
});
