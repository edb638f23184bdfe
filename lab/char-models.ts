// Small character models on one text: trained by steps, measured on held-out windows, token by token.
import { charTokenizer, randomWindows } from 'cairn/data';
import {
  defineLmStep,
  lmConfig,
  type LmConfig,
  lmFeeds,
  lmForward,
  type LmSettings,
  lmStepFeeds,
  type OptimizerSettings,
} from 'cairn/nn';
import { crossEntropy, defineProgram, type Executor, ModelState, Rng, ROWS } from 'cairn/tensor';
import { trainToEnd } from './train-to-end.ts';

export const BATCH = 16;
export const CONTEXT = 64;
const WARMUP_STEPS = 50;
const PEAK = 2e-3;

export const SETTINGS: OptimizerSettings = {
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.05,
  clipNorm: 1,
  lrScale: { [ROWS]: 5 },
};

/** Nine tenths to train on, the rest held out. */
export interface Split {
  readonly vocab: number;
  readonly head: Int32Array;
  readonly tail: Int32Array;
}

export function splitText(text: string): Split {
  const tokenizer = charTokenizer(text);
  const ids = tokenizer.encode(text);
  const cut = Math.floor(ids.length * 0.9);
  return { vocab: tokenizer.vocabSize, head: ids.slice(0, cut), tail: ids.slice(cut) };
}

/** The yardstick: width 64, four heads, rotary positions, MLP of four widths. */
export function configOf(split: Split, layers: number, settings: Partial<LmSettings> = {}): LmConfig {
  return lmConfig({
    vocab_size: split.vocab,
    hidden_size: 64,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    max_position_embeddings: CONTEXT,
    ...settings,
  });
}

export interface Fitted {
  readonly state: ModelState;
  /** Mean training loss of the last fifty steps. */
  readonly trainLoss: number;
}

/** Trains by steps; models with the same seed see the same batches in the same order. */
export async function fit(
  config: LmConfig,
  split: Split,
  options: { steps: number; seed: number; executor: Executor; signal: AbortSignal },
): Promise<Fitted> {
  const { steps, seed, executor, signal } = options;
  const step = defineLmStep(config, { batch: BATCH, length: CONTEXT }, SETTINGS);
  const state = ModelState.init(step, new Rng(seed).fork('weights'));
  const rng = new Rng(seed).fork('data');
  const windows = randomWindows({ tokens: split.head, batch: BATCH, length: CONTEXT, rng });
  const last: number[] = [];
  await trainToEnd({
    step,
    executor,
    state,
    feeds: (at) => lmStepFeeds(config, BATCH, windows.at(at)),
    settings: SETTINGS,
    steps,
    peak: PEAK,
    warmup: Math.min(0.25, WARMUP_STEPS / steps),
    final: 0.05,
    onProgress: ({ loss }) => {
      last.push(loss);
      if (last.length > 50) last.shift();
    },
    signal,
  });
  return { state, trainLoss: last.reduce((a, v) => a + v, 0) / last.length };
}

/** Losses in nats, and the place of each token in the held-out text. */
export interface TokenLosses {
  readonly at: Int32Array;
  readonly loss: Float64Array;
}

/** Loss of each held-out token in windows spread evenly over the tail. */
export async function tokenLosses(
  config: LmConfig,
  state: ModelState,
  split: Split,
  windows: number,
  executor: Executor,
): Promise<TokenLosses> {
  const build = lmForward(config);
  const def = defineProgram((b) => {
    const logits = build(b, b.input('x', [BATCH, CONTEXT], 'i32'));
    b.output('loss', crossEntropy(logits, b.input('y', [BATCH, CONTEXT], 'i32'), { reduction: 'none' }));
  });
  await using program = await executor.compile(def, { state });
  const count = Math.ceil(windows / BATCH) * BATCH;
  const room = split.tail.length - CONTEXT - 1;
  const at = new Int32Array(count * CONTEXT);
  const loss = new Float64Array(count * CONTEXT);
  for (let from = 0; from < count; from += BATCH) {
    const x = new Int32Array(BATCH * CONTEXT);
    const y = new Int32Array(BATCH * CONTEXT);
    for (let row = 0; row < BATCH; row++) {
      const start = Math.floor(((from + row) * room) / count);
      for (let t = 0; t < CONTEXT; t++) {
        x[row * CONTEXT + t] = split.tail[start + t]!;
        y[row * CONTEXT + t] = split.tail[start + t + 1]!;
        at[(from + row) * CONTEXT + t] = start + t + 1;
      }
    }
    const out = await program.run({ x, y, ...lmFeeds(config, x, BATCH) });
    loss.set(out['loss']!.data as Float32Array, from * CONTEXT);
  }
  return { at, loss };
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / Math.max(1, values.length);
}
