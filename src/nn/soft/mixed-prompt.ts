// Texts with pictures and sounds in them: from the parts to token ids, with as many marks as there are vectors, and to what the
// encoders take. For training the parts are packed into batches; for generation the encoders run once and give the vectors.
import { createFeatureStream } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import type { HostTensor, Program } from '../../tensor/index.ts';
import { audioFeatures } from '../audio-config.ts';
import type { LanguageModel } from '../lm.ts';
import type { LmConfig } from '../lm-config.ts';
import { audioTokens, imageTokens } from '../lm-soft-config.ts';
import { softProgram, type SoftShape } from './encoders.ts';

/**
 * A piece of a text: words, a grey picture (ink 1, background 0, row by row), sound at the model's sampling rate, or its rows of
 * features where they were computed before, see `audioRows`.
 */
export type MixedPart =
  | string
  | { readonly image: Float32Array }
  | { readonly audio: Float32Array }
  | { readonly rows: Float32Array };

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
      for (const clip of clipsOf(config, 'rows' in part ? part.rows : audioRows(config, part.audio))) {
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

/**
 * Rows of features of a sound, `[rows * mels * stack]`.
 * @throws CairnError `bad_soft` for a model that does not hear, or a sound that is too short
 */
export function audioRows(c: LmConfig, audio: Float32Array): Float32Array {
  if (c.audio_token_id === undefined) throw deaf();
  const rows = createFeatureStream(audioFeatures(c.audio!)).push(audio);
  if (rows.length === 0 || !audio.every(Number.isFinite)) {
    throw bad(`Expected a sound of at least one row of features, got ${audio.length} samples.`, 'Record more.');
  }
  return rows;
}

function clipsOf(c: LmConfig, all: Float32Array): Clip[] {
  if (c.audio_token_id === undefined) throw deaf();
  const [limit, width] = [c.audio_rows!, c.audio!.mels * c.audio!.stack];
  const count = all.length / width;
  if (!Number.isInteger(count) || count === 0) {
    throw bad(`Expected rows of ${width} features, got ${all.length} values.`, 'Make them with `audioRows`.');
  }
  return Array.from({ length: Math.ceil(count / limit) }, (_, i) => {
    const rows = Math.min(limit, count - i * limit);
    const features = new Float32Array(limit * width);
    features.set(all.subarray(i * limit * width, (i * limit + rows) * width));
    return { features, rows };
  });
}

function deaf(): CairnError {
  return bad('Expected text and pictures, got a sound.', 'Use a model with audio_token_id in its config.json.');
}

/** Encodes prompts one after another with programs that are compiled once. */
export interface MixedEncoder extends AsyncDisposable {
  /** @throws CairnError `bad_soft` for a part that the model has no place for, or of another size */
  encode(parts: readonly MixedPart[]): Promise<MixedPrompt>;
}

/** @example await using encoder = createMixedEncoder(model); */
export function createMixedEncoder(
  model: Pick<LanguageModel, 'config' | 'tokenizer' | 'state' | 'executor'>,
): MixedEncoder {
  const { config, executor, state } = model;
  const programs = new Map<'image' | 'clip', Promise<Program>>();
  const shapes = { image: { images: 1, clips: 0 }, clip: { images: 0, clips: 1 } };
  const programOf = (kind: 'image' | 'clip'): Promise<Program> => {
    const found = programs.get(kind) ?? executor.compile(softProgram(config, shapes[kind]), { state });
    programs.set(kind, found);
    return found;
  };
  return {
    async encode(parts) {
      const text = readMixed(model, parts);
      const [images, clips] = [[...text.images], [...text.clips]];
      const vectors: number[] = [];
      for (const kind of text.order) {
        const [image, clip] = kind === 'image' ? [images.splice(0, 1), []] : [[], clips.splice(0, 1)];
        const program = await programOf(kind);
        const { soft } = await program.run(softTensors(config, shapes[kind], image, clip));
        const used = kind === 'image' ? imageTokens(config) : audioTokens(config, clip[0]!.rows);
        for (const x of soft!.data.slice(0, used * soft!.shape[1]!)) vectors.push(x);
      }
      return { ids: text.ids, soft: Float32Array.from(vectors) };
    },
    async [Symbol.asyncDispose]() {
      for (const program of programs.values()) await (await program).dispose();
      programs.clear();
    },
  };
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
  await using encoder = createMixedEncoder(model);
  const prompt = await encoder.encode(parts);
  return prompt;
}

/** Rows of `softTable` for each place of a text, whose pictures and clips begin at `firstImage` and `firstClip`. */
export function rowsInOrder(
  c: LmConfig,
  { order, clips }: Pick<MixedText, 'order' | 'clips'>,
  images: number,
  firstImage: number,
  firstClip: number,
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
