// What a speech model eats: log mels, normalised with statistics of the training set, `stack` consecutive frames in one row.
// Streaming like the front end. Also SpecAugment, which hides bands of such rows in training.
import type { Rng } from '../../tensor/index.ts';
import { createMelStream, type MelConfig } from './mel.ts';

export interface FeatureConfig extends MelConfig {
  /** Frames in one row; every `stack`-th row is kept. */
  readonly stack: number;
  /** Per mel, of the training set. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface FeatureStream {
  /** Values of a row: mels times stack. */
  readonly width: number;
  /** The rows that are complete by now, `[rows * width]`. */
  push(samples: Float32Array): Float32Array;
}

const CLIP = 8;

/**
 * @example
 * const stream = createFeatureStream(config);
 * const rows = stream.push(samples); // [rows * mels * stack]
 */
export function createFeatureStream(config: FeatureConfig): FeatureStream {
  const mel = createMelStream(config);
  const width = mel.width * config.stack;
  let held = new Float32Array(0);
  return {
    width,
    push(samples) {
      const frames = normaliseMels(mel.push(samples), config.mean, config.std);
      const joined = new Float32Array(held.length + frames.length);
      joined.set(held);
      joined.set(frames, held.length);
      const cut = joined.length - (joined.length % width);
      held = joined.slice(cut);
      return joined.slice(0, cut);
    },
  };
}

/** `(x - mean) / (std + 1e-5)` per mel, clipped to +-8. */
export function normaliseMels(frames: Float32Array, mean: readonly number[], std: readonly number[]): Float32Array {
  const mels = mean.length;
  return frames.map((x, i) => {
    const z = (x - mean[i % mels]!) / (std[i % mels]! + 1e-5);
    return Math.max(-CLIP, Math.min(CLIP, z));
  });
}

/** Mean and standard deviation per mel over many frames, summed up piece by piece. */
export class MelStatistics {
  readonly #sum: Float64Array;
  readonly #square: Float64Array;
  #count = 0;

  constructor(mels: number) {
    this.#sum = new Float64Array(mels);
    this.#square = new Float64Array(mels);
  }

  add(frames: Float32Array): void {
    const mels = this.#sum.length;
    for (let i = 0; i < frames.length; i++) {
      this.#sum[i % mels]! += frames[i]!;
      this.#square[i % mels]! += frames[i]! ** 2;
    }
    this.#count += frames.length / mels;
  }

  result(): { mean: number[]; std: number[] } {
    const n = Math.max(1, this.#count);
    const mean = Array.from(this.#sum, (s) => s / n);
    return { mean, std: Array.from(this.#square, (s, i) => Math.sqrt(Math.max(0, s / n - mean[i]! ** 2))) };
  }
}

/**
 * SpecAugment (Park et al. 2019) on normalised frames `[frames * mels]`, in place: two bands of up to `mels / 5` mels and two
 * stretches of up to `frames / 10` frames become 0.
 */
export function specAugment(frames: Float32Array, mels: number, rng: Rng): void {
  const count = frames.length / mels;
  for (let i = 0; i < 2; i++) {
    const width = Math.floor(rng.uniform() * (mels / 5 + 1));
    const from = rng.integer(mels - width + 1);
    for (let t = 0; t < count; t++) frames.fill(0, t * mels + from, t * mels + from + width);
  }
  for (let i = 0; i < 2; i++) {
    const length = Math.floor(rng.uniform() * (count / 10 + 1));
    const from = rng.integer(count - length + 1);
    frames.fill(0, from * mels, (from + length) * mels);
  }
}
