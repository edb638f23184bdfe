// Trains a character (or byte) language model on one text, by steps or by the clock, and writes its directory. The last
// tenth of the text is held out and only measured.
import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import {
  byteTokenizer,
  charTokenizer,
  randomWindows,
  type Tokenizer,
  trainBpe,
  withAddedTokens,
} from '../data/index.ts';
import { createOrtExecutor, type Executor, ModelState, Rng, ROWS } from '../tensor/index.ts';
import { parameterCount } from './classifier.ts';
import {
  type DistillSettings,
  hashTokens,
  openTeacher,
  type TeacherFile,
  teacherFeeds,
  teacherLoss,
} from './distill/index.ts';
import { createLmEvaluator, type LmEvaluator } from './evaluate-lm.ts';
import { saveLm, weightPrograms } from './lm.ts';
import { checkLmConfig, lmConfig, type LmConfig, type LmSettings } from './lm-config.ts';
import { defineLmStep, lmObjective, lmStepFeeds } from './lm-step.ts';
import { firstNonFinite } from './non-finite.ts';
import { compileTrainStep, type OptimizerSettings } from './train-step.ts';
import type { ReplayOptions } from './replay/index.ts';
import { train, type TrainOptions, type TrainProgress, type TrainResult } from './trainer.ts';

/** How a model is trained. The defaults are chosen for three minutes on two cores. */
export interface LmRecipe {
  /** Sequences of one context length per step. */
  readonly batch: number;
  /** Largest learning rate. */
  readonly rate: number;
  readonly warmup: number;
  readonly final: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly clipNorm: number;
  /** Factor of the learning rate for tables that are updated row by row. */
  readonly tableRate: number;
}

export interface TrainLmOptions {
  readonly text: string;
  readonly seed: number;
  /** Where the model directory is written. */
  readonly dir: string;
  /** Wall time for everything: compiling, training, measuring, writing. */
  readonly minutes?: number;
  /** Number of steps; makes the run reproducible. Default 1000 when `minutes` is absent too. */
  readonly steps?: number;
  /** Default `char`. `bpe` learns merges from the first nine tenths of the text. */
  readonly tokenizer?: 'char' | 'byte' | 'bpe';
  /** Tokens of `bpe`, 256 or more. Default 1024. */
  readonly vocabulary?: number;
  /** Marks in the text that are one token each, `<think>` and `</think>` for example. */
  readonly addedTokens?: readonly string[];
  /** Architecture settings that differ from the default model. */
  readonly model?: Partial<LmSettings>;
  readonly recipe?: Partial<LmRecipe>;
  /** Learn from next tokens of a teacher too: a file that `cairn train teacher` wrote about the same text. */
  readonly teacher?: { readonly file: string } & Pick<DistillSettings, 'alpha' | 'loss'>;
  readonly resume?: boolean;
  /** Replays steps to find silent corruption; see `ReplayGuard`. */
  readonly replay?: ReplayOptions;
  readonly onProgress?: (p: TrainProgress) => void;
  readonly signal?: AbortSignal;
  readonly executor?: Executor;
  /** Seconds since any fixed moment. */
  readonly clock?: () => number;
}

export interface LmReport {
  readonly steps: number;
  /** Running mean of the training loss at the end, nats per token. */
  readonly trainLoss: number;
  /** Loss on the last tenth of the text, nats per token (per character with character tokens). */
  readonly validLoss: number;
  /** Share of the held-out text that was measured: 1, or less when `minutes` leaves no time for all of it. */
  readonly validShare: number;
  readonly tokensPerSecond: number;
  readonly parameters: number;
  /** Wall time of everything. */
  readonly seconds: number;
  readonly dir: string;
}

export const DEFAULT_RECIPE: LmRecipe = {
  batch: 8,
  rate: 4e-3,
  warmup: 0.05,
  final: 0.02,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.99,
  clipNorm: 1,
  tableRate: 3,
};

export const DEFAULT_MODEL: Omit<LmSettings, 'vocab_size'> = {
  hidden_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  max_position_embeddings: 128,
  hidden_act: 'relu-squared',
  mlp_bias: false,
  qk_norm: true,
};

/**
 * Trains and writes a language model.
 * @throws CairnError `short_text`, `bad_teacher`, `aborted` (run again with `resume`), `diverged`
 * @example
 * const report = await trainLm({ text, minutes: 3, seed: 7, dir: 'shakespeare' });
 * report.validLoss; // nats per character on the last tenth
 */
export async function trainLm(options: TrainLmOptions): Promise<LmReport> {
  const clock = options.clock ?? ((): number => performance.now() / 1000);
  const began = clock();
  const recipe: LmRecipe = { ...DEFAULT_RECIPE, ...options.recipe };
  const tokenizer = tokenizerOf(options);
  const wanted = options.model?.vocab_size;
  if (wanted !== undefined && wanted !== tokenizer.vocabSize) {
    throw new CairnError(
      'bad_config',
      `Expected key \`vocab_size\` of config.json to be the tokenizer's ${tokenizer.vocabSize}, got ${wanted}.`,
      { hint: 'Leave it out: the text and the tokenizer decide.', details: { key: 'vocab_size' } },
    );
  }
  const config = lmConfig({ ...DEFAULT_MODEL, ...options.model, vocab_size: tokenizer.vocabSize });
  checkLmConfig(config);
  const { head, tail } = splitTokens(options.text, tokenizer, config);
  const executor = options.executor ?? (await createOrtExecutor());
  using teacher = options.teacher && openTeacherOf(options.teacher.file, config, head);
  try {
    const state = new ModelState();
    const run = { options, recipe, config, tokens: head, state, executor, clock, teacher };
    await mkdir(options.dir, { recursive: true });
    const settings = optimizerOf(recipe);
    const shape = { batch: recipe.batch, length: config.max_position_embeddings };
    const step = defineLmStep(config, shape, settings, distillOf(run));
    for (const def of [step, ...weightPrograms(config)]) state.ensure(def, new Rng(options.seed).fork('weights'));
    await using program = await compileTrainStep(executor, step, state, settings);
    await using evaluator = await createLmEvaluator(config, state, executor);
    const plan = await planTime(run, evaluator, tail, clock() - began);
    const result = await runTraining(run, program, plan.length, (limit) => evaluator.loss(tail, limit));
    if (result.reason === 'aborted') {
      throw new CairnError(
        'aborted',
        `Expected to train to the end, got an abort after ${result.position.step} steps.`,
        {
          hint: 'Run the same command with resume to continue.',
        },
      );
    }
    const validLoss = await evaluator.loss(tail, plan.windows);
    const report: LmReport = {
      steps: result.position.step,
      trainLoss: result.position.smoothedLoss ?? Number.NaN,
      validLoss,
      validShare: Math.min(1, plan.windows / evaluator.windows(tail.length)),
      tokensPerSecond: (result.position.step * recipe.batch * config.max_position_embeddings) / result.position.seconds,
      parameters: weightPrograms(config).reduce((sum, def) => sum + parameterCount(def), 0),
      seconds: clock() - began,
      dir: options.dir,
    };
    await write(run, tokenizer, report);
    return report;
  } finally {
    if (!options.executor) await executor.dispose();
  }
}

function tokenizerOf({ tokenizer = 'char', vocabulary = 1024, text, addedTokens = [] }: TrainLmOptions): Tokenizer {
  // What the marks are made of is not part of the text.
  const plain = addedTokens.reduce((rest, mark) => (mark === '' ? rest : rest.replaceAll(mark, '')), text);
  const base =
    tokenizer === 'byte'
      ? byteTokenizer()
      : tokenizer === 'char'
        ? charTokenizer(plain)
        : trainBpe(plain.slice(0, Math.floor(plain.length * 0.9)), vocabulary);
  return withAddedTokens(base, addedTokens);
}

interface Run {
  readonly options: TrainLmOptions;
  readonly recipe: LmRecipe;
  readonly config: LmConfig;
  readonly tokens: Int32Array;
  readonly state: ModelState;
  readonly executor: Executor;
  readonly clock: () => number;
  readonly teacher: TeacherFile | undefined;
}

/** What a step is told about the teacher of a run, if it has one. */
function distillOf({ options, teacher }: Pick<Run, 'options' | 'teacher'>): { distill?: DistillSettings } {
  if (!teacher) return {};
  const { k, temperature } = teacher.header;
  return { distill: { loss: teacherLoss(teacher.header), ...options.teacher, k, temperature } };
}

/** A teacher file, checked to be about the tokens that are trained on. */
function openTeacherOf(path: string, config: LmConfig, tokens: Int32Array): TeacherFile {
  const file = openTeacher(path);
  const { vocab, text } = file.header;
  const same = vocab === config.vocab_size && text === hashTokens(tokens);
  if (same) return file;
  file.close();
  throw new CairnError(
    'bad_teacher',
    `Expected a teacher file about the same text and tokens, got ${path} about others.`,
    {
      hint: 'Write it with `cairn train teacher` from this text, by a model with the same tokenizer.',
    },
  );
}

/** First nine tenths (by characters) to train on, last tenth to measure. */
export function splitTokens(
  text: string,
  tokenizer: Tokenizer,
  config: Pick<LmConfig, 'max_position_embeddings'>,
): { head: Int32Array; tail: Int32Array } {
  const cut = Math.floor(text.length * 0.9);
  const head = tokenizer.encode(text.slice(0, cut));
  const tail = tokenizer.encode(text.slice(cut));
  if (head.length <= config.max_position_embeddings || tail.length < 2) {
    throw new CairnError(
      'short_text',
      `Expected a text of more than ${Math.ceil((config.max_position_embeddings + 1) / 0.9)} tokens, got ${head.length + tail.length}.`,
      { hint: 'Use a longer text or a shorter context.' },
    );
  }
  return { head, tail };
}

function optimizerOf({ tableRate, ...recipe }: LmRecipe): OptimizerSettings {
  return { ...recipe, eps: 1e-8, lrScale: { [ROWS]: tableRate } };
}

async function runTraining(
  run: Run,
  program: TrainOptions['program'],
  length: TrainOptions['length'],
  evaluate: (limit: number) => Promise<number>,
): Promise<TrainResult> {
  const { options, recipe, config, tokens, state, clock } = run;
  const { batch } = recipe;
  const shape = { batch, length: config.max_position_embeddings };
  const windows = randomWindows({
    tokens,
    batch,
    length: config.max_position_embeddings,
    rng: new Rng(options.seed).fork('data'),
  });
  const data = createHash('sha256').update(options.text).digest('hex');
  const planned = options.minutes === undefined ? length : { minutes: options.minutes };
  const fingerprint = createHash('sha256')
    .update(
      JSON.stringify([
        config,
        recipe,
        options.seed,
        planned,
        data,
        ...(options.addedTokens ?? []),
        ...(run.teacher ? [run.teacher.header] : []),
      ]),
    )
    .digest('hex');
  const resume =
    options.resume === true && (await stat(join(options.dir, 'checkpoint.safetensors')).catch(() => false)) !== false;
  return train({
    program,
    state,
    feeds: (step) => ({
      ...lmStepFeeds(config, batch, windows.at(step)),
      ...(run.teacher ? teacherFeeds(run.teacher, windows.starts(step), config.max_position_embeddings) : {}),
    }),
    schedule: { kind: 'cosine', peak: recipe.rate, warmup: recipe.warmup, final: recipe.final },
    beta1: recipe.beta1,
    beta2: recipe.beta2,
    length,
    clock,
    dir: options.dir,
    fingerprint,
    resume,
    evaluate: () => evaluate(32),
    evaluateEvery: 250,
    diagnose: (feeds) =>
      firstNonFinite(run.executor, state, (b) => lmObjective(b, config, shape, distillOf(run)), feeds),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.replay === undefined ? {} : { replay: options.replay }),
  });
}

async function write(run: Run, tokenizer: Tokenizer, report: LmReport): Promise<void> {
  const { options, config, state, recipe } = run;
  const length = options.minutes === undefined ? `--steps ${report.steps}` : `--minutes ${options.minutes}`;
  const command = `cairn train lm --seed ${options.seed} ${length}${flagsOf(options)}`;
  const { dir: _, ...measured } = report;
  await saveLm(
    options.dir,
    { config, state, tokenizer, generation: { temperature: 0.8, topP: 0.95 } },
    {
      training: {
        command,
        seed: options.seed,
        steps: report.steps,
        seconds: report.seconds,
        data_sha256: createHash('sha256').update(options.text).digest('hex'),
        recipe,
        report: measured,
      },
      card: card(report, config, options.seed, command),
    },
  );
}

/** What else has to be said to train the same model again; the file that this directory holds says how it is built. */
function flagsOf({ tokenizer = 'char', vocabulary, addedTokens = [], model, recipe, teacher }: TrainLmOptions): string {
  return [
    ...(tokenizer === 'char' ? [] : [`--tokenizer ${tokenizer}`]),
    ...(vocabulary === undefined ? [] : [`--vocabulary ${vocabulary}`]),
    ...(addedTokens.length === 0 ? [] : [`--added-tokens "${addedTokens.join(' ')}"`]),
    ...(model === undefined ? [] : ['--config config.json']),
    ...(recipe?.rate === undefined ? [] : [`--rate ${recipe.rate}`]),
    ...(teacher === undefined ? [] : [`--teacher ${teacher.file} --alpha ${teacher.alpha ?? 0.3}`]),
  ]
    .map((flag) => ` ${flag}`)
    .join('');
}

function card(report: LmReport, config: LmConfig, seed: number, command: string): string {
  const part = report.validShare < 1 ? `, measured on ${Math.round(100 * report.validShare)} % of it` : '';
  return `# Language model

| | |
|---|---|
| parameters | ${report.parameters.toLocaleString('en')} (f32) |
| layers x width, context | ${config.num_hidden_layers} x ${config.hidden_size}, ${config.max_position_embeddings} tokens |
| loss on the last tenth of the text | ${report.validLoss.toFixed(4)} nats per token${part} |
| training loss, running mean | ${report.trainLoss.toFixed(4)} nats per token |
| training | ${report.steps.toLocaleString('en')} steps, ${Math.round(report.seconds)} s, seed ${seed} |

The held-out tenth was only measured: each of its tokens once, with at least half a context before it.

Make it again: \`${command}\` on the same text.
`;
}

/** Divides the minutes: measuring gets what it needs but at most a fifth, training the rest. */
async function planTime(
  run: Run,
  evaluator: LmEvaluator,
  tail: Int32Array,
  spent: number,
): Promise<{ length: TrainOptions['length']; windows: number }> {
  const { options, clock } = run;
  if (options.minutes === undefined) return { length: { steps: options.steps ?? 1000 }, windows: Infinity };
  const began = clock();
  await evaluator.loss(tail, 16);
  const warm = clock();
  await evaluator.loss(tail, 16);
  const perWindow = (1.3 * (clock() - warm)) / 16;
  const left = options.minutes * 60 - spent - (clock() - began);
  const wanted = evaluator.windows(tail.length);
  const windows = Math.max(16, Math.min(wanted, Math.floor((0.2 * left) / perWindow)));
  return {
    length: { seconds: Math.max(1, left - windows * perWindow - 2) },
    windows: windows >= wanted ? Infinity : windows,
  };
}
