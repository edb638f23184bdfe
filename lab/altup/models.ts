// The models of this experiment, trained alike: characters, the first nine tenths of a text to learn from, the last tenth to
// measure. Models of one seed see the same batches in the same order.
import { randomWindows } from 'cairn/data';
import {
  compileTrainStep,
  createLmEvaluator,
  defineLmStep,
  lmConfig,
  type LmConfig,
  lmStepFeeds,
  train,
} from 'cairn/nn';
import { type Executor, ModelState, Rng } from 'cairn/tensor';

export const BATCH = 16;
export const CONTEXT = 64;
export const OPTIMIZER = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, clipNorm: 1 };

/** Width 64, four layers, four heads, context 64, MLP of four widths. */
export function model(vocabulary: number, more: Partial<LmConfig> = {}): LmConfig {
  return lmConfig({
    vocab_size: vocabulary,
    hidden_size: 64,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    max_position_embeddings: CONTEXT,
    ...more,
  });
}

interface Kind {
  readonly name: string;
  readonly more: Partial<LmConfig>;
}

/** The models that are compared; dense ones of other sizes are wider or deeper than the first, nothing else. */
export const KINDS = {
  dense: { name: 'dense', more: {} },
  altup: { name: 'AltUp, 2 streams, alternating', more: { altup_num_inputs: 2 } },
  width72: { name: 'dense, width 72', more: { hidden_size: 72 } },
  width80: { name: 'dense, width 80', more: { hidden_size: 80 } },
  width96: { name: 'dense, width 96', more: { hidden_size: 96 } },
  layers5: { name: 'dense, 5 layers', more: { num_hidden_layers: 5 } },
  layers6: { name: 'dense, 6 layers', more: { num_hidden_layers: 6 } },
  recycled: {
    name: 'recycled: one embedding and head for both streams',
    more: { altup_num_inputs: 2, altup_recycled: true },
  },
  same: {
    name: '2 streams, layers always on the first',
    more: { altup_num_inputs: 2, altup_schedule: 'same' },
  },
  four: { name: 'AltUp, 4 streams', more: { altup_num_inputs: 4 } },
  stride: { name: 'sequence form: inner layers on every second position', more: { altup_sequence_stride: 2 } },
} as const satisfies Record<string, Kind>;
export type KindName = keyof typeof KINDS;

/** Dense models that are wider, and deeper, than the first, from small to large. */
export const LARGER = {
  wider: ['width72', 'width80', 'width96'],
  deeper: ['layers5', 'layers6'],
} as const satisfies Record<string, readonly KindName[]>;

/** What a price is made of; these are trained from more seeds. */
export const PRICED: readonly KindName[] = ['dense', 'altup', ...LARGER.wider, ...LARGER.deeper];

/** The config of a kind. */
export const configOf = (kind: KindName, vocabulary: number): LmConfig => model(vocabulary, KINDS[kind].more);

export interface Corpus {
  readonly vocabulary: number;
  readonly head: Int32Array;
  readonly tail: Int32Array;
}

export function corpusOf(text: string): Corpus {
  const characters = [...new Set(text)].sort();
  const idOf = new Map(characters.map((c, i) => [c, i]));
  const ids = Int32Array.from(text, (c) => idOf.get(c)!);
  const cut = Math.floor(ids.length * 0.9);
  return { vocabulary: characters.length, head: ids.slice(0, cut), tail: ids.slice(cut) };
}

export interface Budget {
  readonly steps: number;
  /** Windows of the held-out text that are measured. */
  readonly windows: number;
}

/** Trains one model and returns its held-out loss in nats a character. */
export async function heldOutLoss(
  config: LmConfig,
  corpus: Corpus,
  { steps, windows }: Budget,
  options: { readonly seed: number; readonly executor: Executor; readonly signal: AbortSignal },
): Promise<number> {
  const rng = new Rng(options.seed).fork('altup');
  const state = new ModelState();
  const step = defineLmStep(config, { batch: BATCH, length: CONTEXT }, OPTIMIZER);
  state.ensure(step, rng.fork('weights'));
  await using program = await compileTrainStep(options.executor, step, state, OPTIMIZER);
  const batches = randomWindows({ tokens: corpus.head, batch: BATCH, length: CONTEXT, rng: rng.fork('data') });
  await train({
    program,
    state,
    feeds: (at) => lmStepFeeds(config, BATCH, batches.at(at)),
    schedule: { kind: 'cosine', peak: 2e-3, warmup: 50 / 400, final: 0.05 },
    beta1: OPTIMIZER.beta1,
    beta2: OPTIMIZER.beta2,
    length: { steps },
    clock: () => performance.now() / 1000,
    signal: options.signal,
  });
  options.signal.throwIfAborted();
  await using evaluator = await createLmEvaluator(config, state, options.executor);
  const loss = await evaluator.loss(corpus.tail, windows);
  return loss;
}

export const mean = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;
