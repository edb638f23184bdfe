// Sparse blocks inside the language model: experts and memory tables decode, train, save and export as a plain model does.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createOrtExecutor, createReferenceExecutor, ModelState, Rng } from '../tensor/index.ts';
import { parseConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { exportModelDir } from './export-model.ts';
import { type LanguageModel, lmLogits, lmProgram, loadLm, saveLm } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { defineLmStep, lmStepFeeds } from './lm-step.ts';
import { compileTrainStep } from './train-step.ts';

const tokenizer = charTokenizer('abcdefghijk');
const base = {
  vocab_size: tokenizer.vocabSize,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 64,
  intermediate_size: 24,
};
const V = base.vocab_size;
const ids = Int32Array.from({ length: 40 }, (_, i) => (i * 7 + (i >> 2)) % V);
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

function model(config: LmConfig, seed: number, shake = 0.3): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(seed));
  const rng = new Rng(seed + 1);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + shake * rng.normal()) });
  }
  const executor = createReferenceExecutor({ dtype: 'f64' });
  return { config, state, executor, tokenizer, generation: {} };
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), a.length === b.length ? 0 : Infinity);

const variants: [string, Partial<LmConfig>][] = [
  ['experts, one a token', { moe_num_experts: 4 }],
  [
    'experts, two a token, gated, beside a shared one',
    { moe_num_experts: 3, moe_top_k: 2, moe_shared_expert: true, mlp_gated: true },
  ],
  ['hashed bigrams, added', { memory_lookup: 'ngram', memory_entries: 64 }],
  [
    'hashed trigrams, two hashes, gated, in one layer, with experts',
    {
      memory_lookup: 'ngram',
      memory_entries: 32,
      memory_ngram: 3,
      memory_reads: 2,
      memory_gate: true,
      memory_layers: [1],
      moe_num_experts: 2,
    },
  ],
  ['tokens, joined to the input', { memory_lookup: 'token', memory_consume: 'concat' }],
  [
    'hashed vectors as networks',
    { memory_lookup: 'lsh', memory_entries: 8, memory_reads: 2, memory_consume: 'expert', memory_rank: 2 },
  ],
  ['trained softmax', { memory_lookup: 'softmax', memory_entries: 10 }],
  ['product keys', { memory_lookup: 'product', memory_entries: 16, memory_reads: 3 }],
  [
    'AltUp, experts, bigrams',
    { altup_num_inputs: 2, moe_num_experts: 3, memory_lookup: 'ngram', memory_entries: 32, memory_reads: 2 },
  ],
  [
    'AltUp along the sequence, experts, trigrams',
    {
      num_hidden_layers: 3,
      altup_sequence_stride: 2,
      moe_num_experts: 2,
      memory_lookup: 'ngram',
      memory_ngram: 3,
      memory_entries: 32,
    },
  ],
  [
    'StagFormer with shared weights, experts, bigrams',
    { stag_num_stacks: 2, stag_shared: true, moe_num_experts: 3, memory_lookup: 'ngram', memory_entries: 32 },
  ],
  [
    'StagFormer with windows, AltUp, experts by bias, hashed vectors',
    {
      stag_num_stacks: 2,
      stag_cross_window: 4,
      altup_num_inputs: 2,
      altup_recycled: true,
      moe_num_experts: 2,
      moe_balance: 'bias',
      memory_lookup: 'lsh',
      memory_entries: 8,
    },
  ],
  ['experts balanced by a bias, no biases', { moe_num_experts: 4, moe_balance: 'bias', mlp_bias: false }],
];

describe.each(variants)('%s', (_, settings) => {
  const config = lmConfig({ ...base, ...settings });

  test('decoding with the cache equals the full forward, in chunks and one by one', async () => {
    const m = model(config, 3);
    const full = await lmLogits(m, ids);
    await using decoder = createDecoder(m);
    let logits = await decoder.feed([...ids.subarray(0, 21)]);
    for (let i = 20; i < ids.length; i++) {
      if (i > 20) logits = await decoder.feed([ids[i]!]);
      expect(gap(logits, full.data.slice(i * V, (i + 1) * V))).toBeLessThan(1e-6);
    }
  });

  test('a token changes no logits before it', async () => {
    const m = model(config, 4);
    const changed = ids.slice();
    changed[25] = (changed[25]! + 1) % V;
    const [a, b] = [(await lmLogits(m, ids)).data, (await lmLogits(m, changed)).data];
    expect(gap(a.slice(0, 25 * V), b.slice(0, 25 * V))).toBe(0);
    expect(gap(a.slice(25 * V), b.slice(25 * V))).toBeGreaterThan(1e-4);
  });

  test('saved, loaded and exported it gives the same logits', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sparse-'));
    try {
      const m = model(parseConfig(structuredClone(config)) as LmConfig, 5);
      await saveLm(dir, m);
      const loaded = await loadLm(dir, m.executor);
      // The whole context: some forms are exported with a fixed length.
      const all = Int32Array.from({ length: 64 }, (_x, i) => (i * 5 + (i >> 2)) % V);
      const expected = (await lmLogits(m, all)).data;
      expect(gap((await lmLogits(loaded, all)).data, expected)).toBe(0);
      const { default: ort } = await import('onnxruntime-node');
      const exported = (await exportModelDir(dir)).find((x) => x.name === 'model.onnx')!;
      const session = await ort.InferenceSession.create(exported.bytes);
      const feeds = Object.fromEntries(
        Object.entries({ ids: { data: all, shape: [1, 64] }, ...lmFeeds(config, all, 1) }).map(([k, t]) => [
          k,
          new ort.Tensor(t.data instanceof Int32Array ? 'int32' : 'float32', t.data as Int32Array, t.shape),
        ]),
      );
      const out = await session.run(feeds);
      expect(gap(out['logits']!.data as Float32Array, expected)).toBeLessThan(2e-4);
      await session.release();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('sixty steps learn a text', async () => {
    await using ort = await createOrtExecutor({ threads: 1 });
    const shape = { batch: 4, length: 16 };
    const step = defineLmStep(config, shape, adam);
    const state = ModelState.init(step, new Rng(6));
    await using program = await compileTrainStep(ort, step, state, adam);
    const losses: number[] = [];
    for (let at = 0; at < 60; at++) {
      const x = Int32Array.from({ length: 64 }, (_x, i) => ((i % 16) * 3 + at + (i >> 4)) % V);
      const y = x.map((v) => (v + 3) % V);
      const feeds = {
        ...lmStepFeeds(config, 4, { x, y }),
        lr: 1e-2,
        c1: 1 - 0.9 ** (at + 1),
        c2: 1 - 0.95 ** (at + 1),
      };
      const out = await program.run(feeds);
      losses.push(Number(out['loss']!.data[0]));
      for (const [name, t] of Object.entries(out)) {
        if (name.startsWith('aux.')) expect(Number(t.data[0])).toBeGreaterThanOrEqual(0);
      }
    }
    expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
  });
});

const memories = variants.filter(
  ([, settings]) => settings.memory_lookup !== undefined && settings.moe_num_experts === undefined,
);

test.each(memories)('%s: a fresh model is the model without tables, bit for bit', async (_, settings) => {
  for (const seed of [1, 2, 3]) {
    const [plain, tabled] = [lmConfig(base), lmConfig({ ...base, ...settings })].map((c) => model(c, seed, 0));
    expect((await lmLogits(tabled!, ids)).data).toEqual((await lmLogits(plain!, ids)).data);
  }
});

test('a table by token in a first layer that does nothing else is added to the embedding', async () => {
  const tabled = model(lmConfig({ ...base, memory_lookup: 'token', memory_layers: [0] }), 4);
  const plain = model(lmConfig(base), 4);
  const table = tabled.state.get('blocks.0.memory.table').data;
  for (const name of plain.state.names()) {
    const t = tabled.state.get(name);
    const idle = /^blocks\.0\.(attn\.o|mlp\.out)\./.test(name);
    const data = idle ? t.data.map(() => 0) : t.data;
    tabled.state.set(name, { ...t, data });
    plain.state.set(
      name,
      name === 'embed.weight' ? { ...t, data: data.map((v, i) => v + Number(table[i])) } : { ...t, data },
    );
  }
  expect(gap((await lmLogits(tabled, ids)).data, (await lmLogits(plain, ids)).data)).toBeLessThan(1e-5);
});

test('a step changes the rows that its tokens hash to and no others', async () => {
  await using ort = await createOrtExecutor({ threads: 1 });
  const config = lmConfig({ ...base, memory_lookup: 'ngram', memory_entries: 128 });
  const step = defineLmStep(config, { batch: 2, length: 8 }, adam);
  const state = ModelState.init(step, new Rng(2));
  const before = ['blocks.0.memory.table', 'blocks.1.memory.table'].map((name) => state.get(name).data.slice());
  await using program = await compileTrainStep(ort, step, state, adam);
  const feeds = lmStepFeeds(config, 2, { x: ids.slice(0, 16), y: ids.slice(1, 17) });
  await program.run({ ...feeds, lr: 1e-2, c1: 0.1, c2: 0.05 });
  const touched = new Set((feeds['memory.ngram'] as { data: Int32Array }).data);
  expect(touched.size).toBeLessThan(17);
  before.forEach((old, layer) => {
    const next = state.get(`blocks.${layer}.memory.table`).data;
    for (let row = 0; row < 128; row++) {
      const changed = Array.from({ length: 16 }, (_, d) => next[row * 16 + d] !== old[row * 16 + d]).some(Boolean);
      expect(changed).toBe(touched.has(row));
    }
  });
});

test.each([
  ['moe_num_experts', { moe_top_k: 2 }, 'be a number where moe_top_k is given'],
  ['moe_top_k', { moe_num_experts: 2, moe_top_k: 3 }, 'be at most moe_num_experts 2, got 3'],
  ['memory_lookup', { memory_entries: 4 }, 'be given where memory_entries is given, got nothing'],
  ['memory_lookup', { memory_lookup: 'token', memory_ngram: 2 }, 'be "ngram" where memory_ngram is given'],
  ['memory_entries', { memory_lookup: 'ngram' }, 'be given where memory_lookup is "ngram"'],
  ['memory_entries', { memory_lookup: 'lsh', memory_entries: 12 }, 'be a power of two, got 12'],
  ['memory_entries', { memory_lookup: 'product', memory_entries: 12 }, 'be a square, got 12'],
  [
    'memory_reads',
    { memory_lookup: 'ngram', memory_entries: 9, memory_reads: 3, memory_combine: 'concat' },
    'divide hidden_size',
  ],
  ['memory_lookup', { memory_lookup: 'lsh', memory_entries: 8, memory_combine: 'concat' }, 'be "ngram"'],
  [
    'memory_combine',
    { memory_lookup: 'ngram', memory_entries: 8, memory_combine: 'concat', memory_consume: 'expert' },
    'be absent or "sum"',
  ],
  ['memory_reads', { memory_lookup: 'product', memory_entries: 9 }, 'be at most the root of memory_entries 9'],
  ['memory_consume', { memory_lookup: 'token', memory_rank: 2 }, 'be "expert" where memory_rank is given'],
  ['memory_layers', { memory_lookup: 'token', memory_layers: [2] }, 'name layers below num_hidden_layers 2'],
] as [string, Partial<LmConfig>, string][])('key %s against the others is named', (key, settings, text) => {
  expect(() => parseConfig(lmConfig({ ...base, ...settings }))).toThrow(
    `Expected key \`${key}\` of config.json to ${text}`,
  );
});
