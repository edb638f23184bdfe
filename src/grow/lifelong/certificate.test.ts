import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { certifyCounted, certifyHeldOut, coinDivergence, samplesToCertify, testShare } from './certificate.ts';
import { CLASS_WEIGHT, classSize, errorBits, logHypotheses } from './fit.ts';

test('the weights of all finite models and the shares of all tests sum to less than one', () => {
  expect(Object.values(CLASS_WEIGHT).reduce((s, w) => s + w, 0)).toBeCloseTo(1, 12);
  let weight = 0;
  for (const kind of ['constant', 'copy', 'table'] as const) {
    const size = classSize(kind, 30);
    weight += size * Math.exp(-logHypotheses(kind, size));
  }
  expect(weight).toBeCloseTo(CLASS_WEIGHT.constant + CLASS_WEIGHT.copy + CLASS_WEIGHT.table, 12);
  let share = 0;
  for (let j = 1; j < 10_000; j++) share += testShare(0.01, j);
  expect(share).toBeLessThan(0.01);
});

test('the number of samples is the smallest that certifies without a contradiction', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.5, noNaN: true }),
      fc.double({ min: 1e-6, max: 0.3, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
      (epsilon, delta, log) => {
        const n = samplesToCertify(epsilon, delta, log);
        expect(certifyCounted(n, 0, epsilon, delta, log)?.how).toBe('exact');
        if (n > 1) expect(certifyCounted(n - 1, 0, epsilon, delta, log)).toBeUndefined();
      },
    ),
  );
  expect(samplesToCertify(0.25, 0.01, Math.log(7000))).toBe(47);
});

test('without errors the relative entropy is the exact bound; more errors never certify sooner', () => {
  expect(coinDivergence(0, 0.2)).toBeCloseTo(-Math.log(0.8), 12);
  expect(coinDivergence(0.2, 0.2)).toBe(0);
  for (let errors = 0; errors < 40; errors++) {
    if (certifyCounted(200, errors + 1, 0.25, 0.01, 5)) {
      expect(certifyCounted(200, errors, 0.25, 0.01, 5)).toBeDefined();
    }
  }
  expect(certifyCounted(200, 10, 0.25, 0.01, 5)?.how).toBe('counted');
  expect(certifyCounted(200, 50, 0.25, 0.01, 5)).toBeUndefined();
});

test('held-out samples certify by Hoeffding or without an error', () => {
  expect(certifyHeldOut(106, 0, 0.05, 0.005)?.how).toBe('held-out');
  expect(certifyHeldOut(105, 0, 0.05, 0.005)).toBeUndefined();
  expect(certifyHeldOut(1700, 17, 0.05, 0.005)).toBeDefined();
  expect(certifyHeldOut(1000, 15, 0.05, 0.005)).toBeUndefined();
  expect(certifyHeldOut(0, 0, 0.05, 0.005)).toBeUndefined();
  expect(() => samplesToCertify(0, 0.1, 1)).toThrow(/Expected epsilon between 0 and 1, got 0/);
});

test('models at the limit are certified no more often than delta says', () => {
  const rng = new Rng(11);
  const trials = 4000;
  let wrong = 0;
  for (let t = 0; t < trials; t++) {
    let errors = 0;
    for (let i = 0; i < 150; i++) if (rng.bernoulli(0.2)) errors++;
    if (certifyCounted(150, errors, 0.2, 0.05, 0)) wrong++;
  }
  expect(wrong / trials).toBeLessThan(0.05);
});

test('naming errors costs the logarithm of how many ways there are', () => {
  expect(errorBits(10, 0)).toBeCloseTo(Math.log2(11), 12);
  expect(errorBits(10, 3)).toBeCloseTo(Math.log2(11 * 120), 9);
  expect(errorBits(10, 7)).toBeCloseTo(errorBits(10, 3), 12);
});
