import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { createFeatureStream, MelStatistics, normaliseMels, specAugment } from './features.ts';
import { createPowerSpectrum } from './fft.ts';
import { createMelBank, dctII, hzToMel, melToHz } from './mel-bank.ts';
import { createMelStream, frameCount, melFrames } from './mel.ts';

function noise(length: number, seed = 1): Float32Array {
  const x = new Float32Array(length);
  new Rng(seed).fillNormal(x, 0.1);
  return x;
}

describe('power spectrum', () => {
  it('equals the O(F^2) transform and keeps the energy', () => {
    for (const size of [4, 8, 64, 256, 512]) {
      const x = Float64Array.from(noise(size, size));
      const power = new Float64Array(size / 2 + 1);
      createPowerSpectrum(size).run(x, power);
      for (let k = 0; k <= size / 2; k++) {
        let [re, im] = [0, 0];
        for (let n = 0; n < size; n++) {
          re += x[n]! * Math.cos((2 * Math.PI * k * n) / size);
          im -= x[n]! * Math.sin((2 * Math.PI * k * n) / size);
        }
        expect(Math.abs(power[k]! - (re * re + im * im))).toBeLessThan(1e-10);
      }
      const inner = power.subarray(1, size / 2).reduce((s, p) => s + p, 0);
      const energy = x.reduce((s, v) => s + v * v, 0);
      expect((power[0]! + 2 * inner + power[size / 2]!) / size).toBeCloseTo(energy, 10);
    }
    expect(() => createPowerSpectrum(200)).toThrow('Expected a power of two from 4 on as FFT size, got 200.');
  });
});

describe('mel bank', () => {
  it('is triangular with peak 1 at most, ordered, and inverts its scale', () => {
    expect(melToHz(hzToMel(1234))).toBeCloseTo(1234, 9);
    const bank = createMelBank({ mels: 40, sampleRate: 8000, fftSize: 256, fmin: 20, fmax: 4000 });
    for (const [m, { first, weights }] of bank.entries()) {
      expect(Math.max(...weights)).toBeLessThanOrEqual(1);
      expect(Math.min(...weights)).toBeGreaterThan(0);
      if (m > 0) expect(first).toBeGreaterThanOrEqual(bank[m - 1]!.first);
    }
    expect(() => createMelBank({ mels: 160, sampleRate: 8000, fftSize: 256, fmin: 20, fmax: 4000 })).toThrow(
      'Expected every mel filter to cover a bin, got none for filter',
    );
    expect(() => createMelBank({ mels: 10, sampleRate: 8000, fftSize: 256, fmin: 20, fmax: 5000 })).toThrow(
      'fmax 5000',
    );
  });

  it('a warped bank moves a tone to lower filters, and covers the same range', () => {
    const options = { mels: 40, sampleRate: 8000, fftSize: 256, fmin: 20, fmax: 4000 };
    const centre = (warp: number, m: number): number => {
      const { first, weights } = createMelBank({ ...options, warp })[m]!;
      return first + weights.indexOf(Math.max(...weights));
    };
    expect(centre(1.15, 20)).toBeGreaterThan(centre(1, 20));
    expect(centre(0.87, 20)).toBeLessThan(centre(1, 20));
    expect(centre(1.15, 39)).toBeGreaterThan(120);
  });
});

describe('mel frames', () => {
  const config = { sampleRate: 8000, mels: 40 };

  it('equal the definition, written out', () => {
    const x = noise(520);
    const [window, hop, size] = [200, 80, 256];
    const frames = melFrames(x, config);
    expect(frames).toHaveLength(5 * 40);
    expect(frameCount(520, config)).toBe(5);
    expect(frameCount(199, config)).toBe(0);
    const bank = createMelBank({ mels: 40, sampleRate: 8000, fftSize: size, fmin: 20, fmax: 4000 });
    for (let m = 0; m < 5; m++) {
      const part = x.subarray(m * hop, m * hop + window);
      const mean = part.reduce((s, v) => s + v, 0) / window;
      const y = Float64Array.from({ length: size }, (_, n) => {
        if (n >= window) return 0;
        const v = n === 0 ? (part[0]! - mean) * 0.03 : part[n]! - mean - 0.97 * (part[n - 1]! - mean);
        return v * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / window));
      });
      const power = new Float64Array(size / 2 + 1);
      createPowerSpectrum(size).run(y, power);
      for (const [i, { first, weights }] of bank.entries()) {
        const energy = weights.reduce((s, w, k) => s + w * power[first + k]!, 0);
        expect(frames[m * 40 + i]).toBeCloseTo(Math.log(Math.max(energy, 1e-10)), 4);
      }
    }
  });

  it('are the same bits however the samples are cut, stacked and normalised too', () => {
    const x = noise(1500);
    const whole = melFrames(x, config);
    const features = { ...config, stack: 3, mean: new Array<number>(40).fill(-3), std: new Array<number>(40).fill(2) };
    const rows = createFeatureStream(features).push(x);
    expect(rows).toHaveLength(Math.floor(17 / 3) * 120);
    expect(rows).toEqual(normaliseMels(whole, features.mean, features.std).slice(0, rows.length));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 9 }), (cuts) => {
        const [mel, feature] = [createMelStream(config), createFeatureStream(features)];
        const [a, b]: [number[], number[]] = [[], []];
        for (let at = 0, i = 0; at < x.length; i++) {
          const piece = x.subarray(at, at + cuts[i % cuts.length]!);
          a.push(...mel.push(piece));
          b.push(...feature.push(piece));
          at += cuts[i % cuts.length]!;
        }
        expect(Float32Array.from(a)).toEqual(whole);
        expect(Float32Array.from(b)).toEqual(rows);
      }),
      { numRuns: 20 },
    );
  });

  it('ignore a constant offset, floor silence, and give MFCCs on request', () => {
    const x = noise(400);
    const shifted = melFrames(
      x.map((v) => v + 0.25),
      config,
    );
    melFrames(x, config).forEach((v, i) => expect(shifted[i]).toBeCloseTo(v, 3));
    expect(new Set(melFrames(new Float32Array(400), config))).toEqual(new Set([Math.fround(Math.log(1e-10))]));
    const coefficients = melFrames(x, { ...config, mfcc: 13 });
    dctII(melFrames(x, config).subarray(0, 40), 13).forEach((v, i) => expect(coefficients[i]).toBeCloseTo(v, 5));
    const row = noise(40);
    const energy = (v: Float32Array): number => v.reduce((s, u) => s + u * u, 0);
    expect(energy(dctII(row, 40))).toBeCloseTo(energy(row), 5); // orthonormal
    expect(() => createMelStream({ sampleRate: 8000, mels: 40, window: 0 })).toThrow('Expected a window of 2 samples');
  });
});

describe('training features', () => {
  it('statistics are those of the whole set', () => {
    const x = noise(60);
    const statistics = new MelStatistics(3);
    statistics.add(x.subarray(0, 30));
    statistics.add(x.subarray(30));
    const { mean, std } = statistics.result();
    for (let m = 0; m < 3; m++) {
      const column = x.filter((_, i) => i % 3 === m);
      const mu = column.reduce((s, v) => s + v, 0) / 20;
      expect(mean[m]).toBeCloseTo(mu, 6);
      expect(std[m]).toBeCloseTo(Math.sqrt(column.reduce((s, v) => s + (v - mu) ** 2, 0) / 20), 6);
    }
    expect(normaliseMels(Float32Array.of(1e9, 0, 0), [0, 0, 0], [1, 1, 1])[0]).toBe(8);
  });

  it('SpecAugment hides at most two bands and two stretches', () => {
    for (let seed = 0; seed < 50; seed++) {
      const frames = new Float32Array(50 * 40).fill(1);
      specAugment(frames, 40, new Rng(seed));
      const hidden = (t: number, m: number): boolean => frames[t * 40 + m] === 0;
      const all = Array.from({ length: 40 }, (_, i) => i);
      const times = Array.from({ length: 50 }, (_, t) => t).filter((t) => all.every((m) => hidden(t, m)));
      const bands = all.filter((m) => Array.from({ length: 50 }, (_, t) => t).every((t) => hidden(t, m)));
      expect(times.length).toBeLessThanOrEqual(10);
      expect(bands.length).toBeLessThanOrEqual(16);
      const wrong = frames.findIndex((_, i) => {
        const [t, m] = [Math.floor(i / 40), i % 40];
        return hidden(t, m) !== (times.includes(t) || bands.includes(m));
      });
      expect(wrong).toBe(-1);
    }
  });
});
