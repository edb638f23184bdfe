// c(T): how much regret per root of an interval's length has to be granted, as the horizon grows.
import { type Cuts, intervalConstant } from 'cairn/online';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

export function constants(rng: Rng, strings: number, plot: LabOptions['plot']): Part {
  const horizons = [16, 64, 250, 500, 1000, 2000];
  const find = (cuts: Cuts, horizon: number): { constant: number; error: number } =>
    intervalConstant({ horizon, rng: rng.fork(cuts).fork(horizon), strings, cuts });
  const rows = horizons.map((horizon) => {
    const tree = 2 ** Math.round(Math.log2(horizon));
    return { horizon, all: find('all', horizon), dyadic: find('dyadic', horizon), tree: find('tree', tree) };
  });
  const last = rows.at(-1)!.all;
  const rising = rows.slice(1).filter((r, i) => r.all.constant > rows[i]!.all.constant - 3 * r.all.error).length;
  const curves = (['all', 'dyadic', 'tree'] as const).map((cuts) => ({
    name: { all: 'all partitions', dyadic: 'lengths that are powers of two', tree: 'aligned dyadic blocks' }[cuts],
    points: rows.map((r) => [r.horizon, r[cuts].constant] as const),
    bars: rows.map((r) => 2 * r[cuts].error),
  }));
  plot('constant', {
    title: 'The constant c(T) of regret c sqrt(length) in every interval',
    x: { label: 'T', scale: 'log' },
    y: { label: 'c(T)' },
    note: 'Bars: two standard errors. That c stays bounded is the theorem; at these lengths it still grows.',
    curves,
  });
  return {
    claims: [
      {
        id: 'constant-2000',
        says: 'At T = 2,000 a regret of about 2.1 sqrt(length) in every interval of a partition is enough.',
        kind: 'measured',
        value: last.constant,
        baseline: 2.1,
        target: `between 2.08 and 2.20 over ${strings} fair strings`,
        holds: last.constant > 2.08 && last.constant < 2.2,
      },
      {
        id: 'fewer-partitions-cheaper',
        says: 'The constant is smaller when fewer partitions are competed with.',
        kind: 'measured',
        value: Math.max(...rows.map((r) => r.dyadic.constant / r.all.constant)),
        target: 'powers of two below all, aligned blocks below powers of two, at every T; c grows with T',
        holds:
          rows.every((r) => r.dyadic.constant < r.all.constant && r.tree.constant < r.dyadic.constant + 0.05) &&
          rising === rows.length - 1,
      },
    ],
    tables: [
      {
        title: `c(T) over ${strings} fair strings, with standard errors (aligned blocks: T rounded to a power of two)`,
        columns: ['T', 'all partitions', '±', 'powers of two', '±', 'aligned blocks', '±'],
        rows: rows.map((r) => [
          r.horizon,
          r.all.constant,
          r.all.error,
          r.dyadic.constant,
          r.dyadic.error,
          r.tree.constant,
          r.tree.error,
        ]),
      },
    ],
  };
}
