// Spoken words as short recordings, and strings of them made on the fly: what small recognisers are trained and measured on. A folder
// of clips holds files `word_speaker_index.wav`.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../../errors.ts';
import type { Rng } from '../../tensor/index.ts';
import { drawBackground } from './background.ts';
import { resampleAudio } from './resample.ts';
import { joinAudio } from './synthetic-speech.ts';
import { readWav } from './wav.ts';

/** One recording of one word. */
export interface Clip {
  readonly word: string;
  readonly speaker: string;
  readonly index: number;
  readonly samples: Float32Array;
}

/** A string of words with its sound. Labels are numbers of the vocabulary, from 1 on. */
export interface SpeechExample {
  readonly samples: Float32Array;
  readonly labels: readonly number[];
  /** When each word ends, seconds from the start, where that is known. */
  readonly ends?: readonly number[];
}

/** Where examples come from: a pure function of the random numbers. */
export interface SpeechSource {
  readonly sampleRate: number;
  /** An example of at most `seconds`. */
  draw(rng: Rng, seconds: number): SpeechExample;
}

/**
 * Reads every `word_speaker_index.wav` of a folder, at one sampling rate, ordered by name.
 * @throws CairnError `no_clips`, `bad_wav`
 */
export async function readClips(dir: string, sampleRate: number): Promise<Clip[]> {
  const names = (await readdir(dir).catch(() => [])).filter((name) => /^[^_]+_[^_]+_\d+\.wav$/.test(name)).sort();
  if (names.length === 0) {
    throw new CairnError('no_clips', `Expected files word_speaker_index.wav in ${dir}, got none.`, {
      hint: 'Point at the folder of the recordings.',
    });
  }
  const clips: Clip[] = [];
  for (const name of names) {
    const [word, speaker, index] = name.slice(0, -4).split('_') as [string, string, string];
    const sound = readWav(await readFile(join(dir, name)));
    const samples = resampleAudio(sound.samples, sound.sampleRate, sampleRate);
    clips.push({ word, speaker, index: Number(index), samples });
  }
  return clips;
}

export interface ClipStringOptions {
  readonly sampleRate: number;
  readonly vocabulary: readonly string[];
  /** Words of a string: smallest and largest number. Default 2 and 5. */
  readonly words?: readonly [number, number];
  /** Gaps between words, seconds. Default 0.05 to 0.2. */
  readonly gap?: readonly [number, number];
  /** Largest silence before and after the string, seconds. Default 0.2. */
  readonly around?: number;
  /** Share of examples in which nobody speaks: a background of some kind. Default 0. */
  readonly empty?: number;
}

/** Level of the faint noise in gaps, as silence of recordings is never digital. */
const GAP_NOISE = 5e-4;

/**
 * Strings of words of one speaker each, with gaps.
 * @throws CairnError `no_clips` when there are none
 */
export function clipStrings(clips: readonly Clip[], options: ClipStringOptions): SpeechSource {
  const { sampleRate, vocabulary, words = [2, 5], gap = [0.05, 0.2], around = 0.2, empty = 0 } = options;
  const bySpeaker = new Map<string, Clip[]>();
  for (const clip of clips) bySpeaker.set(clip.speaker, [...(bySpeaker.get(clip.speaker) ?? []), clip]);
  const speakers = [...bySpeaker.values()];
  if (speakers.length === 0) throw new CairnError('no_clips', 'Expected clips to make strings of, got none.');
  const labels = new Map(vocabulary.map((word, i) => [word, i + 1]));
  const silence = (rng: Rng, low: number, high: number): Float32Array => {
    const out = new Float32Array(Math.round((low + (high - low) * rng.uniform()) * sampleRate));
    rng.fillNormal(out, GAP_NOISE);
    return out;
  };
  return {
    sampleRate,
    draw(rng, seconds) {
      if (empty > 0 && rng.bernoulli(empty)) {
        const length = Math.floor(seconds * sampleRate * (0.2 + 0.8 * rng.uniform()));
        return { samples: drawBackground(rng, length, sampleRate), labels: [], ends: [] };
      }
      const pool = speakers[rng.integer(speakers.length)]!;
      const count = words[0] + rng.integer(words[1] - words[0] + 1);
      const parts = [silence(rng, 0, around)];
      const said: number[] = [];
      const ends: number[] = [];
      let length = parts[0]!.length;
      for (let i = 0; i < count; i++) {
        const clip = pool[rng.integer(pool.length)]!;
        const before = i === 0 ? new Float32Array(0) : silence(rng, gap[0], gap[1]);
        if (length + before.length + clip.samples.length > seconds * sampleRate) break;
        parts.push(before, clip.samples);
        length += before.length + clip.samples.length;
        said.push(labels.get(clip.word)!);
        ends.push(length / sampleRate);
      }
      const after = silence(rng, 0, around);
      parts.push(after.subarray(0, Math.max(0, Math.floor(seconds * sampleRate) - length)));
      return { samples: joinAudio(parts), labels: said, ends };
    },
  };
}
