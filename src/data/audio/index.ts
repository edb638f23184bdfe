// Public names of the audio front end.
export {
  augmentFrontEnd,
  type Augmentation,
  type AugmentOptions,
  augmentSamples,
  drawAugmentation,
  NO_AUGMENT,
} from './augment.ts';
export { drawBackground } from './background.ts';
export {
  type Clip,
  clipStrings,
  type ClipStringOptions,
  readClips,
  type SpeechExample,
  type SpeechSource,
} from './clips.ts';
export { createPowerSpectrum, type PowerSpectrum } from './fft.ts';
export {
  createFeatureStream,
  type FeatureConfig,
  type FeatureStream,
  MelStatistics,
  normaliseMels,
  specAugment,
} from './features.ts';
export { createLevelMeter, type LevelMeter, SILENT_PEAK } from './level.ts';
export { createMelStream, frameCount, frameSizes, melFrames, type MelConfig, type MelStream } from './mel.ts';
export { createMelBank, dctII, hzToMel, type MelFilter, melToHz } from './mel-bank.ts';
export { createResampler, perturbSpeed, resampleAudio, type Resampler } from './resample.ts';
export {
  drawSpeaker,
  joinAudio,
  speakString,
  speakWord,
  SYNTHETIC_WORDS,
  type SyntheticSpeaker,
  type SyntheticUtterance,
} from './synthetic-speech.ts';
export { createWavReader, readWav, type Sound, type WavReader, type WavReaderOptions, writeWav } from './wav.ts';
export type { WavEncoding, WavFormat } from './wav-format.ts';
export { cutWords } from './word-cuts.ts';
