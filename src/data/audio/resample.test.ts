import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { createResampler, perturbSpeed, resampleAudio } from './resample.ts';

const tone = (hz: number, rate: number, seconds = 0.5): Float32Array =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));

/** Root mean square of the middle, in decibels relative to a full tone. */
function level(x: Float32Array): number {
  const part = x.subarray(Math.floor(x.length / 4), Math.floor((3 * x.length) / 4));
  return 10 * Math.log10((2 * part.reduce((s, v) => s + v * v, 0)) / part.length + 1e-30);
}

describe('resampling', () => {
  it('keeps a tone of 1 kHz and removes what lies above the new Nyquist frequency', () => {
    for (const [from, to] of [
      [8000, 16000],
      [16000, 8000],
      [44100, 8000],
      [48000, 8000],
      [8000, 48000],
      [22050, 8000],
      [11025, 8000],
    ] as const) {
      const out = resampleAudio(tone(1000, from), from, to);
      expect(out).toHaveLength(Math.ceil((Math.round(from * 0.5) * to) / from));
      expect(Math.abs(level(out))).toBeLessThan(0.1);
      const wanted = tone(1000, to);
      const middle = Math.floor(out.length / 2);
      for (let i = middle; i < middle + 50; i++) expect(out[i]).toBeCloseTo(wanted[i]!, 2);
      if (to < from) expect(level(resampleAudio(tone(0.55 * to, from), from, to))).toBeLessThan(-60);
    }
  });

  it('gives the same output however the input is cut', () => {
    const x = new Float32Array(700);
    new Rng(1).fillNormal(x);
    const pairs = fc.constantFrom([44100, 8000], [8000, 11025], [16000, 8000], [8000, 8000]);
    fc.assert(
      fc.property(
        pairs,
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
        ([from, to], cuts) => {
          const resampler = createResampler(from!, to!);
          const out: number[] = [];
          for (let at = 0, i = 0; at < x.length; i++) {
            const n = cuts[i % cuts.length]!;
            out.push(...resampler.push(x.subarray(at, at + n)));
            at += n;
          }
          out.push(...resampler.flush());
          expect(out).toEqual(Array.from(resampleAudio(x, from!, to!)));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('speed changes length and pitch together, and rates are checked', () => {
    const faster = perturbSpeed(tone(1000, 8000), 1.25);
    expect(faster).toHaveLength(3200);
    const wanted = tone(1250, 8000);
    for (let i = 1000; i < 1050; i++) expect(faster[i]).toBeCloseTo(wanted[i]!, 2);
    expect(perturbSpeed(tone(100, 8000), 1)).toEqual(tone(100, 8000));
    expect(() => perturbSpeed(faster, 3)).toThrow('Expected a speed from 0.5 to 2, got 3.');
    expect(() => createResampler(0, 8000)).toThrow('Expected a sampling rate');
  });
});
