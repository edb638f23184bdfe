// The routing protocol on the evaluation tables that are found: prompts split 60/10/30, features and maps from training prompts, models
// the map never saw. Area and QNC of the default router beside every baseline, over the same trials.
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
import type { BenchOptions, BenchRow } from '../report.ts';

interface Case {
  readonly name: string;
  readonly unseen: number;
  readonly validation: readonly number[];
  /** Least Area and largest QNC aimed at, by labelled prompts. */
  readonly target?: Readonly<Record<number, readonly [area: number, qnc: number]>>;
}

const CASES: readonly Case[] = [
  { name: 'llmrouter-mixed', unseen: 6, validation: [200, 611], target: { 200: [0.59, 0.6], 611: [0.597, 0.48] } },
  { name: 'mmlu-pro', unseen: 6, validation: [200, 800] },
  { name: 'routellm-2model', unseen: 2, validation: [200, 800] },
];
const PEERS: readonly Method[] = [
  'default-untold',
  'zero',
  'knn',
  'paper',
  'shrunk',
  'learned-soft',
  'linear',
  'clairvoyant-linear',
  'task',
  'oracle',
];
const NAMES: Partial<Record<Method, string>> = {
  'default-untold': 'Cairn, not told the tasks',
  zero: 'ZeroRouter',
  knn: 'K-NN (40)',
  paper: 'UniRoute K-means, as published',
  shrunk: 'UniRoute K-means, shrunk',
  'learned-soft': 'LearnedMap, soft',
  linear: 'retrained linear',
  'clairvoyant-linear': 'clairvoyant linear (a bound)',
  task: 'task labels (a bound)',
  oracle: 'oracle (a bound)',
};

/**
 * Rows per table and size: Area beside every baseline, QNC beside the published method; where prompts name tasks, also of the router that
 * is not told them. Empty, with a word, without tables.
 */
export async function tableRows(options: BenchOptions): Promise<BenchRow[]> {
  const root = options.data ?? process.env['CAIRN_BENCH_DATA'];
  const rows: BenchRow[] = [];
  for (const known of CASES) {
    const folder = [root && join(root, 'routing', known.name), root && join(root, known.name)].find(
      (path) => path && existsSync(join(path, 'scores.csv')),
    );
    if (!folder) {
      options.log(`${known.name}: skipped, no such table below ${root ?? '--data or CAIRN_BENCH_DATA'}`);
      continue;
    }
    rows.push(...(await oneTable(known, folder, options)));
  }
  return rows;
}

async function oneTable(known: Case, folder: string, options: BenchOptions): Promise<BenchRow[]> {
  const { table } = dropIncomplete(await readTable(folder));
  const trials = options.quick ? 2 : 24;
  const figures: TrialFigures[] = [];
  for (let trial = 0; trial < trials; trial++) {
    options.signal.throwIfAborted();
    figures.push(...runTrial(table, trial, { validation: known.validation, unseen: known.unseen }));
    options.log(`${known.name}: trial ${trial + 1} of ${trials}`);
    await new Promise((resume) => setImmediate(resume));
  }
  return [...new Set(figures.map((f) => f.validation))].flatMap((size) => {
    const of = (m: Method): TrialFigures[] => figures.filter((f) => f.validation === size && f.method === m);
    const area = (m: Method): number[] => of(m).map((f) => f.area);
    const qnc = (m: Method): number => meanOf(of(m).map((f) => f.qnc)).mean;
    const aim = known.target?.[size];
    const versus = (own: Method, m: Method, told: string): BenchRow => {
      const [ours, peer] = [meanOf(area(own)).mean, meanOf(area(m)).mean];
      const c = comparePaired(area(own), area(m));
      // What is aimed at stands once, beside not looking at the prompt: never below that, and where named, more.
      const atLeast = m === 'zero' ? Math.max(peer, aim?.[0] ?? 0) : undefined;
      return {
        case: `${known.name}, ${size} labelled${told}: Area`,
        ours,
        peer,
        peerName: NAMES[m] ?? m,
        ratio: ours / peer,
        unit: 'Area',
        ...(atLeast === undefined ? {} : { target: { atLeast, met: ours >= atLeast } }),
        note: `${signed(c.mean)} +- ${c.standardError.toFixed(4)}, better in ${c.wins} of ${c.trials} trials, sign test ${c.signTest.toPrecision(2)}`,
      };
    };
    const published = qnc('paper');
    const share = (own: Method, told: string): BenchRow => ({
      case: `${known.name}, ${size} labelled${told}: QNC`,
      ours: qnc(own),
      peer: published,
      peerName: NAMES['paper']!,
      ratio: published / qnc(own),
      unit: 'share of cost',
      ...(aim ? { target: { atMost: aim[1], met: qnc(own) <= aim[1] } } : {}),
    });
    const untold = of('default-untold').length > 0;
    return [
      ...PEERS.filter((m) => of(m).length > 0).map((m) => versus('default', m, '')),
      share('default', ''),
      ...(untold
        ? [versus('default-untold', 'zero', ', not told the tasks'), share('default-untold', ', not told the tasks')]
        : []),
    ];
  });
}

function signed(value: number): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(4)}`;
}
