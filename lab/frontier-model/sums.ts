// Sums of eight digits modulo ten, and a tiny network that learns to write the running sums before its answer, from thoughts cut at
// random, so that short ones are nothing new to it.
import { charTokenizer } from 'cairn/data';
import { defineTrainStep, type LanguageModel, lmConfig, lmFeeds, lmForward, lmProgram } from 'cairn/nn';
import { crossEntropy, type Executor, ModelState, type Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import { trainToEnd } from '../train-to-end.ts';

/** Digits of a problem. */
export const COUNT = 8;
const BATCH = 64;
/** Digits, opening mark, running sums, closing mark, answer. */
const LENGTH = COUNT + 1 + COUNT + 1;
const RECIPE = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.05, clipNorm: 1 };
const tokenizer = charTokenizer('0123456789<>');
/** Marks around a thought. */
export const [OPEN, CLOSE] = [...tokenizer.encode('<>')] as [number, number];
const CONFIG = lmConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: LENGTH + 2,
  position_embedding: 'learned',
  // Each running sum needs the one digit that stands at its own place. Without the norm the scores stay small for long, and from
  // some starts one of the places is never found.
  qk_norm: true,
});

/** Share of the problems held out in training that must be right, and trainings from other weights until it is. */
const GOAL = 0.99;
export const ATTEMPTS = 3;
/** Problems that attempts are judged by; the reported figures are of others. */
const HELD_OUT = 256;

export interface Problem {
  readonly digits: readonly number[];
  readonly sums: readonly number[];
}

export function draw(rng: Rng): Problem {
  const digits = Array.from({ length: COUNT }, () => rng.integer(10));
  let sum = 0;
  return { digits, sums: digits.map((d) => (sum = (sum + d) % 10)) };
}

export const answerOf = ({ sums }: Problem): number => sums.at(-1)!;

/** One text to learn from: the thought is cut after `kept` sums, the answer follows all the same. */
function lesson(problem: Problem, kept: number): Int32Array {
  return tokenizer.encode(`${problem.digits.join('')}<${problem.sums.slice(0, kept).join('')}>${answerOf(problem)}`);
}

/** Share of the problems with every sum and the answer right, greedily, with a thought that is whole. */
export async function rightShare(problems: readonly Problem[], state: ModelState, executor: Executor): Promise<number> {
  const def = lmProgram(CONFIG, { batch: problems.length, length: LENGTH });
  await using program = await executor.compile(def, { state });
  const texts = problems.map((problem) => lesson(problem, COUNT));
  const ids = new Int32Array(problems.length * LENGTH);
  for (const [i, text] of texts.entries()) ids.set(text.subarray(0, LENGTH), i * LENGTH);
  const { logits } = await program.run({ ids, ...lmFeeds(CONFIG, ids, problems.length) });
  const size = tokenizer.vocabSize;
  const said = (at: number): number => {
    const row = logits!.data.slice(at * size, (at + 1) * size);
    return row.indexOf(Math.max(...row));
  };
  // When every token is the likeliest after the right ones before it, generating gives this text.
  const right = texts.filter((text, i) => text.every((id, t) => t <= COUNT || said(i * LENGTH + t - 1) === id));
  return right.length / problems.length;
}

/** A model that has learned, judged by problems held out from its training: of some attempts the first at the goal, or the best. */
export async function teachUntilRight(
  rng: Rng,
  steps: number,
  executor: Executor,
  { log, signal }: Pick<LabOptions, 'log' | 'signal'>,
): Promise<LanguageModel> {
  const source = rng.fork('held out');
  const heldOut = Array.from({ length: HELD_OUT }, () => draw(source));
  let best: { readonly model: LanguageModel; readonly share: number } | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && (best?.share ?? 0) < GOAL; attempt++) {
    const model = await teach(rng.fork(attempt), steps, executor, signal);
    const share = await rightShare(heldOut, model.state, executor);
    log(`attempt ${attempt + 1}: ${share.toFixed(3)} of ${HELD_OUT} held-out problems right`);
    if (share >= (best?.share ?? 0)) best = { model, share };
  }
  return best!.model;
}

/** Trains from nothing, a fixed number of steps. */
export async function teach(rng: Rng, steps: number, executor: Executor, signal: AbortSignal): Promise<LanguageModel> {
  const step = defineTrainStep((b) => {
    const logits = lmForward(CONFIG)(b, b.input('x', [BATCH, LENGTH], 'i32'));
    const each = crossEntropy(logits, b.input('y', [BATCH, LENGTH], 'i32'), { reduction: 'none' });
    return each
      .mul(b.input('weight', [BATCH, LENGTH]))
      .sum()
      .mul(1 / BATCH / COUNT);
  }, RECIPE);
  const state = ModelState.init(step, rng.fork('weights'));
  await trainToEnd({
    step,
    executor,
    state,
    feeds: (at) => {
      const source = rng.fork('lessons').fork(at);
      const [x, y] = [new Int32Array(BATCH * LENGTH), new Int32Array(BATCH * LENGTH)];
      const weight = new Float32Array(BATCH * LENGTH);
      for (let i = 0; i < BATCH; i++) {
        // Half of the thoughts are whole, a quarter lack one sum, and so on: adding many at once is beyond the network.
        let kept: number = COUNT;
        while (kept > 0 && source.bernoulli()) kept--;
        const ids = lesson(draw(source), kept);
        x.set(ids.subarray(0, ids.length - 1), i * LENGTH);
        y.set(ids.subarray(1), i * LENGTH);
        // Where a cut comes is not the model's to learn; what follows the opening mark, and the answer, is.
        for (let t = COUNT; t < ids.length - 1; t++)
          if (ids[t + 1] !== CLOSE || kept === COUNT) weight[i * LENGTH + t] = 1;
      }
      return { x, y, weight };
    },
    settings: RECIPE,
    steps,
    peak: 4e-3,
    warmup: 0.05,
    final: 0.05,
    signal,
  });
  return { config: CONFIG, state, executor, tokenizer, generation: { temperature: 0 } };
}
