// Strings of eight yes and no by one speaker (recordings 1_0_0_1_0_1_1_0.wav, 1 = yes): half of all words equal the one before, which is
// what a transducer without memory finds hard. Trained on some recordings, tested on others.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AugmentOptions, cutWords, drawBackground, joinAudio, readWav, type SpeechSource } from 'cairn/data';
import {
  asrConfig,
  type AsrConfig,
  type AsrModel,
  type AsrSize,
  type BeamOptions,
  createRecognizer,
  type ErrorRate,
  errorRate,
  trainAsr,
} from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

const RATE = 8000;
/** Recordings that are only ever tested on; choices were made on others. */
const TEST = 20;
const VALID = 8;
const STEPS = 1000;
/** Most words of a training string. */
const WORDS = 5;

interface Recording {
  readonly samples: Float32Array;
  /** 1 = yes, 2 = no. */
  readonly labels: readonly number[];
}

const CONFIG: AsrConfig = asrConfig({
  vocabulary: ['yes', 'no'],
  hidden_size: 64,
  intermediate_size: 128,
  funnel_layer: null,
  // 200 ms: no two words end closer together.
  label_frames: 5,
  audio: { stack: 4 },
  asr_sizes: {
    small: { causal_layers: 2, noncausal_layers: 0 },
    large: { causal_layers: 2, noncausal_layers: 1 },
  },
});

const AUGMENT: AugmentOptions = {
  speed: [0.9, 1.1],
  warp: [0.95, 1.05],
  tempo: [0.85, 1.2],
  noise: [12, 50],
  gain: 6,
  tilt: 0.2,
  specAugment: true,
};

export interface YesNoOptions {
  readonly seed: number;
  readonly steps?: number;
  readonly signal: AbortSignal;
}

export interface YesNoResult {
  readonly size: AsrSize;
  readonly error: ErrorRate;
}

/** A trained model with the recordings that it has not heard. */
export interface TrainedYesNo {
  readonly model: AsrModel;
  readonly valid: readonly Recording[];
  readonly test: readonly Recording[];
}

/** The folder of the recordings below `data`, if it is there. */
export function findYesNo(data: string): string | undefined {
  return [data, join(data, 'yesno'), join(data, 'speech', 'yesno'), join(data, '..', 'yesno')].find((dir) =>
    existsSync(join(dir, '1_1_1_1_1_1_1_1.wav')),
  );
}

/** Trains on recordings chosen by the seed. */
export async function trainYesNo(dir: string, { seed, steps = STEPS, signal }: YesNoOptions): Promise<TrainedYesNo> {
  const recordings = await readRecordings(dir);
  const order = Array.from(new Rng(seed).fork('split').permutation(recordings.length), (i) => recordings[i]!);
  await using executor = await createOrtExecutor();
  const { config, state, result } = await trainAsr({
    config: CONFIG,
    source: strings(order.slice(TEST + VALID)),
    seed,
    executor,
    batch: { batch: 12, rows: 110, labels: WORDS },
    length: { steps },
    rate: 3e-3,
    augment: AUGMENT,
    // As long as a word takes, around the middle of the pause after it.
    emitWithin: { before: 0.14, after: 0.02 },
    signal,
  });
  if (result.reason === 'aborted') signal.throwIfAborted();
  return { model: { config, state }, valid: order.slice(TEST, TEST + VALID), test: order.slice(0, TEST) };
}

/** Word errors on recordings, by size. */
export async function measureYesNo(
  { config, state }: AsrModel,
  recordings: readonly Recording[],
  beam: BeamOptions | false = { width: 4 },
): Promise<YesNoResult[]> {
  await using executor = await createOrtExecutor({ threads: 1 });
  await using recognizer = createRecognizer(config, state, executor);
  const results: YesNoResult[] = [];
  for (const size of recognizer.sizes) {
    const pairs: { reference: string[]; hypothesis: string[] }[] = [];
    for (const { samples, labels } of recordings) {
      const { words } = await recognizer.transcribe(samples, { size, beam });
      pairs.push({ reference: labels.map((l) => config.vocabulary[l - 1]!), hypothesis: words.map((w) => w.word) });
    }
    results.push({ size, error: errorRate(pairs, new Rng('yes and no')) });
  }
  return results;
}

async function readRecordings(dir: string): Promise<Recording[]> {
  const names = (await readdir(dir)).filter((name) => /^[01](_[01]){7}\.wav$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => ({
      samples: readWav(await readFile(join(dir, name))).samples,
      labels: name
        .slice(0, -4)
        .split('_')
        .map((word) => (word === '1' ? 1 : 2)),
    })),
  );
}

/** Parts of recordings, and words of different ones put together, with silence of recordings around them. */
function strings(recordings: readonly Recording[]): SpeechSource {
  const cut = recordings.map((r) => ({ ...r, cuts: cutWords(r.samples, RATE, r.labels.length) }));
  const silences = cut.flatMap(({ samples, cuts }) => [samples.subarray(0, cuts[0]), samples.subarray(cuts.at(-1))]);
  const silence = (rng: Rng, seconds: number): Float32Array => {
    const from = silences[rng.integer(silences.length)]!;
    const length = Math.min(from.length, Math.floor(rng.uniform() * seconds * RATE));
    const start = rng.integer(from.length - length + 1);
    return from.subarray(start, start + length);
  };
  return {
    sampleRate: RATE,
    draw(rng, seconds) {
      const most = Math.floor(seconds * RATE);
      if (rng.bernoulli(0.04)) return { samples: drawBackground(rng, most, RATE), labels: [], ends: [] };
      const count = 1 + rng.integer(WORDS);
      const own = rng.bernoulli() ? cut[rng.integer(cut.length)]! : undefined;
      const from = own ? rng.integer(own.labels.length - count + 1) : 0;
      const parts = [silence(rng, 0.6)];
      const labels: number[] = [];
      const ends: number[] = [];
      let length = parts[0]!.length;
      for (let i = 0; i < count; i++) {
        const recording = own ?? cut[rng.integer(cut.length)]!;
        const k = own ? from + i : rng.integer(recording.labels.length);
        const word = recording.samples.subarray(recording.cuts[k], recording.cuts[k + 1]);
        if (length + word.length > most) break;
        parts.push(word);
        length += word.length;
        labels.push(recording.labels[k]!);
        ends.push(length / RATE);
      }
      parts.push(silence(rng, 1).subarray(0, most - length));
      return { samples: joinAudio(parts), labels, ends };
    },
  };
}

/** The claim over two splits; says where the recordings are missing. */
export async function yesNo({ seed, data, signal, log }: LabOptions): Promise<Part> {
  const dir = data === undefined ? undefined : findYesNo(data);
  if (dir === undefined) {
    log('  strings of yes and no: skipped, --data names no folder with them');
    return { claims: [], tables: [] };
  }
  const rows: (string | number)[][] = [];
  let [errors, words] = [0, 0];
  for (const split of [seed, seed + 1]) {
    const { model, test } = await trainYesNo(dir, { seed: split, signal });
    for (const { size, error } of await measureYesNo(model, test)) {
      const wrong = error.substitutions + error.deletions + error.insertions;
      if (size === 'large') [errors, words] = [errors + wrong, words + error.reference];
      rows.push([
        split,
        size,
        100 * error.rate,
        error.substitutions,
        error.deletions,
        error.insertions,
        error.reference,
      ]);
    }
  }
  return {
    claims: [
      {
        id: 'asr-yes-no',
        says: `At most one word in a hundred is wrong in strings of eight yes and no, ${TEST} unheard recordings of each of two splits.`,
        kind: 'measured',
        value: errors / words,
        target: 'value <= 0.01',
        holds: errors <= 0.01 * words,
      },
    ],
    tables: [
      {
        title: 'Strings of yes and no, one speaker',
        columns: ['split', 'size', 'error %', 'substitutions', 'deletions', 'insertions', 'words'],
        rows,
      },
    ],
  };
}
