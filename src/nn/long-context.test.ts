// Windows between layers that see everything, and last layers that share keys and values: long texts piece by piece.
import { expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createOrtExecutor, ModelState, Rng } from '../tensor/index.ts';
import { createDecoder } from './decoder.ts';
import { type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig } from './lm-config.ts';

const WINDOW = 6;
const LENGTH = 700;
const config = lmConfig({
  vocab_size: 256,
  hidden_size: 16,
  num_hidden_layers: 6,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: LENGTH,
  sliding_window: WINDOW,
  sliding_window_pattern: 2,
  num_kv_shared_layers: 2,
  rope_theta: 1e6,
  rope_local_theta: 1e4,
});

test.each([1, 16, 64, 333])(
  'fed %i tokens at a time, 700 positions have the logits of the whole text; caches stay cut',
  async (n) => {
    await using executor = await createOrtExecutor();
    const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(n));
    for (const name of state.names()) {
      const t = state.get(name);
      state.set(name, { ...t, data: t.data.map((x) => 4 * x) });
    }
    const model: LanguageModel = { config, state, executor, tokenizer: charTokenizer(''), generation: {} };
    const rng = new Rng(n).fork('text');
    const ids = Array.from({ length: LENGTH }, () => rng.integer(256));
    const whole = await lmLogits(model, ids);
    await using decoder = createDecoder(model);
    let gap = 0;
    let most = 0;
    for (let at = 0; at < LENGTH; at += n) {
      const piece = ids.slice(at, at + n);
      const row = await decoder.feed(piece);
      const last = at + piece.length - 1;
      row.forEach((x, v) => (gap = Math.max(gap, Math.abs(x - whole.data[last * 256 + v]!))));
      const { cache } = decoder.save();
      most = Math.max(most, cache['past.k.0']!.shape[2]!);
      expect(cache['past.k.1']!.shape[2]).toBe(last + 1);
      expect(Object.keys(cache).toSorted()).toEqual(
        [0, 1, 2, 3].flatMap((l) => [`past.k.${l}`, `past.v.${l}`]).toSorted(),
      );
    }
    expect(gap).toBeLessThan(1e-4);
    expect(whole.data.some((x) => Math.abs(x) > 0.1)).toBe(true);
    expect(most).toBeLessThanOrEqual(2 * (WINDOW - 1));
  },
  30_000,
);
