import { expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { nearestPoints } from './_nearest-points.ts';

it.each([1, 5, 200])('finds the nearest of each of %d points, as comparing all pairs does', async (n) => {
  for (const seed of [1, 2, Date.now() >>> 0]) {
    const rng = new Rng(seed);
    const width = 4;
    const points = Float64Array.from({ length: n * width }, () => rng.normal());
    const found = await nearestPoints({ points, width, k: 6, pause: () => Promise.resolve() });
    const distance = (i: number, k: number): number => {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += (points[i * width + c]! - points[k * width + c]!) ** 2;
      return sum;
    };
    found.forEach((own, i) => {
      const all = Array.from({ length: n }, (_, k) => k).filter((k) => k !== i);
      expect(own).toEqual(all.sort((a, b) => distance(i, a) - distance(i, b)).slice(0, 6));
    });
  }
});
