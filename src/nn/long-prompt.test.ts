// Prompts longer than the context: what is left out is counted, and what is read is the end.
import { expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import { createReferenceExecutor, ModelState, Rng } from '../tensor/index.ts';
import { beamSearch } from './beam.ts';
import { generate } from './generate.ts';
import { type LanguageModel, lmProgram } from './lm.ts';
import { lmConfig } from './lm-config.ts';

const CONTEXT = 12;
const config = lmConfig({
  vocab_size: 256,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: CONTEXT,
});
const model: LanguageModel = {
  config,
  tokenizer: byteTokenizer(),
  state: ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(5)),
  executor: createReferenceExecutor({ dtype: 'f32' }),
  generation: {},
};

async function continued(ids: readonly number[]) {
  const run = generate(model, ids, { maxTokens: 5, seed: 3 });
  const tokens = [];
  for await (const { token } of run) tokens.push(token);
  return { tokens, leftOut: run.leftOut, end: await run.end() };
}

test.each([1, CONTEXT - 1, CONTEXT, CONTEXT + 1, 3 * CONTEXT])('%i tokens', async (length) => {
  const rng = new Rng(`prompt of ${length}`);
  const prompt = Array.from({ length }, () => rng.integer(256));
  const whole = await continued(prompt);
  const leftOut = Math.max(0, length - CONTEXT);
  expect(whole.leftOut).toBe(leftOut);
  expect(whole.end.usage).toEqual({ input: length - leftOut, leftOut, thinking: 0, output: 5 });
  const seen = await continued(prompt.slice(leftOut));
  expect(whole.tokens).toEqual(seen.tokens);
});

test('refused where that is asked for, and by beams', async () => {
  const refusal = { code: 'context_exceeded', message: 'Expected a prompt of at most 12 tokens, got 13.' };
  const [fits, long] = ['x'.repeat(CONTEXT), 'x'.repeat(CONTEXT + 1)] as const;
  expect(() => generate(model, long, { longPrompt: 'refuse' })).toThrow(expect.objectContaining(refusal));
  expect((await generate(model, fits, { longPrompt: 'refuse', maxTokens: 2 }).end()).usage.leftOut).toBe(0);
  await expect(beamSearch(model, long)).rejects.toMatchObject(refusal);
});
