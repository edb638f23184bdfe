// A classifier: a module from flat inputs to logits, its weights and a fitted temperature. Predicts batches of any size
// with a few compiled shapes; probabilities are calibrated. It does not train.
import { CairnError } from '../errors.ts';
import {
  defineProgram,
  type Executor,
  graphStats,
  ModelState,
  type Program,
  type ProgramDef,
  type ProgramOptions,
  type Rng,
  sizeOf,
  type StoredTensor,
} from '../tensor/index.ts';
import type { ClassifierConfig } from './config.ts';
import { readModel } from './directory.ts';
import { forward } from './forward.ts';
import { softmax } from './sampling.ts';

export interface Classifier extends AsyncDisposable {
  readonly config: ClassifierConfig;
  readonly state: ModelState;
  /** Floating-point operations for one input. */
  readonly flopsPerInput: number;
  /** Logits `[n, classes]` of inputs `[n, inputSize]`. */
  logits(inputs: Float32Array, n: number): Promise<Float32Array>;
  /** Calibrated probabilities `[n, classes]`. */
  predict(inputs: Float32Array, n: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** The inference program for a fixed batch: `x [batch, inputSize] -> logits [batch, classes]`. */
export function classifierProgram(config: ClassifierConfig, batch: number, options: ProgramOptions = {}): ProgramDef {
  return defineProgram((b) => {
    b.output('logits', forward(b, config.layers, b.input('x', [batch, config.input_size])));
  }, options);
}

/** Batch sizes that are compiled; a batch is cut into these, the rest is padded. */
const BUCKETS = [1, 4, 16, 64, 256] as const;

/** The next bucket for `n` inputs that are left: the smallest that holds them if it is at most half empty. */
function bucketFor(n: number): number {
  const fits = BUCKETS.find((size) => size >= n);
  if (fits !== undefined && fits <= 2 * n) return fits;
  return BUCKETS.findLast((size) => size <= n) ?? 1;
}

/**
 * Makes a classifier from a config and its weights; compiles lazily, one program per batch size in use.
 * @throws CairnError `bad_classes` when the module's output does not match the labels.
 */
export function createClassifier(config: ClassifierConfig, state: ModelState, executor: Executor): Classifier {
  const classes = config.labels.length;
  const single = classifierProgram(config, 1);
  const { nodes, outputs } = single.graph;
  const port = outputs[0]!.port;
  const shape = nodes[port.node]!.outputs[port.port]!.shape;
  if (shape.length !== 2 || shape[1] !== classes) {
    throw new CairnError(
      'bad_classes',
      `Expected logits [batch, ${classes}] from the layers, got [${shape.join(',')}].`,
    );
  }
  const programs = new Map<number, Promise<Program>>();
  const program = (batch: number): Promise<Program> => {
    let found = programs.get(batch);
    if (!found) {
      found = executor.compile(batch === 1 ? single : classifierProgram(config, batch), { state });
      programs.set(batch, found);
    }
    return found;
  };
  const self: Classifier = {
    config,
    state,
    flopsPerInput: countFlops(single),
    async logits(inputs, n) {
      const size = config.input_size;
      if (inputs.length !== n * size) {
        throw new CairnError('shape_mismatch', `Expected ${n} inputs of ${size} values, got ${inputs.length} values.`);
      }
      const out = new Float32Array(n * classes);
      for (let at = 0; at < n;) {
        const batch = bucketFor(n - at);
        const count = Math.min(batch, n - at);
        const x = new Float32Array(batch * size);
        x.set(inputs.subarray(at * size, (at + count) * size));
        const { logits } = await (await program(batch)).run({ x });
        out.set((logits!.data as Float32Array).subarray(0, count * classes), at * classes);
        at += count;
      }
      return out;
    },
    async predict(inputs, n) {
      const z = await self.logits(inputs, n);
      for (let i = 0; i < n; i++) {
        z.set(softmax(z.subarray(i * classes, (i + 1) * classes), config.temperature), i * classes);
      }
      return z;
    },
    async dispose() {
      for (const p of programs.values()) await (await p).dispose();
      programs.clear();
    },
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  return self;
}

/**
 * Loads a classifier from a model directory.
 * @throws CairnError `missing_model`, `bad_config`, `bad_weights`
 * @example
 * const reader = await loadClassifier('models/read-digit-small', await createOrtExecutor());
 * const p = await reader.predict(images, 81); // [81, 10]
 */
export async function loadClassifier(dir: string, executor: Executor): Promise<Classifier> {
  const { config, tensors } = await readModel(dir);
  if (config.model_type !== 'cairn_classifier') {
    throw new CairnError('bad_config', `Expected a classifier in ${dir}, got \`${config.model_type}\`.`);
  }
  return createClassifier(
    config as ClassifierConfig,
    stateOf(classifierProgram(config as ClassifierConfig, 1), tensors),
    executor,
  );
}

/**
 * The weights a program needs, taken from stored tensors.
 * @throws CairnError `bad_weights` naming the first that is missing or has another shape.
 */
export function stateOf(def: ProgramDef, tensors: ReadonlyMap<string, StoredTensor>): ModelState {
  const state = new ModelState();
  for (const { name, shape } of def.graph.params) {
    const t = tensors.get(name);
    const fits =
      t && t.data instanceof Float32Array && t.shape.length === shape.length && t.shape.every((d, i) => d === shape[i]);
    if (!fits) {
      const got = t ? `${t.dtype}[${t.shape.join(',')}]` : 'nothing';
      throw new CairnError(
        'bad_weights',
        `Expected f32[${shape.join(',')}] for \`${name}\` in model.safetensors, got ${got}.`,
        {
          hint: 'Use the weights that belong to this config.json.',
        },
      );
    }
    state.set(name, { data: t.data, shape, dtype: 'f32' });
  }
  return state;
}

/** The entries of a state that a forward program reads: weights and what else the model keeps, without moments. */
export function weightsOf(def: ProgramDef, state: ModelState): Map<string, StoredTensor> {
  return new Map(def.graph.params.map((p) => [p.name, state.get(p.name)]));
}

/** Number of trained numbers of a program. */
export function parameterCount(def: ProgramDef): number {
  return def.graph.params.filter((p) => p.trainable).reduce((n, p) => n + sizeOf(p.shape), 0);
}

/** Floating-point operations of one run, from the op records. */
export function countFlops(def: ProgramDef): number {
  return graphStats(def.graph).flops;
}

/** Fresh weights for a classifier. */
export function initClassifier(config: ClassifierConfig, rng: Rng): ModelState {
  return ModelState.init(classifierProgram(config, 1), rng);
}
