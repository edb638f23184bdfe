// `cairn pareto`: which models are worth their cost, from training runs or from a file of points.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { CairnError } from '../../errors.ts';
import { hypervolume, paretoFront, type ParetoPoint, surelyDominated, upperHull } from '../../route/index.ts';
import type { Command } from '../command.ts';
import { figureToSvg } from '../figure-svg.ts';
import { formatTable } from '../table.ts';
import type { Figure } from '../report.ts';

const COSTS = ['parameters', 'bytes', 'ms', 'seconds'] as const;
type Cost = (typeof COSTS)[number];

export const pareto: Command = {
  name: 'pareto',
  about:
    'Show which models are worth their cost: front, hull of mixtures, area, and who is beaten with 95 % confidence.',
  usage: 'pareto [RUNS | FILE.json] [--cost parameters|bytes|ms|seconds] [--svg FILE]',
  options: {
    cost: {
      type: 'string',
      value: 'NAME',
      about: 'of runs: parameters (default), bytes of the weights, ms a token while training, seconds of training',
    },
    svg: { type: 'string', value: 'FILE', about: 'draw the points' },
  },
  examples: ['cairn pareto .cairn/runs --cost bytes --svg pareto.svg', 'cairn pareto points.json --json'],
  async run(args, io) {
    const from = resolve(args.positionals[0] ?? join(io.dataDir, 'runs'));
    if (!existsSync(from)) {
      throw new CairnError('no_points', `Expected a folder of runs or a JSON file, got nothing at ${from}.`, {
        hint: 'Train some models with `cairn train lm`, or name a file of points.',
      });
    }
    const cost = args.text('cost') ?? 'parameters';
    if (!isCost(cost)) throw new CairnError('usage', `Expected --cost ${COSTS.join(', ')}, got "${cost}".`);
    const ofRuns = statSync(from).isDirectory();
    const points = ofRuns ? await pointsOfRuns(from, cost) : await pointsOfFile(from);
    const result = judge(points);
    const labels = ofRuns
      ? { cost: costLabel(cost), quality: 'minus held-out nats a token' }
      : { cost: 'cost', quality: 'quality' };
    const svg = args.text('svg');
    if (svg !== undefined) await writeFile(resolve(svg), await figureToSvg(figureOf(points, labels)));
    return {
      value: { from, ...(ofRuns ? { cost } : {}), ...result, ...(svg === undefined ? {} : { svg: resolve(svg) }) },
      text: [
        formatTable(
          ['model', labels.cost, labels.quality, '95 % interval', 'verdict'],
          result.points.map((p) => [p.id, p.cost, p.quality, intervalOf(p), p.verdict]),
        ),
        `Area of the front above the worst and below the dearest: ${result.hypervolume.toPrecision(4)}`,
      ].join('\n'),
    };
  },
};

function isCost(name: string): name is Cost {
  return COSTS.some((c) => c === name);
}

function costLabel(cost: Cost): string {
  return { parameters: 'parameters', bytes: 'bytes', ms: 'ms a token, training', seconds: 'seconds of training' }[cost];
}

function intervalOf({ quality, ciLow, ciHigh }: ParetoPoint): string | null {
  if (ciLow === undefined && ciHigh === undefined) return null;
  return `${(ciLow ?? quality).toPrecision(4)} to ${(ciHigh ?? quality).toPrecision(4)}`;
}

/** Every point with what is to be said of it, cheapest first. */
function judge(points: readonly ParetoPoint[]): {
  points: (ParetoPoint & { verdict: string })[];
  front: string[];
  ties: readonly (readonly string[])[];
  hull: string[];
  hypervolume: number;
  dominated: Record<string, string>;
} {
  const { front, ties } = paretoFront(points);
  const hull = upperHull(points);
  const dominated = surelyDominated(points);
  const verdict = (p: ParetoPoint): string => {
    const by = dominated.get(p.id);
    if (by !== undefined) return `beaten by ${by} with confidence`;
    if (hull.includes(p)) return 'front, hull';
    if (front.includes(p)) return 'front';
    return 'beaten, within the intervals';
  };
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality);
  const reference = {
    cost: Math.max(...points.map((p) => p.cost)),
    quality: Math.min(...points.map((p) => p.quality)),
  };
  return {
    points: sorted.map((p) => ({ ...p, verdict: verdict(p) })),
    front: front.map((p) => p.id),
    ties,
    hull: hull.map((p) => p.id),
    hypervolume: hypervolume(points, reference),
    dominated: Object.fromEntries(dominated),
  };
}

const pointSchema = z.strictObject({
  id: z.string(),
  cost: z.number(),
  quality: z.number(),
  ciLow: z.number().exactOptional(),
  ciHigh: z.number().exactOptional(),
});
const fileSchema = z.union([z.array(pointSchema).min(1), z.looseObject({ points: z.array(pointSchema).min(1) })]);

async function pointsOfFile(file: string): Promise<ParetoPoint[]> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new CairnError('bad_points', `Expected JSON in ${file}, got something else.`, { cause });
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    throw new CairnError('bad_points', `Expected points with id, cost and quality in ${file}, got another form.`, {
      hint: 'Write [{ "id": "small", "cost": 1, "quality": 0.8, "ciLow": 0.78, "ciHigh": 0.82 }, …].',
      cause: parsed.error,
    });
  }
  const points = Array.isArray(parsed.data) ? parsed.data : parsed.data.points;
  const ids = new Set<string>();
  for (const { id } of points) {
    if (ids.has(id)) throw new CairnError('bad_points', `Expected each id once in ${file}, got \`${id}\` twice.`);
    ids.add(id);
  }
  return points;
}

const trainingSchema = z.looseObject({
  seconds: z.number(),
  report: z.looseObject({ validLoss: z.number(), parameters: z.number(), tokensPerSecond: z.number() }),
});

/** One point a run below a folder; folders without the record of a language model are left out. */
async function pointsOfRuns(folder: string, cost: Cost): Promise<ParetoPoint[]> {
  const points: ParetoPoint[] = [];
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const dir of [folder, ...inside.map((entry) => join(folder, entry.name))]) {
    const record = join(dir, 'training.json');
    const weights = join(dir, 'model.safetensors');
    if (!existsSync(record) || !existsSync(weights)) continue;
    const parsed = trainingSchema.safeParse(JSON.parse(await readFile(record, 'utf8')));
    if (!parsed.success) continue;
    const { seconds, report } = parsed.data;
    const costs = {
      parameters: report.parameters,
      bytes: statSync(weights).size,
      ms: 1000 / report.tokensPerSecond,
      seconds,
    };
    points.push({ id: basename(dir), cost: costs[cost], quality: -report.validLoss });
  }
  if (points.length > 0) return points;
  throw new CairnError('no_points', `Expected runs of language models in ${folder}, got none.`, {
    hint: 'Train some with `cairn train lm`.',
  });
}

function figureOf(points: readonly ParetoPoint[], labels: { cost: string; quality: string }): Figure {
  const { front } = paretoFront(points);
  const hull = upperHull(points);
  const rest = points.filter((p) => !front.includes(p));
  const at = (ps: readonly ParetoPoint[]): [number, number][] => ps.map((p) => [p.cost, p.quality]);
  const bars = (ps: readonly ParetoPoint[]): { bars?: number[] } =>
    ps.some((p) => p.ciLow !== undefined || p.ciHigh !== undefined)
      ? { bars: ps.map((p) => Math.max(p.quality - (p.ciLow ?? p.quality), (p.ciHigh ?? p.quality) - p.quality)) }
      : {};
  const log = points.every((p) => p.cost > 0);
  return {
    title: 'Models by cost and quality',
    note: 'Mixtures reach the hull; what is below the front costs more than it gives.',
    x: { label: labels.cost, scale: log ? 'log' : 'linear' },
    y: { label: labels.quality },
    curves: [
      { name: 'hull', points: at(hull), dashed: true },
      { name: 'front', points: at(front), ...bars(front) },
      ...(rest.length === 0 ? [] : [{ name: 'beaten', kind: 'dots' as const, points: at(rest), ...bars(rest) }]),
    ],
  };
}
