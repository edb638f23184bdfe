// The forms of Gemma 3n against the original: logits of a tiny model that scripts/golden-gemma3n.py made once with the
// modeling file of the Python package transformers. Weights are the same formula of their names here and there.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import { createReferenceExecutor, ModelState, Rng, sizeOf, type StoredTensor } from '../tensor/index.ts';
import { parseConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { type LanguageModel, lmLogits, lmProgram, lmState, lmTensors } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';

const config = lmConfig({
  vocab_size: 13,
  hidden_size: 16,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 32,
  mlp_gated: true,
  mlp_bias: false,
  qk_norm: true,
  v_norm: true,
  attn_scale: 1,
  post_norms: true,
  embed_scale: 4,
  rope_local_theta: 100,
  sliding_window: 3,
  sliding_window_pattern: 2,
  num_kv_shared_layers: 2,
  final_logit_softcapping: 5,
  tie_word_embeddings: true,
  altup_num_inputs: 3,
  altup_coefficients: 'dynamic',
  altup_coef_clip: 120,
  altup_correct_scale: true,
  laurel_rank: 5,
  hidden_size_per_layer_input: 4,
});

interface Golden {
  readonly ids: number[];
  readonly weights: string[];
  readonly logits: number[][];
}

/** A weight of the golden model: sines whose phase is a hash of its name. */
function golden(name: string, shape: readonly number[]): StoredTensor {
  let h = 2166136261;
  for (const c of new TextEncoder().encode(name)) h = Math.imul(h ^ c, 16777619) >>> 0;
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const wave = Math.sin(i * 12.9898 + (h % 1000) / 7);
    return shape.length === 1 ? 1 + 0.2 * wave : 0.3 * wave;
  });
  return { data, shape: [...shape], dtype: 'f32' };
}

async function load(): Promise<{ model: LanguageModel; expected: Golden }> {
  const path = new URL('./_golden/gemma3n.json', import.meta.url);
  const expected = JSON.parse(await readFile(path, 'utf8')) as Golden;
  const blank = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(1));
  const tensors = new Map([...lmTensors(config, blank)].map(([name, t]) => [name, golden(name, t.shape)]));
  const known = new Set(expected.weights);
  expect([...tensors.keys()].filter((name) => !known.has(name))).toEqual([]);
  const model = {
    config,
    state: lmState(config, tensors),
    executor: createReferenceExecutor({ dtype: 'f64' }),
    tokenizer: byteTokenizer(),
    generation: {},
  };
  return { model, expected };
}

test('the logits of the original, all at once and from the cache', async () => {
  const { model, expected } = await load();
  expect(parseConfig(config)).toEqual(config);
  const { data } = await lmLogits(model, expected.ids);
  await using decoder = createDecoder(model);
  for (const [t, row] of expected.logits.entries()) {
    const stepped = await decoder.feed([expected.ids[t]!]);
    row.forEach((x, v) => {
      expect(Math.abs(data[t * 13 + v]! - x)).toBeLessThan(2e-5);
      expect(Math.abs(stepped[v]! - x)).toBeLessThan(2e-5);
    });
  }
});

describe('input-dependent coefficients', () => {
  const base = {
    vocab_size: 11,
    hidden_size: 16,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    max_position_embeddings: 16,
  };
  const ids = [3, 1, 4, 1, 5, 9, 2, 6];
  const modelOf = (more: Partial<LmConfig>): LanguageModel => {
    const c = lmConfig({ ...base, ...more });
    const state = ModelState.init(lmProgram(c, { batch: 1, length: 1 }), new Rng(4));
    const executor = createReferenceExecutor({ dtype: 'f64' });
    return { config: c, state, executor, tokenizer: byteTokenizer(), generation: {} };
  };

  test.each([2, 4])('with first coefficients K = %i is the dense model', async (streams) => {
    const dense = await lmLogits(modelOf({}), ids);
    const wide = await lmLogits(modelOf({ altup_num_inputs: streams, altup_coefficients: 'dynamic' }), ids);
    expect(Math.max(...Array.from(dense.data, (x, i) => Math.abs(x - wide.data[i]!)))).toBeLessThan(1e-6);
  });

  test.each([
    [
      'altup_coefficients',
      { hidden_size_per_layer_input: 4 },
      'be "dynamic" where hidden_size_per_layer_input is given',
    ],
    [
      'altup_coefficients',
      { altup_num_inputs: 2, altup_coefficients: 'dynamic', altup_recycled: true },
      'be absent or',
    ],
    ['sliding_window_pattern', { rope_local_theta: 10 }, 'be a number where rope_local_theta is given'],
  ] as [string, Partial<LmConfig>, string][])('a contradiction names %s', (key, more, message) => {
    expect(() => parseConfig(lmConfig({ ...base, ...more }))).toThrow(`key \`${key}\` of config.json to ${message}`);
  });
});
