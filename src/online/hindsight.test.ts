import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { equalKappa, fractalBits, fractalMoments, hurstOf } from './fractal.ts';
import { fairBits, intervalValue } from './interval-value.ts';
import { predictability, PredictabilityMeter } from './predictability.ts';
import { segment } from './segment.ts';

describe('segmentation in hindsight', () => {
  it('of two opposite experts is the best partition of the bits', () => {
    const rng = new Rng(1);
    for (let k = 0; k < 20; k++) {
      const bits = Float64Array.from({ length: 60 }, () => 2 * rng.uniform() - 1);
      const found = segment([bits, bits.map((b) => -b)], { constant: 0.8 });
      expect(found.value).toBeCloseTo(intervalValue(bits, 0.8).value, 12);
      expect(found.segments[0]!.start).toBe(0);
      expect(found.segments.at(-1)!.end).toBe(60);
      found.segments.slice(1).forEach((s, i) => expect(s.start).toBe(found.segments[i]!.end));
    }
  });

  it('finds planted change points among three noisy experts and no others', () => {
    let near = 0;
    let extra = 0;
    for (let seed = 0; seed < 20; seed++) {
      const rng = new Rng(seed).fork('segment');
      const best = (t: number): number => (t < 150 ? 0 : t < 330 ? 2 : 1);
      const gains = [0, 1, 2].map((k) =>
        Float64Array.from({ length: 500 }, (_, t) => (rng.bernoulli(best(t) === k ? 0.9 : 0.35) ? 1 : -1)),
      );
      const { changePoints, segments } = segment(gains, { own: gains[0]! });
      near += [150, 330].filter((c) => changePoints.some((p) => Math.abs(p - c) <= 15)).length;
      extra += changePoints.length - 2;
      expect(segments[0]!.regret!).toBeCloseTo(0, 9);
    }
    expect(near).toBeGreaterThanOrEqual(38);
    expect(Math.abs(extra)).toBeLessThanOrEqual(2);
  });

  it('keeps segments short where asked, and refuses ragged rows', () => {
    const ones = new Float64Array(100).fill(1);
    expect(Math.max(...segment([ones], { longest: 30 }).segments.map((s) => s.end - s.start))).toBe(30);
    expect(segment([ones, ones.map((b) => -b)]).changePoints).toEqual([]);
    expect(() => segment([[1, 1], [1]])).toThrow('Expected 2 gains of every expert, got 1.');
    expect(() => segment([[2]])).toThrow('Expected a payoff between -1 and 1, got 2.');
    expect(segment([[]])).toEqual({ segments: [], changePoints: [], value: 0 });
  });
});

describe('the fractal generator', () => {
  it('has the exact moments of its construction', () => {
    const rng = new Rng(2);
    for (const q of [0, 0.1, 0.3, 0.5, -0.4]) {
      const exact = fractalMoments(8, q);
      const squares = Array.from({ length: 3000 }, (_, k) => {
        const sum = fractalBits(8, q, rng.fork(`${q}`).fork(k)).reduce((a, b) => a + b);
        return sum * sum;
      });
      const mean = squares.reduce((a, b) => a + b) / squares.length;
      const sd = Math.sqrt(squares.reduce((a, b) => a + (b - mean) ** 2, 0) / squares.length);
      expect(Math.abs(mean - exact.meanSquare)).toBeLessThan((5 * sd) / Math.sqrt(squares.length));
      const product = exact.kappas.reduce((p, kappa) => p * (1 + kappa), 256);
      expect(product).toBeCloseTo(exact.meanSquare, 8);
    }
    expect(fractalMoments(10, 0).hurst).toBeCloseTo(0.5, 12);
    expect(fractalBits(6, 1, rng).length).toBe(64);
  });

  it('equal correlations have their closed form', () => {
    for (const [deviation, kappa] of [
      [2, 0.0718],
      [4, 0.1487],
      [16, 0.3195],
    ] as const) {
      expect(equalKappa(deviation, 10)).toBeCloseTo(kappa, 4);
    }
    expect(hurstOf(0)).toBe(0.5);
    expect(hurstOf(1)).toBe(1);
  });
});

describe('the predictability meter', () => {
  it('splits the variance of the largest blocks exactly', () => {
    const rng = new Rng(3);
    const series = Float64Array.from({ length: 16 * 32 }, () => 2 * rng.uniform() - 1);
    const { scales } = predictability(series, { rng, levels: 5 });
    let [squares, large] = [0, 0];
    for (const v of series) squares += v * v;
    for (let t = 0; t < series.length; t += 32) large += series.subarray(t, t + 32).reduce((a, b) => a + b) ** 2;
    const product = scales.reduce((p, s) => p * (1 + s.value), 1);
    expect((squares / series.length) * 32 * product).toBeCloseTo(large / 16, 9);
  });

  it('covers the truth, finds what is there, and says nothing of fair coins', () => {
    let [covered, alarms, found] = [0, 0, 0];
    const runs = 40;
    const exact = fractalMoments(12, 0.3);
    for (let seed = 0; seed < runs; seed++) {
      const rng = new Rng(seed).fork('meter');
      const fair = predictability(fairBits(rng.fork('fair'), 4096), { rng, resamples: 300 });
      alarms += fair.predictable ? 1 : 0;
      covered += fair.hurst.low <= 0.5 && fair.hurst.high >= 0.5 ? 1 : 0;
      const fractal = predictability(fractalBits(12, 0.3, rng.fork('fractal')), { rng, resamples: 300 });
      found += fractal.predictable && fractal.hurst.low > 0.5 ? 1 : 0;
      expect(Math.abs(fractal.scales[0]!.value - exact.kappas[0]!)).toBeLessThan(0.12);
    }
    expect(covered / runs).toBeGreaterThan(0.8);
    expect(alarms / runs).toBeLessThan(0.2);
    expect(found / runs).toBeGreaterThan(0.9);
  });

  it('tells the scale: reversals of period four show at blocks of four only', () => {
    const rng = new Rng(4);
    const series = Float64Array.from({ length: 4096 }, (_, t) => (rng.bernoulli(0.8) === (t >> 1) % 2 < 1 ? 1 : -1));
    const { scales } = predictability(series, { rng });
    expect(scales[0]!.value).toBeGreaterThan(0.2);
    expect(scales[1]!.value).toBeLessThan(-0.2);
    expect(scales[1]!.predictable).toBe(true);
    expect(Math.abs(scales[2]!.value)).toBeLessThan(0.2);
  });

  it('refuses a series that is too short', () => {
    const meter = new PredictabilityMeter({ levels: 4 });
    for (let t = 0; t < 100; t++) meter.learnOne(0);
    expect(() => meter.read({ rng: new Rng(5) })).toThrow('Expected at least 12 blocks of 16 steps, got 6.');
    expect(() => meter.learnOne(3)).toThrow('Expected a payoff between -1 and 1');
  });
});
