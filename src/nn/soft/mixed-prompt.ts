// Texts with pictures and sounds in them: from the parts to token ids, with as many marks as there are vectors, and to what the
// encoders take. For training the parts are packed into batches; for generation the encoders run once and give the vectors.
import { createFeatureStream } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import type { HostTensor } from '../../tensor/index.ts';
import { audioFeatures } from '../audio-config.ts';
import type { LanguageModel } from '../lm.ts';
import type { LmConfig } from '../lm-config.ts';
import { audioTokens, imageTokens } from '../lm-soft-config.ts';
import { softProgram, type SoftShape } from './encoders.ts';

/** A piece of a text: words, a grey picture (ink 1, background 0, row by row), or sound at the model's sampling rate. */
export type MixedPart = string | { readonly image: Float32Array } | { readonly audio: Float32Array };

/** Token ids with places for vectors, and the vectors in order, `[places, softWidth]`. */
export interface MixedPrompt {
  readonly ids: readonly number[];
  readonly soft: Float32Array;
}

/** A clip of features: `rows` real ones at the start of `[audio_rows, mels * stack]`. */
export interface Clip {
  readonly features: Float32Array;
  readonly rows: number;
}

/** Parts as ids and as what the encoders take. */
export interface MixedText {
  readonly ids: readonly number[];
  readonly images: readonly Float32Array[];
  readonly clips: readonly Clip[];
  /** Kinds of pictures and clips in the order of their places. */
  readonly order: readonly ('image' | 'clip')[];
}

/**
 * Splits parts into ids and pictures and clips; sounds are cut into clips of `audio_rows` rows of features.
 * @throws CairnError `bad_soft` for a part that the model has no place for, or of another size
 */
export function readMixed(
  { config, tokenizer }: Pick<LanguageModel, 'config' | 'tokenizer'>,
  parts: readonly MixedPart[],
): MixedText {
  const ids: number[] = [];
  const images: Float32Array[] = [];
  const clips: Clip[] = [];
  const order: ('image' | 'clip')[] = [];
  for (const part of parts) {
    if (typeof part === 'string') ids.push(...tokenizer.encode(part));
    else if ('image' in part) {
      checkImage(config, part.image);
      images.push(part.image);
      order.push('image');
      for (let i = 0; i < imageTokens(config); i++) ids.push(config.image_token_id!);
    } else {
      for (const clip of clipsOf(config, part.audio)) {
        clips.push(clip);
        order.push('clip');
        for (let i = 0; i < audioTokens(config, clip.rows); i++) ids.push(config.audio_token_id!);
      }
    }
  }
  return { ids, images, clips, order };
}

function checkImage(c: LmConfig, image: Float32Array): void {
  if (c.image_token_id === undefined) {
    throw bad('Expected text and sounds, got a picture.', 'Use a model with image_token_id in its config.json.');
  }
  const size = c.image_size!;
  if (image.length !== size * size || !image.every(Number.isFinite)) {
    throw bad(`Expected a picture of ${size} x ${size} grey values, got ${image.length} values.`, 'Scale it first.');
  }
}

/** Rows of features of a sound, in clips. */
function clipsOf(c: LmConfig, audio: Float32Array): Clip[] {
  if (c.audio_token_id === undefined) {
    throw bad('Expected text and pictures, got a sound.', 'Use a model with audio_token_id in its config.json.');
  }
  const stream = createFeatureStream(audioFeatures(c.audio!));
  const all = stream.push(audio);
  const limit = c.audio_rows!;
  const count = all.length / stream.width;
  if (count === 0 || !audio.every(Number.isFinite)) {
    throw bad(`Expected a sound of at least one row of features, got ${audio.length} samples.`, 'Record more.');
  }
  return Array.from({ length: Math.ceil(count / limit) }, (_, i) => {
    const rows = Math.min(limit, count - i * limit);
    const features = new Float32Array(limit * stream.width);
    features.set(all.subarray(i * limit * stream.width, (i * limit + rows) * stream.width));
    return { features, rows };
  });
}

/**
 * Runs the encoders over the parts of a prompt for `generate` or a decoder.
 * @throws CairnError `bad_soft` for a part that the model has no place for, or of another size
 * @example
 * const prompt = await encodeMixed(model, [{ image }, ' + ', { audio }, ' =']);
 * await generate(model, prompt, { maxTokens: 3 }).text();
 */
export async function encodeMixed(
  model: Pick<LanguageModel, 'config' | 'tokenizer' | 'state' | 'executor'>,
  parts: readonly MixedPart[],
): Promise<MixedPrompt> {
  const { config, executor, state } = model;
  const text = readMixed(model, parts);
  const shape = { images: text.images.length, clips: text.clips.length };
  if (shape.images + shape.clips === 0) return { ids: text.ids, soft: new Float32Array(0) };
  await using program = await executor.compile(softProgram(config, shape), { state });
  const { soft } = await program.run(softTensors(config, shape, text.images, text.clips));
  const table = soft!.data;
  const width = soft!.shape[1]!;
  const rows = rowsInOrder(config, text, shape.images);
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(table.slice(row * width, (row + 1) * width) as Float32Array, i * width));
  return { ids: text.ids, soft: out };
}

/** Rows of `softTable` for each place of a text, whose pictures and clips begin at `firstImage` and `firstClip`. */
export function rowsInOrder(
  c: LmConfig,
  { order, clips }: Pick<MixedText, 'order' | 'clips'>,
  images: number,
  firstImage = 0,
  firstClip = 0,
): number[] {
  const perImage = c.image_token_id === undefined ? 0 : imageTokens(c);
  const perClip = c.audio_token_id === undefined ? 0 : audioTokens(c, c.audio_rows!);
  let [image, clip] = [0, 0];
  return order.flatMap((kind) => {
    if (kind === 'image') {
      const from = (firstImage + image++) * perImage;
      return Array.from({ length: perImage }, (_, i) => from + i);
    }
    const from = images * perImage + (firstClip + clip) * perClip;
    return Array.from({ length: audioTokens(c, clips[clip++]!.rows) }, (_, i) => from + i);
  });
}

/** Feeds of `softInputs`; pictures and clips that are missing to the shape are blank. */
export function softTensors(
  c: LmConfig,
  shape: SoftShape,
  images: readonly Float32Array[],
  clips: readonly Clip[],
): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = {};
  if (shape.images > 0) {
    const size = c.image_size!;
    const data = new Float32Array(shape.images * size * size);
    images.forEach((image, i) => data.set(image, i * size * size));
    feeds['image.pixels'] = { data, shape: [shape.images, size, size], dtype: 'f32' };
  }
  if (shape.clips > 0) {
    const [rows, width] = [c.audio_rows!, c.audio!.mels * c.audio!.stack];
    const data = new Float32Array(shape.clips * rows * width);
    // A clip without any real row would have nothing to attend to.
    const valid = new Float32Array(shape.clips * rows).fill(1);
    clips.forEach((clip, i) => {
      data.set(clip.features, i * rows * width);
      valid.fill(0, i * rows + clip.rows, (i + 1) * rows);
    });
    feeds['audio.rows'] = { data, shape: [shape.clips, rows, width], dtype: 'f32' };
    feeds['audio.valid'] = { data: valid, shape: [shape.clips, rows, 1], dtype: 'f32' };
  }
  return feeds;
}

function bad(message: string, hint: string): CairnError {
  return new CairnError('bad_soft', message, { hint });
}
