import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { joinAudio, speakWord } from './synthetic-speech.ts';
import { cutWords } from './word-cuts.ts';

describe('cutWords', () => {
  it('cuts in the pauses, whoever speaks', () => {
    for (let seed = 0; seed < 12; seed++) {
      const rng = new Rng(seed);
      const count = 1 + rng.integer(8);
      const speaker = { pitch: 100 + 100 * rng.uniform(), formants: 0.9 + 0.2 * rng.uniform() };
      const parts: Float32Array[] = [];
      const pauses: [number, number][] = [];
      let length = 0;
      const add = (part: Float32Array): void => {
        parts.push(part);
        length += part.length;
      };
      for (let i = 0; i <= count; i++) {
        const pause = new Float32Array(Math.round((i === 0 || i === count ? 1 : 0.2 + 0.15 * rng.uniform()) * 8000));
        pauses.push([length, length + pause.length]);
        add(pause);
        if (i < count) add(speakWord(rng.integer(10), speaker, 8000, rng));
      }
      const samples = joinAudio(parts).map((x) => x + 1e-3 * rng.normal());
      const cuts = cutWords(samples, 8000, count);
      expect(cuts).toHaveLength(count + 1);
      cuts.forEach((cut, i) => {
        expect(cut, `cut ${i} of seed ${seed}`).toBeGreaterThan(pauses[i]![0] - 400);
        expect(cut, `cut ${i} of seed ${seed}`).toBeLessThan(pauses[i]![1] + 400);
      });
    }
  });

  it('says when there is too little sound', () => {
    expect(() => cutWords(new Float32Array(8000), 8000, 3)).toThrow(
      'Expected sound of 0.6 s at least for 3 words, got',
    );
  });
});
