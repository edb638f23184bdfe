// The front end of speech models: samples to log mel energies, 25 ms frames every 10 ms, no padding. Streaming: any cutting of the
// input gives the same frames, bit for bit. It does not normalise; see features.ts.
import { CairnError } from '../../errors.ts';
import { createPowerSpectrum } from './fft.ts';
import { createMelBank, dctII } from './mel-bank.ts';

export interface MelConfig {
  /** Hz. */
  readonly sampleRate: number;
  readonly mels: number;
  /** Seconds; default 0.025 and 0.010. */
  readonly window?: number;
  readonly hop?: number;
  /** Hz; default 20 and half the sampling rate. */
  readonly fmin?: number;
  readonly fmax?: number;
  /** Default 0.97; 0 switches it off. */
  readonly preEmphasis?: number;
  /** Frequency factor of the filters, for augmentation. Default 1. */
  readonly warp?: number;
  /** Coefficients of the MFCC instead of log mels. Default: log mels. */
  readonly mfcc?: number;
}

/** Turns samples into frames as they come. */
export interface MelStream {
  /** Values of a frame. */
  readonly width: number;
  /** The frames that are complete by now, `[frames * width]`. */
  push(samples: Float32Array): Float32Array;
  /** Drops what is left of an incomplete frame and starts anew. */
  flush(): void;
}

const FLOOR = 1e-10;

/** Samples of the window and of the hop. */
export function frameSizes(config: MelConfig): { window: number; hop: number; fft: number } {
  const window = Math.round((config.window ?? 0.025) * config.sampleRate);
  const hop = Math.round((config.hop ?? 0.01) * config.sampleRate);
  if (window < 2 || hop < 1) {
    throw new CairnError(
      'bad_frames',
      `Expected a window of 2 samples and a hop of 1 at least, got ${window} and ${hop}.`,
    );
  }
  return { window, hop, fft: Math.max(4, 2 ** Math.ceil(Math.log2(window))) };
}

/** Frames of a signal of `length` samples. */
export function frameCount(length: number, config: MelConfig): number {
  const { window, hop } = frameSizes(config);
  return length < window ? 0 : 1 + Math.floor((length - window) / hop);
}

/**
 * @throws CairnError `bad_mel_bank`, `bad_frames`
 * @example
 * const stream = createMelStream({ sampleRate: 8000, mels: 40 });
 * const frames = stream.push(samples); // [frames * 40]
 */
export function createMelStream(config: MelConfig): MelStream {
  const { sampleRate, mels, preEmphasis = 0.97 } = config;
  const { window, hop, fft } = frameSizes(config);
  const spectrum = createPowerSpectrum(fft);
  const bank = createMelBank({
    mels,
    sampleRate,
    fftSize: fft,
    fmin: config.fmin ?? 20,
    fmax: config.fmax ?? sampleRate / 2,
    warp: config.warp ?? 1,
  });
  const width = config.mfcc ?? mels;
  const hann = Float64Array.from({ length: window }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / window));
  const frame = new Float64Array(fft);
  const power = new Float64Array(fft / 2 + 1);
  const row = new Float64Array(mels);
  let held = new Float32Array(0);

  const analyse = (at: number, out: Float32Array, to: number): void => {
    let mean = 0;
    for (let n = 0; n < window; n++) mean += held[at + n]!;
    mean /= window;
    let before = held[at]! - mean;
    frame[0] = before * (1 - preEmphasis) * hann[0]!;
    for (let n = 1; n < window; n++) {
      const x = held[at + n]! - mean;
      frame[n] = (x - preEmphasis * before) * hann[n]!;
      before = x;
    }
    spectrum.run(frame, power);
    for (let m = 0; m < mels; m++) {
      const { first, weights } = bank[m]!;
      let energy = 0;
      for (let k = 0; k < weights.length; k++) energy += power[first + k]! * weights[k]!;
      row[m] = Math.log(Math.max(energy, FLOOR));
    }
    out.set(config.mfcc === undefined ? row : dctII(row, config.mfcc), to);
  };

  return {
    width,
    push(samples) {
      const joined = new Float32Array(held.length + samples.length);
      joined.set(held);
      joined.set(samples, held.length);
      held = joined;
      const count = held.length < window ? 0 : 1 + Math.floor((held.length - window) / hop);
      const out = new Float32Array(count * width);
      for (let i = 0; i < count; i++) analyse(i * hop, out, i * width);
      held = held.slice(count * hop);
      return out;
    },
    flush() {
      held = new Float32Array(0);
    },
  };
}

/** The frames of a whole signal, `[frameCount * width]`. */
export function melFrames(samples: Float32Array, config: MelConfig): Float32Array {
  return createMelStream(config).push(samples);
}
