// The gateway with a fitted router in front of played models whose skills are known: the right model for each kind of prompt,
// conversations that stay, explanations, and a new router without a restart.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMockUpstream, type MockUpstream } from '../src/providers/index.ts';
import { fitRouter, generatePool, saveRouter, selectPrompts } from '../src/route/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-routing-'));
const pool = generatePool({ seed: 'gateway', prompts: 700, models: 4 });
const { table, topic, skill } = pool;
const names = table.models.map((m) => m.id);
const train = selectPrompts(
  table,
  Array.from({ length: 500 }, (_, j) => j),
);
let upstream: MockUpstream;
let gateway: Gateway;
let server: CairnServer;
let client: OpenAI;

beforeAll(async () => {
  await saveRouter(fitRouter(train, { seed: 7 }), join(dir, 'router'));
  upstream = await createMockUpstream({ models: Object.fromEntries(names.map((name) => [name, {}])) });
  gateway = await Gateway.open({
    config: {
      providers: [{ id: 'mock', kind: 'openai', baseUrl: upstream.url }],
      models: table.models.map((m) => ({
        id: m.id,
        provider: 'mock',
        priceIn: m.price_in_per_mtok,
        priceOut: m.price_out_per_mtok,
      })),
      routing: { router: join(dir, 'router'), policies: { best: { lambda: 0 }, cheap: { lambda: 1e6 } } },
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
  rmSync(dir, { recursive: true, force: true });
});

async function ask(model: string, content: string, headers: Record<string, string> = {}): Promise<Headers> {
  const messages = [{ role: 'user' as const, content }];
  return (await client.chat.completions.create({ model, messages }, { headers }).withResponse()).response.headers;
}

test('quality decides with lambda 0, price with a large one; the chosen model is right more often than any single one', async () => {
  const dearest = table.models.reduce((a, b) => (b.price_out_per_mtok > a.price_out_per_mtok ? b : a)).id;
  const cheapest = table.models.reduce((a, b) => (b.price_out_per_mtok < a.price_out_per_mtok ? b : a)).id;
  let routed = 0;
  const single = names.map(() => 0);
  const unseen = Array.from({ length: 120 }, (_, i) => 500 + i);
  for (const j of unseen) {
    const headers = await ask('cairn/auto:best', table.prompts[j]!.text, { 'x-cairn-session': `s${j}` });
    const m = names.indexOf(headers.get('x-cairn-model')!);
    routed += skill[topic[j]! * names.length + m]!;
    names.forEach((_, k) => (single[k]! += skill[topic[j]! * names.length + k]!));
    expect(headers.get('x-cairn-router')).toMatch(/^uniroute\/r0-[0-9a-f]{8}$/);
    expect(headers.get('x-cairn-expected-error')).toMatch(/^0\.\d{3}( \[0\.\d{3},[01]\.\d{3}\])?$/);
    expect(headers.get('x-cairn-runner-up')).toMatch(/^model-[a-d];0\.\d{3};/);
  }
  expect(routed / unseen.length).toBeGreaterThan(Math.max(...single) / unseen.length);
  const cheap = await ask('cairn/auto:cheap', table.prompts[600]!.text);
  expect(cheap.get('x-cairn-model')).toBe(cheapest);
  expect(cheap.get('x-cairn-saved-usd')).toContain(`against=${dearest}`);
});

test('only what a person wrote decides, not what a harness puts around it', async () => {
  const text = table.prompts[640]!.text;
  const plain = await ask('cairn/auto:best', text, { 'x-cairn-session': 'plain' });
  const wrapped = await ask(
    'cairn/auto:best',
    `<system-reminder>${table.prompts[3]!.text.repeat(20)}</system-reminder>${text}`,
    {
      'x-cairn-session': 'wrapped',
    },
  );
  expect(wrapped.get('x-cairn-cluster')).toBe(plain.get('x-cairn-cluster'));
});

test('a conversation stays with its model; a pin and a hint to start anew are honoured', async () => {
  const session = { 'x-cairn-session': 'stay' };
  const first = (await ask('cairn/auto', table.prompts[510]!.text, session)).get('x-cairn-model');
  const again = await ask('cairn/auto', table.prompts[510]!.text, session);
  expect([again.get('x-cairn-model'), again.get('x-cairn-sticky')]).toEqual([first, 'kept']);
  const pinned = await ask('cairn/auto', table.prompts[510]!.text, { ...session, 'x-cairn-pin': names[0]! });
  expect([pinned.get('x-cairn-model'), pinned.get('x-cairn-router')]).toEqual([names[0], 'pinned']);
});

test('a decision explains itself, before and after', async () => {
  const headers = await ask('cairn/auto', table.prompts[520]!.text, { 'x-cairn-session': 'why' });
  const get = async (path: string, init?: RequestInit): Promise<ReturnType<JSON['parse']>> =>
    (await fetch(new URL(path, server.url), init)).json();
  const { decision, otherwise } = await get(`/api/route/explain/${headers.get('x-cairn-event')}`);
  expect(decision.arms.map((a: { id: string }) => a.id).sort()).toEqual([...names].sort());
  expect(decision.model).toBe(decision.arms[0].id);
  expect(otherwise[0].expectedError).toBe(
    Math.min(...decision.arms.map((a: { expectedError: number }) => a.expectedError)),
  );
  expect(JSON.stringify(decision)).not.toContain(table.prompts[520]!.text.slice(0, 20));
  const dry = await get('/api/route/explain', {
    method: 'POST',
    body: JSON.stringify({ prompt: table.prompts[520]!.text }),
  });
  expect(dry.arms[0].id).toBe(decision.model);
  const curve = await get('/api/route/curve');
  expect(curve.points.length).toBeGreaterThan(100);
});

test('an outcome is kept with its decision, teaches, and is taken back', async () => {
  const send = async (path: string, init?: RequestInit): Promise<ReturnType<JSON['parse']>> =>
    (await fetch(new URL(path, server.url), init)).json();
  const say = (body: object): Promise<ReturnType<JSON['parse']>> =>
    send('/api/route/feedback', { method: 'POST', body: JSON.stringify(body) });
  const headers = await ask('cairn/auto:best', table.prompts[540]!.text, { 'x-cairn-session': 'told' });
  const event = headers.get('x-cairn-event')!;
  const told = await say({ event, outcome: 0 });
  expect(told).toMatchObject({ event, outcome: 0, source: 'explicit', taught: true, learning: { outcomes: 1 } });
  expect(told.learning.guarantee.kind).toBe('labelled prompts');
  expect((await send(`/api/route/explain/${event}`)).decision.outcome).toBe(0);
  // After a bad answer the conversation is free to move.
  const next = await ask('cairn/auto:best', table.prompts[541]!.text, { 'x-cairn-session': 'told' });
  expect(next.get('x-cairn-sticky')).not.toBe(null);
  const named = await ask(names[0]!, 'hello');
  const unrouted = await say({ event: named.get('x-cairn-event'), outcome: 1 });
  expect(unrouted).toMatchObject({ taught: false, why: expect.stringContaining('not chosen by the router') });
  expect((await say({ event: 'none', outcome: 1 })).error.code).toBe('not_found');
  expect((await say({ event, outcome: 2 })).error.code).toBe('bad_outcome');
  const back = await send(`/api/route/feedback/${event}`, { method: 'DELETE' });
  expect(back).toMatchObject({ forgotten: true, taught: true, learning: { outcomes: 0 } });
  expect((await send(`/api/route/explain/${event}`)).decision.outcome).toBeUndefined();
});

test('local vectors of prompts are embeddings like any other, as numbers and as base64', async () => {
  const input = [table.prompts[0]!.text, ''];
  const numbers = await client.embeddings.create({ model: 'cairn/lsa-128', input, encoding_format: 'float' });
  const packed = await client.embeddings.create({ model: 'cairn/lsa-128', input });
  expect(packed.data[0]!.embedding.length).toBe(numbers.data[0]!.embedding.length);
  expect(packed.data[0]!.embedding[5]).toBeCloseTo(numbers.data[0]!.embedding[5]!, 6);
  expect(numbers.data.flatMap((d) => d.embedding).every(Number.isFinite)).toBe(true);
});

test('a model that leaves the router is routed to no more, at once and without a restart', async () => {
  const before = (await ask('cairn/auto:best', table.prompts[530]!.text, { 'x-cairn-session': 'x1' })).get(
    'x-cairn-model',
  )!;
  gateway.useRouter(gateway.fitted!.withoutArm(before));
  const after = await ask('cairn/auto:best', table.prompts[530]!.text, { 'x-cairn-session': 'x2' });
  expect(after.get('x-cairn-model')).not.toBe(before);
  expect(after.get('x-cairn-router')).toMatch(/^uniroute\/r1-/);
});
