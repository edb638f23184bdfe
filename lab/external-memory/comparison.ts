// Models with tables beside the dense one: held-out and training loss, the loss on n-grams that training never saw, what the
// tables cost in operations and in time.
import {
  compileTrainStep,
  countFlops,
  defineLmStep,
  type LmConfig,
  lmProgram,
  type LmSettings,
  lmStepFeeds,
  ngramRows,
  parameterCount,
} from 'cairn/nn';
import { randomWindows } from 'cairn/data';
import { createOrtExecutor, type Executor, ModelState, type Program, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { loadText } from '../text.ts';
import {
  BATCH,
  configOf,
  CONTEXT,
  fit,
  mean,
  SETTINGS,
  type Split,
  splitText,
  type TokenLosses,
  tokenLosses,
} from '../char-models.ts';

interface Arm {
  readonly name: string;
  readonly settings: Partial<LmSettings>;
  /** Trained with every seed, not with the first alone. */
  readonly paired: boolean;
  readonly onlyFull?: boolean;
}

const BIGRAM: Partial<LmSettings> = { memory_lookup: 'ngram', memory_entries: 4096, memory_layers: [0] };
const ARMS: readonly Arm[] = [
  { name: 'dense', settings: {}, paired: true },
  { name: 'hashed bigrams, 4,096 rows, first layer', settings: BIGRAM, paired: true },
  {
    name: 'hashed trigrams, 32,768 rows, first layer',
    settings: { ...BIGRAM, memory_ngram: 3, memory_entries: 32_768 },
    paired: false,
  },
  {
    name: 'hashed vectors, 1,024 rows, added',
    settings: { memory_lookup: 'lsh', memory_entries: 1024 },
    paired: false,
  },
  { name: 'softmax, 64 rows, added', settings: { memory_lookup: 'softmax', memory_entries: 64 }, paired: false },
  {
    name: 'hashed bigrams, 4,096 rows, every layer',
    settings: { memory_lookup: 'ngram', memory_entries: 4096 },
    paired: false,
    onlyFull: true,
  },
  {
    name: 'hashed bigrams, gated',
    settings: { ...BIGRAM, memory_gate: true },
    paired: false,
    onlyFull: true,
  },
  {
    name: 'hashed vectors, 64 networks of rank 8',
    settings: { memory_lookup: 'lsh', memory_entries: 64, memory_consume: 'expert' },
    paired: false,
    onlyFull: true,
  },
  {
    name: 'product keys, 4,096 rows, 4 read',
    settings: { memory_lookup: 'product', memory_entries: 4096 },
    paired: false,
    onlyFull: true,
  },
];

interface Result {
  readonly config: LmConfig;
  readonly valid: number[];
  readonly train: number[];
  /** Loss of every held-out token with the first seed. */
  tokens: TokenLosses | undefined;
}

export async function comparison(options: LabOptions): Promise<Part> {
  const { seed, scale, log, signal, plot } = options;
  const { name: corpus, text } = await loadText(options.data);
  const full = scale === 'full';
  const [layers, steps, seeds, windows] = full ? [4, 400, 3, 640] : [2, 200, 2, 320];
  log(`text: ${corpus}`);
  const split = splitText(text);
  const arms = ARMS.filter((arm) => full || arm.onlyFull !== true);
  await using executor = await createOrtExecutor();
  const results: Result[] = [];
  for (const arm of arms) {
    const config = configOf(split, layers, arm.settings);
    const result: Result = { config, valid: [], train: [], tokens: undefined };
    for (let s = 0; s < (arm.paired ? seeds : 1); s++) {
      const fork = seed * 1000 + s;
      const { state, trainLoss } = await fit(config, split, { steps, seed: fork, executor, signal });
      const losses = await tokenLosses(config, state, split, windows, executor);
      result.tokens ??= losses;
      result.valid.push(mean(losses.loss));
      result.train.push(trainLoss);
    }
    results.push(result);
    log(`${arm.name}: ${mean(result.valid).toFixed(3)} nats held out, ${mean(result.train).toFixed(3)} in training`);
  }
  const [dense, bigram] = results as [Result, Result];
  const flopsOf = (r: Result): number => countFlops(lmProgram(r.config, { batch: BATCH, length: CONTEXT }));
  const timed = arms.slice(0, 2).map((arm) => configOf(split, 4, arm.settings));
  const time = await stepTimes(timed, split, seed, executor, full ? 200 : 65);
  const gain = dense.valid.map((v, s) => bigram.valid[s]! - v);
  const flopRatio = flopsOf(bigram) / flopsOf(dense);
  const tokens = steps * BATCH * CONTEXT;
  plot('losses', {
    title: `Tables beside a dense model, ${corpus}`,
    note: `${steps} steps of ${BATCH} x ${CONTEXT} characters, ${layers} layers of width 64.`,
    y: { label: 'nats a character' },
    columns: {
      labels: arms.map((arm) => arm.name),
      series: [
        { name: 'held out', values: results.map((r) => mean(r.valid)) },
        { name: 'training', values: results.map((r) => mean(r.train)) },
      ],
    },
  });
  return {
    claims: [
      {
        id: 'bigrams-lower-loss',
        says: `A table of hashed bigrams in one layer lowers the held-out loss of a character model (${corpus}).`,
        kind: 'measured',
        value: mean(bigram.valid),
        baseline: mean(dense.valid),
        target: `at least 0.08 nats lower for each of ${seeds} paired seeds`,
        holds: gain.every((v) => v <= -0.08),
      },
      {
        id: 'bigrams-cost-no-operations',
        says: 'It takes hardly more floating-point operations.',
        kind: 'bound',
        value: flopRatio,
        target: '<= 1.02 of dense, forward',
        holds: flopRatio <= 1.02,
      },
      {
        id: 'bigrams-cost-little-time',
        says: 'A training step takes hardly longer, the update of the rows that were read included.',
        kind: 'measured',
        value: time,
        target: '<= 1.05 of dense with four layers, fastest tenth of steps that take turns',
        holds: time <= 1.05,
      },
    ],
    tables: [
      {
        title: `${corpus}, ${steps} steps, nats a character; one seed where no spread is given`,
        columns: [
          'model',
          'parameters',
          'table values a token',
          'operations',
          'training',
          'held out',
          'minus dense',
          'spread',
        ],
        rows: results.map((r, i) => {
          const differences = r.valid.map((v, s) => v - dense.valid[s]!);
          const parameters = parameterCount(lmProgram(r.config, { batch: 1, length: 1 }));
          const stored = parameters - parameterCount(lmProgram(dense.config, { batch: 1, length: 1 }));
          return [
            arms[i]!.name,
            parameters,
            stored / tokens,
            flopsOf(r) / flopsOf(dense),
            mean(r.train),
            mean(r.valid),
            i === 0 ? null : mean(differences),
            i === 0 || r.valid.length === 1 ? null : Math.max(...differences) - Math.min(...differences),
          ];
        }),
      },
      {
        title: 'Held-out loss where training never saw the n-gram that is looked up, and where it did',
        columns: ['model', 'n', 'share unseen', 'unseen', 'seen', 'unseen, dense', 'seen, dense'],
        rows: unseenRows(results, arms, split),
      },
    ],
  };
}

/** Loss by novelty for models that look up n-grams, beside the dense model on the same positions. */
function unseenRows(results: readonly Result[], arms: readonly Arm[], split: Split): (string | number)[][] {
  const dense = results[0]!.tokens!;
  return results.flatMap((r, i) => {
    if (r.config.memory_lookup !== 'ngram') return [];
    const known = knownGrams(split, r.config);
    const fresh = Array.from(r.tokens!.at, (t) => !known(t - 1));
    const of = ({ loss }: TokenLosses, want: boolean): number => mean(loss.filter((_, k) => fresh[k] === want));
    const n = r.config.memory_ngram ?? 2;
    const share = mean(fresh.map(Number));
    return [[arms[i]!.name, n, share, of(r.tokens!, true), of(r.tokens!, false), of(dense, true), of(dense, false)]];
  });
}

/** Whether the n-gram that ends at a place of the held-out text was in the text trained on. */
function knownGrams(split: Split, config: LmConfig): (at: number) => boolean {
  if (config.memory_lookup !== 'ngram') return () => true;
  const ngram = config.memory_ngram ?? 2;
  // Two 32-bit hashes tell n-grams apart where the table's own hash does not.
  const keys = (ids: Int32Array): Float64Array => {
    const rows = ngramRows({ ngram, entries: 2 ** 26, hashes: 2 }, ids);
    return Float64Array.from({ length: ids.length }, (_, t) => rows[2 * t]! * 2 ** 26 + rows[2 * t + 1]!);
  };
  const seen = new Set(keys(split.head));
  const tail = keys(split.tail);
  return (at) => seen.has(tail[at]!);
}

/** Step time of the second config over the first: of the fastest tenth of steps that take turns, so that a busy machine counts little. */
async function stepTimes(
  configs: readonly LmConfig[],
  split: Split,
  seed: number,
  executor: Executor,
  steps: number,
): Promise<number> {
  const windows = randomWindows({ tokens: split.head, batch: BATCH, length: CONTEXT, rng: new Rng(seed).fork('time') });
  const programs: Program[] = [];
  for (const config of configs) {
    const step = defineLmStep(config, { batch: BATCH, length: CONTEXT }, SETTINGS);
    const state = ModelState.init(step, new Rng(seed));
    programs.push(await compileTrainStep(executor, step, state, SETTINGS));
  }
  const times = configs.map(() => [] as number[]);
  for (let at = 0; at < steps; at++) {
    const batch = windows.at(at);
    const adam = { lr: 1e-3, c1: 1 - SETTINGS.beta1 ** (at + 1), c2: 1 - SETTINGS.beta2 ** (at + 1) };
    for (const [i, config] of configs.entries()) {
      const start = performance.now();
      await programs[i]!.run({ ...lmStepFeeds(config, BATCH, batch), ...adam });
      if (at >= 5) times[i]!.push(performance.now() - start);
    }
  }
  for (const program of programs) await program.dispose();
  const [first, second] = times.map((all) => mean(all.sort((a, b) => a - b).slice(0, Math.ceil(all.length / 10))));
  return second! / first!;
}
