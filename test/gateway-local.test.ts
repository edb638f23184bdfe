// A language model of Cairn behind the gateway: a module of a mind, asked over HTTP with the official client. What is longer than
// its context is refused with the code that clients know, or answered by a model with a longer one.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { byteTokenizer } from '../src/data/index.ts';
import { Mind } from '../src/mind/index.ts';
import { generate, type LanguageModel, lmConfig, lmProgram, saveLm } from '../src/nn/index.ts';
import { createLocalProvider, createMockUpstream, type MockUpstream } from '../src/providers/index.ts';
import { createServer, type CairnServer, Gateway } from '../src/serve/index.ts';
import { createReferenceExecutor, ModelState, Rng } from '../src/tensor/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const CONTEXT = 16;
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

const dir = mkdtempSync(join(tmpdir(), 'cairn-local-'));
let mind: Mind;
let upstream: MockUpstream;
let server: CairnServer;
let client: OpenAI;

beforeAll(async () => {
  mind = await Mind.open({ dataDir: dir });
  mind.add({
    id: 'continue/tiny',
    task: 'continue',
    cost: { unit: 'flop', amount: 1 },
    async run(text: string) {
      const { text: output } = await generate(model, text, { maxTokens: 4, longPrompt: 'refuse' }).end();
      return { output: `[${output}]`, attributes: new Float32Array(2), usage: { flop: 1 } };
    },
  });
  upstream = await createMockUpstream({ models: { long: {} } });
  const tiny = { task: 'continue', toInput: (text: string) => text, toText: (output: unknown) => String(output) };
  const gateway = await Gateway.open({
    local: { mind: createLocalProvider({ id: 'mind', mind, models: { tiny } }) },
    config: {
      providers: [
        { id: 'mind', kind: 'local' },
        { id: 'far', kind: 'openai', baseUrl: upstream.url },
      ],
      models: [
        { id: 'tiny', provider: 'mind', priceIn: 0, priceOut: 0 },
        { id: 'long', provider: 'far', priceIn: 1, priceOut: 1 },
      ],
      routing: { reference: 'tiny', default: { lambda: 1 } },
      fallback: { maxCostRatio: 1000 },
    },
  });
  server = await createServer({
    boards: async () => createFixtureBoards(),
    gateway: async () => gateway,
    port: 0,
    studio: false,
  });
  await server.ready;
  client = new OpenAI({ baseURL: `${server.url}v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(async () => {
  await server.close();
  await upstream.close();
  await mind.close();
  rmSync(dir, { recursive: true, force: true });
});

const chat = (name: string, content: string) =>
  client.chat.completions.create({ model: name, messages: [{ role: 'user', content }] });

test('a text that fits is answered by the module', async () => {
  const reply = await chat('tiny', 'x'.repeat(CONTEXT));
  expect(reply.choices[0]!.message.content).toMatch(/^\[/);
});

test('a longer one is refused as clients expect, whole or streamed', async () => {
  const long = 'x'.repeat(CONTEXT + 1);
  const refusal = { status: 400, code: 'context_length_exceeded', param: 'messages', type: 'invalid_request_error' };
  await expect(chat('tiny', long)).rejects.toMatchObject(refusal);
  await expect(chat('tiny', long)).rejects.toThrow('Expected a prompt of at most 16 tokens, got 17.');
  const messages = [{ role: 'user' as const, content: long }];
  await expect(client.chat.completions.create({ model: 'tiny', messages, stream: true })).rejects.toMatchObject(
    refusal,
  );
});

test('routed, it goes to a model that takes it', async () => {
  expect((await chat('cairn/auto', 'short')).model).toContain('tiny');
  expect((await chat('cairn/auto', 'x'.repeat(CONTEXT + 1))).model).toContain('long');
});

test('a configuration alone is enough for a trained model: its directory beside the file', async () => {
  const folder = join(dir, 'configured');
  mkdirSync(folder);
  await saveLm(join(folder, 'runs', 'tiny'), model);
  const configPath = join(folder, 'cairn.json');
  const write = (name: string, more = {}) =>
    writeFileSync(
      configPath,
      JSON.stringify({
        providers: [{ id: 'here', kind: 'local', directory: 'runs', ...more }],
        models: [{ id: 'small', provider: 'here', model: name }],
      }),
    );
  write('none');
  await expect(Gateway.open({ configPath })).rejects.toThrow(
    /models\[0\] \(small\)\.model: Expected the directory of a model at/,
  );
  write('../..');
  await expect(Gateway.open({ configPath })).rejects.toThrow('Expected a model inside');
  write('tiny', { baseUrl: 'http://127.0.0.1:1/v1' });
  await expect(Gateway.open({ configPath })).rejects.toThrow('Expected none for a local provider');
  write('tiny');
  const gateway = await Gateway.open({ configPath });
  const own = await createServer({
    boards: async () => createFixtureBoards(),
    gateway: async () => gateway,
    port: 0,
    studio: false,
  });
  await own.ready;
  try {
    const here = new OpenAI({ baseURL: `${own.url}v1`, apiKey: 'unused', maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: 'To be' }];
    const asked = { model: 'small', messages, max_tokens: 6, seed: 3 };
    const whole = await here.chat.completions.create(asked);
    expect(whole.usage).toEqual({ prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 });
    let streamed = '';
    for await (const { choices } of await here.chat.completions.create({ ...asked, stream: true })) {
      streamed += choices[0]?.delta.content ?? '';
    }
    expect(streamed).toBe(whole.choices[0]!.message.content);
    expect(() => gateway.checkModel({ id: 'more', provider: 'here', model: 'other' })).toThrow(
      'Expected the directory of a model',
    );
    expect(gateway.checkModel({ id: 'more', provider: 'here', model: 'tiny' })).toMatchObject({ model: 'tiny' });
  } finally {
    await own.close();
  }
});
