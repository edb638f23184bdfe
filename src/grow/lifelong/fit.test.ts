import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { candidatesFor, information } from './candidates.ts';
import { fitLadder } from './ladder.ts';
import { Library } from './library.ts';
import { describeModel, evaluate, hashModel, type Model } from './model.ts';
import { fitNetwork } from './network.ts';
import { Samples } from './samples.ts';
import { fitSparse } from './sparse.ts';
import { fitTables } from './truth-tables.ts';

const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `x${i}`);

function bitsOf(n: number, width: number, seed: number): number[][] {
  const rng = new Rng(seed);
  return Array.from({ length: n }, () => Array.from({ length: width }, () => (rng.bernoulli() ? 1 : 0)));
}

function samplesOf(
  xs: readonly number[][],
  f: (x: number[]) => number,
  library = new Library(names(xs[0]!.length)),
): Samples {
  const samples = new Samples(library);
  for (const x of xs) samples.add(x, f(x));
  return samples;
}

test('every truth table of every pair is found, and the counted errors are those of the slow way', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 1, max: 90 }), fc.integer(), (table, n, seed) => {
      const rng = new Rng(seed);
      const samples = samplesOf(bitsOf(n, 6, seed), (x) => {
        const clean = (table >>> (x[1]! + 2 * x[4]!)) & 1;
        return rng.bernoulli(0.1) ? 1 - clean : clean;
      });
      const fits = fitTables(samples, [0, 1, 2, 3, 4, 5]);
      for (const fit of fits) {
        let errors = 0;
        for (let i = 0; i < n; i++) {
          if (evaluate(fit.model, (r) => samples.x(i)[r]!) !== samples.targets[i]) errors++;
        }
        expect(fit.errors).toBe(errors);
      }
      // Nothing of the class does better, by trying them all.
      const best = fits.find((f) => f.model.kind === 'table');
      let least = Infinity;
      for (let a = 0; a < 6; a++) {
        for (let b = a + 1; b < 6; b++) {
          for (const t of [1, 2, 4, 6, 7, 8, 9, 11, 13, 14]) {
            const model: Model = { kind: 'table', inputs: [a, b], table: t };
            let errors = 0;
            for (let i = 0; i < n; i++) {
              if (evaluate(model, (r) => samples.x(i)[r]!) !== samples.targets[i]) errors++;
            }
            least = Math.min(least, errors);
          }
        }
      }
      // Majorities may make a table that reads one input only; that is a copy, found among the smaller classes.
      expect(Math.min(best?.errors ?? Infinity, ...fits.map((f) => f.errors))).toBeLessThanOrEqual(least);
    }),
    { numRuns: 40 },
  );
});

test('the shortest description is the true class: constant, copy, table, threshold', () => {
  const xs = bitsOf(120, 8, 3);
  const pick = (f: (x: number[]) => number): string => {
    const samples = samplesOf(xs, f);
    const candidates = candidatesFor(new Library(names(8)), samples, { maxDepth: 4, pruneAbove: 100, keep: 8 });
    const options = { tolerance: 1e-6, epsilon: 0.05, rng: new Rng(1), networks: true };
    return fitLadder(samples, candidates, 'boolean', options)!.model.kind;
  };
  expect(pick(() => 1)).toBe('constant');
  expect(pick((x) => 1 - x[5]!)).toBe('copy');
  expect(pick((x) => x[2]! ^ x[7]!)).toBe('table');
  expect(pick((x) => (x[0]! + x[1]! + x[2]! + x[3]! + x[4]! >= 3 ? 1 : 0))).toBe('sparse');
});

test('matching pursuit finds the inputs and weights of a sparse sum exactly', () => {
  const rng = new Rng(5);
  const xs = Array.from({ length: 80 }, () => Array.from({ length: 12 }, () => rng.normal()));
  const samples = samplesOf(xs, (x) => 2 * x[3]! - 0.5 * x[8]! + 7 * x[10]! + 1);
  const fit = fitSparse(samples, [...xs[0]!.keys()], 'number', { tolerance: 1e-6 })!;
  const { model } = fit;
  if (model.kind !== 'sparse') throw new Error(model.kind);
  expect([...model.inputs].sort((a, b) => a - b)).toEqual([3, 8, 10]);
  expect(model.weights[model.inputs.indexOf(8)]).toBeCloseTo(-0.5, 6);
  expect(model.bias).toBeCloseTo(1, 6);
  expect(fit.errors).toBe(0);
});

test('a few wrong inputs do not bend the weights of a sum', () => {
  const rng = new Rng(15);
  const xs = Array.from({ length: 400 }, () => [rng.integer(10), rng.integer(10), rng.integer(10)]);
  const library = new Library(names(3));
  const samples = new Samples(library);
  for (const x of xs) samples.add(rng.bernoulli(0.03) ? [rng.integer(10), x[1]!, x[2]!] : x, 10 * x[0]! + x[2]!);
  const { model } = fitSparse(samples, [0, 1, 2], 'number', { tolerance: 0.25 })!;
  if (model.kind !== 'sparse') throw new Error(model.kind);
  expect(model.inputs).toEqual([0, 2]);
  expect(model.weights[0]).toBeCloseTo(10, 6);
  expect(model.weights[1]).toBeCloseTo(1, 6);
});

test('a small network learns what no sparse function can: the sign of a product', () => {
  const rng = new Rng(6);
  const xs = Array.from({ length: 800 }, () => Array.from({ length: 3 }, () => rng.normal()));
  const samples = samplesOf(xs, (x) => (x[0]! * x[2]! > 0 ? 1 : 0));
  const sparse = fitSparse(samples, [0, 1, 2], 'boolean', { tolerance: 0 })!;
  const network = fitNetwork(samples, [0, 1, 2], 'boolean', { tolerance: 0, rng: new Rng(1) })!;
  expect(sparse.errors / sparse.judged).toBeGreaterThan(0.3);
  expect(network.errors / network.judged).toBeLessThan(0.08);
});

test('the parts of a parity have no information alone; recent ones are kept beside informative ones', () => {
  const xs = bitsOf(4000, 6, 9);
  const samples = samplesOf(xs, (x) => x[0]! ^ x[1]!);
  expect(information(samples, 0)).toBeLessThan(0.002);
  const library = new Library(names(6));
  const copied = samplesOf(xs, (x) => x[2]!, library);
  expect(information(copied, 2)).toBeCloseTo(1, 2);
  const pruned = candidatesFor(library, copied, { maxDepth: 4, pruneAbove: 3, keep: 2 });
  expect(pruned.references).toContain(2);
  expect(pruned.references).toEqual(expect.arrayContaining([4, 5]));
  expect(pruned.references.length).toBeLessThanOrEqual(4);
});

test('equal models have equal hashes; a model reads as what it is', () => {
  const xor: Model = { kind: 'table', inputs: [0, 1], table: 6 };
  expect(hashModel(xor)).toBe(hashModel({ kind: 'table', inputs: [0, 1], table: 6 }));
  expect(hashModel(xor)).not.toBe(hashModel({ kind: 'table', inputs: [0, 1], table: 9 }));
  expect(describeModel(xor, (r) => `b${r}`)).toBe('xor(b0, b1)');
  expect(describeModel({ kind: 'copy', input: 2, negate: true }, (r) => `b${r}`)).toBe('not b2');
});
