// Trains a cascaded recogniser: examples are drawn, augmented and turned into features on the fly, every step trains all sizes from
// one pass of the shared encoder.
import {
  type AugmentOptions,
  augmentSamples,
  drawAugmentation,
  createMelStream,
  MelStatistics,
  NO_AUGMENT,
  type SpeechSource,
} from '../../data/index.ts';
import {
  type Builder,
  concat,
  type Executor,
  ModelState,
  type ProgramDef,
  Rng,
  type Tensor,
} from '../../tensor/index.ts';
import { defineTrainStep, type OptimizerSettings } from '../train-step.ts';
import { train, type TrainOptions, type TrainProgress, type TrainResult } from '../trainer.ts';
import { type AsrConfig, featureConfig, framesOf, sizesOf } from './config.ts';
import { encode } from './encoder.ts';
import {
  type AsrBatch,
  type AsrExamples,
  drawExamples,
  type EmissionWindow,
  longestExample,
  type SharedExamples,
  toFeeds,
} from './examples.ts';
import { encoderProjection, type Lattice, lattice, predict } from './hat.ts';
import { runOut, transducerGraph } from './transducer-graph.ts';

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
  /** Where examples say when words end. Default 0.03 s before to 0.09 s after; false: words may be emitted anywhere. */
  readonly emitWithin?: EmissionWindow | false;
  readonly share?: SharedExamples;
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

const EMIT_WITHIN: EmissionWindow = { before: 0.03, after: 0.09 };

/** Settings of the optimiser of speech models. */
export const asrOptimizer: OptimizerSettings = { beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.03, clipNorm: 1 };

export interface AsrLossOptions {
  /** Scales the gradient of labels by 1 + this. Default 0. */
  readonly fastEmit?: number;
  /** Labels are emitted within windows that are fed. Default false. */
  readonly restricted?: boolean;
}

/**
 * Mean over the batch and over the sizes of -log P(labels | audio).
 * Inputs: `features [batch, rows, width]`, `valid [batch, rows, 1]`, `context` i32 `[batch, labels + 1, 2]`, `next` i32
 * `[batch, labels + 1]`, `pick` i32 `[batch, 1]`; `window [batch, frames, labels + 1]`, added to the log-probabilities of labels, where
 * `restricted`.
 */
export function asrLoss(b: Builder, config: AsrConfig, shape: AsrBatch, options: AsrLossOptions = {}): Tensor {
  const { fastEmit = 0, restricted = false } = options;
  const { batch, rows, labels } = shape;
  const sizes = sizesOf(config);
  const labelFrames = config.label_frames;
  const features = b.input('features', [batch, rows, config.audio.mels * config.audio.stack]);
  const valid = b.input('valid', [batch, rows, 1]);
  const context = b.input('context', [batch, labels + 1, 2], 'i32');
  const next = b.input('next', [batch, labels + 1], 'i32');
  const pick = b.input('pick', [batch, 1], 'i32');
  const window = restricted ? b.input('window', [batch, framesOf(config, rows), labels + 1]) : undefined;
  const encoded = encode(b, config, features, valid, sizes);
  const lattices = sizes.map((size): Lattice => {
    const projected = encoderProjection(b, config, size, encoded[size].x);
    const { blank, label } = lattice(b, config, size, projected, predict(b, config, size, context), next);
    const allowed = { blank, label: window ? label.add(window) : label };
    return labelFrames === 0 ? allowed : runOut(allowed, encoded[size].valid, labelFrames);
  });
  // The recursion runs once over the lattices of all sizes.
  const all: Lattice = {
    blank: concat(lattices.map((l) => l.blank)),
    label: concat(lattices.map((l) => l.label)),
  };
  return transducerGraph(b, all, concat(sizes.map(() => pick)), { fastEmit, labelFrames }).mean();
}

/** The program of one step. */
export function asrTrainStep(config: AsrConfig, shape: AsrBatch, options: AsrLossOptions = {}): ProgramDef {
  return defineTrainStep((b) => asrLoss(b, config, shape, options), asrOptimizer);
}

/**
 * Trains from nothing. The same seed gives the same weights on one executor.
 * @throws CairnError `diverged`
 */
export async function trainAsr(options: TrainAsrOptions): Promise<TrainedAsr> {
  const { source, executor, augment = NO_AUGMENT, emitWithin = EMIT_WITHIN, fastEmit = 0.005 } = options;
  const rng = new Rng(options.seed).fork('speech');
  const config = withStatistics(options.config, source, augment, rng.fork('statistics'), options.batch);
  const def = asrTrainStep(config, options.batch, { fastEmit, restricted: emitWithin !== false });
  const state = ModelState.init(def, rng.fork('weights'));
  await using program = await executor.compile(def, { state });
  const draws = rng.fork('examples');
  const result = await train({
    program,
    state,
    feeds: (step) => {
      const draw = (): AsrExamples => drawExamples(config, source, options.batch, augment, draws.fork(step));
      return toFeeds(config, options.batch, options.share?.at(step, draw) ?? draw(), emitWithin);
    },
    schedule: { kind: 'cosine', peak: options.rate ?? 2e-3, warmup: 0.06, final: 0.02 },
    beta1: asrOptimizer.beta1,
    beta2: asrOptimizer.beta2,
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
    const samples = augmentSamples(source.draw(draw, longestExample(config, shape, how)).samples, how, draw);
    statistics.add(createMelStream(featureConfig(config)).push(samples));
  }
  return { ...config, audio: { ...config.audio, ...statistics.result() } };
}
