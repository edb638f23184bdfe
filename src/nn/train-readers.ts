// Trains the three digit readers from nothing on the MNIST training images and writes their model directories. Five
// thousand training images are held out for choosing nothing but the temperature; the test images only give the card.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { type Digits, drawWarp, epochBatches, loadMnist, warpDigit } from '../data/index.ts';
import { createOrtExecutor, crossEntropy, type Executor, type Feed, ModelState, Rng } from '../tensor/index.ts';
import { type Calibration, fitTemperature, measureCalibration } from './calibrate.ts';
import { classifierProgram, countFlops, createClassifier, parameterCount, weightsOf } from './classifier.ts';
import { readerConfig, type ReaderRecipe, readerRecipe, type ReaderSize, readerSizes } from './digit-readers.ts';
import { writeModel } from './directory.ts';
import { forward } from './forward.ts';
import { defineTrainStep } from './train-step.ts';
import { train, type TrainProgress } from './trainer.ts';

/** What one reader reached. */
export interface ReaderReport {
  readonly size: ReaderSize;
  readonly dir: string;
  readonly steps: number;
  readonly seconds: number;
  readonly parameters: number;
  readonly flopsPerInput: number;
  readonly temperature: number;
  /** On the 5,000 held-out training images. */
  readonly heldOut: Calibration;
  /** On the 10,000 test images. */
  readonly test: Calibration;
}

export interface TrainReadersOptions {
  /** Folder that gets `read-digit-small`, `read-digit-medium`, `read-digit-large`. */
  readonly dir: string;
  readonly seed: number;
  /** Which readers; default all three. */
  readonly sizes?: readonly ReaderSize[];
  /** Scales the number of epochs, for quick trials. Default 1. */
  readonly effort?: number;
  readonly resume?: boolean;
  readonly onProgress?: (size: ReaderSize, p: TrainProgress) => void;
  readonly signal?: AbortSignal;
  /** Default: ONNX Runtime with its default threads. */
  readonly executor?: Executor;
  /** Seconds since any fixed moment. */
  readonly clock?: () => number;
}

const HELD_OUT = 5000;
const PIXELS = 784;

/**
 * Trains and writes the readers; the same seed gives the same files on one executor.
 * @returns one report per reader
 * @throws CairnError `aborted` when `signal` fires; `resume` continues where it stopped.
 */
export async function trainReaders(options: TrainReadersOptions): Promise<ReaderReport[]> {
  const data = { train: loadMnist('train'), test: loadMnist('test') };
  const executor = options.executor ?? (await createOrtExecutor());
  try {
    const reports: ReaderReport[] = [];
    for (const size of options.sizes ?? readerSizes) reports.push(await trainReader(size, data, executor, options));
    return reports;
  } finally {
    if (!options.executor) await executor.dispose();
  }
}

async function trainReader(
  size: ReaderSize,
  data: { train: Digits; test: Digits },
  executor: Executor,
  options: TrainReadersOptions,
): Promise<ReaderReport> {
  const { seed, clock = () => performance.now() / 1000 } = options;
  const recipe = readerRecipe(size);
  const rng = new Rng(seed).fork('read-digit').fork(size);
  const order = new Rng(seed).fork('held-out').permutation(data.train.count);
  const kept = order.subarray(HELD_OUT);
  const def = defineTrainStep(
    (b) => {
      const x = b.input('x', [recipe.batchSize, PIXELS]);
      return crossEntropy(forward(b, recipe.layers, x), b.input('y', [recipe.batchSize], 'i32'));
    },
    { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: recipe.weightDecay, clipNorm: 1 },
  );
  const state = ModelState.init(def, rng.fork('weights'));
  await using program = await executor.compile(def, { state });
  const batches = epochBatches({ count: kept.length, batchSize: recipe.batchSize, rng: rng.fork('order') });
  const steps = Math.max(1, Math.round(batches.stepsPerEpoch * recipe.epochs * (options.effort ?? 1)));
  const dir = join(options.dir, `read-digit-${size}`);
  const result = await train({
    program,
    state,
    feeds: (step) => trainingBatch(data.train, batches.at(step), kept, recipe, rng.fork('warp').fork(step)),
    schedule: { kind: 'cosine', peak: recipe.rate, warmup: 0.05, final: 0.002 },
    beta1: 0.9,
    beta2: 0.99,
    length: { steps },
    clock,
    ...(options.onProgress === undefined ? {} : { onProgress: (p: TrainProgress) => options.onProgress!(size, p) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (result.reason === 'aborted') throw new CairnError('aborted', `Expected to train ${size}, got an abort.`);
  const config = readerConfig(size);
  await using classifier = createClassifier(config, state, executor);
  const evaluate = async (
    digits: Digits,
    rows: Uint32Array,
  ): Promise<{ logits: Float32Array; labels: Uint8Array }> => ({
    logits: await classifier.logits(greyRows(digits, rows), rows.length),
    labels: Uint8Array.from(rows, (i) => digits.labels[i]!),
  });
  const heldOut = await evaluate(data.train, order.subarray(0, HELD_OUT));
  const test = await evaluate(
    data.test,
    Uint32Array.from({ length: data.test.count }, (_, i) => i),
  );
  const temperature = fitTemperature(heldOut.logits, heldOut.labels, 10);
  const single = classifierProgram(config, 1);
  const report: ReaderReport = {
    size,
    dir,
    steps,
    seconds: result.position.seconds,
    parameters: parameterCount(single),
    flopsPerInput: countFlops(single),
    temperature,
    heldOut: measureCalibration(heldOut.logits, heldOut.labels, 10, temperature),
    test: measureCalibration(test.logits, test.labels, 10, temperature),
  };
  await writeModel(dir, {
    config: { ...readerConfig(size, temperature), flops_per_input: report.flopsPerInput },
    tensors: weightsOf(single, state),
    training: {
      command: `cairn train readers --seed ${seed}`,
      seed,
      steps,
      seconds: report.seconds,
      data_sha256: createHash('sha256').update(data.train.images).update(data.train.labels).digest('hex'),
      held_out: report.heldOut,
      test: report.test,
    },
    card: '',
  });
  return report;
}

function trainingBatch(
  digits: Digits,
  rows: Uint32Array,
  kept: Uint32Array,
  recipe: ReaderRecipe,
  rng: Rng,
): Record<string, Feed> {
  const x = new Float32Array(rows.length * PIXELS);
  const y = new Int32Array(rows.length);
  rows.forEach((row, i) => {
    const index = kept[row]!;
    warpDigit(digits.images.subarray(index * PIXELS, (index + 1) * PIXELS), drawWarp(rng, recipe.warp), x, i * PIXELS);
    y[i] = digits.labels[index]!;
  });
  return { x, y };
}

/** Images `[rows, 784]` as grey values from 0 to 1. */
function greyRows(digits: Digits, rows: Uint32Array): Float32Array {
  const out = new Float32Array(rows.length * PIXELS);
  rows.forEach((row, i) => {
    for (let k = 0; k < PIXELS; k++) out[i * PIXELS + k] = digits.images[row * PIXELS + k]! / 255;
  });
  return out;
}
