import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { byteTokenizer } from '../../data/index.ts';
import { createOrtExecutor, ModelState, Rng } from '../../tensor/index.ts';
import { createDecoder } from '../decoder.ts';
import { type LanguageModel, lmLogits, lmProgram } from '../lm.ts';
import { lmConfig, type LmConfig } from '../lm-config.ts';
import { createStackDecoder, type StackDecoder } from './index.ts';

const base = {
  vocab_size: 11,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 24,
  stag_num_stacks: 2,
};
const variants: [string, LmConfig][] = [
  ['separate', lmConfig(base)],
  ['shared', lmConfig({ ...base, stag_shared: true, qk_norm: true })],
  ['window 1', lmConfig({ ...base, stag_cross_window: 1 })],
  ['window 3, sliding window', lmConfig({ ...base, stag_cross_window: 3, sliding_window: 4 })],
  ['three stacks, combined', lmConfig({ ...base, stag_num_stacks: 3, stag_combine: true })],
  ['grouped heads', lmConfig({ ...base, num_key_value_heads: 2 })],
  [
    'two spans, learned positions',
    lmConfig({ ...base, sliding_window: 3, sliding_window_pattern: 2, position_embedding: 'learned' }),
  ],
];
const ids = Array.from({ length: 24 }, (_, i) => (i * 7 + (i >> 2)) % 11);
const executor = await createOrtExecutor({ threads: 1 });

function model(config: LmConfig): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
  const rng = new Rng(8);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.3 * rng.normal()) });
  }
  return { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

async function logitsOf(decoder: StackDecoder, prompt: number): Promise<Uint32Array[]> {
  const all = [await decoder.feed(ids.slice(0, prompt))];
  for (const id of ids.slice(prompt)) all.push(await decoder.feed([id]));
  return all.map((x) => new Uint32Array(x.slice().buffer));
}

test.each(variants)('%s: on threads as in turn, bit for bit; both as the full forward', async (_, config) => {
  const m = model(config);
  const full = await lmLogits(m, ids);
  await using parallel = await createStackDecoder(m);
  await using serial = await createStackDecoder(m, { parallel: false });
  expect([parallel.mode, serial.mode]).toEqual(['parallel', 'serial']);
  for (const prompt of [1, 7]) {
    parallel.reset();
    serial.reset();
    const [a, b] = [await logitsOf(parallel, prompt), await logitsOf(serial, prompt)];
    expect(a).toEqual(b);
    a.forEach((bits, i) => {
      const at = (prompt - 1 + i) * 11;
      expect(gap(new Float32Array(bits.buffer), full.data.slice(at, at + 11))).toBeLessThan(2e-5);
    });
  }
  expect(parallel.fallback).toBeUndefined();
});

test('beyond the context it goes on like the decoder of one program', async () => {
  const m = model(variants[0]![1]);
  await using stacks = await createStackDecoder(m);
  await using whole = createDecoder(m);
  await stacks.feed(ids);
  await whole.feed(ids);
  for (const id of [3, 1, 4]) {
    expect(gap(await stacks.feed([id]), await whole.feed([id]))).toBeLessThan(2e-5);
    expect(stacks.length).toBe(whole.length);
  }
});

test('what a stack carries with a cross window of one does not grow', async () => {
  await using decoder = await createStackDecoder(
    model(lmConfig({ ...base, stag_cross_window: 1, sliding_window: 3 })),
    {
      parallel: false,
    },
  );
  const bytes = new Set<number>();
  for (const [i, id] of ids.entries()) {
    await decoder.feed([id]);
    if (i >= 2) bytes.add(decoder.carriedBytes());
  }
  expect([...bytes]).toEqual([2 * 2 * 2 * 2 * 16 * 4]); // stacks, layers, keys and values, two positions
});

test('a thread that dies: decoding goes on without, with the same bits', async () => {
  const threads: Worker[] = [];
  const note = (worker: Worker): void => void threads.push(worker);
  process.on('worker', note);
  const m = model(variants[0]![1]);
  await using decoder = await createStackDecoder(m);
  process.off('worker', note);
  await using serial = await createStackDecoder(m, { parallel: false });
  const expected = await logitsOf(serial, 5);
  const got = [await decoder.feed(ids.slice(0, 5))];
  for (const [i, id] of ids.slice(5).entries()) {
    if (i === 6) await threads[0]!.terminate();
    got.push(await decoder.feed([id]));
  }
  expect(got.map((x) => new Uint32Array(x.slice().buffer))).toEqual(expected);
  expect(decoder.mode).toBe('serial');
  expect(decoder.fallback).toMatchObject({ code: 'worker_died' });
  expect(threads.every((t) => t.threadId === -1)).toBe(true);
});

test('the recurrent approximation skips the first stack: other logits, half the caches', async () => {
  const m = model(lmConfig({ ...base, stag_shared: true }));
  await using exact = await createStackDecoder(m, { parallel: false });
  await using recurrent = await createStackDecoder(m, { recurrent: true });
  expect(recurrent.mode).toBe('recurrent');
  expect(await recurrent.feed(ids.slice(0, 6))).toEqual(await exact.feed(ids.slice(0, 6)));
  const gaps = [];
  for (const id of ids.slice(6)) gaps.push(gap(await recurrent.feed([id]), await exact.feed([id])));
  expect(Math.min(...gaps)).toBeGreaterThan(0);
  expect(recurrent.carriedBytes()).toBeLessThan(exact.carriedBytes());
});

test('a plain model is one stack', async () => {
  const m = model(lmConfig({ ...base, stag_num_stacks: 1 }));
  const full = await lmLogits(m, ids);
  await using decoder = await createStackDecoder(m);
  expect(decoder.mode).toBe('serial');
  await decoder.feed(ids.slice(0, 9));
  expect(gap(await decoder.feed([ids[9]!]), full.data.slice(9 * 11, 10 * 11))).toBeLessThan(2e-5);
});

test('stacks that cannot run at once are refused', async () => {
  await expect(createStackDecoder(model(lmConfig({ ...base, stag_stagger: 0 })))).rejects.toThrow(/stag_stagger 0/);
  await expect(createStackDecoder(model(lmConfig(base)), { recurrent: true })).rejects.toThrow(/shared weights/);
  await using decoder = await createStackDecoder(model(lmConfig(base)), { parallel: false });
  await expect(decoder.feed([])).rejects.toMatchObject({ code: 'empty_prompt' });
  await expect(decoder.feed([11])).rejects.toMatchObject({ code: 'bad_token' });
});
