// `cairn bench [name]`: measures Cairn against real peers in interleaved runs on this machine.
import { join } from 'node:path';
import type { Command } from '../command.ts';
import { listExtensions, loadRun } from '../extensions.ts';
import type { BenchOptions, BenchReport } from '../report.ts';
import { formatTable } from '../table.ts';

export const bench: Command = {
  name: 'bench',
  about: 'Measure against real peers on this machine. A peer that is not installed is skipped with a word.',
  usage: 'bench [NAME]',
  options: {
    quick: { type: 'boolean', about: 'fewer rounds: a look, not a figure to quote' },
    seed: { type: 'number', about: 'seed of the workload (default 7)' },
    data: { type: 'string', value: 'DIR', about: 'folder of optional data sets' },
    keep: { type: 'string', value: 'DIR', about: 'folder where what takes long to build stays for the next run' },
    rounds: { type: 'number', value: 'N', about: 'gateway: interleaved rounds (default 7)' },
    part: { type: 'string', value: 'NAME', about: 'gateway: latency, clients, stream, rate or memory alone' },
    soak: { type: 'number', value: 'MINUTES', about: 'gateway: random faults for so long instead of measuring' },
    streams: { type: 'number', value: 'N', about: 'gateway: only watch the memory over so many streams' },
  },
  examples: ['cairn bench', 'cairn bench train-step --json', 'cairn bench gateway --soak 10'],
  async run(args, io) {
    const dir = join(io.root, 'bench');
    const name = args.positionals[0];
    if (name === undefined) {
      const names = listExtensions(dir);
      return {
        value: { benches: names },
        text: ['Benchmarks (cairn bench NAME):', ...names.map((n) => `  ${n}`)].join('\n'),
      };
    }
    const run = await loadRun<BenchOptions, BenchReport>(dir, 'bench', name);
    const data = args.text('data');
    const keep = args.text('keep');
    const part = args.text('part');
    const rounds = args.number('rounds', 1, 1_000);
    const [soak, streams] = [args.number('soak', 0.05, 1_440), args.number('streams', 100, 10_000_000)];
    const report = await run({
      quick: args.flag('quick'),
      seed: args.number('seed') ?? 7,
      ...(data === undefined ? {} : { data }),
      ...(keep === undefined ? {} : { keep }),
      ...(rounds === undefined ? {} : { rounds: Math.floor(rounds) }),
      ...(part === undefined ? {} : { part }),
      ...(soak === undefined ? {} : { soak }),
      ...(streams === undefined ? {} : { streams }),
      log: (line) => io.progress(line),
      signal: io.signal,
    });
    return { value: report, text: toText(report) };
  },
};

function toText(report: BenchReport): string {
  const { protocol } = report;
  const said = Object.entries(protocol)
    .filter(([, value]) => typeof value !== 'object')
    .map(([key, value]) => `  ${key}: ${String(value)}`);
  const aims = report.rows.some((r) => r.target !== undefined);
  const notes = report.rows.some((r) => r.note !== undefined);
  return [
    report.name,
    ...said,
    '',
    formatTable(
      [...HEAD, ...(aims ? ['aim', 'verdict'] : []), ...(notes ? ['note'] : [])],
      report.rows.map((r) => [
        r.case,
        r.ours,
        r.peer,
        r.peerName,
        r.ratio,
        r.unit,
        ...(aims ? aimOf(r) : []),
        ...(notes ? [r.note ?? ''] : []),
      ]),
    ),
  ].join('\n');
}

const HEAD = ['case', 'ours', 'peer', 'peer name', 'ratio', 'unit'];

function aimOf({ target }: BenchReport['rows'][number]): [string, string] {
  if (target === undefined) return ['', ''];
  const { atMost, atLeast, met } = target;
  const figure = (value: number): string => String(Number(value.toPrecision(3)));
  return [atMost === undefined ? `at least ${figure(atLeast!)}` : `at most ${figure(atMost)}`, met ? 'met' : 'MISSED'];
}
