// A recogniser: a cascaded model that turns speech into words at one of its sizes, whole or as it comes. A stream and a whole file run
// the same pieces, so their results are the same. It does not train.
import { createFeatureStream, createResampler } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import { type Executor, type ModelState, Rng } from '../../tensor/index.ts';
import { createBeamDecoder, type BeamOptions } from './beam.ts';
import { type AsrConfig, type AsrSize, depthOf, featureConfig, lookAhead, secondsPerFrame, sizesOf } from './config.ts';
import { compileStreamEncoder, type JointFrames, type StreamEncoder } from './encoder-stream.ts';
import { createGreedyDecoder, type Emission, type FrameDecoder } from './greedy.ts';
import { createHostJoint } from './host-joint.ts';

/** A word and when it was heard. */
export interface TimedWord {
  readonly word: string;
  /** Seconds from the start to the frame that emitted it. */
  readonly time: number;
  /** Probability of the word at that frame. */
  readonly probability: number;
}

/** What is known after a piece of audio. */
export interface Transcript {
  /** Words that will not change any more. */
  readonly words: readonly TimedWord[];
  /** The same as text. */
  readonly final: string;
  /** What is believed to follow; may change. */
  readonly partial: string;
  /** Seconds of audio taken in. */
  readonly time: number;
  /** True where 0.8 s of silence followed words: a good place to cut. */
  readonly endpoint: boolean;
  /** exp of the mean log-probability of a decision, 0 to 1. */
  readonly confidence: number;
  /** log of the probability of all decisions together. */
  readonly logProb: number;
}

export interface TranscribeOptions {
  /** Default: the largest of the model. */
  readonly size?: AsrSize;
  /**
   * How the beam search goes; false: greedy decoding. Default: greedy where labels take frames, which makes emissions sharp; else a beam
   * of 4, without which a model leaves out words.
   */
  readonly beam?: BeamOptions | false;
  /** Sampling rate of the samples; default that of the model. */
  readonly sampleRate?: number;
  readonly signal?: AbortSignal;
}

/** A transcription that is under way. */
export interface LiveTranscript {
  readonly size: AsrSize;
  push(samples: Float32Array): Promise<Transcript>;
  finish(): Promise<Transcript>;
}

export interface SizeCost {
  readonly size: AsrSize;
  readonly parameters: number;
  /** Operations of the encoder for one second of audio. */
  readonly flopsPerSecond: number;
  /** Seconds by which a word is known late at least: one piece of input and the look-ahead. */
  readonly latency: number;
}

export interface Recognizer extends AsyncDisposable {
  readonly config: AsrConfig;
  readonly state: ModelState;
  readonly sizes: readonly AsrSize[];
  cost(size: AsrSize): Promise<SizeCost>;
  /** Opens a transcription. With size large, partial results come from medium until the look-ahead is in. */
  open(options?: TranscribeOptions): Promise<LiveTranscript>;
  /** Transcribes samples, or pieces of samples as they come; yields after every piece, last with nothing tentative. */
  stream(
    source: Float32Array | AsyncIterable<Float32Array> | Iterable<Float32Array>,
    options?: TranscribeOptions,
  ): AsyncGenerator<Transcript, Transcript>;
  /** The whole at once. */
  transcribe(
    source: Float32Array | AsyncIterable<Float32Array> | Iterable<Float32Array>,
    options?: TranscribeOptions,
  ): Promise<Transcript>;
}

/** P(blank) above this is silence; this long makes an endpoint. */
const SILENCE = 0.95;
const ENDPOINT_SECONDS = 0.8;

/**
 * @throws CairnError `bad_weights` when the state lacks an entry
 * @example
 * const { final } = await recognizer.transcribe(samples, { size: 'small', sampleRate: 16_000 });
 */
export function createRecognizer(config: AsrConfig, state: ModelState, executor: Executor): Recognizer {
  const encoders = new Map<AsrSize, Promise<StreamEncoder>>();
  const sizes = sizesOf(config);
  /** The sizes whose frames a transcription needs. */
  const needed = (size: AsrSize): AsrSize[] => {
    const fast = depthOf(config, size).noncausal_layers > 0 ? sizes.findLast((s) => isCausal(config, s)) : undefined;
    return fast === undefined ? [size] : [fast, size];
  };
  const encoder = (size: AsrSize): Promise<StreamEncoder> => {
    let found = encoders.get(size);
    if (!found) {
      found = compileStreamEncoder(config, needed(size), executor, state);
      encoders.set(size, found);
    }
    return found;
  };
  const self: Recognizer = {
    config,
    state,
    sizes,
    async cost(size) {
      const { flops, pieceSeconds } = await encoder(size);
      return {
        size,
        parameters: countSize(config, state, size),
        flopsPerSecond: flops / pieceSeconds,
        latency: pieceSeconds + lookAhead(config, size) * secondsPerFrame(config),
      };
    },
    async open(options = {}) {
      const size = options.size ?? sizes.at(-1)!;
      depthOf(config, size);
      return openLive(config, state, await encoder(size), size, needed(size)[0]!, options);
    },
    async *stream(source, options = {}) {
      const live = await self.open(options);
      for await (const samples of source instanceof Float32Array ? [source] : source) {
        options.signal?.throwIfAborted();
        yield await live.push(samples);
      }
      const last = await live.finish();
      yield last;
      return last;
    },
    async transcribe(source, options = {}) {
      const live = await self.open(options);
      for await (const samples of source instanceof Float32Array ? piecesOf(source) : source) {
        options.signal?.throwIfAborted();
        await live.push(samples);
      }
      return live.finish();
    },
    async [Symbol.asyncDispose]() {
      for (const found of encoders.values()) await (await found)[Symbol.asyncDispose]();
      encoders.clear();
    },
  };
  return self;
}

/** Long audio in pieces, so that an abort is noticed and nothing is copied whole. */
function* piecesOf(samples: Float32Array): Generator<Float32Array> {
  const size = 1 << 16;
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
}

function isCausal(config: AsrConfig, size: AsrSize): boolean {
  return depthOf(config, size).noncausal_layers === 0;
}

/** Parameters that a size uses, shared ones included. */
export function countSize(config: AsrConfig, state: ModelState, size: AsrSize): number {
  return state
    .names()
    .filter((name) => belongsTo(config, size, name))
    .reduce((n, name) => n + state.get(name).data.length, 0);
}

/** Whether a tensor of the full model is part of a size. */
export function belongsTo(config: AsrConfig, size: AsrSize, name: string): boolean {
  const depth = depthOf(config, size);
  const layer = /^encoder\.(causal|noncausal)\.(\d+)\./.exec(name);
  if (layer) return Number(layer[2]) < depth[layer[1] === 'causal' ? 'causal_layers' : 'noncausal_layers'];
  const own = /^(?:joint|decoder)\.(small|medium|large)\./.exec(name);
  return own ? own[1] === size : name.startsWith('encoder.input.');
}

function openLive(
  config: AsrConfig,
  state: ModelState,
  encoder: StreamEncoder,
  size: AsrSize,
  fast: AsrSize,
  options: TranscribeOptions,
): LiveTranscript {
  const rate = options.sampleRate ?? config.audio.sample_rate;
  const resampler = createResampler(rate, config.audio.sample_rate);
  const features = createFeatureStream(featureConfig(config));
  const frames = encoder.open();
  const decoderOf = (one: AsrSize): FrameDecoder => {
    const joint = createHostJoint(config, one, state);
    const labelFrames = config.label_frames;
    return options.beam === false || (options.beam === undefined && labelFrames > 0)
      ? createGreedyDecoder(joint, { labelFrames })
      : createBeamDecoder(joint, { labelFrames, ...options.beam });
  };
  const decoder = decoderOf(size);
  const ahead = fast === size ? undefined : decoderOf(fast);
  const perFrame = secondsPerFrame(config);
  const words: TimedWord[] = [];
  /** What the fast size heard at frames that the large one has not decoded yet. */
  let early: Emission[] = [];
  let [samples, decoded, silence, since, decisions] = [0, 0, 0, 0, 0];
  let finished = false;

  const toWord = (e: Emission): TimedWord => ({
    word: config.vocabulary[e.label - 1]!,
    time: (e.frame + 1) * perFrame,
    probability: Math.exp(e.logProb),
  });
  const accept = (emissions: readonly Emission[]): void => {
    words.push(...emissions.map(toWord));
    decisions += emissions.length;
  };
  const decode = (out: JointFrames): boolean => {
    let endpoint = false;
    for (const frame of out[size] ?? []) {
      const before = words.length;
      accept(decoder.push(frame));
      decoded++;
      decisions++;
      since += words.length - before;
      silence = decoder.blank > SILENCE && words.length === before ? silence + perFrame : 0;
      if (silence >= ENDPOINT_SECONDS && (since > 0 || decoder.tentative().length > 0)) {
        accept(decoder.finish());
        endpoint = true;
        since = 0;
      }
    }
    if (ahead) for (const frame of out[fast] ?? []) early.push(...ahead.push(frame));
    early = early.filter((e) => e.frame >= decoded);
    return endpoint;
  };
  const report = (endpoint: boolean): Transcript => {
    const own = decoder.tentative();
    const after = Math.max(decoded, 1 + (own.at(-1)?.frame ?? -1));
    const guessed = finished || !ahead ? [] : [...early, ...ahead.tentative()].filter((e) => e.frame >= after);
    const tentative: readonly Emission[] = [...own, ...guessed];
    return {
      words: words.slice(),
      final: words.map((w) => w.word).join(' '),
      partial: tentative.map((e) => config.vocabulary[e.label - 1]!).join(' '),
      time: samples / rate,
      endpoint,
      confidence: confidenceOf(decoder, decisions),
      logProb: decoder.score,
    };
  };
  const dither = createDither();
  const take = async (piece: Float32Array): Promise<boolean> => decode(await frames.push(features.push(dither(piece))));
  return {
    size,
    async push(piece) {
      if (finished) throw new CairnError('finished', 'Expected no more audio after the end, got a piece.');
      samples += piece.length;
      return report(await take(resampler.push(piece)));
    },
    async finish() {
      if (!finished) {
        await take(resampler.flush());
        decode(await frames.flush());
        accept(decoder.finish());
        early = [];
        finished = true;
      }
      return report(true);
    },
  };
}

/** Zeros in a row, samples, after which silence is digital. */
const DIGITAL = 80;
const DITHER_LEVEL = 5e-4;
const DITHER = new Float32Array(4093);

/**
 * Fills digital silence with the faint noise that silence of recordings has: models have never heard nothing at all, and hear words
 * in it. Sound is left as it is. Depends on the samples alone, not on their cutting.
 */
function createDither(): (samples: Float32Array) => Float32Array {
  if (DITHER[0] === 0) new Rng('dither').fillNormal(DITHER, DITHER_LEVEL);
  let [zeros, at] = [0, 0];
  return (samples) =>
    samples.map((x) => {
      zeros = x === 0 ? zeros + 1 : 0;
      at = (at + 1) % DITHER.length;
      return zeros > DIGITAL ? DITHER[at]! : x;
    });
}

function confidenceOf(decoder: FrameDecoder, decisions: number): number {
  return decisions === 0 ? 1 : Math.exp(decoder.score / decisions);
}
