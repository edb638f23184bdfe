// Models that look keys up, and how often they are right: windows mixed with layers that see everything, or windows alone.
import {
  createDecoder,
  defineTrainStep,
  lmConfig,
  type LmConfig,
  lmFeeds,
  lmForward,
  type LanguageModel,
  type OptimizerSettings,
} from 'cairn/nn';
import { crossEntropy, type Executor, ModelState, type Rng, ROWS } from 'cairn/tensor';
import { trainToEnd } from '../../train-to-end.ts';
import { hide, KEYS, lesson, type Needle, tokenizer } from './haystack.ts';

const RECIPE: OptimizerSettings = {
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.01,
  clipNorm: 1,
  sparseRows: true,
  lrScale: { [ROWS]: 3 },
};

/** Positions a layer with a window sees. */
export const WINDOW = 32;
const LAYERS = 4;

/** The farthest that anything in a model of windows alone can come from, positions. */
export const REACH = LAYERS * (WINDOW - 1);

/**
 * Four layers, every second of which sees everything; the last two take over keys and values, and the first reads a row by the
 * last two tokens, so that a value knows its key.
 * @param mixed false: no layer sees everything
 */
export function retriever(context: number, mixed = true): LmConfig {
  return lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 64,
    num_hidden_layers: LAYERS,
    num_attention_heads: 4,
    intermediate_size: 128,
    max_position_embeddings: context,
    hidden_act: 'relu-squared',
    mlp_bias: false,
    sliding_window: WINDOW,
    sliding_window_pattern: mixed ? 2 : LAYERS + 1,
    num_kv_shared_layers: 2,
    // Vectors of unit length are looked up: without the norm nothing is found for long. The scale lets one position outweigh
    // thousands.
    qk_norm: true,
    attn_scale: 0.7,
    // Positions hardly turn the vectors, so that what is learned on short texts holds on long ones.
    rope_theta: 1e16,
    memory_lookup: 'ngram',
    memory_entries: 16_384,
    memory_layers: [0],
  });
}

/** The same weights with no layer that sees everything. */
export function cutSight(model: LanguageModel): LanguageModel {
  return { ...model, config: retriever(model.config.max_position_embeddings, false) };
}

/** Steps on texts of one length, until the answers cost less than `enough` nats, or so many. */
export interface Course {
  readonly steps: number;
  readonly enough: number;
  readonly batch: number;
  readonly length: number;
  /** Keys hidden in a text. */
  readonly keys: number;
  readonly rate: number;
}

export interface Teaching {
  readonly config: LmConfig;
  readonly hay: string;
  readonly courses: readonly Course[];
  readonly rng: Rng;
  readonly executor: Executor;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/** Trains from nothing, course by course. */
export async function teach({ config, hay, courses, rng, executor, signal, log }: Teaching): Promise<LanguageModel> {
  const state = new ModelState();
  for (const [i, course] of courses.entries()) {
    const dims = [course.batch, course.length];
    const step = defineTrainStep((b) => {
      const logits = lmForward(config, { training: true })(b, b.input('x', dims, 'i32'));
      return crossEntropy(logits, b.input('y', dims, 'i32'), { weights: b.input('weight', dims) });
    }, RECIPE);
    state.ensure(step, rng.fork('weights'));
    const lately: number[] = [];
    const lessons = rng.fork(`course ${i}`);
    await trainToEnd({
      step,
      executor,
      state,
      feeds: (at) => {
        const batch = lesson(hay, course, lessons.fork(at));
        return { ...batch, ...lmFeeds(config, batch.x, course.batch) };
      },
      settings: RECIPE,
      steps: course.steps,
      peak: course.rate,
      warmup: 0.05,
      final: 0.2,
      signal,
      enough: (p) => {
        lately.push(p.loss);
        if (lately.length > 8) lately.shift();
        const found = p.step >= 8 && lately.reduce((a, b) => a + b, 0) < 8 * course.enough;
        if (found || p.step % 50 === 0)
          log(`step ${p.step} of ${course.steps} at ${course.length}: loss ${p.loss.toFixed(3)}`);
        return found;
      },
    });
  }
  return { config, state, executor, tokenizer, generation: { temperature: 0 } };
}

/** One question and whether it was answered rightly. */
export interface Asked extends Needle {
  readonly length: number;
  /** Positions between the value and the question. */
  readonly distance: number;
  readonly right: boolean;
}

/** Reads haystacks through the cache, once each, and asks for every key after the last position. */
export async function ask(
  model: LanguageModel,
  hay: string,
  lengths: readonly number[],
  haystacks: number,
  rng: Rng,
  signal: AbortSignal,
): Promise<Asked[]> {
  await using decoder = createDecoder(model);
  const all: Asked[] = [];
  for (const length of lengths) {
    for (let i = 0; i < haystacks; i++) {
      signal.throwIfAborted();
      const { text, needles } = hide(hay, length - 2, KEYS.length, rng.fork(`${length} ${i}`));
      decoder.reset();
      await decoder.feed([...tokenizer.encode(text)]);
      const read = decoder.save();
      for (const needle of needles) {
        decoder.restore(read);
        const logits = await decoder.feed([...tokenizer.encode(`?${needle.key}`)]);
        const answer = tokenizer.decode([logits.indexOf(Math.max(...logits))]);
        const distance = Math.round((1 - needle.depth) * (length - 2));
        all.push({ ...needle, length, distance, right: answer === needle.value });
      }
    }
  }
  return all;
}
