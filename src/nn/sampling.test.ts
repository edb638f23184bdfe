import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { distribution, drawToken, softmax } from './sampling.ts';

const row = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 12 });

/** By definition: keep those for which `keep` holds, renormalise. */
function filtered(p: readonly number[], keep: (id: number) => boolean): number[] {
  const kept = p.map((x, id) => (keep(id) ? x : 0));
  const total = kept.reduce((s, x) => s + x, 0);
  return kept.map((x) => x / total);
}

/** How many ids come before `id`: larger probability, or equal and smaller id. */
const before = (p: readonly number[], id: number): number[] =>
  p.flatMap((x, j) => (x > p[id]! || (x === p[id]! && j < id) ? [j] : []));

function close(got: Float64Array, want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  got.forEach((x, i) => expect(Math.abs(x - want[i]!)).toBeLessThan(1e-12));
}

test('temperature divides the logits', () => {
  fc.assert(
    fc.property(row, fc.double({ min: 0.2, max: 3, noNaN: true }), (z, t) => {
      const e = z.map((x) => Math.exp(x / t));
      close(
        distribution(z, { temperature: t }),
        filtered(e, () => true),
      );
    }),
  );
});

test('topK keeps the k first by definition', () => {
  fc.assert(
    fc.property(row, fc.integer({ min: 1, max: 14 }), (z, k) => {
      const p = [...softmax(z)];
      close(
        distribution(z, { topK: k }),
        filtered(p, (id) => before(p, id).length < k),
      );
    }),
  );
});

test('topP keeps an id while the mass before it is below p', () => {
  fc.assert(
    fc.property(row, fc.double({ min: 0.05, max: 0.99, noNaN: true }), (z, topP) => {
      const p = [...softmax(z)];
      const massBefore = (id: number): number =>
        before(p, id)
          .sort((a, b) => p[b]! - p[a]! || a - b)
          .reduce((s, j) => s + p[j]!, 0);
      close(
        distribution(z, { topP }),
        filtered(p, (id) => massBefore(id) < topP),
      );
    }),
  );
});

test('minP keeps a share of the best', () => {
  fc.assert(
    fc.property(row, fc.double({ min: 0.01, max: 1, noNaN: true }), (z, minP) => {
      const p = [...softmax(z)];
      close(
        distribution(z, { minP }),
        filtered(p, (id) => p[id]! >= minP * Math.max(...p)),
      );
    }),
  );
});

test('filters apply in the order topK, topP, minP', () => {
  const z = [3, 2.5, 2, 1, 0];
  const p = [...softmax(z)];
  const k = filtered(p, (id) => id < 4);
  const m = filtered(k, (id) => k.slice(0, id).reduce((s, x) => s + x, 0) < 0.9);
  close(
    distribution(z, { topK: 4, topP: 0.9, minP: 0.5 }),
    filtered(m, (id) => m[id]! >= 0.5 * m[0]!),
  );
});

test('the repetition penalty divides positive and multiplies negative logits, once per token', () => {
  close(distribution([2, -2, 1], { repetitionPenalty: 2 }, [0, 1, 1]), [...softmax([1, -4, 1])]);
});

test('temperature 0 is greedy, the smallest id among equals', () => {
  expect([...distribution([1, 5, 5], { temperature: 0, topP: 0.5 })]).toEqual([0, 1, 0]);
});

test('100,000 draws follow the distribution (chi-square)', () => {
  const p = distribution([1.5, 0.2, -1, 2, 0, 0.7], { topP: 0.97 });
  const rng = new Rng(7);
  const n = 100_000;
  const counts = new Float64Array(p.length);
  for (let i = 0; i < n; i++) counts[drawToken(p, rng)]!++;
  let chi = 0;
  let cells = 0;
  p.forEach((x, i) => {
    if (x === 0) expect(counts[i]).toBe(0);
    else {
      chi += (counts[i]! - n * x) ** 2 / (n * x);
      cells++;
    }
  });
  expect(cells).toBeGreaterThan(3);
  expect(chi).toBeLessThan(20.5); // 99.9 % quantile of chi-square with 5 degrees of freedom
});

test('options out of range are named', () => {
  expect(() => distribution([1], { temperature: -1 })).toThrow('Expected temperature >= 0, got -1.');
  expect(() => distribution([1], { topK: 1.5 })).toThrow(/topK/);
  expect(() => distribution([1], { topP: 0 })).toThrow(/topP/);
  expect(() => distribution([1], { minP: 2 })).toThrow(/minP/);
  expect(() => distribution([Number.NaN, -Infinity])).toThrow(/finite logits/);
});
