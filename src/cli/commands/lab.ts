// `cairn lab [slug]`: runs one paper's experiment and says which of its claims hold here, with this seed.
import { join } from 'node:path';
import { CairnError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { listExtensions, loadRun, type LabReport } from '../extensions.ts';
import { formatCell, formatTable } from '../table.ts';

interface LabOptions {
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  readonly data?: string;
  readonly out: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export const lab: Command = {
  name: 'lab',
  about: "Run a paper's experiment and check its claims. Exits 0 only when every claim holds.",
  usage: 'lab [SLUG] [--seed N] [--scale ci|full]',
  options: {
    seed: { type: 'number', about: 'any integer (default 7)' },
    scale: {
      type: 'string',
      value: 'ci|full',
      about: 'ci: within a minute on two cores; full: the best this machine can do (default ci)',
    },
    out: { type: 'string', value: 'DIR', about: 'where plots are written (default: lab/<slug> in the data directory)' },
    data: { type: 'string', value: 'DIR', about: 'folder of optional data sets' },
  },
  examples: ['cairn lab', 'cairn lab recursive-sketches --seed 4242 --json'],
  async run(args, io) {
    const dir = join(io.root, 'lab');
    const slug = args.positionals[0];
    if (slug === undefined) {
      const slugs = listExtensions(dir);
      return {
        value: { labs: slugs },
        text: ['Experiments (cairn lab SLUG):', ...slugs.map((s) => `  ${s}`)].join('\n'),
      };
    }
    const scale = args.text('scale') ?? 'ci';
    if (scale !== 'ci' && scale !== 'full') {
      throw new CairnError('usage', `Expected --scale ci or full, got "${scale}".`);
    }
    const seed = args.number('seed') ?? 7;
    if (!Number.isSafeInteger(seed)) throw new CairnError('usage', `Expected an integer for --seed, got ${seed}.`);
    const run = await loadRun<LabOptions, LabReport>(dir, 'lab', slug);
    const data = args.text('data');
    const report = await run({
      seed,
      scale,
      ...(data === undefined ? {} : { data }),
      out: args.text('out') ?? join(io.dataDir, 'lab', slug),
      log: (line) => io.progress(line),
      signal: io.signal,
    });
    const holds = report.claims.length > 0 && report.claims.every((claim) => claim.holds);
    return { value: report, text: toText(report), exitCode: holds ? 0 : 1 };
  },
};

function toText(report: LabReport): string {
  const held = report.claims.filter((claim) => claim.holds).length;
  return [
    `${report.paper.title} (arXiv ${report.paper.arxiv}), seed ${report.seed}, scale ${report.scale}, ${formatCell(report.seconds)} s`,
    '',
    formatTable(
      ['claim', 'value', 'baseline', 'target', 'holds'],
      report.claims.map((c) => [c.id, formatCell(c.value), formatCell(c.baseline), c.target, c.holds ? 'yes' : 'NO']),
    ),
    ...report.claims.map((c) => `  ${c.id}: ${c.says}`),
    ...report.tables.flatMap((t) => ['', t.title, formatTable(t.columns, t.rows)]),
    ...(report.plots.length ? ['', ...report.plots.map((p) => `plot: ${p}`)] : []),
    '',
    `${held} of ${report.claims.length} claims hold.`,
  ].join('\n');
}
