// What learners win on fractal strings by q: nothing on fair ones, more with every step of q.
import { type Bettor, DiscountedBettor, DyadicBettor, fractalBits, OppositeBets, TimeScales } from 'cairn/online';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { mean } from './part.ts';

const QS = [0, 0.1, 0.2, 0.3, 0.5, 0.7];
const LEVELS = 12;

export function learners(rng: Rng, strings: number, plot: LabOptions['plot']): Part {
  const makers: Record<string, (own: Rng) => Bettor> = {
    'discounted, n = 8': () => new DiscountedBettor({ memory: 8 }),
    'discounted, n = 64': () => new DiscountedBettor({ memory: 64 }),
    'chain of 8, 64, 512': () => new OppositeBets(new TimeScales(2, { memories: [8, 64, 512] })),
    'dyadic, T = 1,024': (own) => new DyadicBettor({ horizon: 1024, constant: 1.5, completions: 8, rng: own }),
  };
  const rows = QS.map((q) => ({
    q,
    gains: Object.entries(makers).map(([name, make]) => {
      const gains = Array.from({ length: strings }, (_, k) => {
        const own = rng.fork(`${q}`).fork(k);
        return gainOf(make(own.fork(name)), fractalBits(LEVELS, q, own.fork('bits')));
      });
      return { mean: mean(gains), error: Math.sqrt(mean(gains.map((g) => (g - mean(gains)) ** 2)) / (strings - 1)) };
    }),
  }));
  const fast = rows.map((r) => r.gains[0]!);
  const rising = fast.slice(1).every((g, i) => g.mean > fast[i]!.mean);
  const most = Math.max(...rows[0]!.gains.map((g) => g.mean / g.error));
  plot('gain-by-q', {
    title: 'Gain a bit on fractal strings',
    x: { label: 'q' },
    y: { label: 'gain a bit' },
    note: 'Bars: two standard errors.',
    curves: Object.keys(makers).map((name, i) => ({
      name,
      points: rows.map((r) => [r.q, r.gains[i]!.mean] as const),
      bars: rows.map((r) => 2 * r.gains[i]!.error),
    })),
  });
  return {
    claims: [
      {
        id: 'gain-rises-with-q',
        says: 'A learner wins more the more the adversary deviates.',
        kind: 'measured',
        value: fast.map((g) => g.mean.toFixed(3)).join(', '),
        target: `rising in q for the discounted bettor with n = 8, ${strings} strings of 4,096 bits`,
        holds: rising,
      },
      {
        id: 'nothing-on-fair-bits',
        says: 'Nobody wins on fair bits.',
        kind: 'measured',
        value: most,
        target: 'no learner more than 4 standard errors above 0',
        holds: most < 4,
      },
    ],
    tables: [
      {
        title: 'Gain a bit',
        columns: ['q', ...Object.keys(makers).flatMap((name) => [name, '±'])],
        rows: rows.map((r) => [r.q, ...r.gains.flatMap((g) => [g.mean, g.error])]),
      },
    ],
  };
}

function gainOf(bettor: Bettor, bits: Float64Array): number {
  let gain = 0;
  for (const b of bits) {
    gain += b * bettor.predictOne();
    bettor.learnOne(b);
  }
  return gain / bits.length;
}
