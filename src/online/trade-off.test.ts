import { describe, expect, it } from 'vitest';
import { dawson, erfi, frontier, OPTIMAL_THRESHOLD, PayoffFunction, tradeOff } from './trade-off.ts';

const pairs = [
  [OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD],
  [2, 2],
  [3, 3],
  [0, 2],
  [0.3, 1.5],
  [1.5, 0],
] as const;

describe('the closed forms', () => {
  it('erfi and Dawson are the integrals they stand for', () => {
    for (const z of [0.01, 0.5, 0.9241, 2, 3.3]) {
      const steps = 20_000;
      let sum = 0;
      for (let i = 0; i < steps; i++) sum += Math.exp((((i + 0.5) * z) / steps) ** 2);
      expect(erfi(z) / ((2 / Math.sqrt(Math.PI)) * ((sum * z) / steps))).toBeCloseTo(1, 6);
      expect(erfi(-z)).toBe(-erfi(z));
    }
    // The largest value of Dawson's function, and where it lies.
    expect(dawson(0.9241388730045921)).toBeCloseTo(0.541044224635182, 14);
  });

  it('the optimal threshold is the root of 2 T D(T) = 1 and equals its regret', () => {
    expect(OPTIMAL_THRESHOLD).toBeCloseTo(0.924138873, 9);
    expect(2 * OPTIMAL_THRESHOLD * dawson(OPTIMAL_THRESHOLD)).toBeCloseTo(1, 14);
    expect(tradeOff(OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD).regretPlus).toBeCloseTo(OPTIMAL_THRESHOLD, 12);
    for (let t = 0.5; t < 2; t += 0.01) expect(tradeOff(t, t).regretPlus).toBeGreaterThanOrEqual(OPTIMAL_THRESHOLD);
  });

  it('the payoff function solves its equation between the thresholds and is smooth at them', () => {
    for (const [plus, minus] of pairs) {
      const f = new PayoffFunction(plus, minus);
      for (let i = 1; i < 200; i++) {
        const z = -minus + ((plus + minus) * i) / 200;
        const terms = [f.curvature(z), -2 * z * f.slope(z), 2 * f.value(z)];
        const size = Math.max(1, ...terms.map(Math.abs));
        expect(Math.abs(terms.reduce((a, b) => a + b)) / size).toBeLessThan(1e-9);
        const h = 1e-5;
        expect((f.value(z + h) - f.value(z - h)) / (2 * h)).toBeCloseTo(f.slope(z), 5);
      }
      for (const [edge, sign] of [[plus, 1] as const, [-minus, -1] as const]) {
        expect(f.value(edge + 1e-9)).toBeCloseTo(f.value(edge - 1e-9), 7);
        expect(f.slope(edge)).toBe(sign);
        expect(f.slope(edge - sign * 1e-9)).toBeCloseTo(sign, 5);
      }
    }
  });

  it('regrets and losses are those of the published table', () => {
    const rows = [
      [1.2, 1.2, 0.986, 0.986, 0.234],
      [1.5, 1.5, 1.168, 1.168, 0.123],
      [2, 2, 1.659, 1.659, 0.0304],
      [2.5, 2.5, 2.241, 2.241, 0.00433],
      [3, 3, 2.805, 2.805, 0.00035],
      [0.3, 1.5, 0.25, 2.17, NaN],
      [0, 1, 0.684, 1.859, NaN],
      [0, 1.5, 0.246, 2.335, NaN],
      [0, 2, 0.061, 3.319, NaN],
    ] as const;
    for (const [plus, minus, regretPlus, regretMinus, loss] of rows) {
      const found = tradeOff(plus, minus);
      expect(Math.abs(found.regretPlus - regretPlus)).toBeLessThan(6e-4);
      expect(Math.abs(found.regretMinus - regretMinus)).toBeLessThan(6e-4);
      if (!Number.isNaN(loss)) expect(Math.abs(found.loss / loss - 1)).toBeLessThan(0.02);
      expect(tradeOff(minus, plus).regretPlus).toBeCloseTo(found.regretMinus, 12);
    }
  });

  it('no pair of thresholds has both regrets below those of a frontier pair', () => {
    for (const plus of [0.1, 0.5, OPTIMAL_THRESHOLD, 1.4]) {
      const best = frontier(plus);
      for (let a = 0; a <= 3; a += 0.05) {
        for (let b = 0.05; b <= 3; b += 0.05) {
          const other = tradeOff(a, b);
          const better = other.regretPlus < best.regretPlus - 1e-9 && other.regretMinus < best.regretMinus - 1e-9;
          expect(better, `${a}, ${b} against ${plus}`).toBe(false);
        }
      }
    }
    expect(frontier(OPTIMAL_THRESHOLD).minus).toBeCloseTo(OPTIMAL_THRESHOLD, 9);
  });

  it('bad thresholds are refused', () => {
    expect(() => tradeOff(-0.1, 1)).toThrow('Expected plus between 0 and 6, got -0.1.');
    expect(() => tradeOff(0, 0)).toThrow('Expected plus or minus above 0');
    expect(() => tradeOff(1, 7)).toThrow('Expected minus between 0 and 6, got 7.');
    expect(() => frontier(5)).toThrow('Expected plus between 0.02 and 3');
  });
});
