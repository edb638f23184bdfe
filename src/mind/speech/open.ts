// The listener: the recogniser that comes with Cairn, its sizes as competing modules with a router, and live transcription at all sizes
// side by side. The one place of this folder that reads model files.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpeechSource } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import {
  type AsrSize,
  loadRecognizer,
  type LiveTranscript,
  type Recognizer,
  type SizeCost,
  type Transcript,
} from '../../nn/index.ts';
import { PathRouter, type RouterState } from '../../route/index.ts';
import { createOrtExecutor, type Executor, Rng } from '../../tensor/index.ts';
import { defaultModels } from '../boards/index.ts';
import { Mind } from '../mind.ts';
import type { Limits, Reply } from '../module.ts';
import { soundEncoder, spokenReader, type SpokenInput, type SpokenReading, TRANSCRIBE } from './spoken.ts';

export interface OpenListenerOptions {
  /** Folder with `transcribe-digits`. Default: that of the package. */
  readonly models?: string;
  readonly executor?: Executor;
  readonly recognizer?: Recognizer;
}

/** One size in a live transcription. */
export interface LiveSize extends Transcript {
  readonly size: AsrSize;
  /** Milliseconds of computing so far. */
  readonly ms: number;
}

/** All sizes hear the same sound as it comes. */
export interface LiveListening {
  push(samples: Float32Array): Promise<LiveSize[]>;
  finish(): Promise<LiveSize[]>;
}

export interface Listener extends AsyncDisposable {
  readonly costs: readonly SizeCost[];
  /** Routed: the size that the router picks, and larger ones where it is unsure. Nothing is remembered. */
  hear(input: SpokenInput, limits?: Limits): Promise<Reply<SpokenReading>>;
  open(sampleRate: number): Promise<LiveListening>;
  close(): Promise<void>;
}

/**
 * @throws CairnError `missing_model`
 * @example
 * await using listener = await openListener();
 * const reply = await listener.hear({ samples, sampleRate: 16_000 });
 */
export async function openListener(options: OpenListenerOptions = {}): Promise<Listener> {
  const dir = join(options.models ?? defaultModels(), TRANSCRIBE);
  const executor = options.executor ?? (await createOrtExecutor({ threads: 1 }));
  const recognizer = options.recognizer ?? (await loadRecognizer(dir, executor));
  const mind = await Mind.open({ dataDir: ':memory:' });
  const router = options.recognizer ? undefined : await shippedRouter(dir);
  await addSpeechModules(mind, recognizer, router);
  const costs = await Promise.all(recognizer.sizes.map((size) => recognizer.cost(size)));
  const close = async (): Promise<void> => {
    await mind.close();
    if (!options.recognizer) await recognizer[Symbol.asyncDispose]();
    if (!options.executor) await executor.dispose();
  };
  return {
    costs,
    hear: (input, limits = {}) => mind.ask<SpokenReading>(TRANSCRIBE, input, { ...limits, remember: false }),
    open: async (sampleRate) => {
      const lives = await Promise.all(recognizer.sizes.map((size) => recognizer.open({ size, sampleRate })));
      return listenAll(lives);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Adds the sizes of a recogniser to a mind as modules of the task `transcribe-digits`, and their router.
 * @example
 * await addSpeechModules(mind, recognizer);
 * const reply = await mind.ask<SpokenReading>('transcribe-digits', { samples, sampleRate: 8000 });
 */
export async function addSpeechModules(mind: Mind, recognizer: Recognizer, router?: PathRouter): Promise<void> {
  for (const size of recognizer.sizes) mind.add(await spokenReader(recognizer, size));
  mind.useRouter(TRANSCRIBE, soundEncoder, router ? { router } : {});
}

function listenAll(lives: readonly LiveTranscript[]): LiveListening {
  const spent = lives.map(() => 0);
  const each = async (step: (live: LiveTranscript) => Promise<Transcript>): Promise<LiveSize[]> => {
    const out: LiveSize[] = [];
    for (const [i, live] of lives.entries()) {
      const before = performance.now();
      const heard = await step(live);
      spent[i]! += performance.now() - before;
      out.push({ size: live.size, ms: spent[i]!, ...heard });
    }
    return out;
  };
  return {
    push: (samples) => each((live) => live.push(samples)),
    finish: () => each((live) => live.finish()),
  };
}

/** Hash of the weights: a router belongs to these and no others. */
async function fingerprint(dir: string): Promise<string> {
  const weights = await readFile(join(dir, 'model.safetensors'));
  return createHash('sha256').update(weights).digest('hex').slice(0, 16);
}

async function shippedRouter(dir: string): Promise<PathRouter | undefined> {
  const path = join(dir, 'router.json');
  if (!existsSync(path)) return undefined;
  const router = PathRouter.fromState(JSON.parse(await readFile(path, 'utf8')) as RouterState);
  return router.note === (await fingerprint(dir)) ? router : undefined;
}

/**
 * Fits the router of the sizes on strings of a source that the model was not trained on, and writes `router.json` beside the model.
 * @throws CairnError `missing_model`, `bad_source`
 */
export async function fitSpeechRouter(
  dir: string,
  source: SpeechSource,
  options: { readonly seed?: number; readonly strings?: number; readonly maxLoss?: number } = {},
): Promise<RouterState['fitted']> {
  const { seed = 7, strings = 400, maxLoss = 0.005 } = options;
  await using executor = await createOrtExecutor({ threads: 1 });
  await using recognizer = await loadRecognizer(dir, executor);
  await using mind = await Mind.open({ dataDir: ':memory:', seed });
  for (const size of recognizer.sizes) mind.add(await spokenReader(recognizer, size));
  const rng = new Rng(seed).fork('speech-router');
  const examples = Array.from({ length: strings }, (_, i) => source.draw(rng.fork(i), 60));
  if (examples.every((e) => e.labels.length === 0)) {
    throw new CairnError('bad_source', 'Expected strings with words to fit the router on, got none.');
  }
  const texts = examples.map((e) => e.labels.map((label) => recognizer.config.vocabulary[label - 1]).join(' '));
  const { router } = await mind.calibrate<SpokenInput, SpokenReading>(
    TRANSCRIBE,
    examples.map(({ samples }) => ({ samples, sampleRate: source.sampleRate })),
    (_, output, i) => (output.text === texts[i] ? 1 : 0),
    { encoder: soundEncoder, maxLoss, k: 8, note: await fingerprint(dir) },
  );
  await writeFile(join(dir, 'router.json'), `${JSON.stringify(router.toState())}\n`);
  return router.fitted;
}
