// Spoken digits as a task of the mind: the sizes of one recogniser are modules that compete, what is heard becomes attributes of a
// sketch, and a few cheap measures of the sound let the router pick the size.
import type { Recognizer, TimedWord, AsrSize } from '../../nn/index.ts';
import type { Encoder } from '../../route/index.ts';
import type { Answer, Module } from '../module.ts';

/** The task. */
export const TRANSCRIBE = 'transcribe-digits';

/** Sound to be heard: one channel, samples in [-1, 1]. */
export interface SpokenInput {
  readonly samples: Float32Array;
  /** Hz. */
  readonly sampleRate: number;
}

/** What was heard. */
export interface SpokenReading {
  readonly text: string;
  readonly words: readonly TimedWord[];
  readonly seconds: number;
}

/** Seconds of audio that the stated cost of a module is for. */
const TYPICAL_SECONDS = 2;

/**
 * One size of a recogniser as a module. A reading's confidence is the probability of all decisions along its path.
 * @example
 * for (const size of recognizer.sizes) mind.add(await spokenReader(recognizer, size));
 */
export async function spokenReader(recognizer: Recognizer, size: AsrSize): Promise<Module<SpokenInput, SpokenReading>> {
  const { flopsPerSecond } = await recognizer.cost(size);
  const labels = new Map(recognizer.config.vocabulary.map((word, i) => [word, i]));
  return {
    id: `${TRANSCRIBE}/${size}`,
    task: TRANSCRIBE,
    cost: { unit: 'flop', amount: Math.round(flopsPerSecond * TYPICAL_SECONDS) },
    async run({ samples, sampleRate }, call): Promise<Answer<SpokenReading>> {
      const heard = await recognizer.transcribe(samples, { size, sampleRate, signal: call.signal });
      const usage = { flop: Math.round(flopsPerSecond * heard.time) };
      const attributes = countsOf(heard.words, labels);
      if (heard.words.length === 0) return { output: undefined, attributes, usage, note: 'no words were heard' };
      return {
        output: { text: heard.final, words: heard.words, seconds: heard.time },
        attributes,
        confidence: Math.min(1, Math.exp(heard.logProb)),
        usage,
        note: heard.final,
      };
    },
  };
}

/** How often each word was heard, scaled to length 1. */
function countsOf(words: readonly TimedWord[], labels: ReadonlyMap<string, number>): Float32Array {
  const counts = new Float32Array(labels.size);
  for (const { word } of words) counts[labels.get(word)!]!++;
  const length = Math.hypot(...counts);
  return length === 0 ? counts : counts.map((c) => (c / length) * 0.999999);
}

const FRAMES = 0.02;

/** Duration, level, dynamics and brightness of a sound: six numbers, each about between -1 and 1. */
export const soundEncoder: Encoder<SpokenInput> = {
  id: 'sound/1',
  dim: 6,
  flop: 200_000,
  embed({ samples, sampleRate }, out, offset) {
    const size = Math.max(1, Math.round(FRAMES * sampleRate));
    const levels: number[] = [];
    let [crossings, differences, power] = [0, 0, 0];
    for (let i = 0; i < samples.length; i++) {
      const x = samples[i]!;
      power += x * x;
      if (i === 0) continue;
      const before = samples[i - 1]!;
      differences += (x - before) ** 2;
      if (x >= 0 !== before >= 0) crossings++;
    }
    for (let at = 0; at + size <= samples.length; at += size) {
      let sum = 0;
      for (let i = at; i < at + size; i++) sum += samples[i]! ** 2;
      levels.push(10 * Math.log10(sum / size + 1e-10));
    }
    levels.sort((a, b) => a - b);
    const quantile = (q: number): number => levels[Math.floor(q * (levels.length - 1))] ?? -100;
    const seconds = samples.length / sampleRate;
    out[offset] = Math.log2(Math.max(seconds, 0.05)) / 4;
    out[offset + 1] = quantile(0.9) / 60 + 0.5;
    out[offset + 2] = (quantile(0.9) - quantile(0.1)) / 40 - 1;
    out[offset + 3] = (quantile(0.9) - quantile(0.5)) / 20 - 1;
    out[offset + 4] = Math.min(2, (10 * crossings) / Math.max(1, seconds * 8000)) - 1;
    out[offset + 5] = Math.min(2, (differences * (sampleRate / 8000) ** 2) / Math.max(power, 1e-12)) - 1;
  },
};
