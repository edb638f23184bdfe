import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { drawBackground } from './background.ts';
import { createLevelMeter } from './level.ts';

describe('createLevelMeter', () => {
  it('leaves out a constant offset and takes pieces', () => {
    const meter = createLevelMeter();
    expect([meter.peak, meter.silent]).toEqual([0, true]);
    meter.push(new Float32Array(100).fill(0.25));
    expect(meter.silent).toBe(true);
    meter.push(Float32Array.of(0.5, 0));
    expect([meter.peak, meter.silent]).toEqual([0.25, false]);
  });
});

describe('drawBackground', () => {
  it('is steady, of the length asked for, between -70 and -14 dB, now hiss and now hum', () => {
    const tonal = Array.from({ length: 40 }, (_, seed) => {
      const samples = drawBackground(new Rng(seed), 4000, 8000);
      expect(samples).toHaveLength(4000);
      const rms = Math.sqrt(samples.reduce((s, x) => s + x * x, 0) / 4000);
      expect(20 * Math.log10(rms)).toBeGreaterThan(-71);
      expect(20 * Math.log10(rms)).toBeLessThan(-13);
      // Hum repeats after a fifth of a second of whole periods of 50 and 60 Hz.
      let product = 0;
      for (let i = 0; i < 2400; i++) product += samples[i]! * samples[i + 1600]!;
      return product / 2400 / rms ** 2 > 0.3;
    });
    expect(tonal.filter(Boolean).length).toBeGreaterThan(3);
    expect(tonal.filter(Boolean).length).toBeLessThan(25);
  });
});
