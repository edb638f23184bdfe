// `cairn cache` on a file: counts what is kept and deletes it, all or a part.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAnswerTable } from '../../serve/index.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { cache } from './cache.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'cairn-cache-command-'));

beforeAll(async () => {
  const answers = openAnswerTable(join(dataDir, 'gateway.db'));
  const at = Date.now();
  for (const [tenant, key] of [
    ['ann 2026', 'a'],
    ['ann 2026', 'b'],
    ['bob 2026', 'c'],
    ['', 'd'],
  ] as const) {
    await answers.put(
      {
        tenant,
        key,
        context: null,
        features: null,
        vector: null,
        event: `event-${key}`,
        model: 'm',
        mark: 'x',
        usd: 0,
        at,
        expires: at + 60_000,
        body: '{}',
      },
      { entries: 10, bytes: 1e6 },
    );
  }
  await answers.close();
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const run = async (...argv: string[]): Promise<unknown> =>
  (await cache.run(parseCommand(cache, argv), { dataDir } as Io)).value;

test('show counts, clear deletes those of a key, of an event, and the rest', async () => {
  expect(await run('show')).toMatchObject({ entries: 4 });
  expect(await run('clear', '--key', 'ann')).toEqual({ dropped: 2 });
  expect(await run('clear', '--event', 'event-c')).toEqual({ dropped: 1 });
  expect(await run('show')).toMatchObject({ entries: 1 });
  expect(await run('clear')).toEqual({ dropped: 1 });
  await expect(run('clear', '--key', 'a', '--event', 'b')).rejects.toMatchObject({ code: 'usage' });
  await expect(run('burn')).rejects.toMatchObject({ code: 'usage' });
});
