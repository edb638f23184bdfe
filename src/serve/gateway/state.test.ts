// What every state of a gateway does, in a file, in memory and on PostgreSQL; then several gateways on one server.
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import Database from 'libsql';
import { afterAll, describe, expect, test } from 'vitest';
import { startServers, stopServers } from '../../memory/_testing/postgres-servers.ts';
import { createMockUpstream } from '../../providers/index.ts';
import { openAnswerTable } from './answers/index.ts';
import { Gateway } from './gateway.ts';
import { openPostgresState } from './postgres-state.ts';
import { openResponseTable } from './responses/index.ts';
import { type Account, type GatewayState, openSqliteState } from './state.ts';
import { openStateThread } from './state-thread.ts';

const servers = await startServers(1);
const dir = mkdtempSync(join(tmpdir(), 'cairn-state-'));
const open: GatewayState[] = [];
afterAll(async () => {
  await Promise.all(open.map((state) => state.close()));
  await stopServers(servers);
  rmSync(dir, { recursive: true, force: true });
});

let files = 0;
const kinds: [string, () => Promise<GatewayState>][] = [
  ['in memory', async () => openSqliteState(':memory:')],
  ['in a file', async () => openSqliteState(join(dir, `${files++}.db`))],
  [
    'in a file, kept by a thread',
    async () => {
      const state = openStateThread(join(dir, `${files++}.db`));
      open.push(state);
      return state;
    },
  ],
];
const onServer = async (url = servers![0]!.url(), watchEveryMs = 20): Promise<GatewayState> => {
  const state = await openPostgresState(url, { watchEveryMs });
  open.push(state);
  return state;
};
if (servers !== undefined) kinds.push(['on PostgreSQL', () => onServer()]);

const account = (name: string, amount: number, limit: number, window = 1_000): Account => ({
  name,
  window,
  amount,
  limit,
});

describe.each(kinds)('a state %s', (_name, fresh) => {
  test('reserves from every account or from none, and settles with what was spent', async () => {
    const state = await fresh();
    const a = account('a', 3, 10);
    const b = account('b', 3, 5);
    expect(await state.reserve('1', [a, b], 2_000, 0)).toEqual({
      ok: true,
      reservation: { id: '1', accounts: [a, b] },
    });
    expect(await state.reserve('2', [a, b], 2_000, 0)).toEqual({ ok: false, over: b, used: 3 });
    expect(await state.usage([a, b, account('c', 0, 0)], 0)).toEqual([
      { spent: 0, reserved: 3 },
      { spent: 0, reserved: 3 },
      { spent: 0, reserved: 0 },
    ]);
    await state.settle({ id: '1', accounts: [a, b] }, [1.5, 0]);
    expect(await state.usage([b, a], 0)).toEqual([
      { spent: 0, reserved: 0 },
      { spent: 1.5, reserved: 0 },
    ]);
    // Another window is another account; an expired reservation holds nothing.
    expect((await state.reserve('3', [account('a', 10, 10, 2_000)], 50, 0)).ok).toBe(true);
    expect((await state.reserve('4', [account('a', 10, 10, 2_000)], 99, 49)).ok).toBe(false);
    expect((await state.reserve('5', [account('a', 10, 10, 2_000)], 99, 50)).ok).toBe(true);
  });

  test('many calls at once never pass a limit together', async () => {
    const state = await fresh();
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        state.reserve(
          `r${i}`,
          i % 2 === 0 ? [account('x', 1, 7), account('y', 1, 30)] : [account('y', 1, 30), account('x', 1, 7)],
          10,
          0,
        ),
      ),
    );
    expect(results.filter((r) => r.ok)).toHaveLength(7);
    expect((await state.usage([account('x', 0, 0), account('y', 0, 0)], 0)).map((u) => u.reserved)).toEqual([7, 7]);
  });

  test('keeps, lists and drops any text', async () => {
    const state = await fresh();
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.json(), { maxKeys: 6 }),
        async (entries) => {
          const kind = `k${files++}`;
          for (const [key, value] of Object.entries(entries)) await state.put(kind, key, value);
          const bytes = ([a]: [string, string], [b]: [string, string]): number =>
            Buffer.compare(Buffer.from(a), Buffer.from(b));
          const wanted = Object.entries(entries).sort(bytes);
          expect((await state.list(kind)).map(({ key, value }) => [key, value])).toEqual(wanted);
          for (const [key, value] of wanted) {
            expect(await state.get(kind, key)).toBe(value);
            expect(await state.drop(kind, key)).toBe(true);
            expect(await state.drop(kind, key)).toBe(false);
          }
          expect(await state.list(kind)).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
    expect(await state.get('none', 'x')).toBeUndefined();
  });

  test('keeps decisions in their order, the latest word of each, and drops the oldest', async () => {
    const state = await fresh();
    const row = (i: number, value = `v${i}`): { id: string; at: number; value: string } => ({
      id: `d${i}`,
      at: 100 + i,
      value,
    });
    await state.record(
      [0, 1, 2, 3].map((i) => row(i)),
      10,
    );
    await state.record([row(1, 'amended'), row(4)], 10);
    expect((await state.decisions(10)).map((d) => d.id)).toEqual(['d4', 'd3', 'd2', 'd1', 'd0']);
    expect(await state.decision('d1')).toBe('amended');
    expect((await state.decisions(2, 103)).map((d) => [d.id, d.at])).toEqual([
      ['d2', 102],
      ['d1', 101],
    ]);
    await state.record([row(5)], 2);
    expect((await state.decisions(10)).map((d) => d.id).slice(0, 2)).toEqual(['d5', 'd4']);
    expect(await state.decision('d0')).toBeUndefined();
  });
});

test('a file that another connection still holds is waited for', async () => {
  const path = join(dir, `${files++}.db`);
  const holder = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const Database = require('libsql');
     const db = new Database(workerData);
     db.exec('BEGIN EXCLUSIVE');
     parentPort.postMessage('held');
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
     db.exec('COMMIT');`,
    { eval: true, workerData: path },
  );
  await once(holder, 'message');
  const state = openStateThread(path);
  open.push(state);
  expect(await state.list('key')).toEqual([]);
});

describe('a file that is left', () => {
  /** What another program reads in a copy of the file alone. */
  const keptIn = (path: string): unknown[] => {
    const copy = join(dir, `${files++}.db`);
    copyFileSync(path, copy);
    const db = new Database(copy);
    const rows = db.prepare('SELECT key, value FROM kept').all();
    db.close();
    return rows;
  };

  test.each([
    ['here', openSqliteState],
    ['by a thread', openStateThread],
  ] as const)('is one plain file: %s', async (_name, openAt) => {
    const path = join(dir, `${files++}.db`);
    for (const value of ['first', 'second']) {
      const state = openAt(path);
      await state.put('kind', 'key', value);
      expect(existsSync(`${path}-wal`)).toBe(true);
      await Promise.all([state.close(), state.close()]);
      expect([existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([false, false]);
      expect(keptIn(path)).toEqual([{ key: 'key', value }]);
    }
  });

  test('while another still has it open: a copy is whole all the same, and the last to leave removes the log', async () => {
    const path = join(dir, `${files++}.db`);
    const [one, two] = [openStateThread(path), openStateThread(path)];
    await two.put('kind', 'key', 'kept');
    await one.close();
    expect(keptIn(path)).toEqual([{ key: 'key', value: 'kept' }]);
    expect(await two.get('kind', 'key')).toBe('kept');
    await two.close();
    expect([existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([false, false]);
  });

  test('by a gateway, with its answers and responses', async () => {
    const statePath = join(dir, `${files++}.db`);
    const config = { cache: { exact: true }, responses: { keepSeconds: 60 } };
    for (const kept of [0, 1]) {
      const gateway = await Gateway.open({ statePath, config });
      const answer = { tenant: '', key: 'asked', context: null, features: null, vector: null, event: 'e', model: 'm' };
      const { entries } = (await gateway.answers.view(gateway.config.cache)) as { entries: number };
      expect(entries).toBe(kept);
      const now = Date.now();
      const response = { id: `r${kept}`, tenant: '', at: now, expires: now + 1e6, response: '{}', messages: '[]' };
      await gateway.responses.put(response);
      await gateway.close();
      expect([existsSync(`${statePath}-wal`), existsSync(`${statePath}-shm`)]).toEqual([false, false]);
      const table = openAnswerTable(statePath);
      const limits = { entries: 9, bytes: 1e6 };
      await table.put({ ...answer, mark: '', usd: 0, at: now, expires: now + 1e6, body: '{}' }, limits);
      await table.close();
      expect([existsSync(`${statePath}-wal`), existsSync(`${statePath}-shm`)]).toEqual([false, false]);
    }
    const responses = openResponseTable(statePath);
    expect((await responses.get('r1', '', Date.now()))?.id).toBe('r1');
    await responses.close();
  });
});

describe.skipIf(servers === undefined)('gateways that share a server', () => {
  const until = async (check: () => boolean | Promise<boolean>): Promise<void> => {
    for (let i = 0; !(await check()); i++) {
      if (i === 1_500) throw new Error('It did not happen within half a minute.');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test('hear of what others keep and drop, in order and each once', async () => {
    const url = servers![0]!.url();
    const [one, two] = [await onServer(url), await onServer(url)];
    const heard: string[] = [];
    const stop = two.watch(['a', 'b'], ({ kind, key, value }) => heard.push(`${kind}/${key}=${value ?? '-'}`));
    for (let i = 0; i < 20; i++) await one.put('a', `k${i}`, String(i));
    await one.put('other', 'x', '1');
    await one.drop('a', 'k0');
    await one.put('b', 'last', '!');
    await until(() => heard.at(-1) === 'b/last=!');
    // A value that was dropped before it was asked for is only heard of as dropped.
    const last = new Map(heard.map((text) => text.split('=') as [string, string]));
    expect(last.get('a/k0')).toBe('-');
    expect(last.size).toBe(21);
    stop();
    await one.put('b', 'later', '!');
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(heard.at(-1)).toBe('b/last=!');
  });

  test('have one pool, one budget, the same keys and decisions', async () => {
    const url = servers![0]!.url();
    const upstream = await createMockUpstream({ models: { small: {}, extra: {} } });
    const config = {
      providers: [{ id: 'up', kind: 'openai', baseUrl: upstream.url }],
      models: [{ id: 'small', provider: 'up', priceIn: 1, priceOut: 1 }],
      budgets: [{ scope: 'server', unit: 'requests', window: 'month', limit: 5 }],
    };
    const [a, b] = await Promise.all(
      [0, 1].map(async () => Gateway.open({ config, state: await openPostgresState(url, { watchEveryMs: 20 }) })),
    );
    await a!.addModel(a!.checkModel({ id: 'extra', provider: 'up', priceIn: 2, priceOut: 2 }));
    await until(() => b!.config.models.some((m) => m.id === 'extra'));
    await b!.removeModel('extra');
    await until(() => !a!.config.models.some((m) => m.id === 'extra'));

    const who = { key: undefined, session: undefined };
    const once = { usd: 0, tokens: 0, requests: 1 };
    const holds = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? a! : b!).ledger.reserve(config as never, who, once)),
    );
    expect(holds.filter((h) => h.status === 'fulfilled')).toHaveLength(5);

    const token = await a!.keys.add('alice');
    expect((await b!.keys.check(token))?.name).toBe('alice');
    a!.decided({ id: 'event-1', at: 5, status: 200, attempts: [], arms: [], model: 'small' } as never);
    await a!.flush();
    expect((await b!.decision('event-1'))?.id).toBe('event-1');
    await Promise.all([a!.close(), b!.close(), upstream.close()]);
  });

  test('a server that dies and comes back: nothing that was kept is lost, and what waits is written', async () => {
    const own = await startServers(1);
    const state = await openPostgresState(own![0]!.url(), { patienceMs: 300 });
    const gateway = await Gateway.open({ config: {}, state });
    await state.put('kind', 'key', 'kept');
    const budget = { scope: 'server', unit: 'requests', window: 'month', limit: 5, onBudget: 'refuse' };
    const config = { budgets: [budget] } as never;
    const who = { key: undefined, session: undefined };
    const hold = await gateway.ledger.reserve(config, who, { usd: 0, tokens: 0, requests: 3 });
    await own![0]!.kill();
    // What was answered is settled later; what is asked now is refused honestly.
    await hold.settle({ usd: 0, tokens: 0, requests: 2 });
    await expect(gateway.ledger.reserve(config, who, { usd: 0, tokens: 0, requests: 1 })).rejects.toMatchObject({
      code: 'state_unavailable',
      status: 503,
    });
    gateway.decided({ id: 'event-2', at: 5, status: 200, attempts: [], arms: [] } as never);
    await gateway.flush();
    await expect(state.get('kind', 'key')).rejects.toMatchObject({ code: 'store_unreachable' });
    await own![0]!.start();
    expect(await state.get('kind', 'key')).toBe('kept');
    await gateway.flush();
    expect(await state.decision('event-2')).toBeDefined();
    expect(await gateway.ledger.settleOwed()).toBe(0);
    expect(await gateway.ledger.view(config, who)).toMatchObject([{ spent: 2, reserved: 0 }]);
    // A call that is settled twice, because the first answer was lost, counts once.
    const a = account('a', 1, 10);
    await state.reserve('call', [a], 1e15, 0);
    await state.settle({ id: 'call', accounts: [a] }, [2]);
    await state.settle({ id: 'call', accounts: [a] }, [2]);
    expect((await state.usage([a], 0))[0]!.spent).toBe(2);
    await gateway.close();
    await stopServers(own);
  });

  test('refuses a schema of something else and an address that is none', async () => {
    const url = servers![0]!.url('foreign');
    const sql = servers![0]!.connect();
    await sql.unsafe('CREATE SCHEMA "foreign"; CREATE TABLE "foreign".mine (x int)');
    await sql.end();
    await expect(openPostgresState(url)).rejects.toMatchObject({ code: 'store_foreign' });
    await expect(openPostgresState('postgres//nothing')).rejects.toMatchObject({ code: 'store_url' });
  });
});
