import { expect, it } from 'vitest';
import { run } from './index.ts';

it('fills a memory, opens it, asks it and its peer, and finds most of the exact answer', async () => {
  const lines: string[] = [];
  const report = await run({
    quick: true,
    events: 2500,
    seed: 3,
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  expect(report.name).toBe('recall');
  const found = report.rows.find((row) => row.case.startsWith('recall@10'))!;
  expect(found.ours).toBeGreaterThanOrEqual(0.95);
  // usearch is there, or the row says why not.
  if (found.note === undefined) expect(found.peer).toBeGreaterThan(0.5);
  for (const row of report.rows) expect(row.ours).toBeGreaterThan(0);
  expect(report.protocol['events']).toBe(2500);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
