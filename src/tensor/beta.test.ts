import { describe, expect, it } from 'vitest';
import { Rng } from './rng.ts';
import { betaInterval, betaOfMoments, betaQuantile, incompleteBeta, logGamma } from './beta.ts';

describe('beta distribution', () => {
  it('knows values that can be checked by hand', () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 12);
    expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 12);
    expect(incompleteBeta(0.3, 1, 1)).toBeCloseTo(0.3, 12);
    expect(incompleteBeta(0.5, 2, 2)).toBeCloseTo(0.5, 12);
    expect(incompleteBeta(0.2, 1, 5)).toBeCloseTo(1 - 0.8 ** 5, 12);
    expect(betaInterval(1, 1, 0.9)[0]).toBeCloseTo(0.05, 9);
    expect(betaInterval(1, 1, 0.9)[1]).toBeCloseTo(0.95, 9);
  });

  it('quantile inverts the distribution function', () => {
    for (const [a, b] of [
      [0.5, 3],
      [2, 50],
      [300, 4],
      [1e-2, 5],
    ] as const) {
      for (const p of [0.05, 0.5, 0.95]) {
        const x = betaQuantile(p, a, b);
        if (x > 1e-9) expect(incompleteBeta(x, a, b)).toBeCloseTo(p, 6);
      }
    }
  });

  it('moments round trip', () => {
    const [a, b] = betaOfMoments(0.2, 0.01);
    expect(a / (a + b)).toBeCloseTo(0.2, 12);
    expect((a * b) / ((a + b) ** 2 * (a + b + 1))).toBeCloseTo(0.01, 12);
  });

  it('90 % intervals cover about 90 % of simulated error rates', () => {
    const rng = new Rng(8);
    let covered = 0;
    const trials = 2000;
    for (let t = 0; t < trials; t++) {
      const truth = rng.uniform();
      let errors = 0;
      for (let i = 0; i < 40; i++) if (rng.uniform() < truth) errors++;
      const [low, high] = betaInterval(1 + errors, 41 - errors, 0.9);
      if (truth >= low && truth <= high) covered++;
    }
    expect(covered / trials).toBeGreaterThan(0.88);
    expect(covered / trials).toBeLessThan(0.92);
  });
});
