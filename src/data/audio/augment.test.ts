import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { type AugmentOptions, augmentFrontEnd, augmentSamples, drawAugmentation, NO_AUGMENT } from './augment.ts';

const tone = Float32Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 500 * i) / 8000));
const wide: AugmentOptions = {
  speed: [0.8, 1.2],
  warp: [0.85, 1.15],
  tempo: [0.8, 1.2],
  noise: [5, 20],
  gain: 6,
  tilt: 0.4,
  specAugment: true,
};

describe('augmentation', () => {
  it('is a pure function of the random numbers and stays within its ranges', () => {
    for (let seed = 0; seed < 30; seed++) {
      const how = drawAugmentation(wide, new Rng(seed));
      expect(how).toEqual(drawAugmentation(wide, new Rng(seed)));
      for (const key of ['speed', 'warp', 'tempo', 'noise'] as const) {
        expect(how[key]).toBeGreaterThanOrEqual(wide[key][0]);
        expect(how[key]).toBeLessThanOrEqual(wide[key][1]);
      }
      expect(Math.abs(how.gain)).toBeLessThanOrEqual(6);
      const out = augmentSamples(tone, how, new Rng(seed));
      expect(out).toEqual(augmentSamples(tone, how, new Rng(seed)));
      expect(out).toHaveLength(Math.ceil(8000 / how.speed));
      const front = augmentFrontEnd({ sampleRate: 8000, mels: 40 }, how);
      expect(front).toMatchObject({ hop: 0.01 * how.tempo, warp: how.warp });
    }
  });

  it('adds noise at the stated ratio, and nothing audible when switched off', () => {
    const none = augmentSamples(tone, drawAugmentation(NO_AUGMENT, new Rng(1)), new Rng(1));
    none.forEach((x, i) => expect(Math.abs(x - tone[i]!)).toBeLessThan(2e-4));
    const how = { ...drawAugmentation(NO_AUGMENT, new Rng(1)), noise: 10 };
    const noisy = augmentSamples(tone, how, new Rng(2));
    const power = (x: Float32Array): number => x.reduce((s, v) => s + v * v, 0);
    const ratio = power(tone) / power(noisy.map((x, i) => x - tone[i]!));
    expect(Math.abs(10 * Math.log10(ratio) - 10)).toBeLessThan(1.5);
  });
});
