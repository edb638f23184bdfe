// Beams against trying every sequence, batches against one prompt at a time, drafts against the target alone.
import { describe, expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createReferenceExecutor, ModelState, Rng } from '../tensor/index.ts';
import { beamSearch } from './beam.ts';
import { createDecoder } from './decoder.ts';
import { generate } from './generate.ts';
import { generateBatch } from './generate-batch.ts';
import { type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';
import { distribution, softmax } from './sampling.ts';
import { generateSpeculatively } from './speculative.ts';

const tokenizer = charTokenizer('ab');
const executor = createReferenceExecutor({ dtype: 'f32' });

function model(settings: Partial<LmConfig> = {}, seed = 7): LanguageModel {
  const config = lmConfig({
    vocab_size: 5,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 48,
    ...settings,
  });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(seed));
  const rng = new Rng(seed + 1);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.5 * rng.normal()) });
  }
  return { config, tokenizer: { ...tokenizer, decode: (ids) => [...ids].join('') }, state, executor, generation: {} };
}
const m = model();

describe('beam search', () => {
  test('wide enough, it finds the best of all sequences; every score is what the sequence has', async () => {
    const depth = 3;
    const logprobOf = async (tokens: readonly number[]): Promise<number> => {
      const { data } = await lmLogits(m, [1, 2, ...tokens]);
      return tokens.reduce((sum, t, i) => sum + Math.log(softmax(data.slice((i + 1) * 5, (i + 2) * 5))[t]!), 0);
    };
    const all: { tokens: number[]; logprob: number }[] = [];
    for (let code = 0; code < 5 ** depth; code++) {
      const tokens = [Math.floor(code / 25), Math.floor(code / 5) % 5, code % 5];
      all.push({ tokens, logprob: await logprobOf(tokens) });
    }
    const expected = all.toSorted((a, b) => b.logprob - a.logprob);
    const found = await beamSearch(m, [1, 2], { numBeams: 25, maxTokens: depth });
    expect(found[0]!.tokens).toEqual(expected[0]!.tokens);
    found.slice(0, 5).forEach((beam, i) => expect(beam.logprob).toBeCloseTo(expected[i]!.logprob, 4));
    expect(found.map((b) => b.score)).toEqual(found.map((b) => b.logprob / depth).toSorted((a, b) => b - a));
  });

  test('one beam is greedy; an end token ends a beam and counts', async () => {
    const greedy = [];
    for await (const { token } of generate(m, [1, 2], { temperature: 0, maxTokens: 12 })) greedy.push(token);
    expect((await beamSearch(m, [1, 2], { numBeams: 1, maxTokens: 12 }))[0]!.tokens).toEqual(greedy);
    const ended = await beamSearch(m, [1, 2], {
      numBeams: 3,
      maxTokens: 6,
      eosTokenIds: [greedy[0]!],
      lengthPenalty: 0,
    });
    expect(ended[0]).toMatchObject({ reason: 'eos', tokens: [] });
    expect(ended[0]!.score).toBe(ended[0]!.logprob);
    await expect(beamSearch(m, [1], { numBeams: 0 })).rejects.toThrow(
      'Expected numBeams to be a positive integer, got 0.',
    );
  });
});

describe('batches', () => {
  test.each([
    ['plain', {}],
    ['window', { sliding_window: 4 }],
    ['grouped heads, two layers', { num_key_value_heads: 1, num_hidden_layers: 2 }],
  ] as [string, Partial<LmConfig>][])('%s: prompts of any length come out as alone', async (_, settings) => {
    const own = model(settings);
    const prompts = [[1, 2, 3, 4, 0, 1], [3], [2, 2, 4], [4, 1, 0, 0]];
    const results = await generateBatch(own, prompts, { maxTokens: 14, seeds: [5, 6, 7, 8], temperature: 0.9 });
    for (const [i, prompt] of prompts.entries()) {
      const alone = [];
      for await (const { token } of generate(own, prompt, { maxTokens: 14, seed: 5 + i, temperature: 0.9 }))
        alone.push(token);
      expect(results[i]).toMatchObject({ tokens: alone, reason: 'length' });
    }
  });

  test('rows end by themselves, and what cannot be padded is refused', async () => {
    const results = await generateBatch(m, [[1], [2, 3]], { maxTokens: 20, eosTokenIds: [0, 1, 2] });
    expect(results.every((r) => r.reason === 'eos' && r.tokens.every((t) => t > 2))).toBe(true);
    await expect(generateBatch(model({ position_embedding: 'learned' }), [[1]])).rejects.toThrow(
      /positions are absolute/,
    );
    await expect(generateBatch(m, [[1], [2]], { maxTokens: 5, seeds: [1] })).rejects.toThrow(
      'Expected 2 seeds, got 1.',
    );
    await expect(generateBatch(m, [[1]], { maxTokens: 48 })).rejects.toMatchObject({ code: 'context_exceeded' });
    expect(await generateBatch(m, [])).toEqual([]);
  });
});

describe('speculative decoding', () => {
  const draft = model({ hidden_size: 4, num_attention_heads: 1 }, 21);

  test('with temperature 0 the tokens are those of the target, whatever the draft', async () => {
    for (const d of [draft, m, model({}, 33)]) {
      const { tokens, proposed, accepted, passes } = await generateSpeculatively(m, d, [1, 2], {
        maxTokens: 24,
        temperature: 0,
      });
      const alone = [];
      for await (const { token } of generate(m, [1, 2], { maxTokens: 24, temperature: 0 })) alone.push(token);
      expect(tokens).toEqual(alone);
      expect(accepted).toBe(24 - passes);
      if (d === m) expect(accepted).toBe(proposed);
    }
  });

  test('three tokens have the distribution of the target (chi-square over all 125)', async () => {
    const options = { temperature: 1.3, topK: 4 };
    const chance = new Map<string, number>();
    const walk = async (tokens: readonly number[], p: number): Promise<void> => {
      if (tokens.length === 3) return void chance.set(tokens.join(''), p);
      const { data } = await lmLogits(m, [1, ...tokens]);
      const next = distribution(data.slice(-5), options);
      for (let t = 0; t < 5; t++) if (next[t]! > 0) await walk([...tokens, t], p * next[t]!);
    };
    await walk([], 1);
    const draws = 1500;
    const counts = new Map<string, number>();
    for (let seed = 0; seed < draws; seed++) {
      const { tokens } = await generateSpeculatively(m, draft, [1], { ...options, maxTokens: 3, draftTokens: 2, seed });
      counts.set(tokens.join(''), (counts.get(tokens.join('')) ?? 0) + 1);
    }
    expect([...counts.keys()].every((key) => chance.has(key))).toBe(true);
    // Cells with few expected draws are joined.
    let [chi, cells, restSeen, restExpected] = [0, 0, 0, 0];
    for (const [key, p] of chance) {
      const [seen, expected] = [counts.get(key) ?? 0, p * draws];
      if (expected < 5) {
        restSeen += seen;
        restExpected += expected;
      } else {
        chi += (seen - expected) ** 2 / expected;
        cells++;
      }
    }
    if (restExpected > 0) chi += (restSeen - restExpected) ** 2 / restExpected;
    expect(chi).toBeLessThan(cells + 4 * Math.sqrt(2 * cells) + 8);
  });

  test('drafts of another vocabulary, and too little room, are named', async () => {
    await expect(generateSpeculatively(m, model({ vocab_size: 6 }), [1])).rejects.toThrow(
      /the target's 5 tokens, got 6/,
    );
    await expect(generateSpeculatively(m, draft, [1], { maxTokens: 60 })).rejects.toMatchObject({
      code: 'context_exceeded',
    });
    await expect(generateSpeculatively(m, draft, [1], { maxTokens: 4, draftTokens: 0 })).rejects.toThrow(/draftTokens/);
  });
});

describe('a decoder that goes back', () => {
  test.each([
    ['plain', {}],
    ['window', { sliding_window: 3 }],
    ['stacks', { stag_num_stacks: 2, stag_cross_window: 2 }],
  ] as [string, Partial<LmConfig>][])(
    '%s: saved, restored and rewound, it gives the same logits',
    async (_, settings) => {
      const own = model(settings);
      await using decoder = createDecoder(own);
      const ids = [1, 2, 3, 4, 0, 1, 2, 2, 4, 3];
      const { data } = await lmLogits(own, ids);
      const at = (i: number): number[] => [...data.subarray(i * 5, (i + 1) * 5)];
      const near = (a: ArrayLike<number>, b: readonly number[]): void =>
        b.forEach((x, i) => expect(a[i]).toBeCloseTo(x, 4));
      const rows = await decoder.feedAll(ids.slice(0, 7));
      rows.forEach((row, i) => near(row, at(i)));
      const mark = decoder.save();
      near(await decoder.feed(ids.slice(7)), at(9));
      decoder.restore(mark);
      expect(decoder.length).toBe(7);
      near(await decoder.feed(ids.slice(7, 9)), at(8));
      await decoder.rewind(4);
      expect(decoder.length).toBe(4);
      near(await decoder.feed([ids[4]!]), at(4));
      await expect(decoder.rewind(9)).rejects.toThrow(/at most 5/);
    },
  );
});
