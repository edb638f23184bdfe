// The gateway over real HTTP with the official client, in front of two mock upstreams: chat, streams, tools, errors, models,
// embeddings, fallback, budgets, keys, hostile requests, secrets.
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { APIError } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMockUpstream, type Fault, type MockUpstream } from '../src/providers/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const CANARY = 'sk-canary-5f0b1c2d3e4f';
const dir = mkdtempSync(join(tmpdir(), 'cairn-gateway-'));
const configPath = join(dir, 'cairn.json');
const logs: string[] = [];
let faults: Record<string, Fault | undefined> = {};
let one: MockUpstream;
let two: MockUpstream;
let gateway: Gateway;
let server: CairnServer;
let client: OpenAI;

/** Generous, as a busy machine needs them. */
const patient = { firstByte: 20_000, idle: 20_000, connect: 20_000 };

function configuration(extra: object = {}, timeouts: object = patient): object {
  return {
    providers: [
      {
        id: 'one',
        kind: 'openai',
        baseUrl: one.url,
        apiKeyEnv: 'ONE_KEY',
        timeouts,
      },
      {
        id: 'two',
        kind: 'gemini',
        baseUrl: two.geminiUrl,
        apiKeyEnv: 'TWO_KEY',
        timeouts,
      },
    ],
    models: [
      { id: 'small', provider: 'one', priceIn: 0.1, priceOut: 0.4, modalities: ['text', 'image'] },
      {
        id: 'large',
        provider: 'two',
        model: 'gemini-large',
        priceIn: 1,
        priceOut: 4,
        thinkingBudget: 512,
        modalities: ['text', 'image'],
      },
      { id: 'vectors', provider: 'one', model: 'embedder', embeddings: true },
    ],
    aliases: { 'gpt-4o': 'cairn/auto', cheap: 'small' },
    routing: { reference: 'large' },
    fallback: { retries: 1, maxCostRatio: 100 },
    ...extra,
  };
}

beforeAll(async () => {
  one = await createMockUpstream({
    models: { small: {}, embedder: {}, slow: { pieceMs: 10, words: 200 } },
    key: CANARY,
    fault: ({ model }) => faults[model],
  });
  two = await createMockUpstream({
    models: { 'gemini-large': { thoughtTokens: 5 } },
    key: CANARY,
    fault: ({ model }) => faults[model],
  });
  writeFileSync(configPath, JSON.stringify(configuration()));
  gateway = await Gateway.open({
    configPath,
    env: { ONE_KEY: CANARY, TWO_KEY: CANARY },
    uniform: () => 0,
    log: (line) => logs.push(line),
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
afterEach(async () => {
  faults = {};
  await gateway.configure(configuration());
});
afterAll(async () => {
  await server.close();
  await one.close();
  await two.close();
  rmSync(dir, { recursive: true, force: true });
});

const hello = [{ role: 'user' as const, content: 'Hello there, which path is the shortest?' }];

function raw(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(path, server.url), init);
}

/** Parsed JSON of any shape. */
async function json(response: Response | Promise<Response>): Promise<ReturnType<JSON['parse']>> {
  return (await response).json();
}

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return raw('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function refused(work: Promise<unknown>): Promise<APIError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

describe('the official client', () => {
  test('lists models, cairn’s own first', async () => {
    const ids = (await client.models.list()).data.map((m) => m.id);
    expect(ids).toEqual(['cairn/auto', 'small', 'large', 'vectors', 'gpt-4o', 'cheap']);
    expect((await client.models.retrieve('small')).owned_by).toBe('one');
    expect((await refused(client.models.retrieve('nothing'))).status).toBe(404);
  });

  test.each([
    ['cairn/auto', 'large', 'zero'],
    ['gpt-4o', 'large', 'zero'],
    ['cheap', 'small', 'named'],
    ['one/small', 'small', 'named'],
    ['two/gemini-large', 'large', 'named'],
  ])('chat with %s is answered by %s (%s)', async (model, answers, by) => {
    const { data, response } = await client.chat.completions.create({ model, messages: hello }).withResponse();
    expect(data.choices[0]!.message.content).toMatch(
      answers === 'large' ? /^\(gemini-large plays\)/ : /^\(small plays\)/,
    );
    expect(data.usage!.prompt_tokens).toBeGreaterThan(0);
    expect(response.headers.get('x-cairn-model')).toBe(answers);
    expect(response.headers.get('x-cairn-router')).toBe(by);
    expect(Number(response.headers.get('x-cairn-overhead-ms'))).toBeGreaterThanOrEqual(0);
    expect(Number(response.headers.get('x-cairn-cost-usd'))).toBeGreaterThan(0);
  });

  test.each(['small', 'large'])(
    'a stream of %s says the same as the whole answer; usage only when asked for',
    async (model) => {
      const whole = await client.chat.completions.create({ model, messages: hello });
      const read = async (options: object): Promise<{ text: string; usage: unknown[] }> => {
        let text = '';
        const usage: unknown[] = [];
        const stream = await client.chat.completions.create({ model, messages: hello, stream: true, ...options });
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? '';
          if (chunk.usage) usage.push(chunk.usage);
        }
        return { text, usage };
      };
      const plain = await read({});
      expect(plain).toEqual({ text: whole.choices[0]!.message.content, usage: [] });
      const counted = await read({ stream_options: { include_usage: true } });
      expect(counted.usage).toHaveLength(1);
      expect(counted.usage[0]).toMatchObject({ completion_tokens: whole.usage!.completion_tokens });
    },
  );

  test('tools and unknown fields pass through; a tool call comes back', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'look', parameters: { type: 'object' } } }];
    const answer = await client.chat.completions.create({
      model: 'small',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'See?' },
            { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
          ],
        },
      ],
      tools,
      tool_choice: 'required',
      metadata: { odd: 'kept' },
    });
    expect(answer.choices[0]!.message.tool_calls![0]).toMatchObject({ type: 'function', function: { name: 'look' } });
    expect(one.requests.at(-1)!.body).toMatchObject({ model: 'small', tools, metadata: { odd: 'kept' } });
  });

  test('embeddings come as the client asks for them', async () => {
    const { data } = await client.embeddings.create({ model: 'vectors', input: ['a', 'b'], encoding_format: 'float' });
    expect(data.map((d) => d.embedding.length)).toEqual([8, 8]);
    // Without a format the client asks for base64 and reads nothing else; the upstream only knows numbers.
    const packed = await client.embeddings.create({ model: 'vectors', input: ['a', 'b'] });
    for (const [i, { embedding }] of data.entries())
      expect(packed.data[i]!.embedding).toEqual(embedding.map((v) => Math.fround(v)));
    expect((await refused(client.embeddings.create({ model: 'small-talk', input: 'x' }))).status).toBe(404);
    // A model for chats is none for vectors, whatever its server could do.
    expect((await refused(client.embeddings.create({ model: 'small', input: 'x' }))).status).toBe(404);
    const metrics = await (await raw('/metrics')).text();
    expect(metrics).toContain('cairn_gateway_embeddings_total{model="vectors",status="200"} 2\n');
    expect(metrics).toContain('cairn_gateway_embeddings_total{model="none",status="404"} 2\n');
    expect(metrics).toContain('cairn_gateway_embedding_tokens_total{model="vectors"} 4\n');
  });
});

describe('when an upstream fails', () => {
  test('another model answers and the answer says so', async () => {
    faults = { 'gemini-large': { kind: 'status', status: 503 } };
    const { data, response } = await client.chat.completions
      .create({ model: 'cairn/auto', messages: hello })
      .withResponse();
    expect(data.choices[0]!.message.content).toMatch(/^\(small plays\)/);
    expect(response.headers.get('x-cairn-fallback')).toBe('large');
    expect(response.headers.get('x-cairn-attempts')).toBe('3');
    const explained = await json(raw(`/api/route/explain/${response.headers.get('x-cairn-event')}`));
    expect(explained.decision.attempts.map((a: { arm: string; outcome: string }) => `${a.arm}:${a.outcome}`)).toEqual([
      'large:upstream_refused',
      'large:upstream_refused',
      'small:answered',
    ]);
  });

  test('a client may forbid that', async () => {
    faults = { 'gemini-large': { kind: 'status', status: 503 } };
    const error = await refused(
      client.chat.completions.create(
        { model: 'cairn/auto', messages: hello },
        { headers: { 'x-cairn-fallback': 'none' } },
      ),
    );
    expect([error.status, error.code]).toEqual([502, 'upstream_failed']);
    expect((error.error as { attempts: unknown[] }).attempts).toHaveLength(2);
  });

  test.each([
    ['stream that is cut before its first word', { kind: 'cut', after: 0 }],
    ['reset', { kind: 'reset' }],
    ['stall', { kind: 'stall' }],
    ['page of HTML', { kind: 'html' }],
    ['error inside', { kind: 'error-inside' }],
  ] satisfies [string, Fault][])('a %s is not seen by the client of a stream', async (_name, fault) => {
    // A silent model is given up soon; the one that answers for it has time.
    if (fault.kind === 'stall') await gateway.configure(configuration({}, { ...patient, firstByte: 1_000 }));
    faults = { 'gemini-large': fault };
    let text = '';
    for await (const chunk of await client.chat.completions.create({
      model: 'cairn/auto',
      messages: hello,
      stream: true,
    })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toMatch(/^\(small plays\) .*\S$/);
  });

  test('a stream that breaks in the middle ends with an honest error and no doubled text', async () => {
    faults = { small: { kind: 'cut', after: 4 } };
    const body = await (await post({ model: 'small', messages: hello, stream: true })).text();
    const events = body
      .split('\n\n')
      .filter((e) => e !== '')
      .map((e) => e.slice(6));
    expect(events.at(-1)).toBe('[DONE]');
    expect(JSON.parse(events.at(-2)!).error.code).toBe('upstream_failed');
    expect(events.filter((e) => e.includes('(small'))).toHaveLength(1);
  });

  test('rate limits and refusals come back as what they are', async () => {
    faults = { small: { kind: 'status', status: 429, retryAfter: 30 } };
    const limited = await post({ model: 'small', messages: hello });
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '30']);
    faults = {
      small: { kind: 'status', status: 400, body: '{"error":{"message":"bad temperature sk-abcdefghijklmnopqrst"}}' },
    };
    const bad = await post({ model: 'small', messages: hello });
    expect(bad.status).toBe(400);
    const { error } = await json(bad);
    expect(error.upstream.message).toBe('bad temperature [redacted]');
  });

  test('an upstream that dies in the middle of a run is not noticed', async () => {
    const dying = await createMockUpstream({ models: { mortal: {} } });
    const base = configuration() as { providers: object[]; models: object[] };
    await gateway.configure({
      ...base,
      providers: [...base.providers, { id: 'dying', kind: 'openai', baseUrl: dying.url, timeouts: patient }],
      models: [...base.models, { id: 'mortal', provider: 'dying', priceIn: 2, priceOut: 8 }],
      routing: { reference: 'mortal' },
    });
    const models: string[] = [];
    for (let i = 0; i < 12; i++) {
      if (i === 4) await dying.close();
      const { response } = await client.chat.completions
        .create({ model: 'cairn/auto', messages: hello })
        .withResponse();
      models.push(response.headers.get('x-cairn-model')!);
    }
    expect(models.slice(0, 4)).toEqual(['mortal', 'mortal', 'mortal', 'mortal']);
    expect(new Set(models.slice(4))).toEqual(new Set(['large']));
  });

  test('leaving ends the call upstream', async () => {
    const base = configuration() as { models: object[] };
    await gateway.configure({ ...base, models: [...base.models, { id: 'slow', provider: 'one' }] });
    const before = one.abandoned();
    const controller = new AbortController();
    const response = await fetch(new URL('/v1/chat/completions', server.url), {
      method: 'POST',
      signal: controller.signal,
      body: JSON.stringify({ model: 'slow', messages: hello, stream: true }),
    });
    await response.body!.getReader().read();
    controller.abort();
    await expect.poll(() => one.abandoned(), { interval: 10 }).toBe(before + 1);
  });
});

describe('budgets', () => {
  test('parallel calls never exceed one together', async () => {
    await gateway.configure({
      ...configuration(),
      budgets: [{ scope: 'server', unit: 'requests', window: 'month', limit: 7 }],
    });
    const done = await Promise.all(Array.from({ length: 30 }, () => post({ model: 'small', messages: hello })));
    expect(done.filter((r) => r.status === 200)).toHaveLength(7);
    const over = done.find((r) => r.status === 429)!;
    expect((await json(over)).error.code).toBe('budget_exceeded');
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('a failed call costs nothing; a worst case that does not fit is refused; degrading takes the cheapest', async () => {
    const usd = (limit: number, onBudget: string): object => ({
      ...configuration(),
      budgets: [{ scope: 'server', unit: 'usd', window: 'day', limit, onBudget }],
    });
    await gateway.configure(usd(0.01, 'refuse'));
    faults = { small: { kind: 'status', status: 401 } };
    await post({ model: 'small', messages: hello });
    faults = {};
    const { budgets } = await json(raw('/api/budgets'));
    expect(budgets[0]).toMatchObject({ spent: 0, reserved: 0 });
    expect((await post({ model: 'large', messages: hello, max_tokens: 100_000 })).status).toBe(429);
    await gateway.configure(usd(0.01, 'degrade'));
    const degraded = await post({ model: 'cairn/auto', messages: hello, max_tokens: 5_000 });
    expect([degraded.status, degraded.headers.get('x-cairn-model'), degraded.headers.get('x-cairn-router')]).toEqual([
      200,
      'small',
      'degraded',
    ]);
  });
});

describe('keys of clients', () => {
  test('a key works until it is dropped, only for its models, and is nowhere in the state', async () => {
    const token = await gateway.keys.add('alice', { models: ['small'] });
    const as = (key: string) => new OpenAI({ baseURL: `${server.url}v1`, apiKey: key, maxRetries: 0 }).chat.completions;
    await as(token).create({ model: 'small', messages: hello });
    expect((await refused(as(token).create({ model: 'large', messages: hello }))).status).toBe(403);
    const routed = await as(token).create({ model: 'cairn/auto', messages: hello });
    expect(routed.choices[0]!.message.content).toMatch(/^\(small/);
    expect((await refused(as(`${token.slice(0, -3)}xyz`).create({ model: 'small', messages: hello }))).status).toBe(
      401,
    );
    expect(JSON.stringify(await gateway.state.list('client-key'))).not.toContain(token.split('.')[1]);
    await gateway.keys.drop('alice');
    expect((await refused(as(token).create({ model: 'small', messages: hello }))).status).toBe(401);
  });
});

test('a client tells how its own answers were, and nobody else’s', async () => {
  const feedback = (token: string, body: object): Promise<Response> =>
    raw('/v1/feedback', { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
  const [ann, bob] = [await gateway.keys.add('ann'), await gateway.keys.add('bob')];
  const asked = await post({ model: 'cairn/auto', messages: hello }, { authorization: `Bearer ${ann}` });
  const event = asked.headers.get('x-cairn-event');
  const told = await feedback(ann, { event, outcome: 0.25 });
  expect([told.status, await json(told)]).toMatchObject([200, { event, outcome: 0.25, taught: false }]);
  expect((await json(raw(`/api/route/explain/${event}`))).decision).toMatchObject({ key: 'ann', outcome: 0.25 });
  expect((await feedback(bob, { event, outcome: 1 })).status).toBe(404);
  const wrong = await feedback(ann, { event, outcome: 7 });
  expect([wrong.status, (await json(wrong)).error.code]).toEqual([400, 'invalid_request']);
  expect((await feedback('ck-nobody.x', { event, outcome: 1 })).status).toBe(401);
});

describe('hostile and broken requests', () => {
  test.each([
    ['no JSON', '{"model":', 400],
    ['a list', '[]', 400],
    ['no model', '{"messages":[{"role":"user","content":"x"}]}', 400],
    ['no messages', '{"model":"small","messages":[]}', 400],
    ['an unknown role', '{"model":"small","messages":[{"role":"boss","content":"x"}]}', 400],
    ['content that is a number', '{"model":"small","messages":[{"role":"user","content":5}]}', 400],
    [
      'a broken tool',
      '{"model":"small","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a b"}}]}',
      400,
    ],
    [
      'deep nesting',
      `{"model":"small","messages":[{"role":"user","content":"x"}],"x":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      400,
    ],
    ['an unknown model', '{"model":"nope","messages":[{"role":"user","content":"x"}]}', 404],
    ['an unknown policy', '{"model":"cairn/auto:nope","messages":[{"role":"user","content":"x"}]}', 404],
    ['a negative limit', '{"model":"small","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}', 400],
  ])('%s', async (_name, body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const { error } = await json(response);
    expect(error.message).toMatch(/^Expected /);
    expect(Object.keys(error)).toEqual(expect.arrayContaining(['message', 'type', 'code', 'param']));
  });

  test('bytes that are no UTF-8, and a body that is too large', async () => {
    const invalid = await raw('/v1/chat/completions', {
      method: 'POST',
      body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
    });
    expect(invalid.status).toBe(400);
    await gateway.configure({ ...configuration(), maxBodyBytes: 2_048 });
    const large = await post({ model: 'small', messages: [{ role: 'user', content: 'x'.repeat(4_096) }] }).catch(
      () => undefined,
    );
    if (large !== undefined) expect(large.status).toBe(413);
  });

  test('a header cannot be forged through a model’s name, and pages of other sites are refused', async () => {
    await expect(
      gateway.configure({ ...configuration(), models: [{ id: 'a\r\nx-evil: 1', provider: 'one' }] }),
    ).rejects.toThrow(/models\[0\].id/);
    const evil = await post({ model: 'small', messages: hello }, { origin: 'https://evil.example' });
    expect(evil.status).toBe(403);
    const rebound = await new Promise<string>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.end('GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'),
      );
      let out = '';
      socket.on('data', (chunk: Buffer) => (out += chunk.toString()));
      socket.on('close', () => resolve(out));
    });
    expect(rebound).toMatch(/^HTTP\/1.1 403/);
  });

  test.each([
    ['http://169.254.169.254/v1', /metadata/],
    ['http://10.0.0.5/v1', /private/],
    ['http://example.org/v1', /https/],
    ['file:///etc/passwd', /http/],
    ['https://user:pw@example.org/v1', /password/],
  ])('an upstream at %s is refused', async (baseUrl, message) => {
    const bad = { providers: [{ id: 'x', kind: 'openai', baseUrl }], models: [] };
    await expect(gateway.configure(bad)).rejects.toThrow(message);
  });
});

test('a bad file keeps the configuration before it, and says what is wrong', async () => {
  writeFileSync(configPath, '{"providers": 3}');
  expect(await gateway.reload()).toBe(false);
  expect(logs.at(-1)).toMatch(/stays as it was: .*providers/);
  await client.chat.completions.create({ model: 'small', messages: hello });
  writeFileSync(configPath, JSON.stringify(configuration({ aliases: { fresh: 'small' } })));
  expect(await gateway.reload()).toBe(true);
  await client.chat.completions.create({ model: 'fresh', messages: hello });
});

test('no secret is in any answer, log, metric or record', async () => {
  faults = {
    small: { kind: 'status', status: 401, body: `{"error":{"message":"Incorrect API key provided: ${CANARY}"}}` },
  };
  const seen = [
    await (await post({ model: 'small', messages: hello })).text(),
    await (await raw('/metrics')).text(),
    await (await raw('/api/models')).text(),
    await (await raw('/api/gateway/config')).text(),
    await (await raw('/api/route/decisions?limit=500')).text(),
    JSON.stringify(await gateway.decisions(500)),
    logs.join('\n'),
  ];
  for (const text of seen) expect(text).not.toContain(CANARY);
  expect(seen[1]).toMatch(/cairn_gateway_requests_total\{model="small",status="200",by="named"\} \d+/);
  // Nor what people asked.
  for (const text of seen) expect(text).not.toContain('shortest');
});
