// Distillation with few probabilities: a student learns from the k largest teacher probabilities of every position, the rest spread
// evenly, beside one that sees all of them and one that sees the text alone. The text is made up by a source of known
// probabilities; teacher and students are small transformers.
import { createLmEvaluator, defineTrainStep, lmConfig, lmForward, lmProgram, train } from 'cairn/nn';
import { createOrtExecutor, type Executor, logSoftmax, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import { mean, type Part } from './part.ts';

const VOCAB = 40;
const LENGTH = 32;
const BATCH = 16;
const K = 8;
/**
 * Scale of the source's logits. At 3 the eight likeliest of 40 tokens have nearly all of the mass. The rest is spread evenly, which
 * it is not in the teacher: the flatter the source, the more that costs (here 0.01 to 0.04 nats, at 2 it is 0.04 to 0.06).
 */
const SHARPNESS = 3;
const RECIPE = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const CONFIG = lmConfig({
  vocab_size: VOCAB,
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: LENGTH,
});

/** Tokens of a source whose next token depends on the two before it. */
function makeText(count: number, rules: Float64Array, rng: Rng): Int32Array {
  const text = new Int32Array(count);
  let [before, last] = [0, 0];
  const weight = new Float64Array(VOCAB);
  for (let t = 0; t < count; t++) {
    for (let v = 0; v < VOCAB; v++)
      weight[v] = Math.exp(rules[last * VOCAB + v]! + rules[(VOCAB + before) * VOCAB + v]!);
    const next = rng.categorical(weight.map((w) => w / weight.reduce((a, b) => a + b, 0)));
    text[t] = next;
    [before, last] = [last, next];
  }
  return text;
}

/** The target of every position [windows, LENGTH, VOCAB], as a student is shown it. */
type Targets = (window: number) => Float32Array;

async function fit(
  text: Int32Array,
  targets: Targets,
  options: { steps: number; rng: Rng; executor: Executor; signal: AbortSignal },
): Promise<ModelState> {
  const { steps, rng, executor, signal } = options;
  const build = lmForward(CONFIG);
  const step = defineTrainStep((b) => {
    const logits = build(b, b.input('x', [BATCH, LENGTH], 'i32'));
    const target = b.input('y', [BATCH, LENGTH, VOCAB]);
    return logSoftmax(logits, -1).mul(target).sum(-1).mean().neg();
  }, RECIPE);
  const state = new ModelState();
  state.ensure(step, rng.fork('weights'));
  await using program = await executor.compile(step, { state });
  const windows = Math.floor((text.length - 1) / LENGTH);
  const result = await train({
    program,
    state,
    feeds: (at) => {
      const draw = rng.fork('batch').fork(at);
      const x = new Int32Array(BATCH * LENGTH);
      const y = new Float32Array(BATCH * LENGTH * VOCAB);
      for (let i = 0; i < BATCH; i++) {
        const w = draw.integer(windows);
        x.set(text.subarray(w * LENGTH, (w + 1) * LENGTH), i * LENGTH);
        y.set(targets(w), i * LENGTH * VOCAB);
      }
      return { x, y };
    },
    schedule: { kind: 'cosine', peak: 5e-3, warmup: 0.05, final: 0.05 },
    beta1: RECIPE.beta1,
    beta2: RECIPE.beta2,
    length: { steps },
    clock: () => performance.now() / 1000,
    signal,
  });
  signal.throwIfAborted();
  if (result.reason !== 'done') throw new Error(`Expected to train to the end, got ${result.reason}.`);
  return state;
}

/** One-hot targets: the text alone. */
function hard(text: Int32Array): Targets {
  return (w) => {
    const out = new Float32Array(LENGTH * VOCAB);
    for (let t = 0; t < LENGTH; t++) out[t * VOCAB + text[w * LENGTH + t + 1]!] = 1;
    return out;
  };
}

/** The teacher's probabilities on every window of a text. */
async function teach(teacher: ModelState, text: Int32Array, executor: Executor): Promise<Float32Array[]> {
  await using program = await executor.compile(lmProgram(CONFIG, { batch: 1, length: LENGTH }), { state: teacher });
  const out: Float32Array[] = [];
  for (let w = 0; w < Math.floor((text.length - 1) / LENGTH); w++) {
    const { logits } = await program.run({ ids: text.slice(w * LENGTH, (w + 1) * LENGTH) });
    const p = Float32Array.from(logits!.data as Float32Array);
    for (let t = 0; t < LENGTH; t++) {
      const row = p.subarray(t * VOCAB, (t + 1) * VOCAB);
      const top = Math.max(...row);
      let sum = 0;
      for (let v = 0; v < VOCAB; v++) sum += row[v] = Math.exp(row[v]! - top);
      for (let v = 0; v < VOCAB; v++) row[v] = row[v]! / sum;
    }
    out.push(p);
  }
  return out;
}

/** Keeps the k largest probabilities of every position and spreads the rest over the others. */
export function sparse(p: Float32Array, k: number): Float32Array {
  const out = new Float32Array(p.length);
  for (let at = 0; at < p.length; at += VOCAB) {
    const row = p.subarray(at, at + VOCAB);
    const largest = Array.from(row.keys())
      .sort((a, b) => row[b]! - row[a]!)
      .slice(0, k);
    const kept = largest.reduce((s, v) => s + row[v]!, 0);
    out.fill(Math.max(0, 1 - kept) / (VOCAB - k), at, at + VOCAB);
    for (const v of largest) out[at + v] = row[v]!;
  }
  return out;
}

export async function distillation({ seed, scale, log, signal }: LabOptions): Promise<Part> {
  const students = scale === 'full' ? 6 : 3;
  const steps = scale === 'full' ? 800 : 300;
  const rng = new Rng(seed).fork('distillation');
  const draw = rng.fork('rules');
  const rules = Float64Array.from({ length: 2 * VOCAB * VOCAB }, () => SHARPNESS * draw.normal());
  const large = makeText(40_000, rules, rng.fork('large'));
  const small = makeText(2_000, rules, rng.fork('small'));
  const unseen = makeText(6_000, rules, rng.fork('unseen'));
  const executor = await createOrtExecutor();
  try {
    const lossOf = async (state: ModelState): Promise<number> => {
      await using evaluator = await createLmEvaluator(CONFIG, state, executor);
      // Awaited here: the evaluator is disposed at the end of this scope.
      const loss = await evaluator.loss(unseen);
      return loss;
    };
    const teacher = await fit(large, hard(large), { steps: 2 * steps, rng: rng.fork('teacher'), executor, signal });
    const taught = await lossOf(teacher);
    log(`teacher: ${taught.toFixed(3)} nats a token`);
    const full = await teach(teacher, small, executor);
    const few = full.map((p) => sparse(p, K));
    const two = full.map((p) => sparse(p, 2));
    const kinds = { text: hard(small), full: at(full), few: at(few), two: at(two) };
    const losses: Record<Kind, number[]> = { text: [], full: [], few: [], two: [] };
    for (let s = 0; s < students; s++) {
      for (const kind of KINDS) {
        const student = await fit(small, kinds[kind], { steps, rng: rng.fork(`student-${s}`), executor, signal });
        losses[kind].push(await lossOf(student));
      }
      log(`student ${s + 1} of ${students}`);
    }
    const share = (shown: readonly Float32Array[]): string =>
      `${(100 * mean(full.map((p, w) => overlap(p, shown[w]!)))).toFixed(0)} % of the mass`;
    const gap = mean(losses.few) - mean(losses.full);
    const spread = mean(full.map((p, w) => divergence(p, few[w]!)));
    return {
      claims: [
        {
          id: 'k-sparse-near-full',
          says: `A student that sees the ${K} largest of ${VOCAB} teacher probabilities, the rest spread evenly, loses little against one that sees all: what the spreading takes from its targets, and hardly more.`,
          kind: 'measured',
          value: gap,
          baseline: spread,
          target: `nats above full distillation <= divergence of the sparse targets from the full ones + 0.02, mean of ${students} paired students`,
          holds: gap <= spread + 0.02,
        },
        {
          id: 'k-sparse-beats-text',
          says: 'On a tiny text it does better than a student that sees the text alone.',
          kind: 'measured',
          value: mean(losses.few),
          baseline: mean(losses.text),
          target: 'fewer nats for every paired student',
          holds: losses.few.every((v, s) => v < losses.text[s]!),
        },
      ],
      tables: [
        {
          title: `Nats a token on unseen text; students learn from ${small.length} tokens, the teacher from ${large.length}`,
          columns: ['learned from', 'mean', 'lowest', 'highest'],
          rows: [
            ['teacher', taught, taught, taught],
            ...KINDS.map((kind) => {
              const name = {
                text: 'the text',
                full: 'all probabilities',
                few: `the ${K} largest (${share(few)})`,
                two: `the 2 largest (${share(two)})`,
              };
              return [name[kind], mean(losses[kind]), Math.min(...losses[kind]), Math.max(...losses[kind])];
            }),
          ],
        },
      ],
    };
  } finally {
    await executor.dispose();
  }
}

const KINDS = ['text', 'full', 'few', 'two'] as const;
type Kind = (typeof KINDS)[number];

function at(windows: readonly Float32Array[]): Targets {
  return (w) => windows[w]!;
}

/** Kullback-Leibler divergence of b from a in nats, mean over positions. */
function divergence(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, v, i) => (v > 0 ? sum + v * Math.log(v / b[i]!) : sum), 0) / (a.length / VOCAB);
}

/** Share of probability that two targets have in common, mean over positions. */
function overlap(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, v, i) => sum + Math.min(v, b[i]!), 0) / (a.length / VOCAB);
}
