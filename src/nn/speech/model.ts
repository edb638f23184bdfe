// Speech models on disk and in parts: reading, writing (weights in half precision on request) and extracting one size as a model of
// its own.
import { CairnError } from '../../errors.ts';
import { defineProgram, type Executor, fromHalf, ModelState, type StoredTensor, toHalf } from '../../tensor/index.ts';
import { stateOf } from '../classifier.ts';
import { type ModelDirectory, readModel, writeModel } from '../directory.ts';
import { type AsrConfig, type AsrSize, checkAsrConfig, depthOf, sizesOf } from './config.ts';
import { belongsTo, createRecognizer, type Recognizer } from './recognizer.ts';
import { asrLoss } from './train.ts';

/** A model in memory. */
export interface AsrModel {
  readonly config: AsrConfig;
  readonly state: ModelState;
}

/**
 * One size as a model of its own. Its results are those of the full model, bit for bit.
 * @throws CairnError `no_such_size`
 * @example
 * const phone = extractSize(model, 'small');
 */
export function extractSize({ config, state }: AsrModel, size: AsrSize): AsrModel {
  const own: AsrConfig = { ...config, asr_sizes: { [size]: depthOf(config, size) } };
  checkAsrConfig(own);
  const part = new ModelState();
  for (const name of state.names()) if (belongsTo(config, size, name)) part.set(name, state.get(name));
  return { config: own, state: part };
}

/** The weights of a model, without moments of an optimiser. */
export function asrTensors({ config, state }: AsrModel): Map<string, StoredTensor> {
  const names = state.names().filter((name) => sizesOf(config).some((size) => belongsTo(config, size, name)));
  return new Map(names.map((name) => [name, state.get(name)]));
}

/** The model with every weight rounded to half precision: what is left after writing and reading it in `f16`. */
export function roundToHalf({ config, state }: AsrModel): AsrModel {
  const rounded = new ModelState();
  for (const [name, t] of asrTensors({ config, state })) {
    const data = Float32Array.from(t.data as Float32Array, (x) => fromHalf(toHalf(x)));
    rounded.set(name, { data, shape: t.shape, dtype: 'f32' });
  }
  return { config, state: rounded };
}

/** Writes a model directory; `half` stores the weights in half precision. */
export async function writeAsrModel(
  dir: string,
  model: AsrModel,
  extra: Pick<ModelDirectory, 'training' | 'card'> & { readonly half?: boolean } = {},
): Promise<void> {
  const { half = false, ...rest } = extra;
  const tensors = new Map(
    [...asrTensors(model)].map(([name, t]): [string, StoredTensor] => [
      name,
      half ? { data: Uint16Array.from(t.data as Float32Array, toHalf), shape: t.shape, dtype: 'f16' } : t,
    ]),
  );
  await writeModel(dir, { config: model.config, tensors, ...rest });
}

/** The weights that a config needs, taken from stored tensors. */
export function asrState(config: AsrConfig, tensors: ReadonlyMap<string, StoredTensor>): ModelState {
  // The program of the loss names every entry, those of the decoders included.
  const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
  return stateOf(def, tensors);
}

/**
 * Reads a model directory.
 * @throws CairnError `missing_model`, `bad_config`, `bad_weights`; `bad_config` when it is another kind of model
 */
export async function readAsrModel(dir: string): Promise<AsrModel> {
  const { config, tensors } = await readModel(dir);
  if (config.model_type !== 'cairn_asr') {
    throw new CairnError('bad_config', `Expected a speech model in ${dir}, got \`${config.model_type}\`.`, {
      hint: 'Point at a directory whose config.json has model_type cairn_asr.',
    });
  }
  return { config, state: asrState(config, tensors) };
}

/**
 * A recogniser from a model directory.
 * @example
 * await using recognizer = await loadRecognizer('models/transcribe-digits', await createOrtExecutor({ threads: 1 }));
 */
export async function loadRecognizer(dir: string, executor: Executor): Promise<Recognizer> {
  const { config, state } = await readAsrModel(dir);
  return createRecognizer(config, state, executor);
}
