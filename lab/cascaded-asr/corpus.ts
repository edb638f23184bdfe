// What the experiment hears: synthetic words by speakers drawn anew for the test, or recorded digits split by recording.
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import {
  type AugmentOptions,
  clipStrings,
  drawSpeaker,
  NO_AUGMENT,
  readClips,
  speakString,
  SYNTHETIC_WORDS,
  type SpeechExample,
  type SpeechSource,
} from 'cairn/data';
import { digitClips, DIGIT_WORDS } from 'cairn/nn';
import type { Rng } from 'cairn/tensor';

export interface Corpus {
  /** What stands in every caption. */
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly train: SpeechSource;
  readonly test: SpeechSource;
  readonly augment: AugmentOptions;
}

const RATE = 8000;

/** Strings that are made once and drawn from: making a second of sound costs as much as a step of training on it. */
const POOL = 1000;

/** Made-up words: every string has a speaker of its own, so those of the test are unseen. */
export function syntheticCorpus(rng: Rng): Corpus {
  const pool = (name: string, count: number): SpeechSource => {
    const made = new Map<number, SpeechExample>();
    return {
      sampleRate: RATE,
      draw(draw, seconds) {
        const at = draw.integer(count);
        let found = made.get(at);
        if (!found) {
          const own = rng.fork(name).fork(at);
          const count = name === 'train' ? 1 + own.integer(5) : 2 + own.integer(4);
          const said = Array.from({ length: count }, () => own.integer(SYNTHETIC_WORDS.length));
          const { samples, words } = speakString(drawSpeaker(own), RATE, own, { words: said });
          found = { samples, labels: words.map((w) => w + 1) };
          made.set(at, found);
        }
        if (found.samples.length <= seconds * RATE) return found;
        return this.draw(draw, seconds);
      },
    };
  };
  return {
    name: 'synthetic words, not speech',
    vocabulary: SYNTHETIC_WORDS,
    train: pool('train', POOL),
    test: pool('test', 1e9),
    augment: { ...NO_AUGMENT, speed: [0.94, 1.06] },
  };
}

/** Recorded digits; recordings 0 to 4 of every speaker are the test. */
export async function recordedCorpus(data: string): Promise<Corpus> {
  const dir = [data, join(data, 'fsdd'), join(data, 'speech', 'fsdd')].find((d) =>
    existsSync(join(d, '0_george_0.wav')),
  );
  const clips = digitClips(await readClips(dir ?? data, RATE));
  const options = { sampleRate: RATE, vocabulary: DIGIT_WORDS };
  return {
    name: 'spoken digits, recordings 0 to 4 held out',
    vocabulary: DIGIT_WORDS,
    train: clipStrings(
      clips.filter((c) => c.index >= 5),
      { ...options, words: [1, 5] },
    ),
    test: clipStrings(
      clips.filter((c) => c.index < 5),
      options,
    ),
    augment: { ...NO_AUGMENT, speed: [0.9, 1.12], tempo: [0.9, 1.1], noise: [10, 40], gain: 6, specAugment: true },
  };
}
