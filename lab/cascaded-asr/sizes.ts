// One model of three sizes beside three models of one size each, and the same model without funnel pooling: word errors on strings that
// were not trained on, parameters, encoder work and time.
import {
  type AsrConfig,
  asrConfig,
  type AsrModel,
  type AsrSize,
  asrTensors,
  createRecognizer,
  type ErrorRate,
  errorRate,
  sizesOf,
  trainAsr,
} from 'cairn/nn';
import { createOrtExecutor, type Executor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { type Corpus, recordedCorpus, syntheticCorpus } from './corpus.ts';

interface Scale {
  readonly steps: number;
  readonly batch: number;
  readonly rows: number;
  readonly strings: number;
  readonly changes: Partial<Omit<AsrConfig, 'audio' | 'vocabulary'>>;
}

const CI: Scale = {
  steps: 300,
  batch: 12,
  rows: 72,
  strings: 80,
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
const FULL: Scale = { steps: 3000, batch: 16, rows: 84, strings: 400, changes: {} };

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
  const base = asrConfig({ vocabulary: corpus.vocabulary, ...scale.changes });
  const fit = async (name: string, config: AsrConfig): Promise<{ model: AsrModel; measured: Measured[] }> => {
    signal.throwIfAborted();
    const started = performance.now();
    const model = await train(config, corpus, scale, { seed, executor, signal });
    log(`  ${name}: trained in ${((performance.now() - started) / 1000).toFixed(0)} s`);
    return { model, measured: await measure(model, corpus, scale, new Rng(seed).fork('test'), single) };
  };
  const unified = await fit('three sizes in one', base);
  const separate: Measured[] = [];
  // A glance compares the large size alone; the smaller ones take as long again.
  for (const size of scale === CI ? sizesOf(base).slice(-1) : sizesOf(base)) {
    const own = { ...base, asr_sizes: { [size]: base.asr_sizes[size] } } as AsrConfig;
    separate.push((await fit(`${size} alone`, own)).measured[0]!);
  }
  const unpooled = await fit('without funnel pooling', { ...base, funnel_layer: null });
  return toPart(options, corpus, unified.model, unified.measured, separate, unpooled.measured);
}

async function train(
  config: AsrConfig,
  corpus: Corpus,
  scale: Scale,
  run: { readonly seed: number; readonly executor: Executor; readonly signal: AbortSignal },
): Promise<AsrModel> {
  const trained = await trainAsr({
    config,
    source: corpus.train,
    augment: corpus.augment,
    batch: { batch: scale.batch, rows: scale.rows, labels: 5 },
    length: { steps: scale.steps },
    rate: 3e-3,
    ...run,
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
  { plot, scale }: LabOptions,
  corpus: Corpus,
  model: AsrModel,
  unified: readonly Measured[],
  separate: readonly Measured[],
  unpooled: readonly Measured[],
): Part {
  const total = [...asrTensors(model).values()].reduce((n, t) => n + t.data.length, 0);
  const apart = unified.reduce((n, m) => n + m.parameters, 0);
  const same = unified.filter((m) => separate.some((s) => s.size === m.size));
  const [small, medium, large] = unified as readonly [Measured, Measured, Measured];
  const plain = unpooled.at(-1)!;
  const mean = (list: readonly Measured[]): number => list.reduce((s, m) => s + m.error.rate, 0) / list.length;
  const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
  const most = 0.05;
  // One word in the test strings is the finest difference that can be seen; a relative bound alone would be noise at low rates.
  const slack = scale === 'ci' ? 0.02 : 0.005;
  const on = ` (${corpus.name})`;
  plot('sizes', {
    title: `Word errors against encoder work, ${corpus.name}`,
    x: { label: 'million operations a second of sound' },
    y: { label: 'word error rate' },
    curves: [
      {
        name: 'one model',
        points: unified.map((m) => [m.flopsPerSecond / 1e6, m.error.rate]),
        bars: unified.map((m) => (m.error.interval[1] - m.error.interval[0]) / 2),
      },
      { name: 'separate models', kind: 'dots', points: separate.map((m) => [m.flopsPerSecond / 1e6, m.error.rate]) },
      { name: 'no funnel', kind: 'dots', points: unpooled.map((m) => [m.flopsPerSecond / 1e6, m.error.rate]) },
    ],
  });
  return {
    claims: [
      {
        id: 'asr-sizes-error',
        says: `The large size of one model hears strings of words with few errors${on}.`,
        kind: 'measured',
        value: large.error.rate,
        target: `value <= ${most}`,
        holds: large.error.rate <= most,
      },
      {
        id: 'asr-sizes-order',
        says: `Larger sizes make no more errors than smaller ones, within a point${on}.`,
        kind: 'measured',
        value: `${percent(small.error.rate)}, ${percent(medium.error.rate)}, ${percent(large.error.rate)}`,
        target: 'large <= medium + 0.01 and medium <= small + 0.01',
        holds: large.error.rate <= medium.error.rate + 0.01 && medium.error.rate <= small.error.rate + 0.01,
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
        id: 'asr-unified-loss',
        says: `One model makes about as few errors as separate ones of ${same.map((m) => m.size).join(', ')} size, in the mean${on}.`,
        kind: 'measured',
        value: mean(same),
        baseline: mean(separate),
        target: `value <= 1.05 baseline + ${slack}`,
        holds: mean(same) <= 1.05 * mean(separate) + slack,
      },
      {
        id: 'asr-funnel-work',
        says: 'Funnel pooling saves at least a quarter of the work of the large encoder.',
        kind: 'identity',
        value: large.flopsPerSecond / plain.flopsPerSecond,
        target: 'value <= 0.75',
        holds: large.flopsPerSecond / plain.flopsPerSecond <= 0.75,
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
      {
        id: 'asr-real-time',
        says: 'The large size hears ten times as fast as one speaks, front end and decoder included, in seconds of one core.',
        kind: 'measured',
        value: large.realTimeFactor,
        target: 'value <= 0.1',
        holds: large.realTimeFactor <= 0.1,
      },
    ],
    tables: [
      {
        title: `Word error rates on ${corpus.name}; 95 % intervals over strings`,
        columns: ['model', 'size', 'error %', 'low %', 'high %', 'parameters', 'MFLOP a second', 'CPU s a second'],
        rows: (
          [
            ['one model', unified],
            ['separate', separate],
            ['one model, no funnel', unpooled],
          ] as const
        ).flatMap(([name, list]) =>
          list.map((m) => [
            name,
            m.size,
            100 * m.error.rate,
            100 * m.error.interval[0],
            100 * m.error.interval[1],
            m.parameters,
            m.flopsPerSecond / 1e6,
            m.realTimeFactor,
          ]),
        ),
      },
    ],
  };
}
