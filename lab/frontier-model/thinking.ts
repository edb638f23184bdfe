// Thinking within a budget: a tiny network adds eight digits modulo ten, writing running sums before its answer. It learns
// from thoughts cut at random, so that short ones are nothing new to it; the budget is enforced by the generator.
import { charTokenizer } from 'cairn/data';
import { createDecoder, defineTrainStep, generate, type LanguageModel, lmConfig, lmForward } from 'cairn/nn';
import { createOrtExecutor, crossEntropy, type Executor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { trainToEnd } from '../train-to-end.ts';
import { wilson } from './wilson.ts';

const COUNT = 8;
const BATCH = 64;
/** Digits, opening mark, running sums, closing mark, answer. */
const LENGTH = COUNT + 1 + COUNT + 1;
const BUDGETS = [0, 2, 4, 6, 7, 8];
const RECIPE = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.05, clipNorm: 1 };
const tokenizer = charTokenizer('0123456789<>');
const [OPEN, CLOSE] = [...tokenizer.encode('<>')] as [number, number];
const CONFIG = lmConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: LENGTH + 2,
  position_embedding: 'learned',
});

interface Problem {
  readonly digits: readonly number[];
  readonly sums: readonly number[];
}

function draw(rng: Rng): Problem {
  const digits = Array.from({ length: COUNT }, () => rng.integer(10));
  let sum = 0;
  return { digits, sums: digits.map((d) => (sum = (sum + d) % 10)) };
}

const answerOf = ({ sums }: Problem): number => sums.at(-1)!;

/** One text to learn from: the thought is cut after `kept` sums, the answer follows all the same. */
function lesson(problem: Problem, kept: number): Int32Array {
  return tokenizer.encode(`${problem.digits.join('')}<${problem.sums.slice(0, kept).join('')}>${answerOf(problem)}`);
}

async function teach(rng: Rng, steps: number, executor: Executor, signal: AbortSignal): Promise<LanguageModel> {
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

interface Row {
  readonly budget: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
  /** Means over problems, and how often the budget closed the thought. */
  readonly thought: number;
  readonly closing: number;
  readonly forced: number;
}

export async function thinking({ seed, scale, log, signal, plot }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('thinking');
  const steps = scale === 'full' ? 4000 : 1600;
  const problems = scale === 'full' ? 500 : 120;
  await using executor = await createOrtExecutor();
  const model = await teach(rng, steps, executor, signal);
  await using decoder = createDecoder(model);
  const unseen = rng.fork('unseen');
  const asked = Array.from({ length: problems }, () => draw(unseen));
  let broken = 0;
  const rows: Row[] = [];
  for (const budget of BUDGETS) {
    let right = 0;
    let [thought, forced, closing] = [0, 0, 0];
    for (const problem of asked) {
      signal.throwIfAborted();
      const run = generate(model, problem.digits.join(''), {
        maxTokens: budget + 3,
        decoder,
        thinking: {
          budget,
          open: OPEN,
          close: CLOSE,
          onEnd: (end) => {
            thought += end.tokens;
            if (end.reason === 'budget') forced++;
            closing += end.closeProbability;
            if (end.tokens > budget) broken++;
          },
        },
      });
      const { text, usage } = await run.end();
      if (usage.thinking > budget + 2 || usage.input !== COUNT) broken++;
      if (text[0] === String(answerOf(problem))) right++;
    }
    const [low, high] = wilson(right, problems);
    log(`budget ${budget}: ${right} of ${problems} right`);
    rows.push({
      budget,
      share: right / problems,
      low,
      high,
      thought: thought / problems,
      forced,
      closing: closing / problems,
    });
  }
  // A step down counts when the intervals do not touch.
  const falls = rows.slice(1).filter((r, i) => r.high < rows[i]!.low).length;
  const [none, whole] = [rows[0]!, rows.at(-1)!];
  plot('thinking', {
    title: `Right answers to sums of ${COUNT} digits, by thinking budget`,
    x: { label: 'budget, tokens' },
    y: { label: 'share that is right' },
    curves: [
      {
        name: 'accuracy, 95 % interval',
        points: rows.map((r) => [r.budget, r.share] as const),
        bars: rows.map((r) => (r.high - r.low) / 2),
      },
      {
        name: 'chance',
        points: [
          [0, 0.1],
          [COUNT, 0.1],
        ],
        dashed: true,
      },
    ],
  });
  return {
    claims: [
      {
        id: 'thinking-budget',
        says: `With a larger thinking budget a network of two layers adds ${COUNT} digits modulo ten more reliably: from little better than guessing to nearly always.`,
        kind: 'measured',
        value: whole.share,
        baseline: none.share,
        target: `no fall beyond 95 % intervals; <= 0.30 at budget 0, >= 0.95 at ${COUNT} (${problems} unseen problems)`,
        holds: falls === 0 && none.share <= 0.3 && whole.share >= 0.95,
      },
      {
        id: 'budget-exact',
        says: 'No thought is longer than its budget, and the counts of what was read, thought and answered add up.',
        kind: 'identity',
        value: broken,
        target: `0 of ${problems * BUDGETS.length} generations`,
        holds: broken === 0,
      },
    ],
    tables: [
      {
        title: `Sums of ${COUNT} digits modulo ten, ${steps} steps of training; chance is 0.1`,
        columns: [
          'budget',
          'right',
          'low',
          'high',
          'tokens thought',
          'closed by the budget',
          'probability of the close',
        ],
        rows: rows.map((r) => [r.budget, r.share, r.low, r.high, r.thought, r.forced, r.closing]),
      },
    ],
  };
}
