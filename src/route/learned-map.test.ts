import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { BaggedMap, phiOfRows, psiUnder } from './bagged-map.ts';
import { fitKMeans, KMeans } from './kmeans.ts';
import { fitLearnedMap, LearnedMap, mapLoss, thetaOf } from './learned-map.ts';
import { estimatePsi, expected } from './psi.ts';

function data(seed: number, n = 40, dim = 3, models = 2) {
  const rng = new Rng(seed);
  return {
    features: Float32Array.from({ length: n * dim }, () => rng.normal()),
    dim,
    error: Float64Array.from({ length: n * models }, () =>
      rng.bernoulli(0.5) ? rng.uniform() : Number(rng.bernoulli()),
    ),
  };
}

describe('learned map', () => {
  it('has the gradient of central differences', () => {
    for (const seed of [1, 2, 3]) {
      const d = data(seed);
      const rng = new Rng(seed + 100);
      const theta = Float64Array.from({ length: 4 * 4 }, () => rng.normal());
      const psi = Float64Array.from({ length: 4 * 2 }, () => 0.05 + 0.9 * rng.uniform());
      const label = Int32Array.from({ length: 40 }, () => rng.integer(4) - 1);
      const share = Float64Array.from(Array.from({ length: 4 }, () => [...rng.dirichlet([1, 1, 1])]).flat());
      // One row more than a block, so that both ways of adding rows up are taken.
      const index = [0, 5, 7, 31, 12];
      const targets = seed === 1 ? { psi } : { psi, side: { label, count: 3, weight: 0.7, share } };
      const { gradient } = mapLoss(theta, targets, d, index);
      for (let i = 0; i < theta.length; i++) {
        const h = 1e-5;
        const at = (v: number): number => {
          const moved = Float64Array.from(theta);
          moved[i] = moved[i]! + v;
          return mapLoss(moved, targets, d, index).loss;
        };
        const numeric = (at(h) - at(-h)) / (2 * h);
        expect(Math.abs(numeric - gradient[i]!) / Math.max(1e-3, Math.abs(numeric))).toBeLessThan(1e-6);
      }
    }
  });

  it('starts as the softmax of -T |z - C|^2', () => {
    const rng = new Rng(4);
    const map = new KMeans(
      Float32Array.from({ length: 5 * 3 }, () => rng.normal()),
      3,
    );
    const soft = new LearnedMap(Float32Array.from(thetaOf(map, 10)), 3);
    const z = [0.3, -0.2, 0.5];
    const logits = Array.from({ length: 5 }, (_, k) =>
      z.reduce((s, v, d) => s - 10 * (v - map.centroids[k * 3 + d]!) ** 2, 0),
    );
    const total = logits.reduce((s, l) => s + Math.exp(l), 0);
    logits.forEach((l, k) => expect(soft.phi(z)[k]).toBeCloseTo(Math.exp(l) / total, 5));
  });

  it('learns what K-means cannot see: errors that turn on a small coordinate', () => {
    const rng = new Rng(5);
    const n = 600;
    const features = new Float32Array(n * 2);
    const error = new Float64Array(n * 2);
    for (let j = 0; j < n; j++) {
      features[j * 2] = 1.5 * rng.normal(); // large, says nothing
      features[j * 2 + 1] = 0.7 * rng.normal(); // small, decides
      const right = features[j * 2 + 1]! > 0 ? 0 : 1;
      for (let m = 0; m < 2; m++) error[j * 2 + m] = rng.bernoulli(m === right ? 0.1 : 0.8) ? 1 : 0;
    }
    const start = fitKMeans(features, 2, { k: 8, rng });
    const map = fitLearnedMap(start, { features, dim: 2, error }, { rng, epochs: 60, batch: 64, temperature: 1 });
    const index = Array.from({ length: n }, (_, j) => j);
    const hard = phiOfRows(start, features);
    const psi = estimatePsi(hard, error, 8, { estimator: 'shrunk', n0: 5 }).value;
    const before = mapLoss(thetaOf(start, 1), { psi }, { features, dim: 2, error }, index).loss;
    const after = mapLoss(Float64Array.from(map.theta), { psi }, { features, dim: 2, error }, index).loss;
    expect(after).toBeLessThan(before - 0.02);
    const wrong = (m: typeof map | KMeans): number => {
      const own = psiUnder(m, features, error);
      return index.filter((j) => {
        const gamma = expected(m.phi(features.subarray(j * 2, j * 2 + 2)), own);
        return (gamma[0]! < gamma[1]! ? 0 : 1) !== (features[j * 2 + 1]! > 0 ? 0 : 1);
      }).length;
    };
    expect(wrong(map)).toBeLessThan(wrong(start) / 2);
  });

  it('takes noise and fading steps, and gives the same bytes for the same seed', () => {
    const d = data(8, 200);
    const start = fitKMeans(d.features, 3, { k: 4, rng: new Rng(1) });
    const fit = (noise: number, seed: number) =>
      fitLearnedMap(start, d, { rng: new Rng(seed), noise, anneal: true, epochs: 5, batch: 64 }).theta;
    expect(fit(0.5, 2)).toEqual(fit(0.5, 2));
    expect(fit(0.5, 2)).not.toEqual(fit(0.5, 3));
    expect(fit(0.5, 2)).not.toEqual(fit(0, 2));
  });

  it('noise keeps it from learning luck: errors that nothing tells apart stay alike', () => {
    for (const seed of [11, 12, 13]) {
      const rng = new Rng(seed);
      const [n, dim] = [300, 40];
      const features = Float32Array.from({ length: n * dim }, () => rng.normal() / Math.sqrt(dim));
      const error = Float64Array.from({ length: n }, () => Number(rng.bernoulli(0.5)));
      const start = fitKMeans(features, dim, { k: 6, rng });
      const spread = (noise: number): number => {
        const map = fitLearnedMap(
          start,
          { features, dim, error },
          { rng: new Rng(seed), noise, epochs: 30, batch: 64 },
        );
        const psi = psiUnder(map, features, error, { n0: 0 }).value;
        const mean = psi.reduce((s, v) => s + v) / 6;
        return psi.reduce((s, v) => s + (v - mean) ** 2, 0);
      };
      expect(spread(2)).toBeLessThan(spread(0));
    }
  });

  it('side labels draw kinds apart that errors and words do not', () => {
    for (const seed of [21, 22, 23]) {
      const rng = new Rng(seed);
      const n = 400;
      const features = new Float32Array(n * 2);
      const label = new Int32Array(n);
      for (let j = 0; j < n; j++) {
        features[j * 2] = 1.5 * rng.normal(); // large, says nothing
        features[j * 2 + 1] = 0.5 * rng.normal(); // small, tells the label
        label[j] = j % 10 === 0 ? -1 : Number(features[j * 2 + 1]! > 0);
      }
      const error = Float64Array.from({ length: n }, () => Number(rng.bernoulli(0.5)));
      const start = fitKMeans(features, 2, { k: 6, rng });
      const told = Float64Array.from(label, (l) => Math.max(0, l));
      // Mean squared error of the label's chance, as the kinds give it.
      const loss = (weight: number): number => {
        const side = { label, count: 2, weight };
        const training = { rng: new Rng(3), epochs: 60, batch: 64, temperature: 1 };
        const map = fitLearnedMap(start, { features, dim: 2, error, side }, training);
        const psi = psiUnder(map, features, told, { estimator: 'joint', n0: 1 });
        let sum = 0;
        for (let j = 0; j < n; j++) {
          if (label[j]! < 0) continue;
          sum += (expected(map.phi(features.subarray(j * 2, j * 2 + 2)), psi)[0]! - label[j]!) ** 2;
        }
        return sum / n;
      };
      expect(loss(1)).toBeLessThan(0.8 * loss(0));
    }
  });

  it('refuses to learn from no model', () => {
    const d = data(1);
    const start = fitKMeans(d.features, 3, { k: 2, rng: new Rng(1) });
    expect(() => fitLearnedMap(start, { ...d, error: new Float64Array(0) }, { rng: new Rng(1) })).toThrow(
      'Expected labels of at least one training model, got none.',
    );
  });
});

describe('bagged map', () => {
  it('predicts the mean of its maps, and one map alone is that map', () => {
    const d = data(6, 80);
    const maps = [1, 2, 3].map((s) => fitKMeans(d.features, 3, { k: 3 + s, rng: new Rng(s) }));
    const bag = new BaggedMap(maps);
    const psi = psiUnder(bag, d.features, d.error, { n0: 7 });
    for (let j = 0; j < 10; j++) {
      const z = d.features.subarray(j * 3, j * 3 + 3);
      const gamma = expected(bag.phi(z), psi);
      const each = maps.map((m) => expected(m.phi(z), psiUnder(m, d.features, d.error, { n0: 7 })));
      for (let m = 0; m < 2; m++) expect(gamma[m]).toBeCloseTo((each[0]![m]! + each[1]![m]! + each[2]![m]!) / 3, 12);
      expect(bag.phi(z).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
    const one = new BaggedMap([maps[0]!]);
    expect(psiUnder(one, d.features, d.error)).toEqual(psiUnder(maps[0]!, d.features, d.error));
  });
});
