// Stacks together with the other blocks of the language model: decoding on threads and in turn, files, export, training.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { charTokenizer } from '../../data/index.ts';
import { createOrtExecutor, ModelState, Rng } from '../../tensor/index.ts';
import { parseConfig } from '../config.ts';
import { createDecoder } from '../decoder.ts';
import { exportModelDir } from '../export-model.ts';
import { type LanguageModel, lmLogits, lmProgram, loadLm, saveLm } from '../lm.ts';
import { lmConfig, type LmConfig } from '../lm-config.ts';
import { lmFeeds } from '../lm-inputs.ts';
import { defineLmStep, lmStepFeeds } from '../lm-step.ts';
import { compileTrainStep } from '../train-step.ts';
import { createStackDecoder } from './index.ts';

const tokenizer = charTokenizer('abcdefghijk');
const base = {
  vocab_size: tokenizer.vocabSize,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
  intermediate_size: 24,
  stag_num_stacks: 2,
};
const V = base.vocab_size;
const ids = Int32Array.from({ length: 20 }, (_, i) => (i * 7 + (i >> 2)) % V);
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const executor = await createOrtExecutor({ threads: 1 });

function model(config: LmConfig): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(3));
  const rng = new Rng(4);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.2 * rng.normal()) });
  }
  return { config, state, executor, tokenizer, generation: {} };
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), a.length === b.length ? 0 : Infinity);

describe.each([
  ['plain stacks', { stag_cross_window: 1 }],
  ['wide streams', { altup_num_inputs: 2 }],
  [
    'wide streams, shared and combined',
    { altup_num_inputs: 2, altup_recycled: true, stag_shared: true, stag_combine: true },
  ],
  ['experts', { moe_num_experts: 3, moe_top_k: 2 }],
  ['hashed bigrams', { memory_lookup: 'ngram', memory_entries: 64, stag_shared: true, stag_cross_window: 4 }],
  [
    'all of them, three stacks',
    {
      altup_num_inputs: 2,
      moe_num_experts: 2,
      memory_lookup: 'ngram',
      memory_entries: 32,
      stag_num_stacks: 3,
      sliding_window: 5,
    },
  ],
] as [string, Partial<LmConfig>][])('%s', (_, settings) => {
  const config = parseConfig(lmConfig({ ...base, ...settings })) as LmConfig;

  test('every way of decoding gives the logits of the full forward', async () => {
    const m = model(config);
    const full = await lmLogits(m, ids);
    await using parallel = await createStackDecoder(m);
    await using serial = await createStackDecoder(m, { parallel: false });
    await using whole = createDecoder(m);
    for (let at = 0; at < ids.length;) {
      const piece = at === 0 ? [...ids.subarray(0, 6)] : [ids[at]!];
      at += piece.length;
      const expected = full.data.slice((at - 1) * V, at * V);
      const [a, b, c] = [await parallel.feed(piece), await serial.feed(piece), await whole.feed(piece)];
      expect(a).toEqual(b);
      expect(gap(a, expected)).toBeLessThan(5e-5);
      expect(gap(c, expected)).toBeLessThan(5e-5);
    }
    expect(parallel.mode).toBe('parallel');
  });

  test('saved, loaded and exported it gives the same logits', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'stacks-'));
    try {
      const m = model(config);
      await saveLm(dir, m);
      const expected = (await lmLogits(m, ids)).data;
      expect(gap((await lmLogits(await loadLm(dir, executor), ids)).data, expected)).toBe(0);
      const exported = (await exportModelDir(dir)).find((x) => x.name === 'model.onnx')!;
      const session = await ort.InferenceSession.create(exported.bytes);
      const feeds = Object.entries({ ids: { data: ids, shape: [1, ids.length] }, ...lmFeeds(config, ids, 1) });
      const out = await session.run(
        Object.fromEntries(feeds.map(([k, t]) => [k, new ort.Tensor('int32', t.data as Int32Array, t.shape)])),
      );
      expect(gap(out['logits']!.data as Float32Array, expected)).toBeLessThan(2e-4);
      await session.release();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('sixty steps learn a text', async () => {
    const step = defineLmStep(config, { batch: 4, length: 16 }, adam);
    const state = ModelState.init(step, new Rng(6));
    await using program = await compileTrainStep(executor, step, state, adam);
    const losses: number[] = [];
    for (let at = 0; at < 60; at++) {
      const x = Int32Array.from({ length: 64 }, (_x, i) => ((i % 16) * 3 + at + (i >> 4)) % V);
      const out = await program.run({
        ...lmStepFeeds(config, 4, { x, y: x.map((v) => (v + 3) % V) }),
        lr: 1e-2,
        c1: 1 - 0.9 ** (at + 1),
        c2: 1 - 0.95 ** (at + 1),
      });
      losses.push(Number(out['loss']!.data[0]));
    }
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  });
});
