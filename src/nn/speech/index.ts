// Public names of speech recognition: cascaded conformer transducers of several sizes.
export { type BeamOptions, createBeamDecoder, type LabelModel } from './beam.ts';
export {
  type AsrConfig,
  asrConfig,
  type AsrSize,
  asrSizes,
  featureConfig,
  lookAhead,
  secondsPerFrame,
  sizesOf,
} from './config.ts';
export { encode } from './encoder.ts';
export { compileStreamEncoder, type StreamEncoder, streamProgram } from './encoder-stream.ts';
export { type AsrBatch, type EmissionWindow, SharedExamples } from './examples.ts';
export { createGreedyDecoder, type Emission, type FrameDecoder } from './greedy.ts';
export { decoderProgram } from './hat.ts';
export { createHostJoint, type HostJoint } from './host-joint.ts';
export { labelNgram, type LabelNgramOptions } from './label-ngram.ts';
export {
  type AsrModel,
  asrState,
  asrTensors,
  extractSize,
  loadRecognizer,
  readAsrModel,
  roundToHalf,
  writeAsrModel,
} from './model.ts';
export {
  countSize,
  createRecognizer,
  type LiveTranscript,
  type Recognizer,
  type SizeCost,
  type TimedWord,
  type TranscribeOptions,
  type Transcript,
} from './recognizer.ts';
export {
  asrLoss,
  type AsrLossOptions,
  asrOptimizer,
  asrTrainStep,
  trainAsr,
  type TrainAsrOptions,
  type TrainedAsr,
} from './train.ts';
export {
  digitClips,
  DIGIT_WORDS,
  measureTranscriber,
  type SizeReport,
  trainTranscriber,
  type TrainTranscriberOptions,
  type TranscriberReport,
  writeTranscriber,
} from './transcriber.ts';
export { transducerGraph } from './transducer-graph.ts';
export { type HostLattice, type TransducerLoss, transducerLoss } from './transducer-loss.ts';
export { characterErrorRate, countErrors, type ErrorCounts, type ErrorRate, errorRate } from './wer.ts';
