// Training examples of speech: drawn, augmented and turned into features on the fly; and what a step of a model is fed of them.
import {
  augmentFrontEnd,
  type Augmentation,
  type AugmentOptions,
  augmentSamples,
  createFeatureStream,
  drawAugmentation,
  specAugment,
  type SpeechSource,
} from '../../data/index.ts';
import type { Feed, Rng } from '../../tensor/index.ts';
import { type AsrConfig, featureConfig, framesOf, secondsPerFrame } from './config.ts';
import { pickEnds } from './transducer-graph.ts';

/** Shapes of one batch. */
export interface AsrBatch {
  readonly batch: number;
  /** Feature rows of an example, the longest. */
  readonly rows: number;
  /** Labels of an example, the most. */
  readonly labels: number;
}

/**
 * Words may be emitted only so long before and after they end, seconds (alignment-restricted transducers, Mahadeokar et al. 2021).
 * Makes emissions sharp, without which equal words in a row cannot be told apart.
 */
export interface EmissionWindow {
  readonly before: number;
  readonly after: number;
}

/** Log-probability that is added to a label where it may not be emitted. */
const FORBIDDEN = -1e4;

/** Seconds of an example that fits into a batch once its speed and tempo are changed. */
export function longestExample(config: AsrConfig, shape: AsrBatch, how: Augmentation): number {
  const { window_seconds, hop_seconds, stack } = config.audio;
  return (window_seconds + (shape.rows * stack - 1) * hop_seconds * how.tempo) * how.speed;
}

/** Examples of one step as features, before a model says what its frames are. */
export interface AsrExamples {
  /** `[batch, rows, mels * stack]` */
  readonly features: Float32Array;
  /** `[batch, rows]` */
  readonly valid: Float32Array;
  /** Of each example: real rows, labels, and when they end in seconds of the front end, where known. */
  readonly each: readonly { readonly rows: number; readonly labels: readonly number[]; readonly ends?: number[] }[];
}

/** Draws the examples of one step. */
export function drawExamples(
  config: AsrConfig,
  source: SpeechSource,
  { batch, rows, labels }: AsrBatch,
  augment: AugmentOptions,
  rng: Rng,
): AsrExamples {
  const { mels, stack } = config.audio;
  const width = mels * stack;
  const features = new Float32Array(batch * rows * width);
  const valid = new Float32Array(batch * rows);
  const each = Array.from({ length: batch }, (_, i) => {
    const draw = rng.fork(i);
    const how = drawAugmentation(augment, draw);
    const example = source.draw(draw.fork('string'), longestExample(config, { batch, rows, labels }, how));
    const samples = augmentSamples(example.samples, how, draw);
    const own = createFeatureStream(augmentFrontEnd(featureConfig(config), how))
      .push(samples)
      .subarray(0, rows * width);
    if (augment.specAugment) specAugment(own, mels, draw);
    features.set(own, i * rows * width);
    const real = Math.max(1, own.length / width);
    valid.fill(1, i * rows, i * rows + real);
    const said = example.labels.slice(0, labels);
    const ends = example.ends?.slice(0, labels).map((end) => end / (how.speed * how.tempo));
    return { rows: real, labels: said, ...(ends ? { ends } : {}) };
  });
  return { features, valid, each };
}

/** Feeds of a step of a model. */
export function toFeeds(
  config: AsrConfig,
  { batch, rows, labels }: AsrBatch,
  { features, valid, each }: AsrExamples,
  emitWithin: EmissionWindow | false = false,
): Record<string, Feed> {
  const columns = labels + 1;
  const context = new Int32Array(batch * columns * 2);
  const next = new Int32Array(batch * columns);
  const perExample = framesOf(config, rows) * columns;
  const window = emitWithin === false ? undefined : new Float32Array(batch * perExample);
  const last = each.map((e) =>
    config.label_frames === 0 ? framesOf(config, e.rows) : framesOf(config, rows) + config.label_frames,
  );
  for (const [i, { rows: real, labels: said, ends }] of each.entries()) {
    for (let u = 0; u < columns; u++) {
      context[(i * columns + u) * 2] = said[u - 1] ?? 0;
      context[(i * columns + u) * 2 + 1] = said[u - 2] ?? 0;
      next[i * columns + u] = said[u] ?? 0;
    }
    if (!window || emitWithin === false || !ends) continue;
    const own = window.subarray(i * perExample, (i + 1) * perExample);
    restrict(own, ends, { config, emitWithin, frames: framesOf(config, real), columns });
  }
  const pick = pickEnds(
    last,
    each.map((e) => e.labels.length),
    columns,
  );
  return { features, valid, context, next, pick, ...(window ? { window } : {}) };
}

/**
 * Examples that several runs train on at the same time, drawn once a step: for runs of equal seed, source, augmentation, batch and front
 * end that go on side by side.
 * @example
 * const share = new SharedExamples(2);
 * await Promise.all([trainAsr({ ...one, share }), trainAsr({ ...other, share })]);
 */
export class SharedExamples {
  readonly #runs: number;
  readonly #made = new Map<number, { readonly examples: AsrExamples; uses: number }>();

  constructor(runs: number) {
    this.#runs = runs;
  }

  at(step: number, draw: () => AsrExamples): AsrExamples {
    const found = this.#made.get(step) ?? { examples: draw(), uses: 0 };
    found.uses++;
    if (found.uses < this.#runs) this.#made.set(step, found);
    else this.#made.delete(step);
    return found.examples;
  }
}

/** Forbids labels outside their windows; the frame at which a word ends is always allowed. */
function restrict(
  window: Float32Array,
  ends: readonly number[],
  at: { config: AsrConfig; emitWithin: EmissionWindow; frames: number; columns: number },
): void {
  const { config, emitWithin, frames, columns } = at;
  const frameAt = (seconds: number): number =>
    Math.max(0, Math.min(frames - 1, Math.floor(seconds / secondsPerFrame(config))));
  for (const [u, end] of ends.entries()) {
    const [first, last] = [frameAt(end - emitWithin.before), frameAt(end + emitWithin.after)];
    for (let t = 0; t < frames; t++) if (t < first || t > last) window[t * columns + u] = FORBIDDEN;
  }
}
