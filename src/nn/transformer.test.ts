import { expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import {
  createOrtExecutor,
  createReferenceExecutor,
  crossEntropy,
  defineProgram,
  type Executor,
  grad,
  ModelState,
  Rng,
} from '../tensor/index.ts';
import type { LmConfig } from './lm-config.ts';
import { createDecoder } from './decoder.ts';
import { type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig } from './lm-config.ts';
import { transformerForward } from './transformer.ts';

const base = {
  vocab_size: 11,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
};
const variants: [string, LmConfig][] = [
  ['base', lmConfig(base)],
  ['learned positions', lmConfig({ ...base, position_embedding: 'learned' })],
  ['grouped heads', lmConfig({ ...base, num_key_value_heads: 2 })],
  ['one key-value head', lmConfig({ ...base, num_key_value_heads: 1 })],
  ['window', lmConfig({ ...base, sliding_window: 5 })],
  ['soft cap, normed queries', lmConfig({ ...base, attn_logit_softcapping: 3, qk_norm: true })],
  [
    'gated, tied, no bias',
    lmConfig({ ...base, mlp_gated: true, hidden_act: 'silu', tie_word_embeddings: true, mlp_bias: false }),
  ],
];
const ids = Int32Array.from({ length: 23 }, (_, i) => (i * 7 + (i >> 2)) % 11);

/** Random weights that are large enough for every part to matter. */
function model(config: LmConfig, executor: Executor, dtype: 'f32' | 'f64' = 'f64'): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }, { dtype }), new Rng(7));
  const rng = new Rng(8);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.3 * rng.normal()) });
  }
  return { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
}

/** The f64 programs of a model: the product's own programs are f32. */
async function logitsF64(m: LanguageModel, input: Int32Array, options = {}): Promise<number[]> {
  const def = lmProgram(m.config, { batch: 1, length: input.length }, { dtype: 'f64', ...options });
  await using program = await m.executor.compile(def, { state: m.state });
  return [...(await program.run({ ids: input }))['logits']!.data];
}

const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

test.each(variants)('%s: a token changes no logits before it', async (_, config) => {
  const m = model(config, createReferenceExecutor({ dtype: 'f64' }));
  const changed = ids.slice();
  changed[15] = (changed[15]! + 1) % 11;
  const [a, b] = [await logitsF64(m, ids), await logitsF64(m, changed)];
  expect(a.slice(0, 15 * 11)).toEqual(b.slice(0, 15 * 11));
  expect(largestGap(a.slice(15 * 11), b.slice(15 * 11))).toBeGreaterThan(1e-3);
});

test.each(variants)('%s: decoding with the cache gives the logits of the full forward', async (_, config) => {
  await using ort = await createOrtExecutor({ threads: 1 });
  for (const [executor, limit] of [
    [createReferenceExecutor({ dtype: 'f64' }), 1e-6],
    [ort, 1e-5],
  ] as const) {
    const m = model(config, executor, 'f32');
    const full = await lmLogits(m, ids);
    await using decoder = createDecoder(m);
    // 20 tokens at once (chunks of 16 and 4), then one by one.
    let logits = await decoder.feed([...ids.subarray(0, 20)]);
    for (let i = 19; i < ids.length; i++) {
      if (i > 19) logits = await decoder.feed([ids[i]!]);
      expect(largestGap(logits, full.data.slice(i * 11, (i + 1) * 11))).toBeLessThan(limit);
    }
    expect(decoder.length).toBe(ids.length);
  }
});

test('norms in parts and results per head change nothing', async () => {
  const m = model(lmConfig(base), createReferenceExecutor({ dtype: 'f64' }));
  const plain = await logitsF64(m, ids);
  expect(largestGap(plain, await logitsF64(m, ids, { splitNorms: true, headResults: true }))).toBeLessThan(1e-12);
});

test('grouped heads equal full heads with repeated keys and values', async () => {
  const executor = createReferenceExecutor({ dtype: 'f64' });
  const grouped = model(lmConfig({ ...base, num_key_value_heads: 2 }), executor);
  const full = model(lmConfig(base), executor);
  for (const [name, t] of grouped.state.entries()) {
    if (!/attn\.[kv]\.weight/.test(name)) full.state.set(name, t);
    else {
      const wide = new Float64Array(16 * 16);
      for (let i = 0; i < 16; i++)
        for (let j = 0; j < 16; j++) wide[i * 16 + j] = t.data[i * 8 + (j >> 3) * 4 + (j & 3)]!;
      full.state.set(name, { data: wide, shape: [16, 16], dtype: 'f64' });
    }
  }
  expect(largestGap(await logitsF64(grouped, ids), await logitsF64(full, ids))).toBeLessThan(1e-12);
});

test('hook points have the names and shapes of TransformerLens', async () => {
  const m = model(lmConfig({ ...base, num_key_value_heads: 2 }), createReferenceExecutor({ dtype: 'f64' }));
  const def = lmProgram(
    m.config,
    { batch: 2, length: 5 },
    { dtype: 'f64', capture: /hook_/, splitNorms: true, headResults: true },
  );
  await using program = await m.executor.compile(def, { state: m.state });
  const out = await program.run({ ids: ids.slice(0, 10) });
  const shapes = Object.fromEntries(Object.entries(out).map(([name, t]) => [name, t.shape.join(',')]));
  const block = {
    hook_resid_pre: '2,5,16',
    'ln1.hook_scale': '2,5,1',
    'ln1.hook_normalized': '2,5,16',
    'attn.hook_q': '2,5,4,4',
    'attn.hook_k': '2,5,2,4',
    'attn.hook_v': '2,5,2,4',
    'attn.hook_attn_scores': '2,4,5,5',
    'attn.hook_pattern': '2,4,5,5',
    'attn.hook_z': '2,5,4,4',
    'attn.hook_result': '2,5,4,16',
    hook_attn_out: '2,5,16',
    hook_resid_mid: '2,5,16',
    'ln2.hook_scale': '2,5,1',
    'ln2.hook_normalized': '2,5,16',
    hook_mlp_in: '2,5,16',
    'mlp.hook_pre': '2,5,64',
    'mlp.hook_post': '2,5,64',
    hook_mlp_out: '2,5,16',
    hook_resid_post: '2,5,16',
  };
  expect(shapes).toEqual({
    hook_embed: '2,5,16',
    ...Object.fromEntries([0, 1].flatMap((l) => Object.entries(block).map(([k, s]) => [`blocks.${l}.${k}`, s]))),
    'ln_final.hook_scale': '2,5,1',
    'ln_final.hook_normalized': '2,5,16',
    logits: '2,5,11',
  });
});

test('a context that is too long is named', () => {
  expect(() => lmProgram(lmConfig(base), { batch: 1, length: 33 })).toThrow('Expected at most 32 tokens, got 33.');
});

test.each(variants)('%s: the gradient of every weight matches a finite difference', async (_, wide) => {
  const config = { ...wide, num_hidden_layers: 1 };
  const m = model(config, createReferenceExecutor({ dtype: 'f64' }));
  const def = defineProgram(
    (b) => {
      const loss = crossEntropy(
        transformerForward(b, config, b.input('x', [2, 6], 'i32')),
        b.input('y', [2, 6], 'i32'),
      );
      b.output('loss', loss);
      const wrt = b.trainable();
      grad(
        loss,
        wrt.map((p) => p.tensor),
      ).forEach((g, i) => b.output(`grad of ${wrt[i]!.spec.name}`, g));
    },
    { dtype: 'f64' },
  );
  const feeds = { x: ids.slice(0, 12), y: ids.slice(1, 13) };
  await using program = await m.executor.compile(def, { state: m.state });
  const out = await program.run(feeds);
  const rng = new Rng(5);
  const eps = 1e-6;
  for (const { name } of def.graph.params) {
    const t = m.state.get(name);
    const direction = Float64Array.from(t.data, () => rng.normal());
    const lossAt = async (h: number): Promise<number> => {
      m.state.set(name, { ...t, data: Float64Array.from(t.data, (x, i) => x + h * direction[i]!) });
      return (await program.run(feeds))['loss']!.data[0]!;
    };
    const numeric = ((await lossAt(eps)) - (await lossAt(-eps))) / (2 * eps);
    m.state.set(name, t);
    const analytic = Array.from(out[`grad of ${name}`]!.data).reduce((s, g, i) => s + g * direction[i]!, 0);
    expect(Math.abs(analytic - numeric), name).toBeLessThan(1e-7 + 1e-5 * Math.abs(numeric));
  }
});
