// The evaluation tables below `--data`, when there are any: our own protocol beside the baselines. Figures here are of other people's
// tables with illustrative prices.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  comparePaired,
  dropIncomplete,
  meanOf,
  readTable,
  runTrial,
  type Method,
  type TrialFigures,
} from 'cairn/route';
import type { Claim, LabOptions, Part, Table } from '../report.ts';

interface Known {
  readonly name: string;
  readonly unseen: number;
  readonly validation: readonly number[];
  /** Least mean Area by labelled prompts, over 24 trials. */
  readonly targets?: Readonly<Record<number, number>>;
}

const TABLES: readonly Known[] = [
  { name: 'llmrouter-mixed', unseen: 6, validation: [200, 611], targets: { 200: 0.59, 611: 0.597 } },
  { name: 'mmlu-pro', unseen: 6, validation: [200, 800] },
  { name: 'routellm-2model', unseen: 2, validation: [200, 800] },
];
const METHODS: readonly Method[] = [
  'default', 'default-untold', 'zero', 'knn', 'paper', 'shrunk', 'learned-soft', 'linear', 'clairvoyant-linear', 'task', 'oracle',
]; // prettier-ignore

export async function realTables({ data, scale, log, signal }: LabOptions): Promise<Part> {
  const found = TABLES.flatMap((known) => {
    const folder = [data && join(data, 'routing', known.name), data && join(data, known.name)].find(
      (path) => path && existsSync(join(path, 'scores.csv')),
    );
    return folder ? [{ ...known, folder }] : [];
  });
  if (found.length === 0) {
    log(
      data === undefined
        ? 'skipped: no --data with evaluation tables'
        : `skipped: no evaluation tables found in ${data}`,
    );
    return { claims: [], tables: [] };
  }
  const claims: Claim[] = [];
  const tables: Table[] = [];
  for (const known of found) {
    const trials = scale === 'full' ? 24 : 1;
    const { table, dropped } = dropIncomplete(await readTable(known.folder));
    if (dropped.length > 0) log(`${known.name}: left out ${dropped.join(', ')}`);
    const figures: TrialFigures[] = [];
    for (let trial = 0; trial < trials; trial++) {
      signal.throwIfAborted();
      log(`${known.name}: trial ${trial + 1} of ${trials}`);
      figures.push(...runTrial(table, trial, { validation: known.validation, unseen: known.unseen, methods: METHODS }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const validation of new Set(figures.map((f) => f.validation))) {
      const of = (m: Method): TrialFigures[] => figures.filter((f) => f.validation === validation && f.method === m);
      const area = (m: Method): number[] => of(m).map((f) => f.area);
      const ran = METHODS.filter((m) => of(m).length > 0);
      tables.push({
        title: `${known.name}: ${validation} labelled prompts, ${known.unseen} unseen models, ${trials} trials`,
        columns: ['method', 'Area', 'Area50', 'QNC', 'peak', 'above ZeroRouter', 'se', 'trials won'],
        rows: ran.map((m) => {
          const c = comparePaired(area(m), area('zero'));
          const mean = (pick: (f: TrialFigures) => number): number => meanOf(of(m).map(pick)).mean;
          const figuresOf = [mean((f) => f.area), mean((f) => f.area50), mean((f) => f.qnc), mean((f) => f.peak)];
          return [m, ...figuresOf, ...(m === 'zero' ? [null, null, null] : [c.mean, c.standardError, c.wins])];
        }),
      });
      if (trials < 24) continue; // too few trials to hold anybody to
      const mine = meanOf(area('default')).mean;
      const zero = meanOf(area('zero')).mean;
      const target = known.targets?.[validation];
      claims.push({
        id: `${known.name}-${validation}`,
        says: `On ${known.name} with ${validation} labelled prompts the default router is not below ZeroRouter${target ? ' and reaches its target' : ''}.`,
        kind: 'measured',
        value: mine,
        baseline: zero,
        target: target
          ? `mean Area >= ${target} and >= ZeroRouter's over 24 trials`
          : 'mean Area >= ZeroRouter’s over 24 trials',
        holds: mine >= zero && (target === undefined || mine >= target),
      });
    }
  }
  return { claims, tables };
}
