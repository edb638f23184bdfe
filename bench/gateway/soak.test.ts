// A few seconds of the soak, with the gateway in this process: nothing is lost and the books agree.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, Gateway } from 'cairn/serve';
import { expect, test } from 'vitest';
import { soak } from './soak.ts';

test('no request is lost without an honest error, and the ledger is what the upstreams counted', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-soak-'));
  const found = await soak({
    seconds: 5,
    atLeast: { answered: 100, reloads: 3 },
    seed: 'soak',
    clients: 8,
    configPath: join(dir, 'cairn.json'),
    log: () => undefined,
    signal: new AbortController().signal,
    start: async (configPath) => {
      const gateway = await Gateway.open({ configPath, statePath: join(dir, 'gateway.db') });
      const server = await createServer({
        boards: () => Promise.reject(new Error('not needed here')),
        gateway: async () => gateway,
        port: 0,
        studio: false,
      });
      server.ready.catch(() => undefined);
      return { url: server.url, close: () => server.close() };
    },
  });
  rmSync(dir, { recursive: true, force: true });
  expect(found.lost).toEqual([]);
  expect(found.mismatches).toEqual([]);
  expect(found.reserved).toBe(0);
  expect(found.decided.requests).toBe(found.ledger.requests);
  expect(found.decided.tokens).toBe(found.ledger.tokens);
  expect(found.decided.usd).toBeCloseTo(found.ledger.usd, 9);
  // It was a soak, and not a walk.
  expect(found.outcomes.answered).toBeGreaterThanOrEqual(100);
  expect(Object.keys(found.faults).length).toBeGreaterThan(4);
  expect(found.reloads).toBeGreaterThan(2);
});
