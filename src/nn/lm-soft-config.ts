// Keys of a language model that sees and hears: which token marks a place for a picture or a sound, and the shape of what turns
// them into vectors there. Their rules, and the sizes that follow from them.
import { z } from 'zod';
import { audioSchema } from './audio-config.ts';

const whole = z.int().min(0).max(1_000_000_000);
const small = z.int().min(1).max(65_536);

export const softShape = {
  /** Token whose places in a text take the vectors of a grey picture; absent: the model sees nothing. */
  image_token_id: whole.exactOptional(),
  /** Pixels of a side. */
  image_size: small.exactOptional(),
  /** Pixels of a side of a patch; each patch is one vector. */
  image_patch_size: small.exactOptional(),
  /** Hidden units of the patch projector. Default: twice hidden_size. */
  image_hidden_size: small.exactOptional(),
  /** Token whose places take the vectors of a sound; absent: the model hears nothing. */
  audio_token_id: whole.exactOptional(),
  /** The front end, as in a speech model. */
  audio: audioSchema.exactOptional(),
  /** Rows of features (`audio.stack` frames each) that are encoded together; longer sounds are cut into such clips. */
  audio_rows: small.exactOptional(),
  /** Conformer layers. Default 1; 0: each row alone. */
  audio_layers: z.int().min(0).max(256).exactOptional(),
  /** Width of the conformer. Default: hidden_size. */
  audio_hidden_size: small.exactOptional(),
  /** The first layer halves the frame rate: a vector is two rows. Default false. */
  audio_funnel: z.boolean().exactOptional(),
};

type SoftKeys = z.infer<z.ZodObject<typeof softShape, z.core.$strip>> & {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly altup_num_inputs?: number;
  readonly altup_recycled?: boolean;
  readonly altup_coefficients?: 'scalar' | 'dynamic';
};

interface SoftRule {
  readonly key: keyof SoftKeys;
  readonly expected: (c: SoftKeys) => string;
  readonly holds: (c: SoftKeys) => boolean;
}

const sees = (c: SoftKeys): boolean => c.image_token_id !== undefined;
const hears = (c: SoftKeys): boolean => c.audio_token_id !== undefined;

function switched(key: keyof SoftKeys, on: (c: SoftKeys) => boolean, keys: readonly (keyof SoftKeys)[]): SoftRule[] {
  return keys.map((user) => ({
    key,
    expected: () => `be given where ${user} is`,
    holds: (c: SoftKeys) => c[user] === undefined || on(c),
  }));
}

function required(by: keyof SoftKeys, on: (c: SoftKeys) => boolean, keys: readonly (keyof SoftKeys)[]): SoftRule[] {
  return keys.map((key) => ({
    key,
    expected: () => `be given where ${by} is`,
    holds: (c: SoftKeys) => !on(c) || c[key] !== undefined,
  }));
}

export const SOFT_RULES: readonly SoftRule[] = [
  ...switched('image_token_id', sees, ['image_size', 'image_patch_size', 'image_hidden_size']),
  ...required('image_token_id', sees, ['image_size', 'image_patch_size']),
  ...switched('audio_token_id', hears, ['audio', 'audio_rows', 'audio_layers', 'audio_hidden_size', 'audio_funnel']),
  ...required('audio_token_id', hears, ['audio', 'audio_rows']),
  ...(['image_token_id', 'audio_token_id'] as const).map((key) => ({
    key,
    expected: (c: SoftKeys) => `be a token id below vocab_size ${c.vocab_size}`,
    holds: (c: SoftKeys) => (c[key] ?? 0) < c.vocab_size,
  })),
  {
    key: 'audio_token_id',
    expected: (c) => `differ from image_token_id ${c.image_token_id}`,
    holds: (c) => !hears(c) || c.audio_token_id !== c.image_token_id,
  },
  {
    key: 'image_patch_size',
    expected: (c) => `divide image_size ${c.image_size}`,
    holds: (c) => !sees(c) || Number.isInteger(c.image_size! / c.image_patch_size!),
  },
  {
    key: 'audio_hidden_size',
    expected: () => `be a multiple of ${2 * AUDIO_HEADS}, as it has ${AUDIO_HEADS} heads of even width`,
    holds: (c) => !hears(c) || audioWidth(c) % (2 * AUDIO_HEADS) === 0,
  },
  {
    key: 'audio_funnel',
    expected: () => 'be absent or false without layers (audio_layers 0)',
    holds: (c) => c.audio_funnel !== true || (c.audio_layers ?? 1) > 0,
  },
  {
    key: 'audio_rows',
    expected: () => 'be even where audio_funnel is true',
    holds: (c) => c.audio_funnel !== true || c.audio_rows! % 2 === 0,
  },
  ...(['mean', 'std'] as const).map((key) => ({
    key: 'audio' as const,
    expected: (c: SoftKeys) => `have ${c.audio?.mels} values in ${key}`,
    holds: (c: SoftKeys) => c.audio === undefined || c.audio[key].length === c.audio.mels,
  })),
];

/** Heads of the conformer. */
export const AUDIO_HEADS = 4;

export function audioWidth(c: SoftKeys): number {
  return c.audio_hidden_size ?? c.hidden_size;
}

/** Whether pictures or sounds can stand in a text. */
export function hasSoft(c: SoftKeys): boolean {
  return sees(c) || hears(c);
}

/** Tokens that mark places for vectors. */
export function markersOf(c: SoftKeys): number[] {
  return [c.image_token_id, c.audio_token_id].filter((id) => id !== undefined);
}

/** Width of a vector that stands for a token: of an embedding row. */
export function softWidth(c: SoftKeys): number {
  const whole = c.altup_recycled !== true && c.altup_coefficients !== 'dynamic';
  return whole ? c.hidden_size * (c.altup_num_inputs ?? 1) : c.hidden_size;
}

/** Vectors of a picture. */
export function imageTokens(c: SoftKeys): number {
  return (c.image_size! / c.image_patch_size!) ** 2;
}

/** Vectors of a clip of so many rows. */
export function audioTokens(c: SoftKeys, rows: number): number {
  return c.audio_funnel === true ? Math.ceil(rows / 2) : rows;
}
