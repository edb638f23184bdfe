// config.json of a speech model (`model_type` "cairn_asr"): one cascade of encoders that serves several sizes. Schema, checks and a
// maker with defaults.
import { z } from 'zod';
import type { FeatureConfig } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import { audioConfig, audioFeatures, audioSchema } from '../audio-config.ts';
import { commonShape } from '../lm-config.ts';

/** Operating points of one model, cheapest first. */
export const asrSizes = ['small', 'medium', 'large'] as const;
export type AsrSize = (typeof asrSizes)[number];

const small = z.int().min(1).max(65_536);
const depth = z.object({
  /** Causal layers below this size's decoder. */
  causal_layers: z.int().min(1).max(256),
  /** Layers with look-ahead on top of the causal ones. */
  noncausal_layers: z.int().min(0).max(256),
});

export const asrShape = {
  model_type: z.literal('cairn_asr'),
  ...commonShape,
  /** The front end; its statistics belong to the training set. */
  audio: audioSchema,
  /** Labels without the blank: label k of the decoders (from 1 on) is vocabulary[k - 1]. */
  vocabulary: z.array(z.string()).min(1),
  hidden_size: small,
  num_attention_heads: small,
  intermediate_size: small,
  conv_kernel: small,
  /** Earlier frames a layer attends to. */
  left_context: small,
  /** Later frames a non-causal layer attends to; its convolution sees (conv_kernel - 1) / 2 more. */
  asr_right_context: z.int().min(0).max(65_536),
  /** Causal layer whose attention halves the frame rate; null: none. */
  funnel_layer: z.int().min(0).max(255).nullable(),
  rope_theta: z.number().positive(),
  rms_norm_eps: z.number().positive(),
  /** Width of the joint and of the label embeddings. */
  joint_size: small,
  embedding_size: small,
  transducer: z.enum(['hat', 'rnnt']),
  /** Frames that a label takes at least: nothing is emitted in them, which tells equal words in a row apart. 0: the classical transducer. */
  label_frames: z.int().min(0).max(64).default(0),
  asr_sizes: z.object({
    small: depth.exactOptional(),
    medium: depth.exactOptional(),
    large: depth.exactOptional(),
  }),
};

export type AsrConfig = z.infer<z.ZodObject<typeof asrShape, z.core.$strip>>;

/**
 * Checks what a schema cannot: how keys of a config agree.
 * @throws CairnError `bad_config` naming the key
 */
export function checkAsrConfig(c: AsrConfig): void {
  const rule = (ok: boolean, key: string, expected: string, got: unknown): void => {
    if (!ok) {
      throw new CairnError('bad_config', `Expected key \`${key}\` of config.json to ${expected}, got ${String(got)}.`, {
        details: { key },
      });
    }
  };
  const heads = c.num_attention_heads;
  rule(c.hidden_size % heads === 0, 'num_attention_heads', `divide hidden_size ${c.hidden_size}`, heads);
  rule((c.hidden_size / heads) % 2 === 0, 'num_attention_heads', 'give an even head width', heads);
  rule(c.conv_kernel % 2 === 1, 'conv_kernel', 'be odd', c.conv_kernel);
  rule(new Set(c.vocabulary).size === c.vocabulary.length, 'vocabulary', 'hold distinct labels', 'a repetition');
  rule(c.audio.mean.length === c.audio.mels, 'audio.mean', `have ${c.audio.mels} values`, c.audio.mean.length);
  rule(c.audio.std.length === c.audio.mels, 'audio.std', `have ${c.audio.mels} values`, c.audio.std.length);
  rule(c.audio.fmax <= c.audio.sample_rate / 2, 'audio.fmax', 'be at most half the sampling rate', c.audio.fmax);
  const sizes = sizesOf(c);
  rule(sizes.length > 0, 'asr_sizes', 'name at least one size', 'none');
  for (const [i, size] of sizes.entries()) {
    const [own, before] = [c.asr_sizes[size]!, i > 0 ? c.asr_sizes[sizes[i - 1]!] : undefined];
    const deeper =
      !before ||
      (own.causal_layers >= before.causal_layers &&
        own.noncausal_layers >= before.noncausal_layers &&
        own.causal_layers + own.noncausal_layers > before.causal_layers + before.noncausal_layers);
    rule(deeper, `asr_sizes.${size}`, 'be deeper than the size before it', JSON.stringify(own));
    if (c.funnel_layer !== null) {
      const key = 'funnel_layer';
      rule(c.funnel_layer < own.causal_layers, key, `lie within the causal layers of ${size}`, c.funnel_layer);
    }
    const causal = c.asr_sizes[sizes.at(-1)!]!.causal_layers;
    rule(
      own.noncausal_layers === 0 || own.causal_layers === causal,
      `asr_sizes.${size}`,
      `use all ${causal} causal layers below its non-causal ones`,
      own.causal_layers,
    );
  }
}

/** The sizes a model has, cheapest first. */
export function sizesOf(config: AsrConfig): AsrSize[] {
  return asrSizes.filter((size) => config.asr_sizes[size] !== undefined);
}

/**
 * @throws CairnError `no_such_size`
 */
export function depthOf(config: AsrConfig, size: AsrSize): { causal_layers: number; noncausal_layers: number } {
  const found = config.asr_sizes[size];
  if (!found) {
    throw new CairnError('no_such_size', `Expected one of ${sizesOf(config).join(', ')}, got size ${size}.`, {
      hint: 'Use the model that this one was extracted from.',
    });
  }
  return found;
}

/** The front end of a model in the form of the audio package. */
export function featureConfig(config: AsrConfig): FeatureConfig {
  return audioFeatures(config.audio);
}

/** Seconds of audio that one frame of the last layer stands for. */
export function secondsPerFrame(config: AsrConfig): number {
  const { hop_seconds, stack } = config.audio;
  return hop_seconds * stack * (config.funnel_layer === null ? 1 : 2);
}

/** Frames of the last layer for so many feature rows. */
export function framesOf(config: AsrConfig, rows: number): number {
  return config.funnel_layer === null ? rows : Math.ceil(rows / 2);
}

/** Frames of a size's last layer that must be known before one can be decoded. */
export function lookAhead(config: AsrConfig, size: AsrSize): number {
  return depthOf(config, size).noncausal_layers * (config.asr_right_context + (config.conv_kernel - 1) / 2);
}

type Changes = Partial<Omit<AsrConfig, 'audio' | 'vocabulary'>> & {
  readonly vocabulary: readonly string[];
  readonly audio?: Partial<AsrConfig['audio']>;
};

/**
 * A config with defaults for short commands at 8 kHz: 2 and 4 causal layers, 2 more with look-ahead, width 96.
 * @throws CairnError `bad_config`
 * @example
 * const config = asrConfig({ vocabulary: ['yes', 'no'], hidden_size: 64 });
 */
export function asrConfig(changes: Changes): AsrConfig {
  const config: AsrConfig = {
    model_type: 'cairn_asr',
    architectures: ['CairnCascadedTransducer'],
    cairn_version: '0.1.0',
    dtype: 'float32',
    hidden_size: 96,
    num_attention_heads: 4,
    intermediate_size: 192,
    conv_kernel: 7,
    left_context: 32,
    asr_right_context: 3,
    funnel_layer: 1,
    rope_theta: 10000,
    rms_norm_eps: 1e-6,
    joint_size: 64,
    embedding_size: 32,
    transducer: 'hat',
    label_frames: 0,
    asr_sizes: {
      small: { causal_layers: 2, noncausal_layers: 0 },
      medium: { causal_layers: 4, noncausal_layers: 0 },
      large: { causal_layers: 4, noncausal_layers: 2 },
    },
    ...changes,
    vocabulary: [...changes.vocabulary],
    audio: audioConfig(changes.audio),
  };
  checkAsrConfig(config);
  return config;
}
