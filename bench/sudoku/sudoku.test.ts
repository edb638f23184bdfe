import { expect, it } from 'vitest';
import { run } from './index.ts';

it('measures every task and names the peers that are missing', async () => {
  const lines: string[] = [];
  const report = await run({
    quick: true,
    seed: 3,
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  expect(report.name).toBe('sudoku');
  expect(report.rows.map((row) => row.case)).toEqual(
    expect.arrayContaining([
      'random minimal, uniqueness proved',
      'proof of uniqueness written',
      'proof of uniqueness checked',
      'minimal puzzle made',
    ]),
  );
  for (const row of report.rows) expect(row.ours).toBeGreaterThan(0);
  const reference = report.rows.find((row) => row.peerName === 'reference solver')!;
  expect(reference.ratio).toBeGreaterThan(0);
  expect(reference.spread?.rounds).toBe(3);
  expect(lines.join('\n')).toContain('17-clue list: skipped');
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
