// One model of three sizes beside three models of one size each, and the same model without funnel pooling: word errors on strings that
// were not trained on, parameters, encoder work and time.
import {
  type AsrConfig,
  asrConfig,
  asrLoss,
  type AsrModel,
  type AsrSize,
  asrTensors,
  createRecognizer,
  type ErrorRate,
  errorRate,
  SharedExamples,
  sizesOf,
  streamProgram,
  trainAsr,
} from 'cairn/nn';
import { createOrtExecutor, defineProgram, type Executor, ModelState, Rng, sizeOf } from 'cairn/tensor';
import type { Cell, Claim, Curve, LabOptions, Part } from '../report.ts';
import { type Corpus, recordedCorpus, syntheticCorpus } from './corpus.ts';

interface Scale {
  readonly steps: number;
  /** Peak of the learning rate. */
  readonly rate: number;
  readonly batch: number;
  readonly rows: number;
  readonly strings: number;
  /** Share of words by which a larger size may be worse: what the number of strings can tell. */
  readonly order: number;
  readonly changes: Partial<Omit<AsrConfig, 'audio' | 'vocabulary'>>;
}

const CI: Scale = {
  steps: 750,
  rate: 5e-3,
  batch: 12,
  rows: 72,
  strings: 120,
  order: 0.03,
  changes: {
    hidden_size: 48,
    intermediate_size: 96,
    asr_sizes: {
      small: { causal_layers: 2, noncausal_layers: 0 },
      medium: { causal_layers: 3, noncausal_layers: 0 },
      large: { causal_layers: 3, noncausal_layers: 1 },
    },
  },
};
const FULL: Scale = { steps: 1200, rate: 3e-3, batch: 16, rows: 84, strings: 400, order: 0.01, changes: {} };

/** Frames of 60 ms that a word takes at least. */
const LABEL_FRAMES = 3;
/** Largest word error rate of the large size. */
const MOST = 0.05;

interface Measured {
  readonly size: AsrSize;
  readonly error: ErrorRate;
  readonly parameters: number;
  readonly flopsPerSecond: number;
  readonly realTimeFactor: number;
}

export async function sizes(options: LabOptions): Promise<Part> {
  const { seed, log, signal, data } = options;
  const scale = options.scale === 'ci' && data === undefined ? CI : FULL;
  const corpus = data === undefined ? syntheticCorpus(new Rng(seed).fork('corpus')) : await recordedCorpus(data);
  await using executor = await createOrtExecutor();
  await using single = await createOrtExecutor({ threads: 1 });
  const base = asrConfig({ vocabulary: corpus.vocabulary, label_frames: LABEL_FRAMES, ...scale.changes });
  const unpooledConfig = { ...base, funnel_layer: null, label_frames: 2 * LABEL_FRAMES };
  const alone = sizesOf(base).map((size): AsrConfig => ({ ...base, asr_sizes: { [size]: base.asr_sizes[size]! } }));
  // A glance trains one model; the others take as long again and are compared at full scale only.
  const configs = scale === CI ? [base] : [base, ...alone, unpooledConfig];
  const started = performance.now();
  // Side by side on the same examples, which are drawn once.
  const share = new SharedExamples(configs.length);
  const told = scale === CI ? undefined : (step: number): void => log(`  step ${step} of ${scale.steps}`);
  const models = await Promise.all(
    configs.map((config, i) =>
      train(config, corpus, scale, { seed, executor, signal, share, told: i === 0 ? told : undefined }),
    ),
  );
  log(`  ${models.length} models: trained in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const measured: Measured[][] = [];
  for (const model of models) {
    measured.push(await measure(model, corpus, scale, new Rng(seed).fork('test'), single));
    log(`  ${measured.length} of ${models.length} models measured`);
  }
  const unified = { model: models[0]!, measured: measured[0]! };
  const flops = await largeFlops(unpooledConfig, single);
  if (measured.length === 1) return toPart(options, corpus, scale, unified, undefined, flops, undefined);
  const time = await funnelTime(models[0]!, models[4]!, single);
  const others = { separate: measured.slice(1, 4).map((m) => m[0]!), unpooled: measured[4]! };
  return toPart(options, corpus, scale, unified, others, flops, time);
}

function untrained(config: AsrConfig): AsrModel {
  const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
  return { config, state: ModelState.init(def, new Rng(1)) };
}

/** Feature rows of a piece that is long enough for the work to count and not the calls: 7.7 s. */
const LONG_ROWS = 256;

/** Share of the time of the large encoder without pooling that it takes with pooling; rounds in turn, the fastest of each. */
async function funnelTime(pooled: AsrModel, unpooled: AsrModel, executor: Executor): Promise<number> {
  const { mels, stack } = pooled.config.audio;
  const features = new Float32Array(LONG_ROWS * mels * stack);
  new Rng('funnel').fillNormal(features);
  const valid = new Float32Array(LONG_ROWS).fill(1);
  const encoders = await Promise.all(
    [pooled, unpooled].map(async ({ config, state }) => {
      const def = streamProgram(config, ['large'], LONG_ROWS);
      const carried = def.graph.inputs
        .filter((x) => x.name.startsWith('in:'))
        .map((x) => [x.name, new Float32Array(sizeOf(def.graph.nodes[x.node]!.outputs[0]!.shape))] as const);
      const program = await executor.compile(def, { state });
      return { program, feeds: { features, valid, ...Object.fromEntries(carried) } };
    }),
  );
  const fastest = encoders.map(() => Infinity);
  // The first rounds warm up.
  for (let round = 0; round < 200; round++) {
    for (const [i, { program, feeds }] of encoders.entries()) {
      const started = performance.now();
      await program.run(feeds);
      if (round >= 10) fastest[i] = Math.min(fastest[i]!, performance.now() - started);
    }
  }
  for (const { program } of encoders) await program.dispose();
  return fastest[0]! / fastest[1]!;
}

/** Work of the large encoder of a config for a second of sound, which no training changes. */
async function largeFlops(config: AsrConfig, executor: Executor): Promise<number> {
  const { state } = untrained(config);
  await using recognizer = createRecognizer(config, state, executor);
  return (await recognizer.cost('large')).flopsPerSecond;
}

async function train(
  config: AsrConfig,
  corpus: Corpus,
  scale: Scale,
  run: {
    readonly seed: number;
    readonly executor: Executor;
    readonly signal: AbortSignal;
    readonly share: SharedExamples;
    readonly told: ((step: number) => void) | undefined;
  },
): Promise<AsrModel> {
  const { told, ...rest } = run;
  const trained = await trainAsr({
    config,
    source: corpus.train,
    augment: corpus.augment,
    batch: { batch: scale.batch, rows: scale.rows, labels: 5 },
    length: { steps: scale.steps },
    rate: scale.rate,
    ...rest,
    ...(told ? { onProgress: ({ step }) => step % 100 === 0 && told(step) } : {}),
  });
  if (trained.result.reason === 'aborted') run.signal.throwIfAborted();
  return trained;
}

async function measure(
  { config, state }: AsrModel,
  corpus: Corpus,
  scale: Scale,
  rng: Rng,
  executor: Executor,
): Promise<Measured[]> {
  await using recognizer = createRecognizer(config, state, executor);
  const strings = Array.from({ length: scale.strings }, (_, i) => corpus.test.draw(rng.fork(i), 60));
  const out: Measured[] = [];
  for (const size of recognizer.sizes) {
    const { parameters, flopsPerSecond } = await recognizer.cost(size);
    const pairs: { reference: number[]; hypothesis: number[] }[] = [];
    const before = process.cpuUsage();
    let seconds = 0;
    for (const { samples, labels } of strings) {
      const { words } = await recognizer.transcribe(samples, { size });
      seconds += samples.length / corpus.test.sampleRate;
      const hypothesis = words.map((w) => config.vocabulary.indexOf(w.word) + 1);
      pairs.push({ reference: [...labels], hypothesis });
    }
    const used = process.cpuUsage(before);
    const realTimeFactor = (used.user + used.system) / 1e6 / seconds;
    out.push({ size, error: errorRate(pairs, rng.fork('bootstrap')), parameters, flopsPerSecond, realTimeFactor });
  }
  return out;
}

function toPart(
  { plot }: LabOptions,
  corpus: Corpus,
  scale: Scale,
  { model, measured }: { readonly model: AsrModel; readonly measured: readonly Measured[] },
  others: { readonly separate: readonly Measured[]; readonly unpooled: readonly Measured[] } | undefined,
  unpooledFlops: number,
  funnelShare: number | undefined,
): Part {
  const total = [...asrTensors(model).values()].reduce((n, t) => n + t.data.length, 0);
  const apart = measured.reduce((n, m) => n + m.parameters, 0);
  const [small, medium, large] = measured as readonly [Measured, Measured, Measured];
  const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
  const on = ` (${corpus.name})`;
  const curves: Curve[] = [
    {
      name: 'one model',
      points: measured.map((m) => [m.flopsPerSecond / 1e6, m.error.rate]),
      bars: measured.map((m) => (m.error.interval[1] - m.error.interval[0]) / 2),
    },
  ];
  const dots = (name: string, list: readonly Measured[]): void => {
    curves.push({ name, kind: 'dots', points: list.map((m) => [m.flopsPerSecond / 1e6, m.error.rate]) });
  };
  if (others) {
    dots('separate models', others.separate);
    dots('no funnel', others.unpooled);
  }
  plot('sizes', {
    title: `Word errors against encoder work, ${corpus.name}`,
    x: { label: 'million operations a second of sound' },
    y: { label: 'word error rate' },
    curves,
  });
  const saved = large.flopsPerSecond / unpooledFlops;
  const claims: Claim[] = [
    {
      id: 'asr-sizes-error',
      says: `The large size of one model hears strings of words with few errors${on}.`,
      kind: 'measured',
      value: large.error.rate,
      target: `value <= ${MOST}`,
      holds: large.error.rate <= MOST,
    },
    {
      id: 'asr-sizes-order',
      says: `Larger sizes make no more errors than smaller ones, within what ${scale.strings} strings can tell${on}.`,
      kind: 'measured',
      value: `${percent(small.error.rate)}, ${percent(medium.error.rate)}, ${percent(large.error.rate)}`,
      target: `large <= medium + ${scale.order} and medium <= small + ${scale.order}`,
      holds: large.error.rate <= medium.error.rate + scale.order && medium.error.rate <= small.error.rate + scale.order,
    },
    {
      id: 'asr-unified-smaller',
      says: 'One model with three sizes has at least 30 % fewer parameters than three models.',
      kind: 'identity',
      value: total / apart,
      target: 'value <= 0.7',
      holds: total / apart <= 0.7,
    },
    {
      id: 'asr-funnel-work',
      says: 'Funnel pooling saves at least a quarter of the work of the large encoder.',
      kind: 'identity',
      value: saved,
      target: 'value <= 0.75',
      holds: saved <= 0.75,
    },
    {
      id: 'asr-real-time',
      says: 'The large size hears ten times as fast as one speaks, front end and decoder included, in seconds of one core.',
      kind: 'measured',
      value: large.realTimeFactor,
      target: 'value <= 0.1',
      holds: large.realTimeFactor <= 0.1,
    },
  ];
  if (funnelShare !== undefined) {
    claims.push({
      id: 'asr-funnel-time',
      says: 'Funnel pooling saves at least a quarter of the time of the large encoder, rounds in turn, the fastest of each.',
      kind: 'measured',
      value: funnelShare,
      target: 'value <= 0.75',
      holds: funnelShare <= 0.75,
    });
  }
  if (others) claims.push(...comparisons(measured, others, on));
  const row =
    (name: string) =>
    (m: Measured): readonly Cell[] => [
      name,
      m.size,
      100 * m.error.rate,
      100 * m.error.interval[0],
      100 * m.error.interval[1],
      m.parameters,
      m.flopsPerSecond / 1e6,
      m.realTimeFactor,
    ];
  return {
    claims,
    tables: [
      {
        title: `Word error rates on ${corpus.name}; 95 % intervals over strings`,
        columns: ['model', 'size', 'error %', 'low %', 'high %', 'parameters', 'MFLOP a second', 'CPU s a second'],
        rows: [
          ...measured.map(row('one model')),
          ...(others?.separate ?? []).map(row('separate')),
          ...(others?.unpooled ?? []).map(row('one model, no funnel')),
        ],
      },
    ],
  };
}

/** What needs more than one training. */
function comparisons(
  unified: readonly Measured[],
  { separate, unpooled }: { readonly separate: readonly Measured[]; readonly unpooled: readonly Measured[] },
  on: string,
): Claim[] {
  const mean = (list: readonly Measured[]): number => list.reduce((s, m) => s + m.error.rate, 0) / list.length;
  const [large, plain] = [unified.at(-1)!, unpooled.at(-1)!];
  return [
    {
      id: 'asr-unified-loss',
      says: `One model makes about as few errors as three separate ones, in the mean over the sizes${on}.`,
      kind: 'measured',
      value: mean(unified),
      baseline: mean(separate),
      target: 'value <= 1.05 baseline + 0.005',
      holds: mean(unified) <= 1.05 * mean(separate) + 0.005,
    },
    {
      id: 'asr-funnel-loss',
      says: `Funnel pooling costs the large size at most a point of word errors${on}.`,
      kind: 'measured',
      value: large.error.rate,
      baseline: plain.error.rate,
      target: 'value <= baseline + 0.01',
      holds: large.error.rate <= plain.error.rate + 0.01,
    },
  ];
}
