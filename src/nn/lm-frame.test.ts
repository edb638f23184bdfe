// The frame of the language model: plain models are built as ever, caches are cut and shared, contradictions are named.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import { createReferenceExecutor, encodeModel, ModelState, type ProgramDef, Rng, writeOnnx } from '../tensor/index.ts';
import { parseConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { decodeProgram, type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';
import { defineLmStep } from './lm-step.ts';

const base = {
  vocab_size: 11,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
};

/** Fingerprints of the programs that plain configs are built into: without and with gradients and optimiser. */
const plain: [string, Partial<LmConfig>, string, string][] = [
  ['base', {}, 'b76899be2735653d', '54b1e2c5f891bd6c'],
  ['learned positions', { position_embedding: 'learned' }, '6df7c75c969e4ce9', 'f325d42d9aa530d8'],
  ['grouped heads', { num_key_value_heads: 2 }, '4e1cfb7ac38677bd', '7b6afbcfcd8831f1'],
  ['window', { sliding_window: 5 }, '5e963da0e0cc1ee9', '2134ff3916e0011f'],
  ['soft cap', { attn_logit_softcapping: 3, qk_norm: true }, 'deb3a3b3c44714b7', '0b94e3616fcc67e9'],
  [
    'gated, tied',
    { mlp_gated: true, hidden_act: 'silu', tie_word_embeddings: true, mlp_bias: false },
    '91544167822931b3',
    '75708bf1777a79f4',
  ],
];
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

function fingerprint(def: ProgramDef): string {
  const bytes = encodeModel(writeOnnx(def.graph, { target: 'train' }));
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

test.each(plain)('%s: a plain config is the same program as ever, node for node', (_, settings, forward, step) => {
  const config = lmConfig({ ...base, ...settings });
  expect(fingerprint(lmProgram(config, { batch: 2, length: 7 }))).toBe(forward);
  expect(fingerprint(defineLmStep(config, { batch: 2, length: 7 }, adam))).toBe(step);
});

function model(config: LmConfig): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
  const rng = new Rng(8);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.3 * rng.normal()) });
  }
  return {
    config,
    state,
    executor: createReferenceExecutor({ dtype: 'f64' }),
    tokenizer: byteTokenizer(),
    generation: {},
  };
}

const long = { ...base, max_position_embeddings: 128, num_hidden_layers: 4 };
const ids = Array.from({ length: 90 }, (_, i) => (i * 7 + (i >> 2)) % 11);

describe.each([
  ['one window', { sliding_window: 3 }],
  ['windows between full layers', { sliding_window: 3, sliding_window_pattern: 2 }],
  ['windows, shared keys and values', { sliding_window: 5, sliding_window_pattern: 2, num_kv_shared_layers: 2 }],
  ['shared keys and values', { num_kv_shared_layers: 3 }],
  ['window of one', { sliding_window: 1 }],
] as [string, Partial<LmConfig>][])('%s', (_, settings) => {
  const m = model(lmConfig({ ...long, ...settings }));

  test('decoding with caches that are cut equals the full forward', async () => {
    const full = await lmLogits(m, ids);
    await using decoder = createDecoder(m);
    let logits = await decoder.feed(ids.slice(0, 37));
    for (let i = 36; i < ids.length; i++) {
      if (i > 36) logits = await decoder.feed([ids[i]!]);
      const gap = Math.max(...Array.from(logits, (x, v) => Math.abs(x - full.data[i * 11 + v]!)));
      expect(gap).toBeLessThan(1e-6);
    }
  });

  test('layers see no further than they should', async () => {
    const changed = ids.slice(0, 40);
    changed[0] = (changed[0]! + 1) % 11;
    const [a, b] = [await lmLogits(m, ids.slice(0, 40)), await lmLogits(m, changed)];
    const window = m.config.sliding_window;
    const mixed = m.config.sliding_window_pattern !== undefined || window === null;
    const reach = mixed ? 40 : 4 * (window! - 1) + 1;
    const last = Array.from({ length: 40 }, (_x, i) => i).findLast((i) => a.data[i * 11] !== b.data[i * 11]);
    expect(last).toBe(reach - 1);
  });
});

test('layers that share keys and values have none of their own, and no cache entry', () => {
  const config = lmConfig({ ...long, num_kv_shared_layers: 2 });
  const names = decodeProgram(config, 1).graph;
  expect(names.inputs.map((x) => x.name).filter((n) => n.startsWith('past.'))).toEqual([
    'past.k.0',
    'past.v.0',
    'past.k.1',
    'past.v.1',
  ]);
  expect(names.params.some((p) => /blocks\.[23]\.attn\.[kv]\./.test(p.name))).toBe(false);
});

test.each([
  ['altup_num_inputs', { altup_schedule: 'same' }, 'be at least 2 where altup_schedule is given, got nothing'],
  ['altup_num_inputs', { altup_recycled: true, altup_num_inputs: 1 }, 'be at least 2 where altup_recycled is given'],
  ['altup_sequence_stride', { altup_num_inputs: 2, altup_sequence_stride: 4 }, 'be absent or 1 where'],
  ['sliding_window', { sliding_window_pattern: 2 }, 'be a number where sliding_window_pattern is given, got null'],
  ['num_kv_shared_layers', { num_kv_shared_layers: 2 }, 'leave a layer of each kind'],
  [
    'num_kv_shared_layers',
    { num_hidden_layers: 4, sliding_window: 2, sliding_window_pattern: 4, num_kv_shared_layers: 1 },
    'leave a layer',
  ],
] as [string, Partial<LmConfig>, string][])('a contradiction names %s', (key, settings, message) => {
  expect(() => parseConfig(lmConfig({ ...base, ...settings }))).toThrow(`key \`${key}\` of config.json to ${message}`);
});
