// Augmentation of speech for training: speed, gain, tilt and noise on the samples, vocal-tract warping and tempo in the front end.
// A pure function of the random numbers.
import { Rng } from '../../tensor/index.ts';
import type { MelConfig } from './mel.ts';
import { perturbSpeed } from './resample.ts';

/** Ranges from which each example draws. */
export interface AugmentOptions {
  /** Speed of the tape: pitch, formants and tempo together. */
  readonly speed: readonly [number, number];
  /** Factor of the mel filters: formants alone. */
  readonly warp: readonly [number, number];
  /** Factor of the hop between frames: tempo alone. */
  readonly tempo: readonly [number, number];
  /** Signal-to-noise ratio, decibels. */
  readonly noise: readonly [number, number];
  /** Largest change of level up or down, decibels. */
  readonly gain: number;
  /** Largest first-order tilt of the spectrum. */
  readonly tilt: number;
  readonly specAugment: boolean;
}

export const NO_AUGMENT: AugmentOptions = {
  speed: [1, 1],
  warp: [1, 1],
  tempo: [1, 1],
  noise: [80, 80],
  gain: 0,
  tilt: 0,
  specAugment: false,
};

/** What one example draws. */
export interface Augmentation {
  readonly speed: number;
  readonly warp: number;
  readonly tempo: number;
  readonly noise: number;
  readonly gain: number;
  readonly tilt: number;
  /** Correlation of the noise from sample to sample: 0 is white. */
  readonly colour: number;
}

export function drawAugmentation(options: AugmentOptions, rng: Rng): Augmentation {
  const between = ([low, high]: readonly [number, number]): number => low + (high - low) * rng.uniform();
  const hundredths = (x: number): number => Math.round(100 * x) / 100;
  return {
    speed: hundredths(between(options.speed)),
    warp: hundredths(between(options.warp)),
    tempo: between(options.tempo),
    noise: between(options.noise),
    gain: options.gain * (2 * rng.uniform() - 1),
    tilt: options.tilt * (2 * rng.uniform() - 1),
    colour: 0.95 * rng.uniform(),
  };
}

const NOISE = new Float32Array(1 << 16);

/** Samples as another voice in another room would give them. */
export function augmentSamples(samples: Float32Array, how: Augmentation, rng: Rng): Float32Array {
  if (NOISE[0] === 0) new Rng('augmentation noise').fillNormal(NOISE);
  const out = perturbSpeed(samples, how.speed);
  let before = 0;
  let power = 0;
  for (let i = 0; i < out.length; i++) {
    const x = out[i]!;
    out[i] = x + how.tilt * before;
    before = x;
    power += out[i]! ** 2;
  }
  const level = Math.sqrt(power / Math.max(1, out.length) / 10 ** (how.noise / 10));
  const white = Math.sqrt(1 - how.colour ** 2);
  const gain = 10 ** (how.gain / 20);
  let noise = 0;
  let at = rng.integer(NOISE.length);
  for (let i = 0; i < out.length; i++) {
    at = (at + 1) % NOISE.length;
    noise = how.colour * noise + white * NOISE[at]!;
    out[i] = gain * (out[i]! + level * noise);
  }
  return out;
}

/** The front end of one example. */
export function augmentFrontEnd<C extends MelConfig>(config: C, how: Augmentation): C {
  return { ...config, warp: how.warp, hop: (config.hop ?? 0.01) * how.tempo };
}
