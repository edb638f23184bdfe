// `cairn train transcriber`: the recogniser of spoken digits from a folder of recordings, with its measures, router and card.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { clipStrings, readClips } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import { fitSpeechRouter } from '../../mind/index.ts';
import {
  digitClips,
  DIGIT_WORDS,
  measureTranscriber,
  trainTranscriber,
  type TranscriberReport,
  writeTranscriber,
} from '../../nn/index.ts';
import { createOrtExecutor } from '../../tensor/index.ts';
import type { Args, CommandResult } from '../command.ts';
import type { Io } from '../io.ts';
import { formatTable } from '../table.ts';

const RATE = 8000;

export async function trainDigitTranscriber(args: Args, io: Io): Promise<CommandResult> {
  const folder = args.text('clips');
  if (folder === undefined) throw new CairnError('usage', 'Expected --clips DIR, got none.');
  const seed = args.number('seed') ?? 7;
  const steps = args.number('steps', 1, 1e6);
  const holdOut = args.text('hold-out');
  const out = args.text('out');
  if (holdOut !== undefined && out === undefined) {
    throw new CairnError('usage', 'Expected --out DIR beside --hold-out, got none.', {
      hint: 'A model that leaves a speaker out does not belong into models/.',
    });
  }
  const dir = resolve(out ?? join(io.root, 'models', 'transcribe-digits'));
  const clips = await readClips(resolve(folder), RATE);
  if (holdOut !== undefined && !clips.some((c) => c.speaker === holdOut)) {
    throw new CairnError('usage', `Expected a speaker of the clips for --hold-out, got "${holdOut}".`);
  }
  const run = { seed, ...(steps === undefined ? {} : { steps }), ...(holdOut === undefined ? {} : { holdOut }) };
  await mkdir(dir, { recursive: true });
  await using executor = await createOrtExecutor();
  const trained = await trainTranscriber({
    clips,
    ...run,
    executor,
    dir,
    resume: args.flag('resume'),
    signal: io.signal,
    onProgress: (p) =>
      io.status(`step ${p.step}  loss ${p.smoothedLoss.toFixed(3)}  ${Math.round(p.secondsLeft)} s left`),
  });
  io.progress('Measuring on strings of recordings that were not trained on');
  const report = await measureTranscriber(trained.model, clips, executor, holdOut === undefined ? {} : { holdOut });
  const command = [
    'cairn train transcriber --clips DIR',
    ...Object.entries(run).map(([k, v]) => `--${option(k)} ${v}`),
  ];
  await writeTranscriber(dir, trained.model, {
    command: command.join(' '),
    seed,
    steps: trained.steps,
    seconds: trained.seconds,
    clips,
    report,
  });
  if (holdOut === undefined) {
    io.progress('Fitting the router of the sizes');
    const valid = digitClips(clips).filter((c) => c.index >= 5 && c.index < 10);
    await fitSpeechRouter(dir, clipStrings(valid, { sampleRate: RATE, vocabulary: DIGIT_WORDS }), { seed });
  }
  return { value: { dir, ...report }, text: toText(report, dir) };
}

const option = (key: string): string => (key === 'holdOut' ? 'hold-out' : key);

function toText(report: TranscriberReport, dir: string): string {
  return [
    formatTable(
      ['size', 'test WER %', 'chosen on %', 'parameters', 'MFLOP a second', 'latency s'],
      report.sizes.map((s) => [
        s.size,
        100 * s.test.rate,
        s.valid ? 100 * s.valid.rate : null,
        s.parameters,
        s.flopsPerSecond / 1e6,
        s.latency,
      ]),
    ),
    `Model: ${dir}`,
  ].join('\n');
}
