// `cairn transcribe FILE`: hears the digits in a WAV file, whole or as a stream, at one of the sizes of the model. Reads the file piece
// by piece, so its length does not matter.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createLevelMeter, createWavReader, type LevelMeter, type WavReader } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import { type AsrSize, asrSizes, loadRecognizer, type Transcript } from '../../nn/index.ts';
import { createOrtExecutor } from '../../tensor/index.ts';
import type { Command } from '../command.ts';

/** Sampling rates that are taken, Hz. */
const RATES = [8000, 48_000] as const;

export const transcribe: Command = {
  name: 'transcribe',
  about: 'Hear the spoken digits in a WAV file, at a small, medium or large size of one model.',
  usage: 'transcribe FILE.wav [--size small|medium|large] [--stream]',
  options: {
    size: { type: 'string', value: 'small|medium|large', about: 'size of the model (default large)' },
    stream: { type: 'boolean', about: 'show on stderr what is heard as it comes; words after | may still change' },
    beam: { type: 'number', about: 'width of the beam search (default 4; 1 is greedy)' },
    truncated: { type: 'boolean', about: 'transcribe what is there of a file that was cut' },
    model: { type: 'string', value: 'DIR', about: 'a speech model (default: the digits that come with Cairn)' },
  },
  examples: ['cairn transcribe digits.wav', 'cairn transcribe digits.wav --size small --stream --json'],
  async run(args, io) {
    const file = args.positionals[0];
    if (file === undefined) throw new CairnError('usage', 'Expected a WAV file, got none.');
    const size = toSize(args.text('size'));
    const width = args.number('beam', 1, 256);
    const path = resolve(file);
    await checkFile(path);
    await using executor = await createOrtExecutor({ threads: 1 });
    await using recognizer = await loadRecognizer(
      resolve(args.text('model') ?? join(io.root, 'models', 'transcribe-digits')),
      executor,
    );
    const reader = createWavReader({ allowTruncated: args.flag('truncated') });
    const level = createLevelMeter();
    const started = performance.now();
    let heard: Transcript | undefined;
    let shown = '';
    const source = readSamples(path, reader, level, io.signal);
    // The format is known with the first samples: the stream is opened then.
    const first = await source.next();
    const sampleRate = checkRate(reader);
    const pieces = (async function* (): AsyncGenerator<Float32Array> {
      if (!first.done) yield first.value;
      yield* source;
    })();
    const options = {
      ...(size === undefined ? {} : { size }),
      ...(width === undefined ? {} : { beam: { width } }),
      sampleRate,
      signal: io.signal,
    };
    for await (const now of recognizer.stream(pieces, options)) {
      heard = now;
      const text = now.partial === '' ? now.final : `${now.final} | ${now.partial}`;
      if (!args.flag('stream') || text === shown) continue;
      shown = text;
      io.progress(
        io.json
          ? JSON.stringify({ time: round(now.time), final: now.final, partial: now.partial })
          : `${now.time.toFixed(2).padStart(8)} s  ${text}`,
      );
    }
    if (!heard) throw new CairnError('no_audio', `Expected audio in ${file}, got none.`);
    const cost = await recognizer.cost(size ?? recognizer.sizes.at(-1)!);
    const { silent } = level;
    const note = noteOf(heard, silent, reader.truncated);
    // Models sometimes hear words in minutes of nothing.
    const words = silent ? [] : heard.words;
    const text = silent ? '' : heard.final;
    return {
      value: {
        file,
        seconds: round(heard.time),
        sampleRate,
        channels: reader.format!.channels,
        encoding: reader.format!.encoding,
        size: cost.size,
        text,
        words: words.map((w) => ({ ...w, time: round(w.time), probability: round(w.probability) })),
        confidence: round(heard.confidence),
        silent,
        ...(note === undefined ? {} : { note }),
        cost: { parameters: cost.parameters, flop: Math.round(cost.flopsPerSecond * heard.time) },
        realTimeFactor: round((performance.now() - started) / 1000 / Math.max(heard.time, 1e-9)),
      },
      text: text === '' ? `(${note})` : reader.truncated ? `${text}\n(${note})` : text,
    };
  },
};

const round = (x: number): number => Math.round(x * 1000) / 1000;

function noteOf(heard: Transcript, silent: boolean, truncated: boolean): string | undefined {
  const cut = truncated ? 'the file was cut' : undefined;
  if (heard.time === 0) return cut ?? 'the file holds no samples';
  if (silent) return 'the file is silent';
  return heard.words.length === 0 ? 'no words were heard' : cut;
}

function toSize(text: string | undefined): AsrSize | undefined {
  if (text === undefined) return undefined;
  const size = asrSizes.find((known) => known === text);
  if (size) return size;
  throw new CairnError('usage', `Expected --size small, medium or large, got "${text}".`);
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return;
  throw new CairnError('no_file', `Expected a WAV file that can be read, got ${path}.`, { hint: 'Check the path.' });
}

function checkRate(reader: WavReader): number {
  const rate = reader.format?.sampleRate;
  if (rate === undefined) throw new CairnError('bad_wav', 'Expected a WAV file with samples, got none.');
  if (rate < RATES[0] || rate > RATES[1]) {
    throw new CairnError('bad_rate', `Expected a sampling rate of 8,000 to 48,000 Hz, got ${rate}.`, {
      hint: 'Convert the file, for example to 16,000 Hz.',
    });
  }
  return rate;
}

/** The samples of a file in pieces of about 64 KiB of bytes. */
async function* readSamples(
  path: string,
  reader: WavReader,
  level: LevelMeter,
  signal: AbortSignal,
): AsyncGenerator<Float32Array> {
  let some = false;
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 14, signal })) {
    const samples = reader.push(bytes as Uint8Array);
    level.push(samples);
    some ||= samples.length > 0;
    if (samples.length > 0) yield samples;
  }
  reader.finish();
  if (!some) yield new Float32Array(0);
}
