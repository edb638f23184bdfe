// The audio front end in a config.json: what turns sound into rows of log mels, for speech models and for language models that
// hear.
import { z } from 'zod';
import type { FeatureConfig } from '../data/index.ts';

const small = z.int().min(1).max(65_536);

/** Key `audio`; its statistics belong to the training set. */
export const audioSchema = z.object({
  sample_rate: z.int().min(1000).max(768_000),
  window_seconds: z.number().positive(),
  hop_seconds: z.number().positive(),
  mels: small,
  fmin: z.number().min(0),
  fmax: z.number().positive(),
  pre_emphasis: z.number().min(0).max(1),
  stack: z.int().min(1).max(64),
  mean: z.array(z.number()),
  std: z.array(z.number().min(0)),
});

export type AudioConfig = z.infer<typeof audioSchema>;

/** 40 mels at 8 kHz, every 10 ms, three frames a row, without statistics, where `changes` say nothing else. */
export function audioConfig(changes: Partial<AudioConfig> = {}): AudioConfig {
  const mels = changes.mels ?? 40;
  const sampleRate = changes.sample_rate ?? 8000;
  return {
    sample_rate: sampleRate,
    window_seconds: 0.025,
    hop_seconds: 0.01,
    mels,
    fmin: 20,
    fmax: sampleRate / 2,
    pre_emphasis: 0.97,
    stack: 3,
    mean: new Array<number>(mels).fill(0),
    std: new Array<number>(mels).fill(1),
    ...changes,
  };
}

/** The front end in the form of the audio package. */
export function audioFeatures(audio: AudioConfig): FeatureConfig {
  return {
    sampleRate: audio.sample_rate,
    window: audio.window_seconds,
    hop: audio.hop_seconds,
    mels: audio.mels,
    fmin: audio.fmin,
    fmax: audio.fmax,
    preEmphasis: audio.pre_emphasis,
    stack: audio.stack,
    mean: audio.mean,
    std: audio.std,
  };
}
