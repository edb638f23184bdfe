import { describe, expect, it } from 'vitest';
import { betaInterval, betaOfMoments, Rng } from '../../tensor/index.ts';
import { generatePool } from '../generated-pool.ts';
import { estimatePsi } from '../psi.ts';
import { estimateArm, posteriorVariance, type ArmRecord, type Labelled } from './arm.ts';
import { Confidence, finiteSampleBound } from './confidence.ts';
import { fitRouter } from './fit.ts';
import { leaveOneOut } from './leave-one-out.ts';
import { contrastLoss, select } from './select.ts';

const pool = generatePool({ seed: 11, prompts: 500, models: 4 });
const router = fitRouter(pool.table, { seed: 3, k: 8, bags: 2, features: { bits: 12, dim: 16 } });
const info = { id: 'm', price_in_per_mtok: 1, price_out_per_mtok: 1 };

function arm(error: number[]): ArmRecord {
  return { id: 'm', info, error: Float64Array.from(error), profiled: 'scored', fixedCost: 1 };
}

describe('confidence', () => {
  it('Beta intervals cover the truth about as often as they say', () => {
    // The truth comes from the prior that the interval assumes: a kind's error around the model's mean.
    const rng = new Rng(8);
    let inside = 0;
    const runs = 2000;
    for (let i = 0; i < runs; i++) {
      const mean = 0.15 + 0.7 * rng.uniform();
      const n0 = 10;
      const truth = rng.beta(n0 * mean, n0 * (1 - mean));
      const n = 5 + rng.integer(60);
      let wrong = 0;
      for (let j = 0; j < n; j++) if (rng.bernoulli(truth)) wrong++;
      const psi = (wrong + n0 * mean) / (n + n0);
      const [low, high] = betaInterval(...betaOfMoments(psi, posteriorVariance(psi, n, mean, 100_000, n0)), 0.9);
      if (truth >= low && truth <= high) inside++;
    }
    expect(inside / runs).toBeGreaterThan(0.88);
    expect(inside / runs).toBeLessThan(0.92);
  });

  it('the finite-sample bound is broken less often than delta', () => {
    const rng = new Rng(9);
    const [K, M, delta] = [4, 3, 0.1];
    let broken = 0;
    const runs = 2000;
    for (let run = 0; run < runs; run++) {
      const counts = Array.from({ length: K }, () => 10 + rng.integer(40));
      const { epsilon } = finiteSampleBound(counts, M, delta);
      let fine = true;
      for (let k = 0; k < K; k++) {
        for (let m = 0; m < M; m++) {
          const p = rng.uniform();
          let wrong = 0;
          for (let j = 0; j < counts[k]!; j++) if (rng.bernoulli(p)) wrong++;
          if (Math.abs(wrong / counts[k]! - p) > epsilon[k]!) fine = false;
        }
      }
      if (!fine) broken++;
    }
    expect(broken / runs).toBeLessThanOrEqual(delta);
    expect(finiteSampleBound([0, 100], 2).epsilon[0]).toBe(1);
    expect(() => finiteSampleBound([1], 1, 2)).toThrow('delta in (0,1)');
  });

  it('paired differences are antisymmetric, zero for an arm and itself, and tighter than two intervals', () => {
    const confidence = new Confidence(router);
    const { phi } = router.route(pool.table.prompts[3]!.text);
    const ab = confidence.difference(0, 1, phi);
    const ba = confidence.difference(1, 0, phi);
    expect(ab.mean).toBeCloseTo(-ba.mean, 12);
    expect(ab.deviation).toBeCloseTo(ba.deviation, 12);
    expect(confidence.difference(2, 2, phi).mean).toBe(0);
    const twin = router.withArm({ ...router.arms[0]!, id: 'twin' });
    const same = new Confidence(twin).difference(0, 4, phi);
    expect(same.deviation).toBeLessThan(router.deviation(0, phi) / 10);
  });

  it('P(best) sums to one and policies choose as they say', () => {
    const confidence = new Confidence(router);
    for (let c = 0; c < 8; c++) expect(confidence.probabilityBest(c).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    const decision = router.route(pool.table.prompts[0]!.text);
    const unclear = router.withArm({ ...router.arms[decision.index]!, id: 'twin', fixedCost: 1e-6 });
    const twin = unclear.route(pool.table.prompts[0]!.text, { lambda: 0 });
    const over = new Confidence(unclear);
    expect(over.uncertain(twin)).toBe(true);
    expect(over.settle(twin, 'cheapest').arm).toBe('twin');
    const dearest = twin.ranking.reduce((a, b) => (b.expectedCost > a.expectedCost ? b : a));
    expect(over.settle(twin, 'escalate').arm).toBe(dearest.id);
  });
});

describe('infinite shrinkage', () => {
  it('gives the model means with finite intervals', () => {
    const means = fitRouter(pool.table, { seed: 3, k: 8, n0: Infinity, features: { bits: 12, dim: 16 } });
    const { interval, expectedError, index } = means.route(pool.table.prompts[0]!.text);
    expect(expectedError).toBeCloseTo(means.estimates[index]!.mean, 12);
    expect(interval.every(Number.isFinite)).toBe(true);
    const over = new Confidence(means).difference(0, 1, means.route('').phi);
    expect(Number.isFinite(over.deviation)).toBe(true);
  });
});

describe('leave one out', () => {
  it('is the estimate from all other prompts', () => {
    const rng = new Rng(4);
    const n = 30;
    const phi = Float64Array.from(Array.from({ length: n }, () => rng.dirichlet([1, 1, 1])).flat());
    const labelled: Labelled = { count: n, phis: [{ k: 3, phi }], inTokens: new Float64Array(n) };
    const errors = Array.from({ length: n }, (_, j) => (j === 4 ? NaN : rng.uniform()));
    const weights = Float64Array.from({ length: n }, () => 0.5 + rng.uniform());
    for (const [estimator, weight] of [['soft'], ['soft', weights], ['joint'], ['joint', weights]] as const) {
      const a = { ...arm(errors), ...(weight ? { weight } : {}) };
      const gamma = leaveOneOut(a, labelled, { estimator, n0: 4 });
      for (const j of [0, 4, 17]) {
        const without = { ...a, error: Float64Array.from(errors, (e, i) => (i === j ? NaN : e)) };
        const { psi } = estimateArm(without, labelled, { estimator, n0: 4 });
        let wanted = 0;
        for (let k = 0; k < 3; k++) wanted += phi[j * 3 + k]! * psi[k]!;
        expect(gamma[j]).toBeCloseTo(wanted, 10);
      }
    }
  });

  it('with joint it does not matter whether arms share what depends on the prompts only', () => {
    const rng = new Rng(5);
    const n = 40;
    const phi = Float64Array.from(Array.from({ length: n }, () => rng.dirichlet([1, 1, 1])).flat());
    const plain: Labelled = { count: n, phis: [{ k: 3, phi }], inTokens: new Float64Array(n) };
    const sharing: Labelled = { ...plain, phis: [{ k: 3, phi, factors: new Map() }] };
    const complete = Array.from({ length: n }, () => rng.uniform());
    for (const errors of [complete, complete.with(7, NaN), complete.toReversed()]) {
      for (const n0 of [0.5, 4, Infinity]) {
        const options = { estimator: 'joint', n0 } as const;
        expect(leaveOneOut(arm(errors), sharing, options)).toEqual(leaveOneOut(arm(errors), plain, options));
        expect(estimateArm(arm(errors), sharing, options)).toEqual(estimateArm(arm(errors), plain, options));
      }
    }
  });

  it('an arm asked unevenly is estimated as if it had been asked evenly, given the weights', () => {
    // Two kinds of equal traffic, one asked nine times as often.
    const rows = Array.from({ length: 100 }, (_, j) => (j < 90 ? 0 : 1));
    const phi = Float64Array.from(rows.flatMap((k) => (k === 0 ? [1, 0] : [0, 1])));
    const labelled: Labelled = { count: 100, phis: [{ k: 2, phi }], inTokens: new Float64Array(100) };
    const errors = rows.map((k) => (k === 0 ? 0.2 : 0.8));
    const weight = Float64Array.from(rows, (k) => (k === 0 ? 0.5 / 0.9 : 0.5 / 0.1));
    expect(estimateArm(arm(errors), labelled, { estimator: 'soft', n0: 5 }).mean).toBeCloseTo(0.26, 12);
    expect(estimateArm({ ...arm(errors), weight }, labelled, { estimator: 'soft', n0: 5 }).mean).toBeCloseTo(0.5, 12);
  });
});

describe('selection', () => {
  const data = (vary: boolean, seed: number) => {
    const made = generatePool({ seed, prompts: 400, models: 5, variety: vary ? 1 : 0 });
    const fitted = fitRouter(made.table, { seed, k: 8, bags: 1, n0: 10, features: { bits: 12, dim: 16 } });
    const { validation, arms, map } = fitted.parts;
    return select([{ k: 8, map }], { ...validation, judges: arms });
  };

  it('shrinks little where topics matter and much where they do not', () => {
    let [vary, flat] = [0, 0];
    for (let seed = 0; seed < 8; seed++) {
      vary += Math.min(data(true, seed).n0, 100);
      flat += Math.min(data(false, seed).n0, 100);
    }
    expect(vary / 8).toBeLessThan(20);
    expect(flat / 8).toBeGreaterThan(30);
  });

  it('never chooses a loss above that of the means', () => {
    for (let seed = 0; seed < 5; seed++) {
      const s = data(seed % 2 === 0, seed + 50);
      expect(s.loss).toBeLessThanOrEqual(s.meansLoss);
    }
  });

  it('contrast loss does not see what all models share', () => {
    const error = [Float64Array.of(0, 1, 1), Float64Array.of(1, 1, 0)];
    const gamma = [Float64Array.of(0.2, 0.5, 0.4), Float64Array.of(0.3, 0.1, 0.6)];
    const shifted = gamma.map((g) => g.map((v, j) => v + [0.1, -0.3, 0.2][j]!));
    expect(contrastLoss(error, shifted)).toBeCloseTo(contrastLoss(error, gamma), 12);
    expect(contrastLoss([error[0]!], [gamma[0]!])).toBeCloseTo((0.04 + 0.25 + 0.36) / 3, 12);
    expect(
      estimatePsi(new Float64Array([1, 1]), new Float64Array([0, 1]), 1, { weight: Float64Array.of(3, 1) }).value[0],
    ).toBe(0.25);
  });
});
