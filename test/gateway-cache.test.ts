// Kept answers over real HTTP with the official client: the same request again, streams as streams, what is never kept, who sees
// whose, deleting; answers by likeness with their measured rate of false ones.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMockUpstream, type Fault, type MockUpstream } from '../src/providers/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-cache-'));
const statePath = join(dir, 'gateway.db');
const SECRET = 'tourmaline';
let answer: ((ask: string) => string) | undefined;
let fault: Fault | undefined;
let upstream: MockUpstream;
let gateway: Gateway;
let server: CairnServer;
let client: OpenAI;
let clock = 1_800_000_000_000;
let served = 0;
let chance = (): number => 0.5;

function configuration(cache: object, models: object[] = []): object {
  return {
    providers: [{ id: 'mock', kind: 'openai', baseUrl: upstream.url }],
    models: [
      { id: 'small', provider: 'mock', priceIn: 1, priceOut: 4 },
      { id: 'vectors', provider: 'mock', model: 'embedder', embeddings: true, priceIn: 1 },
      ...models,
    ],
    fallback: { retries: 0 },
    cache,
  };
}

/** Counts of letters: texts of the same letters are near. */
function lettersOf(text: string): number[] {
  const counts = Array.from({ length: 26 }, () => 0.01);
  for (const letter of text.toLowerCase().matchAll(/[a-z]/g)) counts[letter[0].charCodeAt(0) - 97]!++;
  return counts;
}

async function serverOf(opened: Gateway): Promise<CairnServer> {
  const started = await createServer({
    boards: async () => createFixtureBoards(),
    gateway: async () => opened,
    port: 0,
    studio: false,
  });
  await started.ready;
  return started;
}

const clientOf = ({ url }: CairnServer, apiKey = 'unused'): OpenAI =>
  new OpenAI({ baseURL: `${url}v1`, apiKey, maxRetries: 0 });

beforeAll(async () => {
  upstream = await createMockUpstream({
    models: {
      small: { answer: (ask) => answer?.(ask) ?? `You said: ${ask}, as the ${++served}th` },
      embedder: { embed: lettersOf },
    },
    fault: () => fault,
  });
  gateway = await Gateway.open({
    statePath,
    config: configuration({ exact: true }),
    now: () => clock,
    uniform: () => chance(),
  });
  server = await serverOf(gateway);
  client = clientOf(server);
});
beforeEach(async () => {
  answer = undefined;
  fault = undefined;
  await gateway.configure(configuration({ exact: true }));
  await gateway.answers.drop('all');
});
afterAll(async () => {
  await server.close();
  await upstream.close();
  rmSync(dir, { recursive: true, force: true });
});

type Body = Partial<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming>;

async function ask(content: string, more: Body = {}, headers: Record<string, string> = {}, as = client) {
  const { data, response } = await as.chat.completions
    .create({ model: 'small', temperature: 0, messages: [{ role: 'user', content }], ...more }, { headers })
    .withResponse();
  return { text: data.choices[0]!.message.content, data, headers: response.headers };
}

async function stream(content: string): Promise<{ text: string; pieces: number; headers: Headers; usage: unknown }> {
  const { data, response } = await client.chat.completions
    .create({
      model: 'small',
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content }],
    })
    .withResponse();
  let [text, pieces] = ['', 0];
  let usage: unknown;
  for await (const chunk of data) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    if (piece !== '') pieces++;
    text += piece;
    usage = chunk.usage ?? usage;
  }
  return { text, pieces, headers: response.headers, usage };
}

const cacheOf = (of: { headers: Headers }): string | undefined => of.headers.get('x-cairn-cache')?.split(';')[0];

async function api(path: string, init?: RequestInit): Promise<ReturnType<JSON['parse']>> {
  return (await fetch(new URL(path, server.url), init)).json();
}

describe('the same request', () => {
  test('is answered again without a call, and says what that saved; explain says it too', async () => {
    const first = await ask('Which path is shortest?');
    expect(cacheOf(first)).toBe('miss');
    const calls = upstream.served();
    clock += 5_000;
    const again = await ask('Which path is shortest?');
    expect(again.data).toEqual(first.data);
    expect(upstream.served()).toBe(calls);
    const cost = first.headers.get('x-cairn-cost-usd');
    expect(again.headers.get('x-cairn-cache')).toBe(
      `exact;age=5s;saved=${cost};event=${first.headers.get('x-cairn-event')}`,
    );
    expect(again.headers.get('x-cairn-cost-usd')).toBe('0');
    expect(again.headers.get('x-cairn-router')).toBe('cache');
    const { decision } = await api(`/api/route/explain/${again.headers.get('x-cairn-event')}`);
    expect(decision).toMatchObject({
      by: 'cache',
      model: 'small',
      costUsd: 0,
      cache: { result: 'exact', from: first.headers.get('x-cairn-event'), ageMs: 5_000 },
    });
    expect(decision.cache.savedUsd).toBeCloseTo(Number(cost), 12);
  });

  test('a stream comes again as a stream, a whole answer as a whole, whichever was first', async () => {
    const first = await stream('Tell me more');
    const again = await stream('Tell me more');
    expect([cacheOf(first), cacheOf(again)]).toEqual(['miss', 'exact']);
    expect(again.text).toBe(first.text);
    expect(again.usage).toEqual(first.usage);
    expect(again.pieces).toBeGreaterThan(3);
    const whole = await ask('Tell me more');
    expect([cacheOf(whole), whole.text]).toEqual(['exact', first.text]);
    const other = await ask('Something else');
    expect((await stream('Something else')).text).toBe(other.text);
  });

  test('temperature, seed and tools are part of it; without temperature 0 or a seed nothing is kept unless asked for', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'look', parameters: {} } }];
    const variants: Body[] = [{}, { seed: 1 }, { seed: 2 }, { tools }, { max_tokens: 50 }];
    const texts = [];
    for (const more of variants) texts.push((await ask('Same words', more)).text);
    expect(new Set(texts).size).toBe(variants.length);
    const warm = { temperature: 0.7 };
    expect((await ask('Warm', warm)).headers.get('x-cairn-cache')).toBe('bypass;why=temperature');
    expect(cacheOf(await ask('Warm', warm))).toBe('bypass');
    expect(cacheOf(await ask('Warm', warm, { 'x-cairn-cache': 'use' }))).toBe('miss');
    expect(cacheOf(await ask('Warm', warm, { 'x-cairn-cache': 'use' }))).toBe('exact');
  });

  test('a header turns it off, or fetches anew', async () => {
    const first = await ask('Again?');
    const off = await ask('Again?', {}, { 'x-cairn-cache': 'off' });
    expect(off.headers.get('x-cairn-cache')).toBe('bypass;why=header');
    expect(off.text).not.toBe(first.text);
    expect((await ask('Again?')).text).toBe(first.text);
    const fresh = await ask('Again?', {}, { 'x-cairn-cache': 'refresh' });
    expect(fresh.text).not.toBe(first.text);
    expect((await ask('Again?')).text).toBe(fresh.text);
    const bad = await fetch(new URL('/v1/chat/completions', server.url), {
      method: 'POST',
      headers: { 'x-cairn-cache': 'always' },
      body: JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'x' }] }),
    });
    expect(bad.status).toBe(400);
  });

  test('it ends: after its time, when the model changes, when the answer was called bad', async () => {
    const first = await ask('For how long?');
    clock += 86_400_001;
    const later = await ask('For how long?');
    expect([cacheOf(later), later.text === first.text]).toEqual(['miss', false]);
    await gateway.configure({
      ...configuration({ exact: true }),
      models: [{ id: 'small', provider: 'mock', thinkingBudget: 99 }],
    });
    expect(cacheOf(await ask('For how long?'))).toBe('miss');
    await gateway.configure(configuration({ exact: true }));
    const hit = await ask('For how long?');
    expect(cacheOf(hit)).toBe('exact');
    await api('/api/route/feedback', {
      method: 'POST',
      body: JSON.stringify({ event: hit.headers.get('x-cairn-event'), outcome: 0 }),
    });
    expect(cacheOf(await ask('For how long?'))).toBe('miss');
  });
});

describe('never kept', () => {
  test.each([
    ['errors', { kind: 'status', status: 400 }],
    ['errors inside', { kind: 'error-inside' }],
    ['streams that break', { kind: 'cut', after: 3 }],
  ] satisfies [string, Fault][])('%s', async (_name, played) => {
    fault = played;
    await stream('Broken').catch(() => undefined);
    await ask('Broken').catch(() => undefined);
    fault = undefined;
    expect(cacheOf(await ask('Broken'))).toBe('miss');
    expect((await api('/api/cache')).entries).toBe(1);
  });

  test('tool calls, unless they are wanted', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'look', parameters: {} } }];
    const call = { tools, tool_choice: 'required' as const };
    await ask('Look', call);
    expect(cacheOf(await ask('Look', call))).toBe('miss');
    await gateway.configure(configuration({ exact: true, toolCalls: true }));
    const first = await ask('Look', call);
    const again = await ask('Look', call);
    expect(cacheOf(again)).toBe('exact');
    expect(again.data).toEqual(first.data);
  });

  test('the words of a request: neither in the state file nor in its log', async () => {
    answer = () => 'An answer without the word.';
    await ask(`Where is the ${SECRET}?`);
    await gateway.flush();
    for (const file of [statePath, `${statePath}-wal`]) expect(readFileSync(file).includes(SECRET)).toBe(false);
    expect(readFileSync(`${statePath}-wal`).includes('An answer without')).toBe(true);
    expect(await api('/api/cache', { method: 'DELETE' })).toEqual({ dropped: 1 });
    for (const file of [statePath, `${statePath}-wal`])
      expect(readFileSync(file).includes('An answer without')).toBe(false);
  });
});

test('clients do not see each other’s answers, unless they share; a name that comes back is another client', async () => {
  const as = (token: string): OpenAI => clientOf(server, token);
  const ann = as(await gateway.keys.add('ann'));
  const bob = as(await gateway.keys.add('bob'));
  const first = await ask('Mine', {}, {}, ann);
  expect(cacheOf(await ask('Mine', {}, {}, bob))).toBe('miss');
  expect(cacheOf(await ask('Mine'))).toBe('miss');
  expect((await ask('Mine', {}, {}, ann)).text).toBe(first.text);
  await gateway.keys.drop('ann');
  clock += 1;
  const other = as(await gateway.keys.add('ann'));
  expect(cacheOf(await ask('Mine', {}, {}, other))).toBe('miss');
  await gateway.configure(configuration({ exact: true, shared: true }));
  await ask('Ours', {}, {}, other);
  expect(cacheOf(await ask('Ours', {}, {}, bob))).toBe('exact');
  const { keys } = await api('/api/route/totals');
  expect(keys.find((k: { key: string }) => k.key === 'bob')).toMatchObject({ requests: 2, cached: 1, failed: 0 });
  const metrics = await (await fetch(new URL('/metrics', server.url))).text();
  expect(metrics).toMatch(/cairn_gateway_key_cached_total\{key="bob"\} 1/);
  expect(metrics).toMatch(/cairn_gateway_cache_total\{result="exact"\} \d+/);
});

test('a hit is a request of the budget and costs nothing of it; a model that is down does not matter', async () => {
  await gateway.configure({
    ...configuration({ exact: true }),
    budgets: [
      { scope: 'server', unit: 'requests', window: 'month', limit: 3 },
      { scope: 'server', unit: 'usd', window: 'month', limit: 1 },
    ],
  });
  await ask('Counted');
  fault = { kind: 'status', status: 503 };
  await ask('Counted');
  await ask('Counted');
  await expect(ask('Counted')).rejects.toMatchObject({ status: 429, code: 'budget_exceeded' });
});

test('it outlives the process', async () => {
  const options = { statePath: join(dir, 'other.db'), config: configuration({ exact: true }), now: () => clock };
  const life = async (): Promise<string | undefined> => {
    const started = await serverOf(await Gateway.open(options));
    const found = await ask('Still there?', {}, {}, clientOf(started));
    await started.close();
    return cacheOf(found);
  };
  expect([await life(), await life()]).toEqual(['miss', 'exact']);
});

describe('answers by likeness', () => {
  const semantic = { enabled: true, features: 'vectors', floor: 0.6, maxFalseHits: 0.1, checks: 0.05 };
  const FILLERS = ['please', 'now', 'today', 'then', 'again', 'here', 'there'];
  const alike = (i: number): string =>
    `${'Which of the paths is the shortest one? '.repeat(4)}${FILLERS[i % 7]} ${FILLERS[Math.floor(i / 7) % 7]}`;

  test('none are given before enough checks agreed; then they are, labelled; they stop when checks disagree', async () => {
    await gateway.configure(configuration({ semantic }));
    answer = () => 'The path by the lake is the shortest one of them all.';
    let i = 0;
    const next = (): Promise<Awaited<ReturnType<typeof ask>>> => ask(alike(i++));
    const first = await next();
    expect(cacheOf(first)).toBe('miss');
    const seen: (string | undefined)[] = [];
    while (seen.length < 300 && seen.at(-1) !== 'alike') seen.push(cacheOf(await next()));
    expect(seen.at(-1)).toBe('alike');
    expect(seen.slice(0, -1).every((result) => result === 'check')).toBe(true);
    expect(seen.length).toBeGreaterThan(30);
    const hit = await next();
    expect(hit.headers.get('x-cairn-cache')).toMatch(
      /^alike;similarity=\d\.\d+;age=0s;saved=[\d.e-]+;event=[\w-]+;false-hits=0\.0000 \[0\.0000,0\.0\d+\] of \d+ checks;threshold=0\.\d+$/,
    );
    const view = await api('/api/cache');
    expect(view.falseHits).toMatchObject({ disagreed: 0, limit: 0.1 });
    expect(view.falseHits.interval[1]).toBeLessThanOrEqual(0.1);
    expect(await (await fetch(new URL('/metrics', server.url))).text()).toMatch(/cairn_gateway_alike_serving 1\n/);

    // No answer is right twice any more: the checks notice, here at every tenth hit.
    let turn = 0;
    chance = () => (++turn % 10 === 0 ? 0 : 0.5);
    answer = () => `Every time another answer is right, now it is about ${++served} stones beside the water.`;
    const late: (string | undefined)[] = [];
    while (late.length < 400 && (late.length < 20 || late.slice(-20).includes('alike')))
      late.push(cacheOf(await next()));
    expect(late.slice(0, 9)).toContain('alike');
    expect(late.slice(-20).every((result) => result === 'check')).toBe(true);
    expect((await api('/api/cache')).falseHits.why).toMatch(/checks disagreed/);
  });

  test('other numbers, other surroundings and other clients are never alike', async () => {
    await gateway.configure(configuration({ semantic }));
    await ask('Add 2 and 3, please, and say nothing else at all');
    for (const more of [{ max_tokens: 7 }, { seed: 9 }])
      expect(cacheOf(await ask('Add 2 and 3, please, and say nothing else at all ', more))).toBe('miss');
    expect(cacheOf(await ask('Add 2 and 4, please, and say nothing else at all'))).toBe('miss');
    const like = cacheOf(await ask('Add 2 and 3, please, and say nothing else at all '));
    expect(['check', 'alike']).toContain(like);
  });

  test('an unknown model of vectors is refused in the configuration', async () => {
    await expect(gateway.configure(configuration({ semantic: { ...semantic, features: 'small' } }))).rejects.toThrow(
      /cache.semantic.features/,
    );
  });
});
