// `cairn lab [slug]`: runs one paper's experiment and says which of its claims hold here, with this seed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CairnError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { listExtensions, loadRun } from '../extensions.ts';
import { figureToSvg } from '../figure-svg.ts';
import { figureToText } from '../figure-text.ts';
import type { Figure, LabOptions, LabReport } from '../report.ts';
import { formatCell, formatTable } from '../table.ts';

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
    const figures = new Map<string, Figure>();
    const report = await run({
      seed,
      scale,
      ...(data === undefined ? {} : { data }),
      plot: (name, figure) => void figures.set(name, figure),
      log: (line) => io.progress(line),
      signal: io.signal,
    });
    const plots = await draw(figures, args.text('out') ?? join(io.dataDir, 'lab', slug));
    const holds = report.claims.length > 0 && report.claims.every((claim) => claim.holds);
    return {
      value: { ...report, plots },
      text: toText(report, [...figures.values()], plots),
      exitCode: holds ? 0 : 1,
    };
  },
};

/** Writes every figure into `out`; returns the paths. */
async function draw(figures: ReadonlyMap<string, Figure>, out: string): Promise<string[]> {
  if (figures.size > 0) mkdirSync(out, { recursive: true });
  const paths: string[] = [];
  for (const [name, figure] of figures) {
    const path = join(out, `${name}.svg`);
    writeFileSync(path, await figureToSvg(figure));
    paths.push(path);
  }
  return paths;
}

function toText(report: LabReport, figures: readonly Figure[], plots: readonly string[]): string {
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
    ...figures.flatMap((figure) => ['', figureToText(figure)]),
    ...(plots.length ? ['', ...plots.map((p) => `plot: ${p}`)] : []),
    '',
    `${held} of ${report.claims.length} claims hold.`,
  ].join('\n');
}
