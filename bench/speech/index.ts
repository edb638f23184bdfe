// `cairn bench speech`: what the recogniser of spoken digits costs as sound comes in, 100 ms at a time, on one thread, by size; and how
// many words it hears where nobody speaks. No peer is measured: time is set beside that of the sound.
import { join } from 'node:path';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import { loadRecognizer, type Recognizer } from 'cairn/nn';
import { drawSpeaker, joinAudio, speakString } from 'cairn/data';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded } from '../rounds.ts';
import { BACKGROUNDS, backgroundOf } from './backgrounds.ts';

const RATE = 8000;
const PIECE = RATE / 10;

/** About two minutes; `quick` hears less. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, log, signal } = options;
  const loaded = isLoaded();
  if (loaded) log('the machine is busy: these figures are not for quoting');
  const seconds = quick ? 10 : 60;
  await using executor = await createOrtExecutor({ threads: 1 });
  await using recognizer = await loadRecognizer(
    join(import.meta.dirname, '..', '..', 'models', 'transcribe-digits'),
    executor,
  );
  const rng = new Rng(seed);
  const parts: Float32Array[] = [];
  for (let i = 0, n = 0; n < seconds * RATE; i++) {
    const draw = rng.fork('speech').fork(i);
    parts.push(speakString(drawSpeaker(draw), RATE, draw).samples);
    n += parts.at(-1)!.length;
  }
  const sound = joinAudio(parts).subarray(0, seconds * RATE);
  const rows: BenchRow[] = [];
  for (const size of recognizer.sizes) {
    signal.throwIfAborted();
    rows.push(...(await timesOf(recognizer, size, sound)));
    log(`${size}: timed`);
  }
  for (const kind of BACKGROUNDS) {
    for (const size of recognizer.sizes) {
      signal.throwIfAborted();
      const noise = backgroundOf(kind, rng.fork(kind.name), seconds, RATE);
      const { words } = await recognizer.transcribe(noise, { size });
      rows.push({
        case: `words heard where nobody speaks, ${kind.name}, ${size}`,
        ours: (60 * words.length) / seconds,
        peer: null,
        peerName: 'none',
        ratio: null,
        unit: 'words a minute',
      });
    }
    log(`${kind.name}: heard`);
  }
  return {
    name: 'speech',
    protocol: {
      what: `${seconds} s of made-up words in pieces of 100 ms, one thread: front end, encoder and beam search`,
      realTime: 'CPU seconds for a second of sound; peer: the sound itself',
      nobody: `${seconds} s of each background`,
      seed,
      loaded,
      command: 'cairn bench speech',
    },
    rows,
  };
}

async function timesOf(
  recognizer: Recognizer,
  size: Recognizer['sizes'][number],
  sound: Float32Array,
): Promise<BenchRow[]> {
  // Once to warm up.
  await recognizer.transcribe(sound.subarray(0, 2 * RATE), { size });
  const live = await recognizer.open({ size, sampleRate: RATE });
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let at = 0; at < sound.length; at += PIECE) {
    const started = performance.now();
    await live.push(sound.subarray(at, at + PIECE));
    times.push(performance.now() - started);
  }
  await live.finish();
  const used = process.cpuUsage(before);
  const factor = (used.user + used.system) / 1e6 / (sound.length / RATE);
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(q * times.length))]!;
  const row = (name: string, ours: number, peer: number, unit: string): BenchRow => ({
    case: `${name}, ${size}`,
    ours,
    peer,
    peerName: 'the sound itself',
    ratio: peer / ours,
    unit,
  });
  return [
    row('a piece of 100 ms, median', quantile(0.5), 100, 'ms'),
    row('a piece of 100 ms, 95 of 100', quantile(0.95), 100, 'ms'),
    { ...row('real-time factor', factor, 1, 's'), target: { atMost: 0.1, met: factor <= 0.1 } },
  ];
}
