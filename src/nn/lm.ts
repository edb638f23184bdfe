// A language model: its config, weights and tokenizer, the programs that run it, and its files. Weights are named by the
// module path in memory and in the common layout on disk (matrices [out, in] there, [in, out] here).
import { CairnError } from '../errors.ts';
import { type Tokenizer } from '../data/index.ts';
import {
  type Builder,
  defineProgram,
  type Executor,
  type HostTensor,
  ModelState,
  type ProgramDef,
  type ProgramOptions,
  sameShape,
  type Shape,
  sizeOf,
  type StoredTensor,
  type Tensor,
} from '../tensor/index.ts';
import { stateOf, weightsOf } from './classifier.ts';
import { type ModelDirectory, readModel, writeModel } from './directory.ts';
import { decodeFrame, type DecodeFrameOptions, type ForwardOptions } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { hasSoft } from './lm-soft-config.ts';
import type { SamplingOptions } from './sampling.ts';
import { oneOfEach, softProgram } from './soft/encoders.ts';
import { softFeeds } from './soft/feeds.ts';
import { transformerForward } from './transformer.ts';
import { fileName, layerFiles } from './weight-names.ts';

/** A language model that is ready to run. */
export interface LanguageModel {
  readonly config: LmConfig;
  readonly tokenizer: Tokenizer;
  readonly state: ModelState;
  readonly executor: Executor;
  readonly generation: SamplingOptions;
}

/** `ids [batch, length]` (and `lmInputs`) `-> logits [batch, length, vocab]`; what an export writes. */
export function lmProgram(
  config: LmConfig,
  shape: { readonly batch: number; readonly length: number },
  options: ProgramOptions & Pick<ForwardOptions, 'splitNorms' | 'headResults'> = {},
): ProgramDef {
  return defineProgram((b) => {
    const ids = b.input('ids', [shape.batch, shape.length], 'i32');
    b.output('logits', transformerForward(b, config, ids, options));
  }, options);
}

/**
 * One decode call: `ids [1, length]` (and `lmInputs`), `positions [length]` and the cache `past.<name>` to `logits
 * [1, 1, vocab]` of the last token and the next cache `present.<name>`. A plain model keeps `k.<layer>` and `v.<layer>
 * [1, kvHeads, past, head]`. For more than one token, or a window, there is a `mask [length, past + length]` too, and one
 * per further span (`mask.local`). With `everyRow` the logits are those after each token, `[1, length, vocab]`. With `onlyFresh` entries that grow come back as `fresh.<name>`, their new
 * positions only. With a stride there is one program per `phase`, the first position modulo the stride.
 */
export function decodeProgram(
  config: LmConfig,
  length: number,
  options: ProgramOptions & DecodeFrameOptions & { readonly everyRow?: boolean } = {},
): ProgramDef {
  return defineProgram((b) => {
    const ids = b.input('ids', [1, length], 'i32');
    const frame = decodeFrame(b, config, length, options);
    b.output('logits', transformerForward(b, config, ids, { frame, lastOnly: options.everyRow !== true }));
    frame.finish();
  }, options);
}

/**
 * Logits `[length, vocab]` of one sequence, without a cache.
 * @param soft vectors for the places of pictures and sounds in `ids`, in order, `[places, softWidth]`
 */
export async function lmLogits(
  model: Pick<LanguageModel, 'config' | 'executor' | 'state'>,
  ids: ArrayLike<number>,
  soft?: Float32Array,
): Promise<HostTensor> {
  const def = lmProgram(model.config, { batch: 1, length: ids.length });
  await using program = await model.executor.compile(def, { state: model.state });
  const input = Int32Array.from(ids);
  const { logits } = await program.run({
    ids: input,
    ...lmFeeds(model.config, input, 1),
    ...softFeeds(model.config, input, soft),
  });
  return { data: logits!.data, shape: [ids.length, model.config.vocab_size], dtype: logits!.dtype };
}

/** Builds the model into a program: the function that a training step needs. Feed `lmFeeds` beside the ids. */
export function lmForward(config: LmConfig, options: ForwardOptions = {}): (b: Builder, ids: Tensor) => Tensor {
  return (b, ids) => transformerForward(b, config, ids, options);
}

function transposed(t: StoredTensor): StoredTensor {
  const [rows, columns] = t.shape as [number, number];
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = Number(t.data[i * columns + j]);
  return { data: out, shape: [columns, rows], dtype: 'f32' };
}

/** Part `index` of a vector. */
function partOf(t: StoredTensor, index: number, shape: Shape): StoredTensor {
  const size = sizeOf(shape);
  return { data: Float32Array.from(t.data.slice(index * size, (index + 1) * size), Number), shape, dtype: 'f32' };
}

/** Parts as one vector; the first one of another shape or type stands for itself, to be refused. */
function joined(parts: readonly StoredTensor[], shape: Shape): StoredTensor {
  const other = parts.find((t) => !(t.data instanceof Float32Array) || !sameShape(t.shape, shape));
  if (other) return other;
  const data = Float32Array.from(parts.flatMap((t) => Array.from(t.data, Number)));
  return { data, shape: [data.length], dtype: 'f32' };
}

const anyShape = { batch: 1, length: 1 };

/** Programs that hold all weights of a model: the text model, and its encoders if it has some. */
export function weightPrograms(config: LmConfig, options: ProgramOptions = {}): ProgramDef[] {
  const text = lmProgram(config, anyShape, options);
  return hasSoft(config) ? [text, softProgram(config, oneOfEach(config), options)] : [text];
}

/** Weights under the names of model.safetensors. */
export function lmTensors(config: LmConfig, state: ModelState): Map<string, StoredTensor> {
  const weights = weightPrograms(config).flatMap((def) => [...weightsOf(def, state)]);
  const entries = weights.flatMap(([name, t]) => {
    const layers = layerFiles(name, config);
    if (layers) return layers.names.map((file, i) => [file, partOf(t, i, layers.shape)] as const);
    const file = fileName(name);
    return [[file.name, file.transposed ? transposed(t) : t] as const];
  });
  return new Map(entries);
}

/** @throws CairnError `bad_weights` naming a tensor that is missing or has another shape. */
export function lmState(config: LmConfig, tensors: ReadonlyMap<string, StoredTensor>): ModelState {
  const state = new ModelState();
  for (const def of weightPrograms(config)) {
    const stored = (file: string): StoredTensor => {
      const t = tensors.get(file);
      if (t) return t;
      throw new CairnError('bad_weights', `Expected \`${file}\` in model.safetensors, got nothing.`, {
        hint: 'Use the weights that belong to this config.json.',
      });
    };
    const ours = def.graph.params.map(({ name, shape }) => {
      const layers = layerFiles(name, config);
      if (layers) return [name, joined(layers.names.map(stored), layers.shape)] as const;
      const file = fileName(name);
      const t = stored(file.name);
      const fits = t.shape.length === shape.length && (!file.transposed || t.shape.length === 2);
      return [name, file.transposed && fits ? transposed(t) : t] as const;
    });
    for (const [name, t] of stateOf(def, new Map(ours)).entries()) state.set(name, t);
  }
  return state;
}

/** Writes a language model to a directory. */
export async function saveLm(
  dir: string,
  model: Pick<LanguageModel, 'config' | 'state' | 'tokenizer' | 'generation'>,
  extra: Pick<ModelDirectory, 'training' | 'card'> = {},
): Promise<void> {
  await writeModel(dir, {
    config: model.config,
    tensors: lmTensors(model.config, model.state),
    tokenizer: model.tokenizer,
    generation: model.generation,
    ...extra,
  });
}

/**
 * Loads a language model from a directory.
 * @throws CairnError `missing_model`, `bad_config`, `bad_weights`, `bad_tokenizer`
 */
export async function loadLm(dir: string, executor: Executor): Promise<LanguageModel> {
  const { config, tensors, tokenizer, generation } = await readModel(dir);
  if (config.model_type !== 'cairn_lm') {
    throw new CairnError('bad_config', `Expected a language model in ${dir}, got \`${config.model_type}\`.`);
  }
  const lm = config as LmConfig;
  if (!tokenizer || tokenizer.vocabSize !== lm.vocab_size) {
    throw new CairnError(
      'bad_tokenizer',
      `Expected a tokenizer.json with ${lm.vocab_size} tokens in ${dir}, got ${tokenizer ? tokenizer.vocabSize : 'none'}.`,
    );
  }
  return { config: lm, tokenizer, state: lmState(lm, tensors), executor, generation: generation ?? {} };
}
