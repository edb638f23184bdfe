// Bettors against their worst adversary: the optimal one, those along the trade-off, and bets of other shapes.
import { DiscountedBettor, OPTIMAL_THRESHOLD, PayoffFunction, tradeOff, withoutLoss } from 'cairn/online';
import type { Part } from '../report.ts';
import { erfOf } from 'cairn/tensor';
import { gameValue, worstCase } from './worst-case.ts';

function betOf(memory: number, plus: number, minus: number): (x: number) => number {
  const bettor = new DiscountedBettor({ memory, plus, minus });
  const { kind } = bettor.state();
  return (x) => bettor.restore({ kind, values: [Math.max(-memory, Math.min(memory, x))] }).predictOne();
}

export function optimal(memories: readonly number[]): Part {
  const rows = memories.map((n) => {
    const worst = worstCase(n, betOf(n, OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD), 'regretPlus');
    const limit = new PayoffFunction(OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD);
    const erfi = worstCase(n, (x) => limit.slope(x / Math.sqrt(n)), 'regretPlus');
    const proved = new DiscountedBettor({ memory: n }).guarantee().regretPlus / Math.sqrt(n);
    return { n, worst, erfi, proved, game: n <= 400 ? gameValue(n) : null };
  });
  const large = rows.filter((r) => r.n >= 100);
  const farthest = Math.max(...large.map((r) => Math.abs(r.worst / OPTIMAL_THRESHOLD - 1)));
  const gap = Math.max(...large.flatMap((r) => (r.game === null ? [] : [r.worst / r.game - 1])));
  return {
    claims: [
      {
        id: 'discounted-constant',
        says: 'The worst sequence of bits costs the discounted bettor 0.9241 sqrt(n), from n = 100 on.',
        kind: 'bound',
        value: large[0]!.worst,
        baseline: OPTIMAL_THRESHOLD,
        target: 'within 0.5 % of 0.9241 at every n >= 100, and at most the proved bound',
        holds: farthest < 0.005 && rows.every((r) => r.worst <= r.proved + 1e-3),
      },
      {
        id: 'near-the-game',
        says: 'No bettor at all can do better by more than one percent: the value of the discrete game itself.',
        kind: 'measured',
        value: gap,
        target: 'between -0.001 and 0.01 above the value of the game',
        holds: gap > -1e-3 && gap < 0.01,
      },
    ],
    tables: [
      {
        title: 'Worst-case regret in units of sqrt(n), by dynamic programming over 12 n steps',
        columns: ['n', 'difference rule', 'erfi rule', 'proved for the difference rule', 'value of the game'],
        rows: rows.map((r) => [r.n, r.worst, r.erfi, r.proved, r.game]),
      },
    ],
  };
}

export function tradeOffs(n: number): Part {
  const pairs = [
    [0, 1],
    [0, 2],
    [0.3, 1.5],
    [1.5, 1.5],
    [2.5, 2.5],
  ] as const;
  const rows = pairs.map(([plus, minus]) => {
    const bet = betOf(n, plus, minus);
    const { regretPlus, regretMinus } = tradeOff(plus, minus);
    const found = [worstCase(n, bet, 'regretPlus'), worstCase(n, bet, 'regretMinus')] as const;
    return { plus, minus, regretPlus, regretMinus, found };
  });
  const farthest = Math.max(
    ...rows.flatMap((r) => [Math.abs(r.found[0] - r.regretPlus), Math.abs(r.found[1] - r.regretMinus)]),
  );
  const safe = withoutLoss({ memory: n, loss: 0.001 });
  const loss = worstCase(n, betOf(n, safe.plus, safe.minus), 'loss');
  const promised = (0.001 * Math.sqrt(n) + safe.guarantee().discretisation) / Math.sqrt(n);
  return {
    claims: [
      {
        id: 'closed-forms-hold',
        says: 'Along the whole trade-off the worst adversary gets the regrets of the closed forms.',
        kind: 'bound',
        value: farthest,
        target: 'within 0.005 sqrt(n) for ten regrets',
        holds: farthest < 0.005,
      },
      {
        id: 'almost-no-loss',
        says: 'A bettor that asks for a loss of 0.001 sqrt(n) loses no more on any sequence.',
        kind: 'bound',
        value: loss,
        baseline: promised,
        target: 'value <= 0.001 plus its part for discrete steps',
        holds: loss <= promised + 2e-4,
      },
    ],
    tables: [
      {
        title: `Worst-case regrets against closed forms, n = ${n}, in units of sqrt(n)`,
        columns: ['T+', 'T-', 'first: worst', 'first: closed form', 'second: worst', 'second: closed form'],
        rows: rows.map((r) => [r.plus, r.minus, r.found[0], r.regretPlus, r.found[1], r.regretMinus]),
      },
    ],
  };
}

export function otherBets(memories: readonly number[]): Part {
  const families: Record<string, (z: number, width: number) => number> = {
    tanh: (z, w) => Math.tanh(z / w),
    erf: (z, w) => erfOf(z / w),
    'clipped linear': (z, w) => Math.max(-1, Math.min(1, z / w)),
  };
  const widths = Array.from({ length: 12 }, (_, i) => 0.5 + 0.1 * i);
  const rows = memories.flatMap((n) =>
    Object.entries(families).map(([name, family]) => {
      const found = widths.map((w) => worstCase(n, (x) => family(x / Math.sqrt(n), w), 'regretPlus'));
      const best = Math.min(...found);
      return { n, name, best, width: widths[found.indexOf(best)]! };
    }),
  );
  const least = Math.min(...rows.map((r) => r.best));
  return {
    claims: [
      {
        id: 'other-bets-worse',
        says: 'The best bet of the shapes tanh, erf and clipped linear has a larger worst case.',
        kind: 'measured',
        value: least,
        baseline: OPTIMAL_THRESHOLD,
        target: 'value >= baseline + 0.03 for the best width of every shape',
        holds: least >= OPTIMAL_THRESHOLD + 0.03,
      },
    ],
    tables: [
      {
        title: 'Best worst case of other bets, in units of sqrt(n)',
        columns: ['n', 'bet', 'best width', 'regret'],
        rows: rows.map((r) => [r.n, r.name, r.width, r.best]),
      },
    ],
  };
}
