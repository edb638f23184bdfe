import { expect, it } from 'vitest';
import { run } from './index.ts';

it('measures encoding beside its floor and its oracle, and reading at three sizes', async () => {
  const lines: string[] = [];
  const report = await run({
    quick: true,
    seed: 3,
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  expect(report.name).toBe('sketch');
  for (const row of report.rows) expect(row.ours).toBeGreaterThan(0);
  const oracle = report.rows.find((row) => row.peerName === 'the recursion (oracle)')!;
  expect(oracle.ratio).toBeGreaterThan(5);
  expect(report.protocol['floor']).toMatchObject({ columns: 91 });
  expect(lines.length).toBeGreaterThan(report.rows.length);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
