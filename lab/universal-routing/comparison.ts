// Generated pools: 8 topics with words of their own, models with a skill per topic. Methods are compared trial by trial on the same
// prompts and models; two thirds of the models are never seen by the map, and it is not told the topics.
import { comparePaired, generatePool, meanOf, runTrial, type Method, type TrialFigures } from 'cairn/route';
import type { Figure, LabOptions, Part } from '../report.ts';

const METHODS: readonly Method[] = [
  'default-untold', 'zero', 'knn', 'paper', 'shrunk', 'learned-shrunk', 'learned-soft', 'linear', 'task', 'oracle',
]; // prettier-ignore
const SMALL = 100;

export async function comparison({ seed, scale, log, signal, plot }: LabOptions): Promise<Part> {
  const trials = scale === 'full' ? 60 : 20;
  const figures: TrialFigures[] = [];
  const flat: TrialFigures[] = [];
  for (let trial = 0; trial < trials; trial++) {
    signal.throwIfAborted();
    const name = `${seed}-${trial}`;
    const options = { unseen: 6, k: () => 20, features: { bits: 12, dim: 32 } };
    const { table } = generatePool({ seed: name, prompts: 1000, models: 9, variety: 0.5 });
    figures.push(...runTrial(table, trial, { ...options, validation: [SMALL], methods: METHODS }));
    const even = generatePool({ seed: name, prompts: 1000, models: 9, variety: 0 });
    flat.push(...runTrial(even.table, trial, { ...options, validation: [SMALL], methods: ['default-untold', 'zero'] }));
    if ((trial + 1) % 5 === 0) log(`${trial + 1} of ${trials} pools`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const areas = (list: readonly TrialFigures[], method: Method): number[] =>
    list.filter((f) => f.method === method).map((f) => f.area);
  const versus = (a: Method, b: Method) => comparePaired(areas(figures, a), areas(figures, b));
  const zero = versus('default-untold', 'zero');
  const shrinkage = versus('shrunk', 'paper');
  const soft = versus('learned-soft', 'learned-shrunk');
  const tie = comparePaired(areas(flat, 'default-untold'), areas(flat, 'zero'));
  const oracle = versus('oracle', 'task');
  const task = versus('task', 'learned-soft');
  const mean = (m: Method): number => meanOf(areas(figures, m)).mean;
  plot('deferral', deferralFigure(figures));
  return {
    claims: [
      {
        id: 'beats-zero-unseen',
        says: 'On models the map never saw, routing by kind gives more quality for the same money than mixing models without looking at the prompt.',
        kind: 'measured',
        value: zero.t,
        baseline: 0,
        target: `paired t of the Area difference over ${trials} pools > 3`,
        holds: zero.mean > 0 && zero.t > 3,
      },
      {
        id: 'shrinkage-helps-small-val',
        says: `With ${SMALL} labelled prompts, pulling kinds towards the model’s mean beats raw means of kinds.`,
        kind: 'measured',
        value: shrinkage.mean,
        baseline: 0,
        target: 'mean Area difference > 0',
        holds: shrinkage.mean > 0,
      },
      {
        id: 'soft-beats-hard',
        says: 'Labelled prompts that count for every kind they resemble are no worse than prompts that count for one.',
        kind: 'measured',
        value: soft.mean,
        baseline: 0,
        target: 'mean Area difference > -0.005',
        holds: soft.mean > -0.005,
      },
      {
        id: 'order-of-knowledge',
        says: 'Knowing every answer beats knowing the topic, and knowing the topic beats learning it from words.',
        kind: 'measured',
        value: Math.min(oracle.mean, task.mean),
        baseline: 0,
        target: 'both mean Area differences > 0',
        holds: oracle.mean > 0 && task.mean > 0,
      },
      {
        id: 'ties-zero-without-topics',
        says: 'Where models do not differ by topic there is nothing to route by, and the router does not lose by trying.',
        kind: 'measured',
        value: tie.mean,
        baseline: 0,
        target: 'mean Area difference > -0.01',
        holds: tie.mean > -0.01,
      },
    ],
    tables: [
      {
        title: `Generated pools: mean over ${trials} pools, ${SMALL} labelled prompts, 6 of 9 models unseen`,
        columns: ['method', 'Area', 'above ZeroRouter', 'se', 'QNC', 'pools won'],
        rows: METHODS.map((m) => {
          const c = versus(m, 'zero');
          const qnc = meanOf(figures.filter((f) => f.method === m).map((f) => f.qnc)).mean;
          return [
            m,
            mean(m),
            m === 'zero' ? null : c.mean,
            m === 'zero' ? null : c.standardError,
            qnc,
            m === 'zero' ? null : c.wins,
          ];
        }),
      },
    ],
  };
}

/** The curves of the first pool. */
function deferralFigure(figures: readonly TrialFigures[]): Figure {
  const trial = figures[0]!.trial;
  const names: [Method, string][] = [
    ['oracle', 'knows every answer'],
    ['default-untold', 'Cairn'],
    ['paper', 'UniRoute, raw means'],
    ['zero', 'ZeroRouter'],
  ];
  return {
    title: 'Quality and cost of routing among models the map never saw',
    note: 'One generated pool. Cost is relative to the dearest model.',
    x: { label: 'mean cost, relative' },
    y: { label: 'mean quality' },
    curves: names.map(([method, name]) => {
      const { curve } = figures.find((f) => f.trial === trial && f.method === method)!;
      const points = curve.cost.map((c, i) => [c, curve.quality[i]!] as const);
      return {
        name,
        points: [...points, [1, curve.quality.at(-1)!] as const],
        ...(method === 'zero' ? { dashed: true } : {}),
      };
    }),
  };
}
