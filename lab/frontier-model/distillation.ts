// Distillation with few probabilities: a student learns from k next tokens of a teacher, as a file keeps them, beside one that is shown
// all probabilities and one that sees the text alone. The k are drawn so that they are right on average, or are the likeliest, with
// all others as one. The text is made up by a source of known probabilities; teacher and students are small transformers.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomWindows } from 'cairn/data';
import {
  createLmEvaluator,
  defineLmStep,
  lmConfig,
  type LmConfig,
  lmStepFeeds,
  openTeacher,
  type TeacherFile,
  teacherFeeds,
  teacherLoss,
  train,
  writeTeacher,
} from 'cairn/nn';
import { createOrtExecutor, type Executor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import { mean, type Part } from './part.ts';

const VOCAB = 40;
const LENGTH = 32;
const BATCH = 16;
/** Scale of the source's logits: at 4 the eight likeliest of 40 tokens have 97 to 99 % of the mass. */
const SHARPNESS = 4;
/** Most nats that few probabilities may cost. */
const LIMIT = 0.01;
/** Share of the loss on the text itself. */
const ALPHA = 0.3;
const RECIPE = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const configOf = (width: number): LmConfig =>
  lmConfig({
    vocab_size: VOCAB,
    hidden_size: width,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: LENGTH,
  });
const [TEACHER, STUDENT] = [configOf(64), configOf(32)];

/** Tokens of a source whose next token depends on the two before it. */
function makeText(count: number, rules: Float64Array, rng: Rng): Int32Array {
  const text = new Int32Array(count);
  let [before, last] = [0, 0];
  const weight = new Float64Array(VOCAB);
  for (let t = 0; t < count; t++) {
    let total = 0;
    for (let v = 0; v < VOCAB; v++) {
      weight[v] = Math.exp(rules[last * VOCAB + v]! + rules[(VOCAB + before) * VOCAB + v]!);
      total += weight[v]!;
    }
    const next = rng.categorical(weight.map((w) => w / total));
    text[t] = next;
    [before, last] = [last, next];
  }
  return text;
}

interface Fit {
  readonly steps: number;
  readonly rng: Rng;
  readonly executor: Executor;
  readonly signal: AbortSignal;
  /** Its probabilities are learned from too; absent: the text alone. */
  readonly teacher?: TeacherFile;
}

async function fit(
  config: LmConfig,
  text: Int32Array,
  { steps, rng, executor, signal, teacher }: Fit,
): Promise<ModelState> {
  const distill = teacher && {
    alpha: ALPHA,
    k: teacher.header.k,
    temperature: teacher.header.temperature,
    loss: teacherLoss(teacher.header),
  };
  const step = defineLmStep(config, { batch: BATCH, length: LENGTH }, RECIPE, distill ? { distill } : {});
  const state = ModelState.init(step, rng.fork('weights'));
  await using program = await executor.compile(step, { state });
  const windows = randomWindows({ tokens: text, batch: BATCH, length: LENGTH, rng: rng.fork('batch') });
  const result = await train({
    program,
    state,
    feeds: (at) => ({
      ...lmStepFeeds(config, BATCH, windows.at(at)),
      ...(teacher ? teacherFeeds(teacher, windows.starts(at), LENGTH) : {}),
    }),
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

/** What students are shown beside the text, in the order of the table; the last two only at full scale. */
const SHOWN = [
  { k: VOCAB, kept: 'likeliest', name: 'all probabilities' },
  { k: 8, kept: 'drawn', name: '8 drawn' },
  { k: 8, kept: 'likeliest', name: 'the 8 likeliest' },
  { k: 2, kept: 'drawn', name: '2 drawn' },
] as const;

export async function distillation({ seed, scale, log, signal }: LabOptions): Promise<Part> {
  const students = scale === 'full' ? 6 : 3;
  // As many passes through the text at both scales.
  const [steps, tokens] = scale === 'full' ? [800, 5_000] : [300, 2_000];
  const rng = new Rng(seed).fork('distillation');
  const draw = rng.fork('rules');
  const rules = Float64Array.from({ length: 2 * VOCAB * VOCAB }, () => SHARPNESS * draw.normal());
  const large = makeText(40_000, rules, rng.fork('large'));
  const small = makeText(tokens, rules, rng.fork('small'));
  const unseen = makeText(6_000, rules, rng.fork('unseen'));
  const folder = await mkdtemp(join(tmpdir(), 'cairn-teacher-'));
  const executor = await createOrtExecutor();
  const files: TeacherFile[] = [];
  try {
    const lossOf = async (config: LmConfig, state: ModelState): Promise<number> => {
      await using evaluator = await createLmEvaluator(config, state, executor);
      // Awaited here: the evaluator is disposed at the end of this scope.
      const loss = await evaluator.loss(unseen);
      return loss;
    };
    const state = await fit(TEACHER, large, { steps: 2 * steps, rng: rng.fork('teacher'), executor, signal });
    const taught = await lossOf(TEACHER, state);
    log(`teacher: ${taught.toFixed(3)} nats a token`);
    const shown = scale === 'full' ? SHOWN : SHOWN.slice(0, 2);
    const sizes: number[] = [];
    for (const { k, kept } of shown) {
      const path = join(folder, `${k}-${kept}.bin`);
      await writeTeacher(path, { config: TEACHER, state, executor }, small, { k, kept, seed, signal });
      files.push(openTeacher(path));
      sizes.push((await stat(path)).size);
    }
    const arms = [undefined, ...files];
    const losses = arms.map(() => [] as number[]);
    for (let s = 0; s < students; s++) {
      for (const [a, teacher] of arms.entries()) {
        const options = { steps, rng: rng.fork(`student-${s}`), executor, signal, ...(teacher ? { teacher } : {}) };
        losses[a]!.push(await lossOf(STUDENT, await fit(STUDENT, small, options)));
      }
      log(`student ${s + 1} of ${students}`);
    }
    const [text, all, drawn] = losses as [number[], number[], number[]];
    const above = (values: readonly number[]): number => mean(values) - mean(all);
    return {
      claims: [
        {
          id: 'k-sparse-near-full',
          says: `A student that is shown 8 of ${VOCAB} next tokens, drawn so that each weighs its probability on average, loses next to nothing against one that is shown all probabilities.`,
          kind: 'measured',
          value: above(drawn),
          baseline: above(text),
          target: `nats above full distillation <= ${LIMIT}, mean of ${students} paired students`,
          holds: above(drawn) <= LIMIT,
        },
        {
          id: 'k-sparse-beats-text',
          says: 'On a tiny text it does better than a student that sees the text alone.',
          kind: 'measured',
          value: mean(drawn),
          baseline: mean(text),
          target: 'fewer nats for every paired student',
          holds: drawn.every((v, s) => v < text[s]!),
        },
      ],
      tables: [
        {
          title: `Nats a token on unseen text; students learn from ${small.length} tokens, the teacher from ${large.length}`,
          columns: [
            'learned from',
            'bytes a token',
            'mean',
            'lowest',
            'highest',
            'above all, mean',
            'of the pairs, lowest',
            'highest',
          ],
          rows: [
            ['teacher', null, taught, taught, taught, null, null, null],
            ...losses.map((values, a) => {
              const pairs = values.map((v, s) => v - all[s]!);
              return [
                a === 0 ? 'the text' : `text and ${shown[a - 1]!.name}`,
                a === 0 ? null : sizes[a - 1]! / small.length,
                mean(values),
                Math.min(...values),
                Math.max(...values),
                mean(pairs),
                Math.min(...pairs),
                Math.max(...pairs),
              ];
            }),
          ],
        },
      ],
    };
  } finally {
    for (const file of files) file.close();
    await executor.dispose();
    await rm(folder, { recursive: true });
  }
}
