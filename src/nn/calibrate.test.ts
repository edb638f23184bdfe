import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { fitTemperature, measureCalibration, negativeLogLikelihood } from './calibrate.ts';
import { softmax } from './sampling.ts';

/** Labels drawn from softmax(z), logits reported as factor * z. */
function overconfident(n: number, factor: number): { logits: Float64Array; labels: Uint8Array } {
  const rng = new Rng(7);
  const logits = new Float64Array(4 * n);
  const labels = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const z = Array.from({ length: 4 }, () => rng.normal());
    labels[i] = rng.categorical(softmax(z));
    logits.set(
      z.map((x) => factor * x),
      4 * i,
    );
  }
  return { logits, labels };
}

test.each([0.4, 1, 3])('the fitted temperature undoes a factor of %d', (factor) => {
  const { logits, labels } = overconfident(20_000, factor);
  const t = fitTemperature(logits, labels, 4);
  expect(t / factor).toBeGreaterThan(0.94);
  expect(t / factor).toBeLessThan(1.06);
  for (const other of [0.9 * t, 1.1 * t]) {
    expect(negativeLogLikelihood(logits, labels, 4, t)).toBeLessThan(negativeLogLikelihood(logits, labels, 4, other));
  }
  const before = measureCalibration(logits, labels, 4);
  const after = measureCalibration(logits, labels, 4, t);
  expect(after.accuracy).toBe(before.accuracy);
  expect(after.calibrationError).toBeLessThan(0.02);
  expect(after.loss).toBeLessThanOrEqual(before.loss);
});

test('the likelihood is that of the softmax', () => {
  expect(negativeLogLikelihood([1, 3], [1], 2)).toBeCloseTo(-Math.log(softmax([1, 3])[1]!), 12);
});
