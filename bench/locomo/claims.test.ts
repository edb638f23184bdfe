// What is claimed about retrieval holds on the conversations that no setting was chosen on. Needs the data, which are no part
// of this package: give their folder in CAIRN_BENCH_DATA; without it only the absence is checked.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { findLocomo } from './data.ts';
import { run } from './index.ts';

const folder = process.env['CAIRN_BENCH_DATA'];
const present = findLocomo(folder) !== undefined;

it('reaches its figures on the reported conversations', { timeout: 1_200_000 }, async () => {
  const lines: string[] = [];
  const report = await run({
    seed: 7,
    quick: false,
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  if (!present) {
    process.stderr.write('LoCoMo: skipped, set CAIRN_BENCH_DATA to the folder of its data\n');
    expect(report.rows).toEqual([]);
    return;
  }
  const file = process.env['CAIRN_BENCH_OUT'];
  if (file !== undefined) writeFileSync(file, JSON.stringify({ lines, report }, null, 1));
  for (const set of ['reported', 'all']) {
    const of = (title: string): (typeof report.rows)[number] =>
      report.rows.find((row) => row.case === `${set}: ${title}` && row.peerName === 'BM25 + neighbours')!;
    expect(of('all').ours).toBeGreaterThanOrEqual(72);
    expect(of('multi-hop').ours).toBeGreaterThanOrEqual(45);
    // The lower end of the paired interval of the difference.
    expect(Number(/minus peer \[(-?[\d.]+)/.exec(of('all').note!)![1])).toBeGreaterThan(0);
  }
});
