// Decoding with memory that is used in turn, weights inside and threads: the same numbers as the whole sequence at once.
import { expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import { createOrtExecutor, ModelState, Rng } from '../tensor/index.ts';
import { createDecoder } from './decoder.ts';
import { type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig, type LmSettings } from './lm-config.ts';

const base = { vocab_size: 13, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 };
const kinds: [string, Partial<LmSettings>][] = [
  ['dense', {}],
  ['AltUp', { altup_num_inputs: 2 }],
  ['stride', { num_hidden_layers: 4, altup_sequence_stride: 2 }],
  ['window', { sliding_window: 4 }],
  ['windows between full layers', { num_hidden_layers: 4, sliding_window: 4, sliding_window_pattern: 2 }],
];

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

test.each(kinds)('%s: every way of decoding gives the logits of the whole sequence', async (_, more) => {
  const config = lmConfig({ ...base, max_position_embeddings: 64, ...more } as LmSettings);
  const rng = new Rng(5);
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), rng);
  await using executor = await createOrtExecutor({ threads: 2 });
  const model: LanguageModel = { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
  const ids = Array.from({ length: 40 }, () => rng.integer(13));
  const { data } = await lmLogits(model, ids);
  for (const options of [{}, { frozen: true }, { threads: 2 }, { frozen: true, threads: 2 }]) {
    await using decoder = createDecoder(model, options);
    for (let turn = 0; turn < 2; turn++) {
      decoder.reset();
      await decoder.feed(ids.slice(0, 7));
      for (let i = 7; i < 40; i++) {
        expect(gap(await decoder.feed([ids[i]!]), data.slice(13 * i, 13 * (i + 1)))).toBeLessThan(1e-5);
      }
    }
  }
});

test('what was saved stays as it was, however much is decoded after it', async () => {
  const config = lmConfig({ ...base, max_position_embeddings: 64 });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(6));
  await using executor = await createOrtExecutor({ threads: 1 });
  await using decoder = createDecoder({ config, state, executor, tokenizer: byteTokenizer(), generation: {} });
  await decoder.feed([1, 2, 3]);
  const saved = decoder.save();
  const first = Array.from(await decoder.feed([4]));
  for (let i = 0; i < 20; i++) await decoder.feed([i % 13]);
  decoder.restore(saved);
  expect(Array.from(await decoder.feed([4]))).toEqual(first);
  decoder.restore(saved);
  await decoder.feed([5]);
  await decoder.feed([6]);
  decoder.restore(saved);
  expect(Array.from(await decoder.feed([4]))).toEqual(first);
});

test('frozen weights are those of the start; else a decoder sees what training changed', async () => {
  const config = lmConfig({ ...base, max_position_embeddings: 64 });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(6));
  await using executor = await createOrtExecutor({ threads: 1 });
  const model: LanguageModel = { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
  await using fed = createDecoder(model);
  await using frozen = createDecoder(model, { frozen: true });
  const first = Array.from(await fed.feed([1]));
  expect(gap(await frozen.feed([1]), first)).toBeLessThan(1e-5);
  const head = state.get('unembed.weight');
  state.set('unembed.weight', { ...head, data: head.data.map((x) => 2 * x) });
  fed.reset();
  frozen.reset();
  expect(
    gap(
      await fed.feed([1]),
      first.map((x) => 2 * x),
    ),
  ).toBeLessThan(1e-5);
  expect(gap(await frozen.feed([1]), first)).toBeLessThan(1e-5);
});
