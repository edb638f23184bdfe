// Language models of a folder as a provider: what they answer is what `generate` writes, whole and streamed, with true counts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charTokenizer, type Tokenizer, withAddedTokens } from '../data/index.ts';
import { generate, type LanguageModel, lmConfig, lmProgram, saveLm } from '../nn/index.ts';
import { createOrtExecutor, ModelState, type OrtExecutor, Rng } from '../tensor/index.ts';
import type { JsonObject } from './json.ts';
import { createLmProvider, lmDirectory } from './local-lm.ts';
import type { ChatChunk } from './types.ts';

const CONTEXT = 48;
const dir = mkdtempSync(join(tmpdir(), 'cairn-local-lm-'));
const provider = createLmProvider({ id: 'here', directory: dir, now: () => 5_000 });
let executor: OrtExecutor;
let thinks: LanguageModel;
let plain: LanguageModel;

async function save(name: string, tokenizer: Tokenizer, seed: number): Promise<LanguageModel> {
  const config = lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: CONTEXT,
  });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(seed));
  const made = { config, tokenizer, state, executor, generation: {} };
  await saveLm(join(dir, name), made);
  return made;
}

beforeAll(async () => {
  executor = await createOrtExecutor();
  const letters = charTokenizer('abcdefgh ');
  thinks = await save('thinks', withAddedTokens(letters, ['<think>', '</think>']), 3);
  plain = await save('plain', letters, 4);
});
afterAll(async () => {
  await provider.close();
  await executor.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const signal = new AbortController().signal;
const ask = (more: JsonObject, content = 'a bad cab'): JsonObject => ({
  model: 'plain',
  messages: [
    { role: 'system', content: 'Not read.' },
    { role: 'user', content },
  ],
  max_tokens: 20,
  seed: 11,
  ...more,
});
const said = (body: JsonObject): string =>
  (body['choices'] as unknown as { message: { content: string } }[])[0]!.message.content;
const listen = async (body: JsonObject): Promise<ChatChunk[]> => {
  const chunks: ChatChunk[] = [];
  for await (const chunk of await provider.stream({ body, signal })) chunks.push(chunk);
  return chunks;
};
const piece = ({ data }: ChatChunk): string =>
  (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '';

test('what is answered is what the model writes, whole and streamed, with its tokens counted', async () => {
  const settings = { frozen: true, maxTokens: 20, seed: 11, temperature: 0.7 };
  const { text } = await generate(plain, 'a bad cab', settings).end();
  const { body, usage } = await provider.chat({ body: ask({ temperature: 0.7 }), signal });
  expect(said(body)).toBe(text);
  expect(body).toMatchObject({
    object: 'chat.completion',
    created: 5,
    model: 'plain',
    choices: [{ finish_reason: 'length' }],
  });
  expect(usage).toEqual({ promptTokens: 9, completionTokens: 20, cachedTokens: 0, thoughtTokens: 0 });
  const chunks = await listen(ask({ temperature: 0.7 }));
  expect(chunks.map(piece).join('')).toBe(text);
  expect(chunks.filter(({ finish }) => finish !== undefined)).toMatchObject([{ finish: 'length', content: true }]);
  expect(chunks.at(-1)).toMatchObject({ usage: { promptTokens: 9, completionTokens: 20 }, content: false });
});

test('ends before a stop text, also in a stream', async () => {
  const { text } = await generate(plain, 'a bad cab', {
    frozen: true,
    maxTokens: 20,
    seed: 11,
    temperature: 0.7,
  }).end();
  const stop = text.slice(6, 8);
  const body = ask({ temperature: 0.7, stop });
  const { body: answer } = await provider.chat({ body, signal });
  expect(said(answer)).toBe(text.slice(0, text.indexOf(stop)));
  expect(answer).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
  expect((await listen(body)).map(piece).join('')).toBe(said(answer));
});

test('answers at the same time are those of one after another', async () => {
  const seeds = [1, 2, 3, 4];
  const alone: string[] = [];
  for (const seed of seeds) alone.push(said((await provider.chat({ body: ask({ seed }), signal })).body));
  const together = await Promise.all(seeds.map((seed) => listen(ask({ seed }))));
  expect(together.map((chunks) => chunks.map(piece).join(''))).toEqual(alone);
});

test('one that is left early gives way to the next', async () => {
  for await (const chunk of await provider.stream({ body: ask({}), signal })) if (chunk.content) break;
  const controller = new AbortController();
  const stopped = provider.chat({ body: ask({ max_tokens: 100_000 }), signal: controller.signal });
  const next = provider.chat({ body: ask({}), signal });
  controller.abort(new Error('the client left'));
  await expect(stopped).rejects.toThrow('the client left');
  expect((await next).usage?.completionTokens).toBe(20);
});

test('thoughts are counted, kept within their budget and not said', async () => {
  const body = ask({ model: 'thinks', max_tokens: 12, thinking_budget: 4 });
  const { usage, body: answer } = await provider.chat({ body, signal });
  expect(usage!.thoughtTokens).toBeGreaterThanOrEqual(2);
  expect(usage!.thoughtTokens).toBeLessThanOrEqual(6);
  expect(usage!.completionTokens).toBe(12);
  expect(answer).toMatchObject({ usage: { completion_tokens_details: { reasoning_tokens: usage!.thoughtTokens } } });
  expect((await listen(body)).map(piece).join('')).toBe(said(answer));
  // More than there is room for: the answer still has a token.
  const much = await provider.chat({ body: ask({ model: 'thinks', max_tokens: 8, thinking_budget: -1 }), signal });
  expect(much.usage!.thoughtTokens).toBeLessThan(8);
  const { thinking, output } = (await generate(thinks, 'a', { frozen: true, maxTokens: 5, seed: 11 }).end()).usage;
  const off = await provider.chat({ body: ask({ model: 'thinks', max_tokens: 5 }, 'a'), signal });
  expect(off.usage).toMatchObject({ thoughtTokens: thinking, completionTokens: output });
});

test('what cannot be answered goes to the next model or back, with its reason', async () => {
  const chat = (more: JsonObject, text?: string) => provider.chat({ body: ask(more, text), signal });
  await expect(chat({}, 'a'.repeat(CONTEXT + 1))).rejects.toMatchObject({
    code: 'context_length_exceeded',
    remedy: 'next',
  });
  await expect(chat({ model: 'gone' })).rejects.toMatchObject({ code: 'local_model', remedy: 'next' });
  await expect(chat({ thinking_budget: 5 })).rejects.toMatchObject({ code: 'no_thinking', remedy: 'next' });
  await expect(chat({ temperature: -1 })).rejects.toMatchObject({ code: 'bad_request', status: 400, remedy: 'client' });
  expect(() => lmDirectory(dir, '../plain')).toThrow('Expected a model inside');
  expect(() => lmDirectory(dir, '/etc')).toThrow('Expected a model inside');
  const picture = { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] };
  expect(provider.unsupported({ messages: [picture], n: 2, tools: [] })).toEqual(['tools', 'n', 'messages']);
  expect(provider.unsupported(ask({ logprobs: false }))).toEqual([]);
});
