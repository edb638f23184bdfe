// The command line with memories on PostgreSQL servers: remember, ask, copy, lose a server, forget.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startServers, stopServers } from '../src/memory/_testing/postgres-servers.ts';
import { runCli } from './_fixtures/cli.ts';

const servers = await startServers(3);
const dir = mkdtempSync(join(tmpdir(), 'cairn-servers-'));
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await stopServers(servers);
});

const QUESTION = 'Where did Ann hide the brass key?';

describe.skipIf(servers === undefined)('memories on servers', () => {
  it(
    'remembers notes on three, copies them to a directory and on to one, and forgets',
    { timeout: 240_000 },
    async () => {
      const notes = join(dir, 'notes.md');
      const filler = Array.from(
        { length: 30 },
        (_, i) => `On day ${i} the garden had ${i + 3} apples and the cat slept.`,
      );
      writeFileSync(notes, ['# Diary', ...filler, 'Ann hid the brass key under the third stone.', ''].join('\n\n'));
      const three = servers!.map((server) => server.url('three'));
      const secret = new URL(three[0]!).password;
      const run = async (...args: string[]) => {
        const done = await runCli([...args, '--data', join(dir, 'data')], { CAIRN_STORE: '' });
        expect(done.stdout + done.stderr).not.toContain(secret);
        expect(done.code, done.stderr).toBe(0);
        return JSON.parse(done.stdout) as Record<string, unknown>;
      };
      const store = ['--store', three.slice(0, 2).join(','), '--store', three[2]!];
      await run('remember', notes, ...store, '--json');
      const best = async (...where: string[]): Promise<{ id: string; text: string }> => {
        const { hits } = (await run('recall', QUESTION, ...where, '--json')) as {
          hits: { id: string; text: string }[];
        };
        return hits[0]!;
      };
      const found = await best(...store);
      expect(found.text).toContain('third stone');
      const copied = await run('store', 'copy', three.join(','), join(dir, 'copy'), '--json');
      expect(copied['copied']).toMatchObject([{ part: 'notes', resumed: false }]);
      const one = servers![0]!.url('one');
      await run('store', 'copy', join(dir, 'copy'), one, '--json');
      const again = (await run('store', 'copy', join(dir, 'copy'), one, '--json')) as { copied: { events: number }[] };
      expect(again.copied[0]!.events).toBe(0);
      expect(await best('--store', one)).toEqual(found);
      await run('forget', found.id, '--store', one, '--json');
      const { hits } = (await run('recall', QUESTION, '--store', one, '--json')) as { hits: { id: string }[] };
      expect(hits.map(({ id }) => id)).not.toContain(found.id);
    },
  );

  it(
    'keeps the keys of clients of a gateway on a server, beside a memory or by themselves',
    { timeout: 240_000 },
    async () => {
      const url = servers![0]!.url('shared');
      const keys = (args: string[], env: Record<string, string>) =>
        runCli(['keys', ...args, '--json', '--data', join(dir, 'keys')], env);
      expect((await keys(['add', 'alice', '--store', url], {})).code).toBe(0);
      const listed = await keys(['list', '--gateway-state', servers![0]!.url('shared_gateway')], {});
      expect(JSON.parse(listed.stdout)).toMatchObject({ keys: [{ name: 'alice' }] });
      expect(listed.stdout + listed.stderr).not.toContain(new URL(url).password);
      const elsewhere = await keys(['list'], { CAIRN_GATEWAY_STATE: servers![1]!.url('other') });
      expect(JSON.parse(elsewhere.stdout)).toEqual({ keys: [] });
      const local = await keys(['list'], {});
      expect(JSON.parse(local.stdout)).toEqual({ keys: [] });
    },
  );

  it('refuses addresses with a code and without the password', async () => {
    const bad = await runCli(['recall', QUESTION, '--store', 'postgres://me:top-secret@127.0.0.1:1/x?other=1']);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('[store_url]');
    expect(bad.stderr).not.toContain('top-secret');
    const mixed = await runCli(['store', 'copy', join(dir, 'nothing'), 'postgres://me:top-secret@127.0.0.1:1/x']);
    expect(mixed.code).toBe(1);
    expect(mixed.stderr).toContain('[nothing_to_copy]');
  });
});
