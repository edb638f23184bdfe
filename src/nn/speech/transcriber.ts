// The recogniser of spoken digits that comes with Cairn: its recipe, its training from clips, its measurement and its card. Clips are
// split by their index: 0 to 4 are only ever tested on, 5 to 9 are for choices, the rest is trained on.
import { createHash } from 'node:crypto';
import { type AugmentOptions, type Clip, clipStrings, type SpeechSource } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import { type Executor, Rng } from '../../tensor/index.ts';
import type { TrainProgress } from '../trainer.ts';
import { asrConfig, type AsrSize, sizesOf } from './config.ts';
import { type AsrModel, asrTensors, extractSize, roundToHalf, writeAsrModel } from './model.ts';
import { countSize, createRecognizer, type SizeCost } from './recognizer.ts';
import { transcriberCard } from './_transcriber-card.ts';
import type { AsrBatch, EmissionWindow } from './examples.ts';
import { trainAsr } from './train.ts';
import { type ErrorRate, errorRate } from './wer.ts';

/** The ten words. */
export const DIGIT_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'] as const;

/** 180 ms: no two digits end closer together. */
const LABEL_FRAMES = 3;
/** Digits are emitted around their ends. */
const EMIT_WITHIN: EmissionWindow = { before: 0.15, after: 0.12 };
/** Share of training examples in which nobody speaks. */
const EMPTY = 0.06;
const BATCH: AsrBatch = { batch: 16, rows: 84, labels: 5 };
const STEPS = 3000;
const AUGMENT: AugmentOptions = {
  speed: [0.82, 1.22],
  warp: [0.86, 1.16],
  tempo: [0.85, 1.2],
  noise: [8, 40],
  gain: 10,
  tilt: 0.4,
  specAugment: true,
};
const FIRST_VALID = 5;
const FIRST_TRAINED = 10;
/** Strings a rate is measured on. */
const STRINGS = 400;

export interface TrainTranscriberOptions {
  /** Clips of `readClips` whose words are digits, `0` or `zero`, at 8 kHz. */
  readonly clips: readonly Clip[];
  readonly seed: number;
  readonly executor: Executor;
  /** Default 3,000. */
  readonly steps?: number;
  /** Leaves this speaker out of training; nothing is then kept for choices. */
  readonly holdOut?: string;
  /** Where an interrupted run is kept. */
  readonly dir?: string;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (p: TrainProgress) => void;
}

/** Clips with digits as words. */
export function digitClips(clips: readonly Clip[]): Clip[] {
  return clips.map((clip) => ({ ...clip, word: DIGIT_WORDS[Number(clip.word)] ?? clip.word }));
}

/**
 * Trains the recogniser from nothing; its weights are rounded to half precision, as they will be stored.
 * @throws CairnError `aborted` (continue with `resume`), `no_clips`
 */
export async function trainTranscriber(
  options: TrainTranscriberOptions,
): Promise<{ model: AsrModel; steps: number; seconds: number }> {
  const { seed, executor, holdOut, steps = STEPS } = options;
  const clips = digitClips(options.clips).filter((clip) =>
    holdOut === undefined ? clip.index >= FIRST_TRAINED : clip.speaker !== holdOut && clip.index >= FIRST_VALID,
  );
  const source = clipStrings(clips, {
    sampleRate: 8000,
    vocabulary: DIGIT_WORDS,
    words: [1, 5],
    around: 0.3,
    empty: EMPTY,
  });
  const { config, state, result } = await trainAsr({
    config: asrConfig({ vocabulary: DIGIT_WORDS, label_frames: LABEL_FRAMES }),
    source,
    seed,
    executor,
    batch: BATCH,
    augment: AUGMENT,
    emitWithin: EMIT_WITHIN,
    length: { steps },
    fingerprint: JSON.stringify({ seed, steps, holdOut: holdOut ?? null, data: hashClips(clips) }),
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if (result.reason === 'aborted') {
    throw new CairnError('aborted', `Expected ${steps} steps, got an abort after ${result.position.step}.`, {
      hint: 'Run the same command with --resume to continue.',
    });
  }
  return { model: roundToHalf({ config, state }), steps: result.position.step, seconds: result.position.seconds };
}

/** What one size reaches. */
export interface SizeReport extends SizeCost {
  /** On the clips of index 0 to 4 of the speakers it was trained on, or of one that it never heard. */
  readonly test: ErrorRate;
  /** On the clips of index 5 to 9. */
  readonly valid: ErrorRate | undefined;
}

export interface TranscriberReport {
  readonly sizes: readonly SizeReport[];
  /** Parameters of the model, and of the sizes as separate models. */
  readonly parameters: number;
  readonly separate: number;
  /** Strings of each measurement. */
  readonly strings: number;
  /** The speaker that was left out. */
  readonly holdOut: string | undefined;
}

/** Word error rates on connected digits: strings of two to five, of one speaker each, with gaps of 50 to 200 ms. */
export async function measureTranscriber(
  model: AsrModel,
  clips: readonly Clip[],
  executor: Executor,
  options: { readonly holdOut?: string; readonly strings?: number; readonly seed?: number } = {},
): Promise<TranscriberReport> {
  const { holdOut, strings = STRINGS, seed = 4242 } = options;
  const all = digitClips(clips);
  const source = (keep: (clip: Clip) => boolean): SpeechSource | undefined => {
    const kept = all.filter(keep);
    if (kept.length === 0) return undefined;
    return clipStrings(kept, { sampleRate: model.config.audio.sample_rate, vocabulary: model.config.vocabulary });
  };
  const test = source((c) => (holdOut === undefined ? c.index < FIRST_VALID : c.speaker === holdOut));
  if (!test) throw new CairnError('no_clips', 'Expected clips to test on, got none.');
  const valid = source((c) => holdOut === undefined && c.index >= FIRST_VALID && c.index < FIRST_TRAINED);
  await using recognizer = createRecognizer(model.config, model.state, executor);
  const rng = new Rng(seed);
  const rate = async (size: AsrSize, from: SpeechSource, name: string): Promise<ErrorRate> => {
    const pairs: { reference: string[]; hypothesis: string[] }[] = [];
    for (let i = 0; i < strings; i++) {
      const { samples, labels } = from.draw(rng.fork(name).fork(i), 60);
      const { words } = await recognizer.transcribe(samples, { size });
      const reference = labels.map((label) => model.config.vocabulary[label - 1]!);
      pairs.push({ reference, hypothesis: words.map((w) => w.word) });
    }
    return errorRate(pairs, rng.fork('bootstrap'));
  };
  const sizes: SizeReport[] = [];
  for (const size of recognizer.sizes) {
    sizes.push({
      ...(await recognizer.cost(size)),
      test: await rate(size, test, 'test'),
      valid: valid && (await rate(size, valid, 'valid')),
    });
  }
  const names = asrTensors(model);
  return {
    sizes,
    parameters: [...names.values()].reduce((n, t) => n + t.data.length, 0),
    separate: sizesOf(model.config).reduce((n, size) => {
      const part = extractSize(model, size);
      return n + countSize(part.config, part.state, size);
    }, 0),
    strings,
    holdOut,
  };
}

/** Writes the model directory: weights in half precision, training record and card. */
export async function writeTranscriber(
  dir: string,
  model: AsrModel,
  about: {
    readonly command: string;
    readonly seed: number;
    readonly steps: number;
    readonly seconds: number;
    readonly clips: readonly Clip[];
    readonly report: TranscriberReport;
    /** Reports of models that were trained without one speaker. */
    readonly unseen?: readonly TranscriberReport[];
  },
): Promise<void> {
  const { clips, ...rest } = about;
  await writeAsrModel(dir, model, {
    half: true,
    training: { ...rest, data_sha256: hashClips(clips) },
    card: transcriberCard(about),
  });
}

function hashClips(clips: readonly Clip[]): string {
  const hash = createHash('sha256');
  for (const clip of clips) {
    hash.update(`${clip.word} ${clip.speaker} ${clip.index} ${clip.samples.length} `);
    hash.update(new Uint8Array(clip.samples.buffer, clip.samples.byteOffset, clip.samples.byteLength));
  }
  return hash.digest('hex');
}
