// `cairn train lm|mixed|teacher|readers|transcriber`: trains from nothing with Cairn's own trainer. Ctrl-C leaves a state that --resume
// continues.
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import {
  DEFAULT_MODEL,
  loadLm,
  parseLmSettings,
  type ReplayEvent,
  splitTokens,
  trainLm,
  trainReaders,
  type TrainProgress,
  writeTeacher,
} from '../../nn/index.ts';
import { createOrtExecutor } from '../../tensor/index.ts';
import { type Args, type Command, type CommandResult, nearest } from '../command.ts';
import type { Io } from '../io.ts';
import { createRunDir, expectRun } from '../run-dir.ts';
import { formatTable } from '../table.ts';
import { trainMixedModel } from './_train-mixed.ts';
import { trainDigitTranscriber } from './_train-transcriber.ts';

export const train: Command = {
  name: 'train',
  about:
    'Train a character language model on a text, the digit readers on MNIST, or the transcriber on spoken digits; write what a model teaches.',
  usage:
    'train lm --text FILE [--minutes N | --steps N] [--teacher FILE]   |   cairn train mixed --examples FILE   |   cairn train teacher --model DIR --text FILE --out FILE   |   cairn train readers [--out DIR]   |   cairn train transcriber --clips DIR',
  options: {
    text: { type: 'string', value: 'FILE', about: 'lm: the text; its last tenth is held out' },
    examples: {
      type: 'string',
      value: 'FILE',
      about:
        'mixed: lines { "prompt": "<image>+<audio>=", "images": ["3.png"], "audio": ["4.wav"], "answer": "7" }, paths relative to it; a tenth is held out',
    },
    minutes: { type: 'number', about: 'wall time (lm: default 3)' },
    steps: { type: 'number', about: 'lm: number of steps instead of a time; makes the run reproducible' },
    seed: { type: 'number', about: 'default 7' },
    out: {
      type: 'string',
      value: 'DIR',
      about:
        'lm: model directory (default: a new one below runs/); teacher: the file; readers: default models/ of this checkout',
    },
    clips: {
      type: 'string',
      value: 'DIR',
      about: 'transcriber: recordings word_speaker_index.wav, 0 to 4 for the test',
    },
    'hold-out': { type: 'string', value: 'NAME', about: 'transcriber: never hear this speaker, and test on them' },
    tokenizer: { type: 'string', value: 'char|byte|bpe', about: 'lm: default char' },
    vocabulary: { type: 'number', about: 'lm: tokens of bpe (default 1024)' },
    rate: { type: 'number', about: 'lm: largest learning rate (default 0.004)' },
    'added-tokens': {
      type: 'string',
      value: 'NAMES',
      about: 'lm: marks in the text that are one token each, with spaces between: "<think> </think>"',
    },
    config: {
      type: 'string',
      value: 'FILE',
      about: 'lm: JSON with keys of config.json that differ from the default model, architecture blocks among them',
    },
    replay: {
      type: 'number',
      value: 'N',
      about: 'lm: run every N-th step a second time and hold the state under seal: flipped bits are found and undone',
    },
    teacher: {
      type: 'string',
      value: 'FILE',
      about: 'lm: learn from the next tokens of a teacher in this file too; it must be about the same text',
    },
    alpha: { type: 'number', about: 'lm: share of the loss on the text beside a teacher, 0 to 1 (default 0.3)' },
    model: { type: 'string', value: 'DIR', about: 'teacher: the trained model (default: the newest run)' },
    k: { type: 'number', about: 'teacher: tokens kept of each position (default 8)' },
    kept: {
      type: 'string',
      value: 'HOW',
      about: 'teacher: drawn (default: right on average, the rare ones too) or likeliest',
    },
    temperature: { type: 'number', about: 'teacher: of the probabilities (default 1)' },
    resume: { type: 'boolean', about: 'continue the run in --out where it stopped' },
  },
  examples: [
    'cairn train lm --text moby-dick.txt --minutes 3',
    'cairn train lm --text moby-dick.txt --config altup.json --tokenizer bpe',
    'cairn train lm --text sums.txt --added-tokens "<think> </think>"',
    'cairn train mixed --examples pictures.jsonl --steps 500 --out sees',
    'cairn train teacher --text moby-dick.txt --out teacher.bin --k 8',
    'cairn train lm --text moby-dick.txt --teacher teacher.bin',
    'cairn train readers',
    'cairn train transcriber --clips recordings',
  ],
  async run(args, io) {
    const what = args.positionals[0];
    if (what === 'lm') return trainLanguageModel(args, io);
    if (what === 'mixed') return trainMixedModel(args, io, (p) => io.status(progressLine(p)));
    if (what === 'teacher') return writeTeacherFile(args, io);
    if (what === 'readers') return trainDigitReaders(args, io);
    if (what === 'transcriber') return trainDigitTranscriber(args, io);
    throw new CairnError(
      'usage',
      `Expected lm, mixed, teacher, readers or transcriber to train, got ${what === undefined ? 'nothing' : `"${what}"`}.`,
      {
        hint: 'Run `cairn train --help`.',
      },
    );
  },
};

async function trainLanguageModel(args: Args, io: Io): Promise<CommandResult> {
  const file = args.text('text');
  if (file === undefined) throw new CairnError('usage', 'Expected --text FILE, got none.');
  const text = await readText(resolve(file));
  const tokenizer = args.text('tokenizer') ?? 'char';
  if (tokenizer !== 'char' && tokenizer !== 'byte' && tokenizer !== 'bpe') {
    throw new CairnError('usage', `Expected --tokenizer char, byte or bpe, got "${tokenizer}".`);
  }
  const vocabulary = args.number('vocabulary', 256, 65_536);
  if (vocabulary !== undefined && tokenizer !== 'bpe') {
    throw new CairnError('usage', 'Expected --vocabulary with --tokenizer bpe only.');
  }
  const settings = args.text('config');
  const model = settings === undefined ? undefined : readSettings(await readText(resolve(settings)));
  const steps = args.number('steps', 1, 1e9);
  const minutes = args.number('minutes', 0.05, 1e5) ?? (steps === undefined ? 3 : undefined);
  if (steps !== undefined && args.number('minutes') !== undefined) {
    throw new CairnError('usage', 'Expected --minutes or --steps, got both.');
  }
  const replay = args.number('replay', 1, 1e9);
  const rate = args.number('rate', 1e-9, 1e9);
  const out = args.text('out');
  if (args.flag('resume') && out === undefined) {
    throw new CairnError('usage', 'Expected --out DIR of the run to resume, got none.');
  }
  const dir = out === undefined ? createRunDir(io.dataDir, new Date()) : resolve(out);
  io.progress(`Training a language model on ${file} (${text.length} characters) in ${dir}`);
  try {
    const report = await trainLm({
      text,
      seed: args.number('seed') ?? 7,
      dir,
      tokenizer,
      addedTokens: (args.text('added-tokens') ?? '').split(/\s+/).filter((name) => name !== ''),
      ...(vocabulary === undefined ? {} : { vocabulary }),
      ...(model === undefined ? {} : { model }),
      ...(steps === undefined ? {} : { steps }),
      ...(rate === undefined ? {} : { recipe: { rate } }),
      ...(minutes === undefined ? {} : { minutes }),
      ...(args.text('teacher') === undefined
        ? {}
        : { teacher: { file: resolve(args.text('teacher')!), alpha: args.number('alpha', 0, 1) ?? 0.3 } }),
      resume: args.flag('resume'),
      ...(replay === undefined ? {} : { replay: { every: replay, onEvent: (event) => tellReplay(event, io) } }),
      signal: io.signal,
      onProgress: (p) => io.status(progressLine(p)),
    });
    return {
      value: report,
      text: [
        `Held-out loss ${report.validLoss.toFixed(4)} nats per ${{ char: 'character', byte: 'byte', bpe: 'token' }[tokenizer]} after ${report.steps} steps (${Math.round(report.seconds)} s, ${Math.round(report.tokensPerSecond)} tokens/s, ${report.parameters} parameters).`,
        `Model: ${report.dir}`,
        `Sample: cairn generate --model ${report.dir} --prompt "The "`,
      ].join('\n'),
    };
  } catch (error) {
    if (CairnError.isInstance(error) && error.code === 'aborted') {
      throw new CairnError('aborted', error.message, {
        hint: `Continue with: cairn train lm --text ${file} --out ${dir} --resume, and the same --steps or --minutes.`,
        cause: error,
      });
    }
    throw error;
  }
}

/** Keys of config.json; a typing error is answered with the key that is nearest. */
function readSettings(text: string): ReturnType<typeof parseLmSettings> {
  try {
    return parseLmSettings(text, DEFAULT_MODEL);
  } catch (error) {
    if (!CairnError.isInstance(error)) throw error;
    const { key, known } = error.details ?? {};
    const near = typeof key === 'string' && Array.isArray(known) ? nearest(key, known.map(String)) : undefined;
    if (near === undefined) throw error;
    throw new CairnError(error.code, error.message, { hint: `Did you mean \`${near}\`?`, cause: error });
  }
}

/** Says what a replay found; that it found nothing is not worth a line. */
function tellReplay(event: ReplayEvent, io: Io): void {
  if (event.verdict === 'equal') return;
  const after = event.rolledBackTo === undefined ? '' : `; going on from step ${event.rolledBackTo}`;
  io.progress(`Step ${event.step}: ${event.verdict} \`${event.tensor ?? ''}\` (${event.check})${after}`);
}

async function writeTeacherFile(args: Args, io: Io): Promise<CommandResult> {
  const [file, out] = [args.text('text'), args.text('out')];
  if (file === undefined || out === undefined) {
    throw new CairnError('usage', 'Expected --text FILE and --out FILE, got less.');
  }
  const kept = args.text('kept') ?? 'drawn';
  if (kept !== 'drawn' && kept !== 'likeliest') {
    throw new CairnError('usage', `Expected --kept drawn or likeliest, got "${kept}".`);
  }
  const dir = args.text('model') ?? expectRun(io.dataDir);
  const executor = await createOrtExecutor();
  try {
    const model = await loadLm(resolve(dir), executor);
    const { head } = splitTokens(await readText(resolve(file)), model.tokenizer, model.config);
    const header = await writeTeacher(resolve(out), model, head, {
      k: args.number('k', 1, 65_535) ?? 8,
      kept,
      seed: args.number('seed') ?? 7,
      temperature: args.number('temperature', 0.01, 100) ?? 1,
      signal: io.signal,
      onProgress: (done, all) => io.status(`${((100 * done) / all).toFixed(0).padStart(3)} % of ${all} tokens`),
    });
    const bytes = statSync(resolve(out)).size;
    return {
      value: { file: resolve(out), model: resolve(dir), bytes, ...header },
      text: `${header.tokens} tokens, ${header.k} ${kept} of ${header.vocab} each, ${bytes} bytes: ${resolve(out)}`,
    };
  } finally {
    await executor.dispose();
  }
}

async function trainDigitReaders(args: Args, io: Io): Promise<CommandResult> {
  const minutes = args.number('minutes', 0.1, 1e4);
  const reports = await trainReaders({
    dir: resolve(args.text('out') ?? join(io.root, 'models')),
    seed: args.number('seed') ?? 7,
    ...(minutes === undefined ? {} : { minutes }),
    resume: args.flag('resume'),
    signal: io.signal,
    onProgress: (p) => io.status(`${p.reader.padEnd(6)} ${progressLine(p)}`),
  });
  return {
    value: { readers: reports },
    text: formatTable(
      ['reader', 'test accuracy %', 'parameters', 'flop a digit', 'seconds', 'directory'],
      reports.map((r) => [r.size, 100 * r.test.accuracy, r.parameters, r.flopsPerInput, r.seconds, r.dir]),
    ),
  };
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new CairnError('no_file', `Expected a text file that can be read, got ${file}.`, {
      cause,
      hint: 'Check the path.',
    });
  }
  if (bytes.subarray(0, 65_536).includes(0)) {
    throw new CairnError('not_text', `Expected text, got binary data in ${file}.`, {
      hint: 'Convert it to UTF-8 text first.',
    });
  }
  return new TextDecoder('utf-8').decode(bytes);
}

function progressLine(p: TrainProgress): string {
  const left = Number.isFinite(p.secondsLeft) ? `${Math.max(0, Math.round(p.secondsLeft))} s left` : '';
  const valid = p.valid === undefined ? '' : `  held out ${p.valid.toFixed(4)}`;
  return `${(100 * p.progress).toFixed(0).padStart(3)} %  step ${p.step}  loss ${p.smoothedLoss.toFixed(4)}${valid}  rate ${p.rate.toExponential(1)}  ${left}`;
}
