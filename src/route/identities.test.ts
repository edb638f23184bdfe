// The exact identities of routing: special cases that must equal a simpler thing, bit for bit where the text says so.
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { Rng } from '../tensor/index.ts';
import { nearestNeighbours, nearestRows, zeroRouter, bestSingle } from './baselines.ts';
import { fitKMeans } from './kmeans.ts';
import { estimatePsi, expected, oneHot } from './psi.ts';
import { plugIn } from './rule.ts';
import { columnMeans, type EvaluationTable } from './table.ts';
import { UniRoute } from './uniroute.ts';

function randomTable(seed: number, n = 60, models = 4, dim = 3): EvaluationTable {
  const rng = new Rng(seed);
  const error = Float64Array.from({ length: n * models }, () => (rng.bernoulli(0.3) ? 1 : rng.uniform() * 0.4));
  const cost = Float64Array.from({ length: n * models }, (_, i) => 1 + (i % models) * 2);
  const features = Float32Array.from({ length: n * dim }, () => rng.normal());
  return { models: Array.from({ length: models }, (_, m) => `m${m}`), count: n, error, cost, features, dim };
}

function softPhi(rng: Rng, n: number, k: number): Float64Array {
  return Float64Array.from(Array.from({ length: n }, () => rng.dirichlet(new Array<number>(k).fill(1))).flat());
}

describe('psi', () => {
  it('soft with one-hot phi is shrunk, shrunk with n0 = 0 is paper, bit for bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 9 }), (seed, k) => {
        const table = randomTable(seed);
        const phi = softPhi(new Rng(seed), table.count, k);
        const hard = oneHot(phi, k);
        const n0 = seed % 20;
        expect(estimatePsi(hard, table.error, k, { estimator: 'soft', n0 }).value).toEqual(
          estimatePsi(phi, table.error, k, { estimator: 'shrunk', n0 }).value,
        );
        expect(estimatePsi(phi, table.error, k, { estimator: 'shrunk', n0: 0 }).value).toEqual(
          estimatePsi(phi, table.error, k, { estimator: 'paper' }).value,
        );
      }),
      { numRuns: 50 },
    );
  });

  it('joint with one-hot phi is shrunk, and with n0 = 0 paper, to rounding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 9 }), (seed, k) => {
        const table = randomTable(seed);
        const hard = oneHot(softPhi(new Rng(seed), table.count, k), k);
        const n0 = seed % 20;
        const weight = Float64Array.from({ length: table.count }, (_, j) => 0.5 + (j % 3));
        for (const options of [{ n0 }, { n0, weight }]) {
          const joint = estimatePsi(hard, table.error, k, { ...options, estimator: 'joint' });
          const shrunk = estimatePsi(hard, table.error, k, { ...options, estimator: 'shrunk' });
          joint.value.forEach((v, i) => expect(Math.abs(v - shrunk.value[i]!)).toBeLessThan(1e-9));
          if (!('weight' in options))
            joint.effective.forEach((v, i) => expect(Math.abs(v - shrunk.effective[i]!)).toBeLessThan(1e-6));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('joint solves its least squares: any other deviations fit worse', () => {
    const table = randomTable(8);
    const phi = softPhi(new Rng(8), table.count, 4);
    const { value, mean } = estimatePsi(phi, table.error, 4, { estimator: 'joint', n0: 3 });
    const loss = (d: ArrayLike<number>): number => {
      let sum = 0;
      for (let c = 0; c < 4; c++) sum += 3 * d[c]! ** 2;
      for (let j = 0; j < table.count; j++) {
        let r = table.error[j * 4]! - mean[0]!;
        for (let c = 0; c < 4; c++) r -= phi[j * 4 + c]! * d[c]!;
        sum += r * r;
      }
      return sum;
    };
    const best = Array.from({ length: 4 }, (_, c) => value[c * 4]! - mean[0]!);
    for (let c = 0; c < 4; c++)
      for (const step of [-1e-3, 1e-3]) expect(loss(best.with(c, best[c]! + step))).toBeGreaterThan(loss(best));
  });

  it('with K = 1 every estimator gives the model means, bit for bit, and a huge n0 gives them to 1e-9', () => {
    const table = randomTable(5);
    const means = columnMeans(table.error, 4);
    const ones = new Float64Array(table.count).fill(1);
    for (const estimator of ['paper', 'shrunk', 'soft', 'joint'] as const) {
      expect(estimatePsi(ones, table.error, 1, { estimator }).value).toEqual(means);
    }
    const far = estimatePsi(softPhi(new Rng(1), table.count, 5), table.error, 5, { n0: 1e12 }).value;
    far.forEach((v, i) => expect(Math.abs(v - means[i % 4]!)).toBeLessThan(1e-9));
    for (const n0 of [1e12, Infinity]) {
      const joint = estimatePsi(softPhi(new Rng(1), table.count, 5), table.error, 5, { n0, estimator: 'joint' }).value;
      joint.forEach((v, i) => expect(Math.abs(v - means[i % 4]!)).toBeLessThan(1e-9));
    }
    const infinite = estimatePsi(softPhi(new Rng(1), table.count, 5), table.error, 5, { n0: Infinity }).value;
    infinite.forEach((v, i) => expect(v).toBe(means[i % 4]!));
  });

  it('is (sum + n0 mean) / (mass + n0)', () => {
    const psi = estimatePsi(new Float64Array([1, 0, 1, 0, 0, 1]), new Float64Array([1, 0, 1]), 2, { n0: 4 });
    const mean = 2 / 3;
    expect(psi.value[0]).toBeCloseTo((1 + 4 * mean) / 6, 14);
    expect(psi.value[1]).toBeCloseTo((1 + 4 * mean) / 5, 14);
  });

  it('an empty cluster has the model mean', () => {
    const psi = estimatePsi(new Float64Array([1, 0, 1, 0]), new Float64Array([1, 0]), 2, { estimator: 'paper' });
    expect([...psi.value]).toEqual([0.5, 0.5]);
  });

  it('permuting models or clusters permutes the estimates', () => {
    const table = randomTable(9, 40, 3);
    const phi = softPhi(new Rng(2), 40, 4);
    const flipModels = Float64Array.from({ length: 120 }, (_, i) => table.error[i - (i % 3) + (2 - (i % 3))]!);
    const flipClusters = Float64Array.from({ length: 160 }, (_, i) => phi[i - (i % 4) + (3 - (i % 4))]!);
    const a = estimatePsi(phi, table.error, 4).value;
    const b = estimatePsi(flipClusters, flipModels, 4).value;
    for (let k = 0; k < 4; k++) for (let m = 0; m < 3; m++) expect(b[(3 - k) * 3 + (2 - m)]).toBe(a[k * 3 + m]);
  });
});

describe('uniroute', () => {
  it('with the identity map and indicator phi is K nearest neighbours, bit for bit', () => {
    const table = randomTable(11);
    for (let i = 0; i < 20; i++) {
      const rng = new Rng(100 + i);
      const z = Float32Array.from({ length: 3 }, () => rng.normal());
      const k = 1 + rng.integer(12);
      const phi = new Float64Array(table.count);
      for (const j of nearestRows(table, z, k)) phi[j] = 1 / k;
      const gamma = expected(phi, { value: table.error, k: table.count, models: 4 });
      expect(gamma).toEqual(nearestNeighbours(table, z, k));
    }
  });

  it('one cluster routes like ZeroRouter scores: the model means', () => {
    const table = randomTable(3);
    const router = UniRoute.fit(table.features!, table, { k: 1, rng: new Rng(1) });
    expect(router.predict([0, 0, 0])).toEqual(columnMeans(table.error, 4));
    expect(router.route([0, 0, 0], 0)).toBe(bestSingle(table).model);
    expect(router.route([0, 0, 0], 1e6)).toBe(0);
  });

  it('fitting M models and adding one equals fitting M + 1, bit for bit', () => {
    const table = randomTable(17);
    const map = fitKMeans(table.features!, 3, { k: 5, rng: new Rng(4) });
    const all = UniRoute.withMap(map, table);
    const one = (m: number): EvaluationTable => ({
      ...table,
      models: [table.models[m]!],
      error: Float64Array.from({ length: table.count }, (_, j) => table.error[j * 4 + m]!),
      cost: Float64Array.from({ length: table.count }, (_, j) => table.cost[j * 4 + m]!),
    });
    for (let m = 0; m < 4; m++) {
      const alone = UniRoute.withMap(map, one(m)).psi.value;
      for (let k = 0; k < 5; k++) expect(alone[k]).toBe(all.psi.value[k * 4 + m]);
    }
  });

  it('beats not routing when skill varies by topic and ties when it does not', () => {
    const gain = (skilled: boolean): number => {
      let sum = 0;
      for (let seed = 0; seed < 20; seed++) {
        const rng = new Rng(seed).fork('topics');
        const make = (n: number): EvaluationTable => {
          const error = new Float64Array(n * 3);
          const features = new Float32Array(n * 2);
          for (let j = 0; j < n; j++) {
            const topic = rng.integer(3);
            features[j * 2] = Math.cos(topic * 2.1) * 4 + rng.normal();
            features[j * 2 + 1] = Math.sin(topic * 2.1) * 4 + rng.normal();
            for (let m = 0; m < 3; m++) error[j * 3 + m] = rng.bernoulli(skilled && m === topic ? 0.1 : 0.4) ? 1 : 0;
          }
          return { models: ['a', 'b', 'c'], count: n, error, cost: new Float64Array(n * 3).fill(1), features, dim: 2 };
        };
        const labelled = make(200);
        const test = make(500);
        const router = UniRoute.fit(make(300).features!, labelled, { k: 3, rng });
        let error = 0;
        for (let j = 0; j < test.count; j++)
          error += test.error[j * 3 + router.route(test.features!.subarray(j * 2, j * 2 + 2), 0)]!;
        const zero = 1 - zeroRouter(labelled, test).curve.quality.at(-1)!;
        sum += zero - error / test.count;
      }
      return sum / 20;
    };
    expect(gain(true)).toBeGreaterThan(0.15);
    expect(Math.abs(gain(false))).toBeLessThan(0.02);
  });
});

describe('plug-in rule', () => {
  it('equals the best of all deterministic rules on 4 inputs x 3 models', () => {
    const rng = new Rng(21);
    for (let trial = 0; trial < 20; trial++) {
      const gamma = Array.from({ length: 4 }, () => Array.from({ length: 3 }, () => rng.uniform()));
      const cost = [1, 2, 5];
      for (const lambda of [0, 0.3, 1, 1e6]) {
        const score = (rule: readonly number[]): number =>
          rule.reduce((s, m, j) => s + gamma[j]![m]! + (lambda * cost[m]!) / 5, 0);
        let best = Infinity;
        for (let code = 0; code < 81; code++)
          best = Math.min(best, score([0, 1, 2, 3].map((j) => Math.floor(code / 3 ** j) % 3)));
        const rule = gamma.map((g) => plugIn(g, cost, lambda, 5));
        expect(score(rule)).toBeCloseTo(best, 10);
      }
    }
  });

  it('lambda = 0 takes the least error, 1e6 the least cost; ties go to the cheaper, then the earlier', () => {
    expect(plugIn([0.3, 0.1, 0.2], [1, 2, 3], 0, 3)).toBe(1);
    expect(plugIn([0.3, 0.1, 0.2], [1, 2, 3], 1e6, 3)).toBe(0);
    expect(plugIn([0.1, 0.1, 0.1], [3, 1, 1], 0, 3)).toBe(1);
  });

  it('a dominated model changes nothing, scaled costs change nothing, an empty pool is an error', () => {
    expect(plugIn([0.3, 0.1, 0.4], [1, 2, 2.5], 0.2, 2.5)).toBe(plugIn([0.3, 0.1], [1, 2], 0.2, 2.5));
    expect(plugIn([0.3, 0.1, 0.2], [7, 14, 21], 0.2, 21)).toBe(plugIn([0.3, 0.1, 0.2], [1, 2, 3], 0.2, 3));
    expect(() => plugIn([0.1], [1], 0, 1, [false])).toThrow('Expected at least one model that may answer');
  });
});
