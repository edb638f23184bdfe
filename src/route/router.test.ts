import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { fitThresholds, runCascade } from './cascade.ts';
import { embedAll, pooledInk } from './encoder.ts';
import { fitKMeans } from './kmeans.ts';
import { PathRouter } from './router.ts';
import { columnMeans, selectRows, type EvaluationTable } from './table.ts';

/** Three readers of rising skill and cost; inputs have a hardness, shown only in part by the features. */
export function readers(seed: number, n: number): EvaluationTable {
  const rng = new Rng(seed);
  const skill = [1.2, 2.5, 4];
  const price = [16, 200, 2000];
  const error = new Float64Array(n * 3);
  const cost = new Float64Array(n * 3);
  const confidence = new Float64Array(n * 3);
  const features = new Float32Array(n * 2);
  for (let j = 0; j < n; j++) {
    const hardness = rng.exponential();
    features[j * 2] = hardness + rng.normal() * 0.5;
    features[j * 2 + 1] = rng.normal() * 0.1;
    for (let m = 0; m < 3; m++) {
      const margin = skill[m]! * 1.2 - hardness + rng.normal() * 0.6;
      const p = 1 / (1 + Math.exp(-3 * margin));
      error[j * 3 + m] = rng.bernoulli(p) ? 0 : 1;
      confidence[j * 3 + m] = p;
      cost[j * 3 + m] = price[m]!;
    }
  }
  return { models: ['small', 'medium', 'large'], count: n, error, cost, confidence, features, dim: 2 };
}

describe('cascade', () => {
  it('charges every model that ran and accepts the last answer always', () => {
    const t: EvaluationTable = {
      models: ['a', 'b'],
      count: 2,
      error: new Float64Array([1, 0, 0, 1]),
      cost: new Float64Array([1, 10, 1, 10]),
      confidence: new Float64Array([0.4, 0.5, 0.9, 0.1]),
    };
    const result = runCascade(t, [0, 1], [0.8, 1]);
    expect([...result.error]).toEqual([0, 0]);
    expect([...result.cost]).toEqual([11, 1]);
    expect(result.ended).toEqual([1, 1]);
  });

  it('thresholds keep to the allowed error and save most of the cost', () => {
    const t = readers(1, 4000);
    const best = columnMeans(t.error, 3)[2]!;
    const result = runCascade(t, [0, 1, 2], fitThresholds(t, [0, 1, 2], best + 0.001));
    expect(result.meanError).toBeLessThanOrEqual(best + 0.001);
    expect(result.meanCost).toBeLessThan(0.5 * 2000);
  });

  it('two steps: no other threshold pair of the grid is cheaper', () => {
    const t = readers(2, 300);
    const max = columnMeans(t.error, 3)[2]! + 0.01;
    const fitted = runCascade(t, [1, 2], fitThresholds(t, [1, 2], max));
    let best = Infinity;
    for (let j = 0; j < t.count; j++) {
      const result = runCascade(t, [1, 2], [2, t.confidence![j * 3 + 1]!, 2]);
      if (result.meanError <= max) best = Math.min(best, result.meanCost);
    }
    expect(fitted.meanCost).toBeLessThanOrEqual(best * 1.1);
  });
});

describe('path router', () => {
  const table = readers(4, 6000);
  const router = PathRouter.fit(table, { rng: new Rng(7), encoder: 'test', maxLoss: 0.001 });

  function runOn(test: EvaluationTable): { error: number; cost: number } {
    let error = 0;
    let cost = 0;
    for (let j = 0; j < test.count; j++) {
      const path = router.route(test.features!, undefined, undefined, j * 2).path.map((id) => test.models.indexOf(id));
      const thresholds = test.models.map((id) => router.threshold(id)!);
      const one = runCascade(selectRows(test, [j]), path, thresholds);
      error += one.meanError;
      cost += one.meanCost;
    }
    return { error: error / test.count, cost: cost / test.count };
  }

  it('keeps its promise on fresh inputs', () => {
    const test = readers(99, 6000);
    const best = columnMeans(test.error, 3)[2]!;
    const got = runOn(test);
    expect(router.fitted.error).toBeLessThanOrEqual(router.fitted.bestError + 0.001);
    expect(got.error - best).toBeLessThan(0.006); // paired standard error about 0.002
    expect(got.cost).toBeLessThan(0.5 * 2000);
    expect(Math.abs(got.cost - router.fitted.cost) / got.cost).toBeLessThan(0.1);
  });

  it('is no dearer than the cascade alone under the same promise', () => {
    const best = columnMeans(table.error, 3)[2]!;
    const alone = runCascade(table, [0, 1, 2], fitThresholds(table, [0, 1, 2], best + 0.001));
    expect(router.fitted.cost).toBeLessThanOrEqual(alone.meanCost * 1.001);
  });

  it('the same seed gives the same state, and a state gives the same router', () => {
    const again = PathRouter.fit(table, { rng: new Rng(7), encoder: 'test', maxLoss: 0.001 });
    expect(again.toState()).toEqual(router.toState());
    const copy = PathRouter.fromState(JSON.parse(JSON.stringify(router.toState())));
    for (let j = 0; j < 50; j++)
      expect(copy.route(table.features!, undefined, undefined, j * 2)).toEqual(
        router.route(table.features!, undefined, undefined, j * 2),
      );
  });

  it('filters modules, and says so when none is left', () => {
    expect(router.route([0, 0], ['large']).path).toEqual(['large']);
    expect(() => router.route([0, 0], [])).toThrow('Expected at least one model');
  });

  it('lambda decides between least error and least cost', () => {
    expect(router.route([3, 0], undefined, 1e6).path).toEqual(['small']);
    expect(router.route([3, 0], undefined, 0).expectedError).toBeLessThanOrEqual(
      router.route([3, 0], undefined, 1).expectedError,
    );
    const decision = router.route([3, 0]);
    expect(decision.interval[0]).toBeLessThanOrEqual(decision.expectedError);
    expect(decision.interval[1]).toBeGreaterThanOrEqual(decision.expectedError);
    expect(decision.runnerUp?.path[0]).not.toBe(decision.path[0]);
  });

  it('learns from outcomes: a path that keeps failing is left', () => {
    const copy = PathRouter.fromState(router.toState());
    const before = copy.route([0.2, 0]);
    for (let i = 0; i < 3000; i++) copy.learnOne(before, 1);
    const after = copy.route([0.2, 0]);
    expect(after.path).not.toEqual(before.path);
    expect(() => copy.learnOne(before, 2)).toThrow('error in [0,1]');
  });

  it('a broken state is refused', () => {
    expect(() => PathRouter.fromState({ ...router.toState(), mass: [1] })).toThrow('Expected a router state');
  });

  it('routes without confidences as plain UniRoute over single modules', () => {
    const { confidence: _, ...plain } = table;
    const single = PathRouter.fit(plain, { rng: new Rng(7), encoder: 'test', maxLoss: 0.001 });
    for (let j = 0; j < 20; j++)
      expect(single.route(table.features!, undefined, undefined, j * 2).path).toHaveLength(1);
  });
});

describe('features and clusters', () => {
  it('pooled ink: unit norm, norm feature, blank is zero', () => {
    const encoder = pooledInk(28, 7);
    const rng = new Rng(1);
    const image = Float32Array.from({ length: 784 }, () => rng.uniform());
    const [a] = [embedAll(encoder, [image, new Float32Array(784)])];
    let norm = 0;
    for (let i = 0; i < 49; i++) norm += a[i]! ** 2;
    expect(norm).toBeCloseTo(1, 5);
    expect(a[49]).toBeCloseTo(Math.log1p(image.reduce((s, v) => s + v, 0)) / 8, 5);
    expect([...a.subarray(50)].every((v) => v === 0)).toBe(true);
    expect(() => encoder.embed(new Float32Array(3), new Float32Array(50), 0)).toThrow('Expected 784 pixels, got 3.');
  });

  it('K-means finds separated clusters with either start, and is a pure function of its seed', () => {
    const rng = new Rng(2);
    const rows = Float32Array.from({ length: 600 }, (_, i) => (Math.floor(i / 2) % 3) * 10 + rng.normal());
    for (const start of ['plusplus', 'rows'] as const) {
      const map = fitKMeans(rows, 2, { k: 3, rng: new Rng(3), start });
      expect(fitKMeans(rows, 2, { k: 3, rng: new Rng(3), start }).centroids).toEqual(map.centroids);
      if (start === 'plusplus') expect(new Set([0, 1, 2].map((c) => map.assign(rows, c * 2))).size).toBe(3);
      expect([...map.phi([0, 0])].reduce((s, v) => s + v, 0)).toBe(1);
    }
  });

  it('fewer rows than clusters and equal rows do no harm', () => {
    expect(fitKMeans(new Float32Array([1, 1]), 1, { k: 5, rng: new Rng(1) }).k).toBe(2);
    expect(() => fitKMeans(new Float32Array(0), 1, { k: 5, rng: new Rng(1) })).toThrow('Expected rows of 1 numbers');
  });
});
