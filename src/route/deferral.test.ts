import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { bestSingle, zeroRouter } from './baselines.ts';
import { cleanCurve, curveFigures, deferralCurve, qualityAt } from './deferral.ts';
import { validateTable, type EvaluationTable } from './table.ts';

function table(errors: number[][], costs: number[]): EvaluationTable {
  return {
    models: costs.map((_, m) => `m${m}`),
    count: errors.length,
    error: Float64Array.from(errors.flat()),
    cost: Float64Array.from(errors.flatMap(() => costs)),
  };
}

describe('deferral curve', () => {
  it('one model: area is its quality', () => {
    const figures = curveFigures({ cost: [1], quality: [0.8] }, { quality: 0.8, cost: 1 });
    expect(figures.area).toBeCloseTo(0.8, 12);
    expect(figures.area50).toBeCloseTo(0.4, 12);
    expect(figures.qnc).toBe(1);
    expect(figures.peak).toBe(0.8);
  });

  it('two models mixed at random: area .65', () => {
    const curve = { cost: [0.5, 1], quality: [0.6, 0.8] };
    expect(curveFigures(curve, { quality: 0.8, cost: 1 }).area).toBeCloseTo(0.6 * 0.5 + 0.35, 12);
    expect(qualityAt(curve, 0.1)).toBe(0.6);
    expect(qualityAt(curve, 0.75)).toBeCloseTo(0.7, 12);
    expect(qualityAt(curve, 2)).toBe(0.8);
  });

  it('drops points that do not raise quality', () => {
    expect(
      cleanCurve([
        { cost: 1, quality: 0.5 },
        { cost: 0.2, quality: 0.6 },
        { cost: 1.5, quality: 0.7 },
      ]),
    ).toEqual({ cost: [0.2, 1.5], quality: [0.6, 0.7] });
  });

  it('the oracle reaches the best model for less, and grid and exact sweeps agree', () => {
    const rng = new Rng(3);
    const errors = Array.from({ length: 200 }, () => [0.5, 0.35, 0.2].map((p) => (rng.bernoulli(p) ? 1 : 0)));
    const t = table(errors, [1, 3, 9]);
    const best = bestSingle(t);
    expect(best.model).toBe(2);
    const grid = curveFigures(deferralCurve(t.error, t), best);
    const exact = curveFigures(deferralCurve(t.error, t, { mode: 'exact' }), best);
    expect(grid.qnc).toBeLessThan(0.6);
    expect(Math.abs(grid.area - exact.area)).toBeLessThan(1e-3);
    expect(grid.peak).toBe(exact.peak);
  });

  it('ZeroRouter keeps the upper-left hull only', () => {
    const t = table(
      [
        [1, 1, 1, 0],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 1, 0, 1],
      ],
      [1, 2, 3, 3],
    );
    const zero = zeroRouter(t, t);
    expect(zero.hull).toEqual([0, 2]);
    expect(zero.curve).toEqual({ cost: [1 / 3, 1], quality: [0.25, 0.75] });
  });
});

describe('evaluation table', () => {
  it('says every fault at once', () => {
    const bad = {
      models: ['a', 'a'],
      count: 2,
      error: new Float64Array([0, 2, NaN, 1]),
      cost: new Float64Array([1, 1, 1]),
    };
    expect(() => validateTable(bad)).toThrow('Expected different model ids, got a, a.');
    try {
      validateTable(bad);
    } catch (error) {
      expect((error as { details: { faults: string[] } }).details.faults).toEqual([
        'Expected different model ids, got a, a.',
        'Expected error between 0 and 1 in row 0, model a, got 2.',
        'Expected error between 0 and 1 in row 1, model a, got NaN.',
        'Expected cost of 2 x 2 = 4 cells, got 3.',
      ]);
    }
  });
});
