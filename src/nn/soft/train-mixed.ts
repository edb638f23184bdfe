// Trains a language model on texts with pictures and sounds in them. Examples are short and each is a row of its own; what is
// asked for and what is answered come apart, and only answers are learned.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../../errors.ts';
import type { Tokenizer } from '../../data/index.ts';
import { type Executor, type Feed, ModelState, Rng, ROWS } from '../../tensor/index.ts';
import { type LanguageModel, weightPrograms } from '../lm.ts';
import { checkLmConfig, type LmConfig } from '../lm-config.ts';
import { lmFeeds, SOFT_INPUT } from '../lm-inputs.ts';
import { defineLmStep, lmObjective } from '../lm-step.ts';
import { firstNonFinite } from '../non-finite.ts';
import { compileTrainStep, type OptimizerSettings } from '../train-step.ts';
import { train, type TrainProgress } from '../trainer.ts';
import type { SoftShape } from './encoders.ts';
import { type MixedPart, readMixed, rowsInOrder, softTensors } from './mixed-prompt.ts';

/** What is asked, and the text to answer it with. */
export interface MixedExample {
  readonly prompt: readonly MixedPart[];
  readonly answer: string;
}

export interface MixedShape extends SoftShape {
  /** Examples in a batch, and tokens of the longest without its last. */
  readonly batch: number;
  readonly length: number;
}

/**
 * Feeds of `defineLmStep` with `mixed` for a batch of examples. Only targets in answers have weight.
 * @throws CairnError `bad_soft` when examples are longer, more, or have more pictures or clips than the shape
 */
export function packMixed(
  model: Pick<LanguageModel, 'config' | 'tokenizer'>,
  shape: MixedShape,
  examples: readonly MixedExample[],
): Record<string, Feed> {
  const { config } = model;
  const { batch, length } = shape;
  const [x, y] = [new Int32Array(batch * length), new Int32Array(batch * length)];
  const rows = new Int32Array(batch * length);
  const weight = new Float32Array(batch * length);
  const images: Float32Array[] = [];
  const clips: ReturnType<typeof readMixed>['clips'][number][] = [];
  fits('examples', examples.length, batch);
  examples.forEach(({ prompt, answer }, row) => {
    const text = readMixed(model, prompt);
    const ids = [...text.ids, ...model.tokenizer.encode(answer)];
    fits('tokens', ids.length - 1, length);
    const places = rowsInOrder(config, text, shape.images, images.length, clips.length);
    images.push(...text.images);
    clips.push(...text.clips);
    const start = row * length;
    let next = 0;
    for (let t = 0; t + 1 < ids.length; t++) {
      x[start + t] = ids[t]!;
      y[start + t] = ids[t + 1]!;
      if (ids[t] === config.image_token_id || ids[t] === config.audio_token_id) rows[start + t] = places[next++]!;
      if (t + 1 >= text.ids.length) weight[start + t] = 1;
    }
  });
  fits('pictures', images.length, shape.images);
  fits('clips', clips.length, shape.clips);
  const { [SOFT_INPUT]: _, ...inputs } = lmFeeds(config, x, batch);
  return {
    x,
    y,
    'soft.rows': rows,
    weight,
    ...inputs,
    ...softTensors(config, shape, images, clips),
  };
}

function fits(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new CairnError('bad_soft', `Expected at most ${most} ${what} in a batch, got ${count}.`, {
    hint: 'Raise the shape of the batch.',
  });
}

export interface MixedRecipe extends OptimizerSettings {
  readonly rate: number;
  readonly steps: number;
  /** Factor of the learning rate for tables that are updated row by row. Default 3. */
  readonly tableRate?: number;
}

export interface TrainMixedOptions {
  readonly config: LmConfig;
  readonly tokenizer: Tokenizer;
  readonly executor: Executor;
  readonly seed: number | string;
  readonly shape: MixedShape;
  readonly recipe: MixedRecipe;
  /** The examples of a step: a pure function of its number. */
  readonly examples: (step: number) => readonly MixedExample[];
  /** Folder for a checkpoint and `metrics.jsonl`. Absent: nothing is written. */
  readonly dir?: string;
  /** Names the examples; a checkpoint of a run on others is refused. */
  readonly data?: string;
  /** Continue from the checkpoint in `dir`, if there is one: in steps that gives the bits of an uninterrupted run. */
  readonly resume?: boolean;
  readonly onProgress?: (p: TrainProgress) => void;
  readonly signal?: AbortSignal;
  /** Seconds since any fixed moment. */
  readonly clock?: () => number;
}

/**
 * Trains from nothing; write the result with `saveLm`.
 * @throws CairnError `bad_config`, `bad_soft`, `diverged`, `aborted` (with a `dir`, run again with `resume`), what a checkpoint of
 * another run is refused with
 * @example
 * const model = await trainMixed({ config, tokenizer, executor, seed: 7, shape, recipe, examples });
 * const prompt = await encodeMixed(model, [{ image }, '=']);
 */
export async function trainMixed(options: TrainMixedOptions): Promise<LanguageModel> {
  const { config, tokenizer, executor, seed, shape, recipe, examples, signal } = options;
  checkLmConfig(config);
  const { rate, steps, tableRate = 3, ...settings } = recipe;
  const optimizer = { ...settings, lrScale: { [ROWS]: tableRate, ...settings.lrScale } };
  const { images, clips } = shape;
  const mixed = { images, clips };
  const step = defineLmStep(config, shape, optimizer, { mixed });
  const state = new ModelState();
  for (const def of [step, ...weightPrograms(config)]) state.ensure(def, new Rng(seed).fork('weights'));
  await using program = await compileTrainStep(executor, step, state, optimizer);
  const { dir, data = '' } = options;
  if (dir !== undefined) await mkdir(dir, { recursive: true });
  const resume = options.resume === true && dir !== undefined && existsSync(join(dir, 'checkpoint.safetensors'));
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([config, recipe, seed, shape, data]))
    .digest('hex');
  const result = await train({
    program,
    ...(dir === undefined ? {} : { dir, fingerprint, resume }),
    state,
    feeds: (at) => packMixed({ config, tokenizer }, shape, examples(at)),
    schedule: { kind: 'cosine', peak: rate, warmup: 0.05, final: 0.02 },
    beta1: settings.beta1,
    beta2: settings.beta2,
    length: { steps },
    clock: options.clock ?? (() => performance.now() / 1000),
    diagnose: (feeds) => firstNonFinite(executor, state, (b) => lmObjective(b, config, shape, { mixed }), feeds),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.reason === 'aborted') {
    throw new CairnError('aborted', `Expected to train to the end, got an abort after ${result.position.step} steps.`);
  }
  return { config, tokenizer, state, executor, generation: { temperature: 0 } };
}
