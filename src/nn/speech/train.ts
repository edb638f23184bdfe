// Trains a cascaded recogniser: examples are drawn, augmented and turned into features on the fly, every step trains all sizes from
// one pass of the shared encoder.
import {
  augmentFrontEnd,
  type Augmentation,
  type AugmentOptions,
  augmentSamples,
  drawAugmentation,
  createFeatureStream,
  createMelStream,
  MelStatistics,
  NO_AUGMENT,
  specAugment,
  type SpeechSource,
} from '../../data/index.ts';
import {
  type Builder,
  concat,
  type Executor,
  type Feed,
  ModelState,
  type ProgramDef,
  Rng,
  type Tensor,
} from '../../tensor/index.ts';
import { defineTrainStep, type OptimizerSettings } from '../train-step.ts';
import { train, type TrainOptions, type TrainProgress, type TrainResult } from '../trainer.ts';
import { type AsrConfig, featureConfig, sizesOf } from './config.ts';
import { encode } from './encoder.ts';
import { encoderProjection, type Lattice, lattice, predict } from './hat.ts';
import { pickEnds, transducerGraph } from './transducer-graph.ts';

/** Shapes of one batch. */
export interface AsrBatch {
  readonly batch: number;
  /** Feature rows of an example, the longest. */
  readonly rows: number;
  /** Labels of an example, the most. */
  readonly labels: number;
}

export interface TrainAsrOptions {
  /** Front-end statistics are measured on the source and replaced. */
  readonly config: AsrConfig;
  readonly source: SpeechSource;
  readonly seed: number;
  readonly executor: Executor;
  readonly batch: AsrBatch;
  readonly length: TrainOptions['length'];
  readonly augment?: AugmentOptions;
  /** Peak of the learning rate. Default 2e-3. */
  readonly rate?: number;
  /** Scales the gradient of labels by 1 + this. Default 0.005. */
  readonly fastEmit?: number;
  readonly dir?: string;
  readonly fingerprint?: string;
  readonly resume?: boolean;
  readonly clock?: () => number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (p: TrainProgress) => void;
}

export interface TrainedAsr {
  readonly config: AsrConfig;
  readonly state: ModelState;
  readonly result: TrainResult;
}

const OPTIMISER: OptimizerSettings = { beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.03, clipNorm: 1 };

/**
 * Mean over the batch and over the sizes of -log P(labels | audio).
 * Inputs: `features [batch, rows, width]`, `valid [batch, rows, 1]`, `context` i32 `[batch, labels + 1, 2]`, `next` i32
 * `[batch, labels + 1]`, `pick` i32 `[batch, 1]`.
 */
export function asrLoss(b: Builder, config: AsrConfig, shape: AsrBatch, fastEmit = 0): Tensor {
  const { batch, rows, labels } = shape;
  const sizes = sizesOf(config);
  const features = b.input('features', [batch, rows, config.audio.mels * config.audio.stack]);
  const valid = b.input('valid', [batch, rows, 1]);
  const context = b.input('context', [batch, labels + 1, 2], 'i32');
  const next = b.input('next', [batch, labels + 1], 'i32');
  const pick = b.input('pick', [batch, 1], 'i32');
  const encoded = encode(b, config, features, valid, sizes);
  const lattices = sizes.map((size): Lattice => {
    const projected = encoderProjection(b, config, size, encoded[size].x);
    return lattice(b, config, size, projected, predict(b, config, size, context), next);
  });
  // The recursion runs once over the lattices of all sizes.
  const all: Lattice = {
    blank: concat(lattices.map((l) => l.blank)),
    label: concat(lattices.map((l) => l.label)),
  };
  return transducerGraph(b, all, concat(sizes.map(() => pick)), fastEmit).mean();
}

/** The program of one step. */
export function asrTrainStep(config: AsrConfig, shape: AsrBatch, fastEmit = 0): ProgramDef {
  return defineTrainStep((b) => asrLoss(b, config, shape, fastEmit), OPTIMISER);
}

/**
 * Trains from nothing. The same seed gives the same weights on one executor.
 * @throws CairnError `diverged`
 */
export async function trainAsr(options: TrainAsrOptions): Promise<TrainedAsr> {
  const { source, executor, augment = NO_AUGMENT } = options;
  const rng = new Rng(options.seed).fork('speech');
  const config = withStatistics(options.config, source, augment, rng.fork('statistics'), options.batch);
  const def = asrTrainStep(config, options.batch, options.fastEmit ?? 0.005);
  const state = ModelState.init(def, rng.fork('weights'));
  await using program = await executor.compile(def, { state });
  const draws = rng.fork('examples');
  const result = await train({
    program,
    state,
    feeds: (step) => drawBatch(config, source, options.batch, augment, draws.fork(step)),
    schedule: { kind: 'cosine', peak: options.rate ?? 2e-3, warmup: 0.06, final: 0.02 },
    beta1: OPTIMISER.beta1,
    beta2: OPTIMISER.beta2,
    length: options.length,
    clock: options.clock ?? ((): number => performance.now() / 1000),
    checkpointEvery: 200,
    logEvery: 50,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  return { config, state, result };
}

/** Seconds of an example that fits into a batch once its speed and tempo are changed. */
function longest(config: AsrConfig, shape: AsrBatch, how: Augmentation): number {
  const { window_seconds, hop_seconds, stack } = config.audio;
  return (window_seconds + (shape.rows * stack - 1) * hop_seconds * how.tempo) * how.speed;
}

/** The config with means and deviations of the mels over 200 examples. */
function withStatistics(
  config: AsrConfig,
  source: SpeechSource,
  augment: AugmentOptions,
  rng: Rng,
  shape: AsrBatch,
): AsrConfig {
  const statistics = new MelStatistics(config.audio.mels);
  for (let i = 0; i < 200; i++) {
    const draw = rng.fork(i);
    const how = drawAugmentation(augment, draw);
    const samples = augmentSamples(source.draw(draw, longest(config, shape, how)).samples, how, draw);
    statistics.add(createMelStream(featureConfig(config)).push(samples));
  }
  return { ...config, audio: { ...config.audio, ...statistics.result() } };
}

/** Feeds of one step. */
export function drawBatch(
  config: AsrConfig,
  source: SpeechSource,
  shape: AsrBatch,
  augment: AugmentOptions,
  rng: Rng,
): Record<string, Feed> {
  const { batch, rows, labels } = shape;
  const { mels, stack } = config.audio;
  const width = mels * stack;
  const columns = labels + 1;
  const features = new Float32Array(batch * rows * width);
  const valid = new Float32Array(batch * rows);
  const context = new Int32Array(batch * columns * 2);
  const next = new Int32Array(batch * columns);
  const [frameCounts, labelCounts] = [new Int32Array(batch), new Int32Array(batch)];
  for (let i = 0; i < batch; i++) {
    const draw = rng.fork(i);
    const how = drawAugmentation(augment, draw);
    const example = source.draw(draw.fork('string'), longest(config, shape, how));
    const said = example.labels.slice(0, labels);
    const samples = augmentSamples(example.samples, how, draw);
    const front = augmentFrontEnd(featureConfig(config), how);
    const own = createFeatureStream(front)
      .push(samples)
      .subarray(0, rows * width);
    if (augment.specAugment) specAugment(own, mels, draw);
    features.set(own, i * rows * width);
    const real = Math.max(1, own.length / width);
    valid.fill(1, i * rows, i * rows + real);
    frameCounts[i] = config.funnel_layer === null ? real : Math.ceil(real / 2);
    labelCounts[i] = said.length;
    for (let u = 0; u < columns; u++) {
      context[(i * columns + u) * 2] = said[u - 1] ?? 0;
      context[(i * columns + u) * 2 + 1] = said[u - 2] ?? 0;
      next[i * columns + u] = said[u] ?? 0;
    }
  }
  return { features, valid, context, next, pick: pickEnds(frameCounts, labelCounts, columns) };
}
