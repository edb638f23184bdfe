import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { Memory } from './memory.ts';
import { board, oneHot, randomDigits } from './_testing/scenes.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-durability-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const writer = fileURLToPath(new URL('./_testing/writer.ts', import.meta.url));

/** Starts the writer, kills it the hard way after some acknowledgements, returns the lines that were complete. */
async function killedAfter(path: string, seed: string, acknowledged: number): Promise<string[]> {
  const args = ['--import', 'tsx', '--conditions=cairn-source', writer, path, seed];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines: string[] = [];
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const input = createInterface({ input: child.stdout });
  input.on('line', (line) => {
    lines.push(line);
    if (lines.length === acknowledged) child.kill('SIGKILL');
  });
  await closed;
  expect(errors).toBe('');
  return lines.filter((line) => /^[0-9a-f]{32} [0-9]{16}$/.test(line));
}

describe('acknowledged means durable', () => {
  it('survives kill -9 in the middle of a stream of writes, again and again', async () => {
    const path = join(directory, 'killed.db');
    const rng = new Rng(11);
    const all = new Map<string, string>();
    const before = await Memory.open({ path, seed: 'durability', spec: { dim: 256 } });
    await Promise.all(
      Array.from({ length: 330 }, async (_, n) => {
        const digits = randomDigits(rng, 16, 5);
        const provenance = { source: 'before', ordinal: n };
        const { id } = await before.remember(board(digits, 5), { task: 'solve-board', provenance, at: n });
        all.set(id, digits.join(''));
      }),
    );
    await before.close();
    // Pending events are folded at 400, in the second round at the latest; each round finds the lock of a dead process.
    for (let round = 0; round < 3; round++) {
      const lines = await killedAfter(path, `round-${round}`, 40 + rng.integer(60));
      for (const line of lines) all.set(line.slice(0, 32), line.slice(33));
      const memory = await Memory.open({ path });
      expect(await memory.verify()).toEqual([]);
      const { events } = await memory.stats();
      expect(events).toBeGreaterThanOrEqual(all.size);
      for (const id of all.keys()) expect((await memory.get(id))?.id).toBe(id);
      // Every stored event is whole: found by each of its components.
      const [id, digits] = [...all][rng.integer(all.size)]!;
      for (const cell of [0, 7, 15]) {
        const hits = await memory.component(oneHot('read-digit', Number(digits[cell]), 5), 10_000, {
          position: `0/0/${cell}`,
        });
        expect(hits.map((hit) => hit.id)).toContain(id);
        const expected = [...all].filter(([, d]) => d[cell] === digits[cell]).length;
        expect(hits.length).toBeGreaterThanOrEqual(expected);
      }
      const [self] = await memory.recall({ event: id }, 1);
      expect(self!.id).toBe(id);
      await memory.close();
    }
  });

  it('joins concurrent calls into few commits and answers each', async () => {
    const memory = await Memory.open({ path: join(directory, 'group.db'), seed: 's', spec: { dim: 256 } });
    let writes = 0;
    const write = memory.store.write.bind(memory.store);
    memory.store.write = (changes) => {
      writes++;
      return write(changes);
    };
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        memory.remember(oneHot('read', n % 5, 5), { task: 't', provenance: { source: 's', ordinal: n }, at: n }),
      ),
    );
    expect(writes).toBeLessThanOrEqual(3);
    expect(results.map((r) => r.ordinal)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    await memory.close();
  });
});
