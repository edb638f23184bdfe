// Acknowledged means durable, for the whole server: kill -9 while boards stream in at full speed, then look for every one of them.
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, expect, it } from 'vitest';
import { firstLine, runCli, startCli } from './_fixtures/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-kill-'));
const running: ChildProcess[] = [];
afterEach(async () => {
  // Gone, and not only told to go: the next test opens the same files.
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function serve(): Promise<{ url: string; child: ChildProcess }> {
  const child = startCli(['serve', '--no-open', '--port', '0', '--data', dir, '--speed', 'max', '--run']);
  running.push(child);
  return { url: await firstLine(child), child };
}

/** Ids of boards as the event stream announces them, until there are `count`. */
async function announced(url: string, count: number): Promise<string[]> {
  const response = await fetch(new URL('/api/stream', url));
  const ids: string[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
    rest = parts.pop()!;
    for (const part of parts) {
      if (!/^event: board$/m.test(part)) continue;
      ids.push((JSON.parse(/^data: (.*)$/m.exec(part)![1]!) as { id: string }).id);
    }
    if (ids.length >= count) break;
  }
  return ids;
}

it('keeps every announced board through kill -9, twice', { timeout: 240_000 }, async () => {
  const kept = new Set<string>();
  for (let round = 0; round < 2; round++) {
    const { url, child } = await serve();
    for (const id of await announced(url, 8)) kept.add(id);
    const gone = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  const { url } = await serve();
  expect(kept.size).toBeGreaterThanOrEqual(16);
  for (const id of kept) {
    const response = await fetch(new URL(`/api/events/${id}`, url));
    expect(response.status, id).toBe(200);
    expect(((await response.json()) as { board: { exact: boolean } }).board.exact).toBe(true);
  }
  const [id] = kept;
  const related = await fetch(new URL(`/api/events/${id}/related?cell=40`, url));
  expect(related.status).toBe(200);
});

it('refuses a second server on the same data, and a port that is taken', { timeout: 240_000 }, async () => {
  const { url } = await serve();
  await announced(url, 1);
  const second = await runCli(['serve', '--no-open', '--port', '0', '--data', dir]);
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/Expected .*\[[a-z_]+\]/);
  const other = await runCli(['serve', '--no-open', '--port', new URL(url).port, '--data', join(dir, 'other')]);
  expect(other.code).toBe(1);
  expect(other.stderr).toContain(`Expected port ${new URL(url).port} on 127.0.0.1 to be free`);
});

it('told to stop, it leaves plain files, also of a gateway that nobody asked', { timeout: 120_000 }, async () => {
  const own = mkdtempSync(join(tmpdir(), 'cairn-stop-'));
  const child = startCli(['serve', '--no-open', '--port', '0', '--data', own]);
  running.push(child);
  await firstLine(child);
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
  const files = readdirSync(own);
  expect(files).toContain('gateway.db');
  expect(files.filter((file) => /-(wal|shm|journal)$/.test(file))).toEqual([]);
  rmSync(own, { recursive: true, force: true });
});
