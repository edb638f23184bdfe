import { describe, expect, it } from 'vitest';
import { incompleteGamma } from './gamma.ts';

describe('incomplete gamma', () => {
  it('is the exponential distribution for shape 1 and the Erlang sum for whole shapes', () => {
    for (const x of [0, 1e-6, 0.1, 1, 5, 20, 50]) {
      expect(incompleteGamma(1, x)).toBeCloseTo(1 - Math.exp(-x), 13);
      let tail = 0;
      let term = Math.exp(-x);
      for (let k = 0; k < 5; k++) {
        tail += term;
        term *= x / (k + 1);
      }
      expect(incompleteGamma(5, x)).toBeCloseTo(1 - tail, 12);
    }
  });

  it('has the known quantiles of chi-square', () => {
    expect(incompleteGamma(0.5, 3.841458820694124 / 2)).toBeCloseTo(0.95, 10);
    expect(incompleteGamma(5, 18.307038053275146 / 2)).toBeCloseTo(0.95, 10);
    expect(incompleteGamma(50, 124.3421134047262 / 2)).toBeCloseTo(0.95, 4);
  });

  it('refuses a shape that is not positive', () => {
    expect(() => incompleteGamma(0, 1)).toThrow('Expected a positive shape and x >= 0, got 0 and 1.');
    expect(incompleteGamma(3, Infinity)).toBe(1);
  });
});
