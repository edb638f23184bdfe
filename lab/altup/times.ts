// Time of a training step and of a decoded token, all models in turn round after round. Of every model the fastest
// round counts, since what else a machine does only ever adds time.
import { byteTokenizer } from 'cairn/data';
import { compileTrainStep, createDecoder, defineLmStep, lmStepFeeds } from 'cairn/nn';
import { createOrtExecutor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { BATCH, configOf, CONTEXT, type KindName, KINDS, OPTIMIZER, PRICED } from './models.ts';

const VOCABULARY = 65;
const TIMED: readonly KindName[] = [...PRICED, 'recycled', 'stride'];
const STEPS = 2;
const TOKENS = 32;

/** What a step of each kind of model costs, as a multiple of the dense one. */
export interface StepCost {
  readonly time: number;
  readonly operations: number;
}
export type StepCosts = Readonly<Partial<Record<KindName, StepCost>>>;

export async function times({ seed, scale, signal }: LabOptions): Promise<Part & { costs: StepCosts }> {
  const full = scale === 'full';
  const rng = new Rng(seed).fork('times');
  const timed = TIMED.filter((kind) => full || !['width72', 'width80', 'layers5', 'layers6'].includes(kind));
  const executor = await createOrtExecutor();
  try {
    const runs = await Promise.all(
      timed.map(async (kind) => {
        const config = configOf(kind, VOCABULARY);
        const def = defineLmStep(config, { batch: BATCH, length: CONTEXT }, OPTIMIZER);
        const state = ModelState.init(def, rng.fork(kind));
        const program = await compileTrainStep(executor, def, state, OPTIMIZER);
        const x = Int32Array.from({ length: BATCH * CONTEXT }, () => rng.integer(VOCABULARY));
        const feeds = { ...lmStepFeeds(config, BATCH, { x, y: x }), lr: 1e-3, c1: 0.1, c2: 0.05 };
        const decoder = createDecoder(
          { config, state, executor, tokenizer: byteTokenizer(), generation: {} },
          { frozen: true },
        );
        const work = {
          step: async () => {
            for (let i = 0; i < STEPS; i++) await program.run(feeds);
          },
          token: async () => {
            decoder.reset();
            for (let i = 0; i < TOKENS; i++) await decoder.feed([i % VOCABULARY]);
          },
        };
        return { kind, work, flops: program.stats().flops, taken: { step: [] as number[], token: [] as number[] } };
      }),
    );
    const rounds = full ? 80 : 24;
    for (let round = 0; round <= rounds; round++) {
      for (const kind of ['step', 'token'] as const) {
        for (const run of runs) {
          signal.throwIfAborted();
          const start = performance.now();
          await run.work[kind]();
          const each = (performance.now() - start) / (kind === 'step' ? STEPS : TOKENS);
          if (round > 0) run.taken[kind].push(each); // the first round warms up
        }
      }
    }
    const of = (kind: KindName): (typeof runs)[number] => runs.find((run) => run.kind === kind)!;
    const dense = of('dense');
    const ratio = (kind: KindName, what: 'step' | 'token'): number =>
      Math.min(...of(kind).taken[what]) / Math.min(...dense.taken[what]);
    const costs = Object.fromEntries(
      runs.map(({ kind, flops }) => [kind, { time: ratio(kind, 'step'), operations: flops / dense.flops }]),
    ) as StepCosts;
    return {
      costs,
      claims: [
        {
          id: 'altup-step-time',
          says: 'A training step with two streams takes hardly longer than one of the dense model, and less than one of a model that is wider.',
          kind: 'measured',
          value: ratio('altup', 'step'),
          baseline: ratio('width96', 'step'),
          target:
            '<= 1.15 times dense (1.08 was the aim), and <= 0.9 times dense of width 96; fastest of rounds in turn',
          holds: ratio('altup', 'step') <= 1.15 && ratio('altup', 'step') <= 0.9 * ratio('width96', 'step'),
        },
        {
          id: 'altup-token-time',
          says: 'Decoding a token with two streams takes hardly longer than with the dense model.',
          kind: 'measured',
          value: ratio('altup', 'token'),
          baseline: 1,
          target: '<= 1.15 times dense; fastest of rounds in turn',
          holds: ratio('altup', 'token') <= 1.15,
        },
      ],
      tables: [
        {
          title: 'Time beside the dense model, fastest of rounds in turn',
          columns: ['model', 'step ms', 'step / dense', 'operations / dense', 'token ms', 'token / dense'],
          rows: runs.map(({ kind, taken }) => [
            KINDS[kind].name,
            Math.min(...taken.step),
            ratio(kind, 'step'),
            costs[kind]!.operations,
            Math.min(...taken.token),
            ratio(kind, 'token'),
          ]),
        },
      ],
    };
  } finally {
    await executor.dispose();
  }
}
