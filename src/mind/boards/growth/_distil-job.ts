// Trains a small reader on remembered handwriting, in a process of its own: the proved digits are the labels, and what the
// largest reader says to distorted copies softens them. Distillation after Hinton, Vinyals and Dean (1503.02531).
import { CairnError } from '../../../errors.ts';
import { drawWarp, epochBatches, warpDigit } from '../../../data/index.ts';
import {
  activation,
  type ClassifierConfig,
  classifierProgram,
  conv2d,
  createClassifier,
  defineTrainStep,
  fitTemperature,
  forward,
  linear,
  loadClassifier,
  readerConfig,
  readerRecipe,
  reshape,
  rescale,
  type Sequential,
  sequential,
  train,
  weightsOf,
} from '../../../nn/index.ts';
import {
  createOrtExecutor,
  type Executor,
  logSoftmax,
  ModelState,
  Rng,
  writeSafetensors,
} from '../../../tensor/index.ts';
import { CLASSES, PIXELS } from '../cells.ts';

export interface DistilTask {
  /** [n, 784] grey bytes. */
  readonly images: Uint8Array;
  /** [n] proved digits. */
  readonly labels: Uint8Array;
  /** Folder of the reader that teaches; without one the proved digits alone do. */
  readonly teacher: string | undefined;
  readonly seed: string;
  /** Copies of each image, the first undistorted. */
  readonly copies: number;
  readonly epochs: number;
}

export interface DistilResult {
  /** Weights as a safetensors file; its metadata hold the config. */
  readonly bytes: Uint8Array;
  readonly flop: number;
}

/** Share of the teacher's word in a label. */
const TAUGHT = 0.5;
/** One example in twelve is kept for the temperature. */
const KEPT = 12;
const BATCH = 128;
const ADAM = { beta1: 0.9, beta2: 0.99 };

// Three small convolutions and two dense layers: less than a third of the largest reader's operations.
const layers: Sequential = sequential({
  grid: reshape(1, 28, 28),
  scale: rescale(1 / 0.3081, -0.1307),
  conv1: conv2d(1, 12, 4, { padding: 1, stride: 2 }),
  act1: activation('relu'),
  conv2: conv2d(12, 24, 4, { padding: 1, stride: 2 }),
  act2: activation('relu'),
  conv3: conv2d(24, 32, 3, { padding: 1 }),
  act3: activation('relu'),
  flat: reshape(32 * 49),
  hidden: linear(32 * 49, 48),
  act4: activation('relu'),
  out: linear(48, CLASSES),
});

export async function run(task: DistilTask, report: (says: string) => void): Promise<DistilResult> {
  const n = task.labels.length;
  if (task.images.length !== n * PIXELS || n < 2 * KEPT) {
    throw new CairnError('bad_examples', `Expected images for at least ${2 * KEPT} labels, got ${n}.`);
  }
  await using executor = await createOrtExecutor();
  const rng = new Rng(task.seed).fork('growth/distil');
  const order = rng.fork('order').permutation(n);
  const learn = order.subarray(Math.floor(n / KEPT));
  const kept = order.subarray(0, Math.floor(n / KEPT));
  const images = distorted(task, learn, rng.fork('warp'));
  const targets = await softened(task, learn, images, executor);
  const state = await fit(images, targets, task.epochs, rng, executor, report);
  const config: ClassifierConfig = { ...readerConfig('large'), architectures: ['CairnDigitReaderGrown'], layers };
  await using plain = createClassifier(config, state, executor);
  const logits = await plain.logits(greyOf(task, kept), kept.length);
  const temperature = fitTemperature(
    logits,
    Uint8Array.from(kept, (i) => task.labels[i]!),
    CLASSES,
  );
  const weights = weightsOf(classifierProgram(config, 1), state);
  const metadata = { format: 'cairn', config: JSON.stringify({ ...config, temperature }) };
  return { bytes: writeSafetensors(weights, metadata), flop: plain.flopsPerInput };
}

/** [copies * n, 784] grey values 0..1. */
function distorted({ images, copies }: DistilTask, rows: Uint32Array, rng: Rng): Float32Array {
  const out = new Float32Array(copies * rows.length * PIXELS);
  const { warp } = readerRecipe('large');
  for (let copy = 0; copy < copies; copy++) {
    const draw = rng.fork(copy);
    rows.forEach((row, i) => {
      const image = images.subarray(row * PIXELS, (row + 1) * PIXELS);
      const at = (copy * rows.length + i) * PIXELS;
      if (copy > 0) warpDigit(image, drawWarp(draw, warp), out, at);
      else for (let p = 0; p < PIXELS; p++) out[at + p] = image[p]! / 255;
    });
  }
  return out;
}

/** [copies * n, 10]: proved digits, mixed with what the teacher says. */
async function softened(
  { labels, teacher }: DistilTask,
  rows: Uint32Array,
  images: Float32Array,
  executor: Executor,
): Promise<Float32Array> {
  const n = images.length / PIXELS;
  const said = teacher === undefined ? undefined : await (await loadClassifier(teacher, executor)).predict(images, n);
  const targets = new Float32Array(n * CLASSES);
  const share = said ? TAUGHT : 0;
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < CLASSES; c++) targets[i * CLASSES + c] = said ? share * said[i * CLASSES + c]! : 0;
    const at = i * CLASSES + labels[rows[i % rows.length]!]!;
    targets[at] = targets[at]! + 1 - share;
  }
  return targets;
}

async function fit(
  images: Float32Array,
  targets: Float32Array,
  epochs: number,
  rng: Rng,
  executor: Executor,
  report: (says: string) => void,
): Promise<ModelState> {
  const count = images.length / PIXELS;
  const batchSize = Math.min(BATCH, count);
  const { rate, weightDecay } = readerRecipe('large');
  const def = defineTrainStep(
    (b) => {
      const said = logSoftmax(forward(b, layers, b.input('x', [batchSize, PIXELS])));
      return said
        .mul(b.input('t', [batchSize, CLASSES]))
        .sum()
        .mul(-1 / batchSize);
    },
    { ...ADAM, eps: 1e-8, weightDecay, clipNorm: 1 },
  );
  const state = ModelState.init(def, rng.fork('weights'));
  await using program = await executor.compile(def, { state });
  const batches = epochBatches({ count, batchSize, rng: rng.fork('batches') });
  const steps = Math.max(1, batches.stepsPerEpoch * epochs);
  await train({
    program,
    state,
    feeds: (step) => {
      const rows = batches.at(step);
      const x = new Float32Array(batchSize * PIXELS);
      const t = new Float32Array(batchSize * CLASSES);
      rows.forEach((row, i) => {
        x.set(images.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS);
        t.set(targets.subarray(row * CLASSES, (row + 1) * CLASSES), i * CLASSES);
      });
      return { x, t };
    },
    schedule: { kind: 'cosine', peak: rate, warmup: 0.05, final: 0.002 },
    ...ADAM,
    length: { steps },
    clock: () => performance.now() / 1000,
    onProgress: ({ step, secondsLeft }) => {
      if (step % 100 === 0) report(`step ${step} of ${steps}, ${Math.ceil(secondsLeft)} s left`);
    },
  });
  return state;
}

function greyOf({ images }: DistilTask, rows: Uint32Array): Float32Array {
  const out = new Float32Array(rows.length * PIXELS);
  rows.forEach((row, i) => {
    for (let p = 0; p < PIXELS; p++) out[i * PIXELS + p] = images[row * PIXELS + p]! / 255;
  });
  return out;
}
