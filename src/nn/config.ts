// config.json of a model directory: schemas of the model types Cairn writes, with errors that name the key. Unknown keys
// are kept, so that a file written by a newer version survives a rewrite.
import { z } from 'zod';
import { CairnError } from '../errors.ts';
import { checkLmConfig, commonShape, type LmConfig, lmShape, lmConfig, type LmSettings } from './lm-config.ts';
import type { Layer } from './module.ts';
import { type AsrConfig, asrShape, checkAsrConfig } from './speech/config.ts';

const count = z.int().min(1).max(1_000_000_000);
const small = z.int().min(1).max(65_536);

const layerSchema: z.ZodType<Layer> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('linear'),
      inputs: small,
      outputs: small,
      bias: z.boolean(),
      std: z.number().min(0).exactOptional(),
    }),
    z.object({ kind: z.literal('embedding'), count, width: small, std: z.number().min(0) }),
    z.object({ kind: z.literal('rms-norm'), width: small, eps: z.number().positive() }),
    z.object({ kind: z.literal('layer-norm'), width: small, eps: z.number().positive() }),
    z.object({
      kind: z.literal('activation'),
      name: z.enum(['relu', 'gelu', 'silu', 'tanh', 'sigmoid', 'relu-squared']),
    }),
    z.object({ kind: z.literal('rescale'), scale: z.number(), shift: z.number() }),
    z.object({ kind: z.literal('reshape'), shape: z.array(small).max(8) }),
    z.object({
      kind: z.literal('conv2d'),
      inputs: small,
      outputs: small,
      kernel: small,
      stride: small,
      padding: z.int().min(0).max(65_536),
    }),
    z.object({ kind: z.literal('pool2d'), how: z.enum(['max', 'avg']), size: small }),
    z.object({
      kind: z.literal('sequential'),
      layers: z.record(z.string().regex(/^[A-Za-z_]\w*$/), layerSchema),
    }),
  ]),
);

const classifierShape = {
  model_type: z.literal('cairn_classifier'),
  ...commonShape,
  /** Length of one flat input and what its values mean. */
  input_size: small,
  input_meaning: z.string(),
  labels: z.array(z.string()).min(2),
  /** Logits are divided by this before the softmax; fitted on held-out examples. */
  temperature: z.number().positive(),
  layers: layerSchema,
  /** Floating-point operations for one input. */
  flops_per_input: z.number().min(0).exactOptional(),
};

export type ClassifierConfig = z.infer<z.ZodObject<typeof classifierShape, z.core.$strip>>;
export type ModelConfig = ClassifierConfig | LmConfig | AsrConfig;

const schemas = {
  cairn_classifier: z.looseObject(classifierShape),
  cairn_lm: z.looseObject(lmShape),
  cairn_asr: z.looseObject(asrShape),
};

/**
 * Checks the parsed content of a config.json.
 * @throws CairnError `bad_config` naming the first key that is wrong.
 */
export function parseConfig(json: unknown): ModelConfig {
  const type = typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined;
  if (type !== 'cairn_classifier' && type !== 'cairn_lm' && type !== 'cairn_asr') {
    throw new CairnError(
      'bad_config',
      `Expected key \`model_type\` of config.json to be one of ${Object.keys(schemas).join(', ')}, got ${print(type)}.`,
      { hint: 'Point at a model directory that Cairn wrote.' },
    );
  }
  const result = schemas[type].safeParse(json);
  if (!result.success) throw explain(json, result.error);
  if (result.data.model_type === 'cairn_lm') checkLmConfig(result.data);
  if (result.data.model_type === 'cairn_asr') checkAsrConfig(result.data);
  return result.data;
}

/**
 * Settings for `trainLm` from JSON text: any keys of a language model's config.json; the vocabulary comes from the tokenizer.
 * @param base keys that hold where the text has none
 * @throws CairnError `bad_config` naming the key that is wrong, unknown or contradicts another
 */
export function parseLmSettings(text: string, base: Omit<LmSettings, 'vocab_size'>): Partial<LmSettings> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CairnError('bad_config', 'Expected JSON with keys of config.json, got text that does not parse.', {
      cause,
    });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CairnError('bad_config', `Expected an object with keys of config.json, got ${print(json)}.`);
  }
  const unknown = Object.keys(json).find((key) => !(key in lmShape));
  if (unknown !== undefined) {
    throw new CairnError('bad_config', `Expected keys of a language model's config.json, got \`${unknown}\`.`, {
      details: { key: unknown, known: Object.keys(lmShape) },
    });
  }
  if ('model_type' in json && json.model_type !== 'cairn_lm') {
    throw new CairnError(
      'bad_config',
      `Expected key \`model_type\` of config.json to be "cairn_lm", got ${print(json.model_type)}.`,
      { hint: 'Leave it out, or use the settings of a language model.', details: { key: 'model_type' } },
    );
  }
  const settings = json as Partial<LmSettings>;
  // How many tokens there are is known once the text is.
  parseConfig(lmConfig({ ...base, ...settings, vocab_size: settings.vocab_size ?? ANY_VOCABULARY }));
  return settings;
}

/** Larger than any token id that a config may name. */
const ANY_VOCABULARY = 1_000_000;

function explain(json: unknown, error: z.ZodError): CairnError {
  const issue = error.issues[0]!;
  let found: unknown = json;
  for (const key of issue.path) {
    found = typeof found === 'object' && found !== null ? (found as Record<PropertyKey, unknown>)[key] : undefined;
  }
  const detail = issue.message.replace(/^Invalid (input|option): /, '').replace(/^(Too (small|big)): /, '');
  return new CairnError(
    'bad_config',
    `Expected a valid key \`${issue.path.join('.')}\` in config.json, got ${print(found)}: ${detail}.`,
    { hint: 'Correct the key, or write the model again.', details: { key: issue.path.join('.') } },
  );
}

const print = (x: unknown): string => (x === undefined ? 'nothing' : String(JSON.stringify(x)).slice(0, 60));
