import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { curveFigures } from '../deferral.ts';
import { generatePool } from '../generated-pool.ts';
import { calibration } from './calibration.ts';
import { comparePaired, signTest } from './paired.ts';
import { fitRidge, predictRidge } from './ridge.ts';
import { runTrial, type Method, type TrialFigures } from './trial.ts';

const options = { unseen: 6, validation: [100], k: () => 16, features: { bits: 11, dim: 16 } };

function areas(figures: readonly TrialFigures[], method: Method): number[] {
  return figures.filter((f) => f.method === method).map((f) => f.area);
}

describe('trials on generated pools', () => {
  it('knowing more is worth more: oracle, topics, learned kinds, raw means, not looking', () => {
    const figures: TrialFigures[] = [];
    for (let trial = 0; trial < 12; trial++) {
      const { table } = generatePool({ seed: `order-${trial}`, prompts: 1000, models: 9, variety: 0.5 });
      const methods = [
        'default',
        'default-untold',
        'oracle',
        'task',
        'learned-soft',
        'paper',
        'zero',
        'shrunk',
      ] as const;
      figures.push(...runTrial(table, trial, { ...options, methods }));
    }
    const gain = (a: Method, b: Method) => comparePaired(areas(figures, a), areas(figures, b)).mean;
    expect(gain('oracle', 'task')).toBeGreaterThan(0.02);
    expect(gain('task', 'learned-soft')).toBeGreaterThan(0);
    expect(gain('learned-soft', 'shrunk')).toBeGreaterThan(-0.003);
    expect(gain('shrunk', 'paper')).toBeGreaterThan(0);
    expect(gain('default-untold', 'paper')).toBeGreaterThan(0);
    expect(gain('default', 'default-untold')).toBeGreaterThan(-0.003);
    expect(comparePaired(areas(figures, 'default-untold'), areas(figures, 'zero')).t).toBeGreaterThan(3);
  });

  it('ties not looking where topics make no difference', () => {
    const figures: TrialFigures[] = [];
    for (let trial = 0; trial < 8; trial++) {
      const { table } = generatePool({ seed: `flat-${trial}`, prompts: 600, models: 9, variety: 0 });
      figures.push(...runTrial(table, trial, { ...options, validation: [60], methods: ['default-untold', 'zero'] }));
    }
    expect(comparePaired(areas(figures, 'default-untold'), areas(figures, 'zero')).mean).toBeGreaterThan(-0.01);
  });

  it('the same trial gives the same figures, and a curve never falls', () => {
    const { table } = generatePool({ seed: 'same', prompts: 500, models: 5 });
    const once = runTrial(table, 3, { ...options, unseen: 3, validation: [50] });
    expect(runTrial(table, 3, { ...options, unseen: 3, validation: [50] })).toEqual(once);
    for (const { curve, area, peak } of once) {
      for (let i = 1; i < curve.quality.length; i++) expect(curve.quality[i]!).toBeGreaterThan(curve.quality[i - 1]!);
      expect(curveFigures(curve, { quality: 2, cost: 1 }).area).toBeCloseTo(area, 12);
      expect(peak).toBe(curve.quality.at(-1));
    }
    expect(once.find((f) => f.method === 'default')?.chosen?.k).toBeGreaterThan(0);
  });

  it('two models and no training models are enough', () => {
    const { table } = generatePool({ seed: 'two', prompts: 300, models: 2 });
    const methods = runTrial(table, 0, { ...options, unseen: 2, validation: [30] }).map((f) => f.method);
    expect(methods).toContain('default');
    expect(methods).not.toContain('learned-soft');
  });
});

describe('paired comparison', () => {
  it('has the sign test of the binomial', () => {
    expect(signTest(0, 0)).toBe(1);
    expect(signTest(10, 0)).toBeCloseTo(2 / 1024, 12);
    expect(signTest(7, 3)).toBeCloseTo((2 * 176) / 1024, 12);
    expect(signTest(5, 5)).toBe(1);
  });

  it('takes differences trial by trial', () => {
    const c = comparePaired([1, 2, 3, 4], [0.5, 2, 2.5, 4.5]);
    expect(c).toMatchObject({ trials: 4, wins: 2, losses: 1 });
    expect(c.mean).toBeCloseTo(0.125, 12);
    expect(comparePaired([1, 2], [1, 2])).toMatchObject({ mean: 0, t: 0, signTest: 1 });
  });
});

describe('ridge', () => {
  it('finds a linear truth, and the penalty pulls it to zero', () => {
    const rng = new Rng(2);
    const [n, dim] = [200, 3];
    const features = Float32Array.from({ length: n * dim }, () => rng.normal());
    const target = Float64Array.from({ length: n }, (_, j) => 0.5 + 2 * features[j * 3]! - features[j * 3 + 2]!);
    const { weights } = fitRidge(features, dim, target, 1e-9);
    [2, 0, -1, 0.5].forEach((w, i) => expect(weights[i]).toBeCloseTo(w, 5));
    expect(predictRidge(fitRidge(features, dim, target, 1e12), features)[0]).toBeCloseTo(0, 6);
  });
});

describe('calibration', () => {
  it('is perfect for the truth and off by what predictions are off', () => {
    const rng = new Rng(5);
    const gamma = Array.from({ length: 20_000 }, () => rng.uniform());
    const error = gamma.map((g) => Number(rng.bernoulli(g)));
    expect(calibration(gamma, error).gap).toBeLessThan(0.02);
    expect(calibration(gamma, error).brier).toBeCloseTo(1 / 6, 2);
    const shy = calibration(
      gamma.map((g) => g / 2),
      error,
    );
    expect(shy.gap).toBeCloseTo(0.25, 2);
    expect(calibration([0.1, 0.9, 0.5], [0, 1, NaN])).toMatchObject({ gap: expect.closeTo(0.1, 12) as number });
  });
});
