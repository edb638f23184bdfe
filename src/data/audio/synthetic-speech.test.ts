import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { drawSpeaker, speakString, speakWord, SYNTHETIC_WORDS } from './synthetic-speech.ts';
import { melFrames } from './mel.ts';

describe('synthetic speech', () => {
  it('is a pure function of the seed, within range, with the stated noise', () => {
    const say = (seed: number): Float32Array => {
      const rng = new Rng(seed);
      return speakString(drawSpeaker(rng), 8000, rng).samples;
    };
    expect(say(1)).toEqual(say(1));
    expect(say(1)).not.toEqual(say(2));
    for (let seed = 0; seed < 20; seed++) {
      const samples = say(seed);
      expect(samples.every((x) => Math.abs(x) < 1)).toBe(true);
      expect(samples.reduce((m, x) => Math.max(m, Math.abs(x)), 0)).toBeGreaterThan(0.4);
    }
  });

  it('words differ more between each other than one word between two speakings', () => {
    const mean = (word: number, seed: number): number[] => {
      const rng = new Rng(seed);
      const frames = melFrames(speakWord(word, { pitch: 120, formants: 1 }, 8000, rng), { sampleRate: 8000, mels: 40 });
      return Array.from(
        { length: 40 },
        (_, m) => frames.filter((_, i) => i % 40 === m).reduce((a, b) => a + b, 0) / (frames.length / 40),
      );
    };
    const distance = (a: number[], b: number[]): number => Math.hypot(...a.map((x, i) => x - b[i]!));
    for (const word of SYNTHETIC_WORDS.keys()) {
      const own = distance(mean(word, 1), mean(word, 2));
      const others = SYNTHETIC_WORDS.map((_, w) => (w === word ? Infinity : distance(mean(word, 1), mean(w, 3))));
      expect(own).toBeLessThan(Math.min(...others));
    }
  });
});
