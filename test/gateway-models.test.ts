// A model added to a running gateway over HTTP: the price before anything is spent, one call to see that it answers, a profile that
// can be cancelled and goes on, routed to without a restart, there after one, and gone when it is removed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMockUpstream, type Fault, type MockUpstream } from '../src/providers/index.ts';
import { fitRouter, generatePool, type PromptTable, saveRouter, writeTable } from '../src/route/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-models-'));
const made = generatePool({ seed: 'models', prompts: 260, models: 3 });
const table: PromptTable = {
  ...made.table,
  prompts: made.table.prompts.map((p) => ({ ...p, reference: 'right', scorer: { kind: 'exact' } })),
};
const config = {
  providers: [{ id: 'mock', kind: 'openai', baseUrl: '' }],
  models: table.models.map((m) => ({
    id: m.id,
    provider: 'mock',
    priceIn: m.price_in_per_mtok,
    priceOut: m.price_out_per_mtok,
  })),
  routing: { router: join(dir, 'router'), table: join(dir, 'table'), default: { lambda: 0 }, profileLimitUsd: 0.001 },
};
const wise = { id: 'lab/wise', provider: 'mock', model: 'wise', priceIn: 0.5, priceOut: 0.5 };
let fault: (model: string) => Fault | undefined = () => undefined;
let upstream: MockUpstream;
let gateway: Gateway;
let server: CairnServer;

async function start(): Promise<void> {
  gateway = await Gateway.open({ config, statePath: join(dir, 'gateway.db') });
  const boards = async () => createFixtureBoards();
  server = await createServer({ boards, gateway: async () => gateway, port: 0, studio: false });
  await server.ready;
}

beforeAll(async () => {
  await writeTable(table, join(dir, 'table'));
  await saveRouter(fitRouter(table, { seed: 7 }), join(dir, 'router'));
  const known = Object.fromEntries(table.models.map((m) => [m.id, {}]));
  upstream = await createMockUpstream({
    models: { ...known, wise: { answer: () => 'Right.' }, slow: { answer: () => 'wrong' } },
    fault: ({ model }) => fault(model),
  });
  config.providers[0]!.baseUrl = upstream.url;
  await start();
});
afterAll(async () => {
  await server.close();
  await upstream.close();
  rmSync(dir, { recursive: true, force: true });
});

async function send(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: ReturnType<JSON['parse']> }> {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(new URL(path, server.url), init);
  return { status: response.status, body: await response.json() };
}

async function chosen(j: number): Promise<string> {
  const messages = [{ role: 'user', content: table.prompts[j]!.text }];
  const { body } = await send('POST', '/api/route/explain', { messages });
  return body.arms[0].id;
}

async function profile(id: string): Promise<ReturnType<JSON['parse']>> {
  return (await send('GET', `/api/models/${id}`)).body.model.profile;
}

test('the price comes before anything is spent; above the limit a word is needed', async () => {
  const dry = await send('POST', '/api/models', { model: wise, dryRun: true });
  expect(dry.status).toBe(200);
  expect(dry.body.profile).toMatchObject({ id: 'lab/wise', state: 'none', usd: 0 });
  expect(dry.body.profile.estimate.usd).toBeGreaterThan(0.001);
  const refused = await send('POST', '/api/models', { model: wise });
  expect([refused.status, refused.body.error.code]).toEqual([409, 'too_dear']);
  expect(upstream.served()).toBe(0);
  expect((await send('GET', '/api/models')).body.models).toHaveLength(3);
});

test('a model that does not answer, or is none, is not added', async () => {
  for (const [model, code] of [
    [{ ...wise, model: 'nobody' }, 'model_failed'],
    [{ ...wise, provider: 'elsewhere' }, 'bad_config'],
    [{ ...wise, priceIn: -1 }, 'bad_config'],
    [undefined, 'bad_config'],
  ] as const) {
    expect((await send('POST', '/api/models', { model, yes: true })).body.error.code).toBe(code);
  }
  expect((await send('GET', '/api/models')).body.models).toHaveLength(3);
});

test('it is profiled and routed to at once; failures upstream are missing, not wrong', async () => {
  expect(await chosen(1)).toMatch(/^model-/);
  let n = 0;
  fault = () => (++n % 9 === 0 ? { kind: 'error-inside' } : undefined);
  const added = await send('POST', '/api/models', { model: wise, yes: true });
  expect([added.status, added.body.profile.state]).toEqual([202, 'running']);
  await expect.poll(async () => (await profile('lab/wise')).state).toBe('done');
  fault = () => undefined;
  const { model } = (await send('GET', '/api/models/lab/wise')).body;
  expect(model).toMatchObject({ profiled: true, health: 'closed' });
  expect(model.meanError).toBeLessThan(0.05);
  expect(model.profile.failed).toBeGreaterThan(0);
  expect(model.profile.usd).toBeGreaterThan(0);
  for (let j = 0; j < 20; j++) expect(await chosen(j)).toBe('lab/wise');
});

test('a profile that was cancelled goes on where it stopped', async () => {
  const slow = { ...wise, id: 'slow', model: 'slow', priceIn: 0, priceOut: 0 };
  // It falls silent on the way, so that it is under way for as long as it takes to look and to cancel.
  let asked = 0;
  fault = (model) => (model === 'slow' && ++asked > 25 ? { kind: 'stall' } : undefined);
  await send('POST', '/api/models', { model: slow, maxCalls: 60 });
  await expect.poll(async () => (await profile('slow')).done).toBeGreaterThan(8);
  expect((await send('POST', '/api/models', { model: slow })).body.error.code).toBe('busy');
  expect((await send('DELETE', '/api/models/slow?only=profile')).body.cancelled).toBe(true);
  const { state, done } = await profile('slow');
  expect(state).toBe('cancelled');
  fault = () => undefined;
  const served = upstream.served();
  const again = await send('POST', '/api/models', { model: slow, maxCalls: 60 });
  // Up to four calls were under way when it was cancelled: they count as not asked.
  expect(again.body.profile.done).toBeGreaterThan(4);
  await expect.poll(async () => (await profile('slow')).state).toBe('done');
  const total = (await profile('slow')).done;
  // One call to greet it, and only what was still missing.
  expect(upstream.served() - served).toBeLessThanOrEqual(1 + total - again.body.profile.done);
  expect(done).toBeLessThanOrEqual(total);
});

test('what a profile costs is charged to the budgets of the server; when they are spent it ends and says so', async () => {
  const usd = (limit: number): object => ({ scope: 'server', unit: 'usd', window: 'month', limit });
  const dear = { ...wise, id: 'dear', priceIn: 50, priceOut: 50, maxOutputTokens: 20 };
  const spent = async (): Promise<number> => (await send('GET', '/api/budgets')).body.budgets[0].spent;
  await gateway.configure({ ...config, budgets: [usd(100)] });
  const before = await spent();
  await send('POST', '/api/models', { model: dear, yes: true, maxCalls: 12 });
  await expect.poll(async () => (await profile('dear')).state).toBe('done');
  const { usd: cost } = await profile('dear');
  expect(cost).toBeGreaterThan(0);
  expect((await spent()) - before).toBeCloseTo(cost, 12);
  await gateway.configure({ ...config, budgets: [usd((await spent()) + 0.02)] });
  await send('POST', '/api/models', { model: dear, yes: true, maxCalls: 200 });
  await expect.poll(async () => (await profile('dear')).state).toBe('failed');
  expect((await profile('dear')).why).toMatch(/^Expected a call within the budget/);
  expect(await spent()).toBeLessThanOrEqual((await gateway.config.budgets[0]!.limit) + 1e-9);
  const refused = await send('POST', '/api/models', { model: { ...dear, id: 'dearer', priceOut: 5_000 }, yes: true });
  expect([refused.status, refused.body.error.code]).toEqual([429, 'budget_exceeded']);
  await send('DELETE', '/api/models/dear');
  await gateway.configure(config);
});

test('it is there after a restart, and gone for good when it is removed', async () => {
  await server.close();
  await start();
  expect(await chosen(2)).toBe('lab/wise');
  expect((await send('DELETE', '/api/models/lab/wise')).body).toEqual({ id: 'lab/wise', removed: true });
  expect(await chosen(2)).toMatch(/^model-/);
  // One of the file can be removed too.
  const first = await chosen(2);
  await send('DELETE', `/api/models/${first}`);
  expect(await chosen(2)).not.toBe(first);
  expect((await send('DELETE', '/api/models/nobody')).status).toBe(404);
  await server.close();
  await start();
  const ids = (await send('GET', '/api/models')).body.models.map((m: { id: string }) => m.id);
  expect(ids).not.toContain('lab/wise');
  expect(ids).not.toContain(first);
  // What was measured of it is gone as well: a second time it is asked anew.
  expect(await gateway.state.list('profile:lab/wise')).toEqual([]);
});
