// A needle in a long text: pairs of key and value lie among noise, and at the end the value of one key is asked for. A tiny model
// with windows in its first layer of each pair, the whole context in the second and keys and values shared by the last two layers
// learns it on short texts that grow longer, and is asked at lengths it has never seen, fed piece by piece with cut caches.
import { createDecoder, defineTrainStep, type LanguageModel, lmConfig, lmForward, lmLogits, train } from 'cairn/nn';
import { byteTokenizer } from 'cairn/data';
import { createOrtExecutor, crossEntropy, type Executor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import type { Part } from './part.ts';
import { wilson } from './wilson.ts';

/** Noise, keys, values and the mark of a question. */
const [NOISE, KEYS, VALUES] = [96, 64, 64] as const;
const ASK = NOISE + KEYS + VALUES;
const LONGEST = 4096;
const WINDOW = 8;
const CONFIG = lmConfig({
  vocab_size: 256,
  hidden_size: 64,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: LONGEST,
  sliding_window: WINDOW,
  sliding_window_pattern: 2,
  num_kv_shared_layers: 2,
  // Far apart or near, the whole-context layers hardly see the difference; the windows do.
  rope_theta: 1e8,
  rope_local_theta: 10_000,
});
const RECIPE = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };

/** Lengths trained at, one after another: texts in a batch and share of the steps. */
const LESSONS = [
  { length: 64, batch: 32, share: 0.5 },
  { length: 128, batch: 16, share: 0.2 },
  { length: 256, batch: 8, share: 0.2 },
  { length: 512, batch: 4, share: 0.1 },
] as const;

interface Text {
  readonly ids: Int32Array;
  /** Positions whose next token is an answer. */
  readonly asked: readonly number[];
}

/**
 * Noise with pairs at given places, and questions at the end.
 * @param places where pairs begin, 2 apart at least
 */
function write(length: number, places: readonly number[], questions: number, rng: Rng): Text {
  const ids = Int32Array.from({ length }, () => rng.integer(NOISE));
  const keys = [...rng.permutation(KEYS)].slice(0, places.length);
  const pairs = places.map((at, i) => {
    const [key, value] = [NOISE + keys[i]!, NOISE + KEYS + rng.integer(VALUES)];
    ids.set([key, value], at);
    return [key, value] as const;
  });
  const order = [...rng.permutation(pairs.length)].slice(0, questions);
  const asked = order.map((pair, i) => {
    const at = length - 3 * (order.length - i);
    ids.set([ASK, ...pairs[pair]!], at);
    return at + 1;
  });
  return { ids, asked };
}

/** Places of `count` pairs before `end`. */
function scatter(count: number, end: number, rng: Rng): number[] {
  return [...rng.permutation(Math.floor(end / 2))].slice(0, count).map((i) => 2 * i);
}

async function teach(steps: number, rng: Rng, executor: Executor, options: LabOptions): Promise<LanguageModel> {
  const { signal, log } = options;
  const state = new ModelState();
  for (const [n, { length, batch, share }] of LESSONS.entries()) {
    const [pairs, questions] = [8, 6];
    const step = defineTrainStep((b) => {
      const dims = [batch, length];
      const logits = lmForward(CONFIG)(b, b.input('x', dims, 'i32'));
      return crossEntropy(logits, b.input('y', dims, 'i32'), { weights: b.input('weight', dims) });
    }, RECIPE);
    state.ensure(step, rng.fork('weights'));
    await using program = await executor.compile(step, { state });
    const result = await train({
      program,
      state,
      feeds: (at) => {
        const draw = rng.fork(`lesson ${length}`).fork(at);
        const [x, y] = [new Int32Array(batch * length), new Int32Array(batch * length)];
        const weight = new Float32Array(batch * length);
        for (let row = 0; row < batch; row++) {
          const places = scatter(pairs, length + 1 - 3 * questions, draw);
          const { ids, asked } = write(length + 1, places, questions, draw);
          x.set(ids.subarray(0, length), row * length);
          y.set(ids.subarray(1), row * length);
          for (const t of asked) weight[row * length + t] = 1;
        }
        return { x, y, weight };
      },
      schedule: { kind: 'cosine', peak: n === 0 ? 3e-3 : 1e-3, warmup: 0.1, final: 0.1 },
      beta1: RECIPE.beta1,
      beta2: RECIPE.beta2,
      length: { steps: Math.round(share * steps) },
      clock: () => performance.now() / 1000,
      signal,
    });
    signal.throwIfAborted();
    log(`trained on ${length} positions: loss ${(result.position.smoothedLoss ?? Number.NaN).toFixed(3)}`);
  }
  return { config: CONFIG, state, executor, tokenizer: byteTokenizer(), generation: { temperature: 0 } };
}

const DEPTHS = [0.02, 0.25, 0.5, 0.75, 0.95] as const;

interface Cell {
  readonly length: number;
  readonly depth: number;
  readonly right: number;
  readonly of: number;
}

/** Positions that the caches of windowed and of whole layers hold. */
function heldBy(
  cache: Readonly<Record<string, { readonly shape: readonly number[] }>>,
): [local: number, whole: number] {
  return [cache['past.k.0']!.shape[2]!, cache['past.k.1']!.shape[2]!];
}

export async function needle(options: LabOptions): Promise<Part> {
  const { seed, scale, log, plot, signal } = options;
  const rng = new Rng(seed).fork('needle');
  const full = scale === 'full';
  const lengths = full ? [512, 1024, 2048, 4096] : [256, 512];
  await using executor = await createOrtExecutor();
  const model = await teach(full ? 2000 : 600, rng, executor, options);
  await using decoder = createDecoder(model);
  const cells: Cell[] = [];
  let held: [number, number] = [0, 0];
  for (const length of lengths) {
    for (const depth of DEPTHS) {
      const of = full ? 20 : 10;
      let right = 0;
      for (let i = 0; i < of; i++) {
        signal.throwIfAborted();
        const draw = rng.fork(`asked ${length} ${depth} ${i}`);
        // One needle at the depth, seven other pairs anywhere.
        const own = 2 * Math.floor((depth * (length - 8)) / 2);
        const others = scatter(8, length - 4, draw).filter((at) => at !== own);
        const { ids } = write(length, [own, ...others.slice(0, 7)], 0, draw);
        decoder.reset();
        const logits = await decoder.feed([...ids.subarray(0, length - 2), ASK, ids[own]!]);
        held = heldBy(decoder.save().cache);
        if (logits.indexOf(Math.max(...logits)) === ids[own + 1]) right++;
      }
      cells.push({ length, depth, right, of });
    }
    const here = cells.filter((c) => c.length === length);
    log(`${length} positions: ${here.map((c) => `${c.right}/${c.of}`).join(' ')} right by depth`);
  }
  const text = write(400, scatter(8, 380, rng), 4, rng.fork('equal')).ids;
  const whole = await lmLogits(model, text);
  decoder.reset();
  let gap = 0;
  for (let at = 0; at < text.length; at++) {
    const row = await decoder.feed([text[at]!]);
    row.forEach((x, v) => (gap = Math.max(gap, Math.abs(x - whole.data[at * CONFIG.vocab_size + v]!))));
  }
  const longest = lengths.at(-1)!;
  const total = (chosen: readonly Cell[]): [right: number, of: number] => [
    chosen.reduce((s, c) => s + c.right, 0),
    chosen.reduce((s, c) => s + c.of, 0),
  ];
  const [right, of] = total(cells.filter((c) => c.length === longest));
  const [low, high] = wilson(right, of);
  plot('needle', {
    title: 'Needles found, by their depth in the text',
    x: { label: 'depth, 0 is the beginning' },
    y: { label: 'share found' },
    curves: lengths.map((length) => ({
      name: `${length} positions`,
      points: cells.filter((c) => c.length === length).map((c) => [c.depth, c.right / c.of] as const),
    })),
  });
  return {
    claims: [
      {
        id: 'needle-found',
        says: `A model of four layers that was trained on at most 512 positions finds a key's value among ${longest}, wherever it lies.`,
        kind: 'measured',
        value: right / of,
        baseline: 1 / VALUES,
        target: `>= ${full ? 0.9 : 0.6} of ${of} at ${longest} positions (95 %: ${low.toFixed(3)} to ${high.toFixed(3)}); chance ${(1 / VALUES).toFixed(3)}`,
        holds: right / of >= (full ? 0.9 : 0.6),
      },
      {
        id: 'streaming-equals-offline',
        says: 'Fed token by token with caches cut to the window, the logits are those of the whole text at once.',
        kind: 'identity',
        value: gap,
        target: 'largest difference <= 1e-3 of logits over 400 positions',
        holds: gap <= 1e-3,
      },
      {
        id: 'ring-cache',
        says: `A windowed layer holds a bounded number of positions, and layers that share keys and values hold none.`,
        kind: 'bound',
        value: held[0],
        baseline: held[1],
        target: `<= ${2 * (WINDOW - 1)} positions after a text of ${longest}`,
        holds: held[0] <= 2 * (WINDOW - 1) && held[1] === longest,
      },
    ],
    tables: [
      {
        title: 'Needles found, by length of the text and depth',
        columns: ['positions', ...DEPTHS.map((d) => `depth ${d}`), 'all', 'low', 'high'],
        rows: lengths.map((length) => {
          const here = cells.filter((c) => c.length === length);
          const sum = total(here);
          return [length, ...here.map((c) => c.right / c.of), sum[0] / sum[1], ...wilson(...sum)];
        }),
      },
    ],
  };
}
