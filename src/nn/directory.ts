// A model directory: config.json, model.safetensors, tokenizer.json, generation_config.json, training.json and a README
// card. Reads with checks, writes each file atomically; weights last, so a half-written directory has no weights.
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { type Tokenizer, tokenizerFromFile } from '../data/index.ts';
import { readSafetensorsFile, type StoredTensor, writeFileAtomic, writeSafetensorsFile } from '../tensor/index.ts';
import { type ModelConfig, parseConfig } from './config.ts';
import type { SamplingOptions } from './sampling.ts';

/** How a model was made: enough to make it again. */
export interface TrainingRecord {
  readonly command: string;
  readonly seed: number;
  readonly steps: number;
  readonly seconds: number;
  /** SHA-256 of the training data, hex. */
  readonly data_sha256: string;
  readonly [key: string]: unknown;
}

export interface ModelDirectory {
  readonly config: ModelConfig;
  /** Weights by the names of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly tokenizer?: Tokenizer;
  readonly generation?: SamplingOptions;
  readonly training?: TrainingRecord;
  /** Markdown of the card. */
  readonly card?: string;
}

/** Writes a model directory, creating it when it is missing. */
export async function writeModel(dir: string, model: ModelDirectory): Promise<void> {
  await mkdir(dir, { recursive: true });
  const json = (name: string, value: unknown): Promise<void> =>
    writeFileAtomic(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  await json('config.json', parseConfig(model.config));
  if (model.tokenizer) await json('tokenizer.json', model.tokenizer.toFile());
  if (model.generation) await json('generation_config.json', toGenerationFile(model.generation));
  if (model.training) await json('training.json', model.training);
  if (model.card !== undefined) await writeFileAtomic(join(dir, 'README.md'), model.card);
  await writeSafetensorsFile(join(dir, 'model.safetensors'), model.tensors, { format: 'cairn', ...model.metadata });
}

/**
 * Reads a model directory.
 * @throws CairnError `missing_model` when there is none, `bad_config`, `bad_safetensors`, `bad_tokenizer` for a bad file.
 */
export async function readModel(dir: string): Promise<ModelDirectory> {
  const found = await stat(join(dir, 'config.json')).catch(() => undefined);
  if (!found) {
    throw new CairnError('missing_model', `Expected a model directory with a config.json at ${dir}, got none.`, {
      hint: 'Check the path, or train a model first.',
    });
  }
  const config = parseConfig(await readJson(join(dir, 'config.json')));
  const { tensors, metadata } = await readSafetensorsFile(join(dir, 'model.safetensors'));
  const tokenizer = await optionalJson(join(dir, 'tokenizer.json'));
  const generation = await optionalJson(join(dir, 'generation_config.json'));
  return {
    config,
    tensors,
    metadata,
    ...(tokenizer === undefined ? {} : { tokenizer: tokenizerFromFile(tokenizer) }),
    ...(generation === undefined ? {} : { generation: fromGenerationFile(generation) }),
  };
}

const GENERATION_KEYS = {
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
  noRepeatNgram: 'no_repeat_ngram_size',
} as const satisfies Record<keyof SamplingOptions, string>;

function toGenerationFile(options: SamplingOptions): Record<string, unknown> {
  const entries = Object.entries(GENERATION_KEYS).map(([ours, theirs]) => [
    theirs,
    options[ours as keyof SamplingOptions],
  ]);
  return { do_sample: options.temperature !== 0, ...Object.fromEntries(entries.filter(([, v]) => v !== undefined)) };
}

function fromGenerationFile(file: unknown): SamplingOptions {
  const record = typeof file === 'object' && file !== null ? (file as Record<string, unknown>) : {};
  const options: Partial<Record<keyof SamplingOptions, number>> = {};
  for (const [ours, theirs] of Object.entries(GENERATION_KEYS)) {
    const value = record[theirs];
    if (typeof value === 'number') options[ours as keyof SamplingOptions] = value;
  }
  return options;
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CairnError('bad_config', `Expected JSON in ${path}, got text that does not parse.`, {
      hint: 'Write the model again.',
      cause,
    });
  }
}

async function optionalJson(path: string): Promise<unknown> {
  const found = await stat(path).catch(() => undefined);
  return found ? readJson(path) : undefined;
}
