// Time of a training step and of a decoded token, all models in turn round after round. Of every model the fastest
// round counts, since what else a machine does only ever adds time.
import { byteTokenizer } from 'cairn/data';
import { compileTrainStep, createDecoder, defineLmStep, type LmConfig, lmStepFeeds } from 'cairn/nn';
import { createOrtExecutor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { BATCH, CONTEXT, model } from './models.ts';

const VOCABULARY = 65;
const KINDS: readonly (readonly [name: string, more: Partial<LmConfig>])[] = [
  ['dense', {}],
  ['AltUp, 2 streams', { altup_num_inputs: 2 }],
  ['recycled, 2 streams', { altup_num_inputs: 2, altup_recycled: true }],
  ['sequence form, stride 2', { altup_sequence_stride: 2 }],
  ['dense, width 96', { hidden_size: 96 }],
];
const OPTIMIZER = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, clipNorm: 1 };
const STEPS = 2;
const TOKENS = 32;

export async function times({ seed, scale, signal }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('times');
  const executor = await createOrtExecutor();
  try {
    const runs = await Promise.all(
      KINDS.map(async ([name, more]) => {
        const config = model(VOCABULARY, more);
        const def = defineLmStep(config, { batch: BATCH, length: CONTEXT }, OPTIMIZER);
        const state = ModelState.init(def, rng.fork(name));
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
        return { name, work, taken: { step: [] as number[], token: [] as number[] } };
      }),
    );
    const rounds = scale === 'full' ? 80 : 24;
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
    const dense = runs[0]!;
    const ratio = (i: number, kind: 'step' | 'token'): number =>
      Math.min(...runs[i]!.taken[kind]) / Math.min(...dense.taken[kind]);
    return {
      claims: [
        {
          id: 'altup-step-time',
          says: 'A training step with two streams takes hardly longer than one of the dense model, and less than one of a model that is wider.',
          kind: 'measured',
          value: ratio(1, 'step'),
          baseline: ratio(4, 'step'),
          target: '<= 1.2 times dense, and <= 0.9 times dense of width 96; fastest of rounds in turn',
          holds: ratio(1, 'step') <= 1.2 && ratio(1, 'step') <= 0.9 * ratio(4, 'step'),
        },
        {
          id: 'altup-token-time',
          says: 'Decoding a token with two streams takes hardly longer than with the dense model.',
          kind: 'measured',
          value: ratio(1, 'token'),
          baseline: 1,
          target: '<= 1.15 times dense; fastest of rounds in turn',
          holds: ratio(1, 'token') <= 1.15,
        },
      ],
      tables: [
        {
          title: 'Time beside the dense model, fastest of rounds in turn',
          columns: ['model', 'step ms', 'times dense', 'token ms', 'times dense '],
          rows: runs.map((run, i) => [
            run.name,
            Math.min(...run.taken.step),
            ratio(i, 'step'),
            Math.min(...run.taken.token),
            ratio(i, 'token'),
          ]),
        },
      ],
    };
  } finally {
    await executor.dispose();
  }
}
