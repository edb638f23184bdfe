import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Engine, median, processEngine, runRounds, spreadOf, toRows } from './rounds.ts';

const fake = (name: string, times: number[], extra: Partial<Engine> = {}): Engine & { order: string[] } => {
  const order: string[] = [];
  let i = 0;
  return {
    name,
    order,
    start: async () => ({ version: '1' }),
    round: async () => {
      order.push(`${name}${i}`);
      return { units: 2, ms: 2 * times[i++ % times.length]! };
    },
    stop: async () => {
      order.push('stop');
    },
    ...extra,
  };
};
const quiet = { log: (): void => undefined, signal: new AbortController().signal, seconds: 1 };

describe('interleaved rounds', () => {
  it('takes the ratio per round and reports its median, least and greatest', async () => {
    const engines = [fake('ours', [10, 20, 10]), fake('peer', [15, 60, 20])];
    const measured = await runRounds({ ...quiet, engines, rounds: 3 });
    const [row] = toRows('small', 'ms', measured);
    expect(row).toMatchObject({ ours: 10, peer: 20, ratio: 2, peerName: 'peer 1' });
    expect(row!.spread).toEqual({ median: 2, min: 1.5, max: 3, rounds: 3 });
    expect(engines[1]!.order.at(-1)).toBe('stop');
  });

  it('skips a peer that does not start, with its reason, and lets slow ones sit out', async () => {
    const broken = fake('gone', [1], { start: async () => Promise.reject(new Error('not installed\nat …')) });
    const slow = fake('slow', [100], { maxRounds: 1 });
    const measured = await runRounds({ ...quiet, engines: [fake('ours', [10]), broken, slow], rounds: 3 });
    const rows = toRows('small', 'ms', measured);
    expect(rows[0]).toMatchObject({ peer: null, ratio: null, note: 'not installed' });
    expect(rows[1]!.spread).toMatchObject({ median: 10, rounds: 1 });
  });

  it('talks to an engine in another process and tells why it ended', async () => {
    const code = `process.stdout.write('notice\\n{"version":"9","check":[1]}\\n');
      process.stdin.on('data', () => process.stdout.write('{"units":4,"ms":8}\\n'));`;
    const good = processEngine({ name: 'child', command: process.execPath, args: ['-e', code] });
    expect(await good.start(quiet.signal)).toEqual({ version: '9', check: [1] });
    expect(await good.round(1)).toEqual({ units: 4, ms: 8 });
    await good.stop();
    const bad = processEngine({
      name: 'bad',
      command: process.execPath,
      args: ['-e', 'console.error("no peer"); process.exit(3)'],
    });
    await expect(bad.start(quiet.signal)).rejects.toThrow('no peer');
    await bad.stop();
    const absent = processEngine({ name: 'absent', command: '/nonexistent/engine', args: [] });
    await expect(absent.start(quiet.signal)).rejects.toThrow('ENOENT');
    await absent.stop();
  });

  it.skipIf(process.platform === 'win32')('holds an engine still while it is not its turn', async () => {
    // Writes on and on; its rounds end when it has written a little more.
    const file = join(mkdtempSync(join(tmpdir(), 'cairn-rounds-')), 'restless');
    const code = `const file = require('node:fs').openSync(process.argv[1], 'a');
      let n = 0, until = Infinity;
      setInterval(() => {
        require('node:fs').writeSync(file, '.');
        if (++n === until) process.stdout.write('{"units":1,"ms":1}\\n');
      }, 1);
      process.stdout.write('{"version":"1"}\\n');
      process.stdin.on('data', () => (until = n + 20));`;
    const engine = processEngine({ name: 'restless', command: process.execPath, args: ['-e', code, file] });
    await engine.start(quiet.signal);
    await engine.round(1);
    const before = statSync(file).size;
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What was being written when it was stopped may still have come to its end.
    const held = statSync(file).size;
    expect(held - before).toBeLessThanOrEqual(1);
    await engine.round(1);
    expect(statSync(file).size - held).toBeGreaterThanOrEqual(20);
    await engine.stop();
    rmSync(dirname(file), { recursive: true });
  });

  it('knows medians', () => {
    expect([median([3, 1, 2]), median([4, 1]), median([])]).toEqual([2, 2.5, null]);
    expect(spreadOf([])).toBeUndefined();
  });
});
