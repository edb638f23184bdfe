// Generation: filters against brute force, thinking within its budget, honest counts, stacks on threads.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createOrtExecutor, createReferenceExecutor, type Executor, ModelState, Rng } from '../tensor/index.ts';
import { generate, worthThreads } from './generate.ts';
import { type LanguageModel, lmProgram } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';
import { distribution, repeatedNext } from './sampling.ts';
import type { ThinkingOptions, ThoughtEnd } from './thinking.ts';

const tokenizer = charTokenizer('abcdefghi<>');
const [open, close] = [...tokenizer.encode('<>')] as [number, number];
const base = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64 };

function model(
  settings: Partial<LmConfig> = {},
  executor: Executor = createReferenceExecutor({ dtype: 'f32' }),
): LanguageModel {
  const config = lmConfig({ ...base, vocab_size: tokenizer.vocabSize, ...settings });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
  const rng = new Rng(9);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.3 * rng.normal()) });
  }
  return { config, tokenizer, state, executor, generation: {} };
}
const m = model();

test('tokens that would repeat a run of n: as by trying each', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { maxLength: 14 }), fc.integer({ min: 1, max: 4 }), (ids, n) => {
      const banned = [0, 1, 2, 3].filter((next) => {
        const all = [...ids, next];
        const runs = Array.from({ length: Math.max(0, all.length - n + 1) }, (_, i) => all.slice(i, i + n).join(' '));
        return runs.length > 1 && runs.slice(0, -1).includes(runs.at(-1)!);
      });
      expect([...repeatedNext(ids, n)].toSorted()).toEqual(banned);
    }),
  );
});

test('no run of n tokens comes twice; where all would, any may', async () => {
  const ids = [...tokenizer.encode('abcab')];
  for await (const { token } of generate(m, ids, { maxTokens: 40, noRepeatNgram: 2, temperature: 0.3, seed: 4 })) {
    ids.push(token);
  }
  // The prompt repeats `a b` itself.
  const runs = ids.slice(1).map((id, i) => `${ids[i]} ${id}`);
  expect(new Set(runs).size).toBe(runs.length - 1);
  expect(distribution([1, 2], { noRepeatNgram: 1 }, [0, 1]).every((p) => p > 0)).toBe(true);
  expect(() => distribution([1, 2], { noRepeatNgram: 0.5 })).toThrow(/noRepeatNgram to be a non-negative integer/);
});

async function think(thinking: Omit<ThinkingOptions, 'open' | 'close'>, more = {}) {
  const ends: ThoughtEnd[] = [];
  const options = { open, close, onEnd: (end: ThoughtEnd) => void ends.push(end), ...thinking };
  const run = generate(m, 'ab', { maxTokens: 60, seed: 3, thinking: options, ...more });
  const tokens = [];
  for await (const t of run) tokens.push(t);
  return { tokens, end: await run.end(), ends };
}

test('a thought never exceeds its budget, for any seed; counts add up', async () => {
  for (const budget of [0, 1, 4, 9]) {
    for (let seed = 0; seed < 6; seed++) {
      const { tokens, end, ends } = await think({ budget }, { seed });
      const thoughts = tokens.filter((t) => t.thought === true).map((t) => t.token);
      expect(thoughts[0]).toBe(open);
      expect(thoughts.at(-1)).toBe(close);
      expect(thoughts.length).toBeLessThanOrEqual(budget + 2);
      expect(ends).toMatchObject([{ tokens: thoughts.length - 2 }]);
      expect(ends[0]!.reason).toBe(thoughts.length - 2 === budget ? 'budget' : 'closed');
      expect(end.usage).toEqual({
        input: 2,
        leftOut: 0,
        thinking: thoughts.length,
        output: tokens.length - thoughts.length,
      });
      expect(end.usage.thinking + end.usage.output).toBe(60);
      expect(end.thought).toBe(tokenizer.decode(thoughts));
      expect(end.text).toBe(tokenizer.decode(tokens.slice(thoughts.length).map((t) => t.token)));
    }
  }
  expect((await think({ budget: 0 })).end.thought).toBe('<>');
});

test('a forced close is recorded with what the model gave it', async () => {
  const { tokens, ends } = await think({ budget: 3, min: 3 });
  expect(ends).toMatchObject([{ tokens: 3, reason: 'budget' }]);
  expect(ends[0]!.closeProbability).toBeCloseTo(Math.exp(tokens[4]!.logprob), 12);
});

test('the same seed with more budget than is needed gives the same output', async () => {
  const needed = (await think({ budget: 'dynamic', cap: 50 })).ends[0]!;
  expect(needed.reason).toBe('closed');
  const [a, b, c] = [
    await think({ budget: needed.tokens + 1 }),
    await think({ budget: needed.tokens + 20 }),
    await think({ budget: 'dynamic', cap: 50 }),
  ];
  expect(a.tokens).toEqual(b.tokens);
  expect(a.tokens).toEqual(c.tokens);
});

test('min holds the close back, dynamic stops at its cap, a prompt may open the thought', async () => {
  for (let seed = 0; seed < 6; seed++) {
    expect((await think({ budget: 12, min: 7 }, { seed })).ends[0]!.tokens).toBeGreaterThanOrEqual(7);
    expect((await think({ budget: 'dynamic', cap: 5 }, { seed })).ends[0]!.tokens).toBeLessThanOrEqual(5);
  }
  const opened = await generate(m, 'ab<', { maxTokens: 9, thinking: { budget: 2, min: 2, open, close } }).end();
  expect(opened.usage).toEqual({ input: 3, leftOut: 0, thinking: 3, output: 6 });
});

test('stop texts and end tokens count in the answer only', async () => {
  const all = Array.from({ length: tokenizer.vocabSize }, (_, i) => i);
  const { end } = await think({ budget: 4, min: 4 }, { eosTokenIds: all, stop: [...'abcdefghi'] });
  expect(end).toMatchObject({ reason: 'eos', text: '', usage: { thinking: 6, output: 0 } });
});

test.each([
  [{ budget: -1 }, 'thinking.budget to be a non-negative integer or "dynamic", got -1'],
  [{ budget: 3, min: 4 }, 'thinking.min to be an integer from 0 to 3, got 4'],
  [{ budget: 3, close: open }, 'thinking.close to differ from open'],
  [{ budget: 3, open: 999 }, 'thinking.open to be a token id below 267, got 999'],
])('thinking out of range is named: %o', (thinking, message) => {
  expect(() => generate(m, 'a', { thinking: { open, close, ...thinking } })).toThrow(message);
});

test('stacks on threads or in turn: the same tokens, and the end says how', async () => {
  await using executor = await createOrtExecutor({ threads: 1 });
  const stacks = model({ stag_num_stacks: 2 }, executor);
  const runs = [];
  for (const parallel of [true, false, 'auto'] as const) {
    runs.push(await generate(stacks, 'abc', { maxTokens: 12, seed: 5, parallel }).end());
  }
  expect(runs.map((r) => r.stacks?.mode)).toEqual(['parallel', 'serial', 'serial']); // too small for threads to pay
  expect(new Set(runs.map((r) => r.text)).size).toBe(1);
  expect(
    worthThreads(lmConfig({ ...base, vocab_size: 65, hidden_size: 256, num_hidden_layers: 4, stag_num_stacks: 2 }), 8),
  ).toBe(false);
  expect((await generate(m, 'abc', { maxTokens: 2 }).end()).stacks).toBeUndefined();
});
