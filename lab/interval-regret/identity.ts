// The payoff is f - E f on every string: all strings of a length, all completions of every bet.
import { IntervalBettor, intervalValue } from 'cairn/online';
import type { Part } from '../report.ts';
import { Rng } from 'cairn/tensor';

export function identity(horizons: readonly number[]): Part {
  const rows = horizons.map((horizon) => {
    const constant = constantOf(horizon);
    return { horizon, constant, ...check(horizon, constant) };
  });
  const farthest = Math.max(...rows.map((r) => r.farthest));
  const known: Record<number, number> = { 4: 1.3043, 8: 1.4325, 12: 1.5166 };
  const off = Math.max(...rows.map((r) => Math.abs(r.constant - known[r.horizon]!)));
  return {
    claims: [
      {
        id: 'payoff-identity',
        says: 'On every string of bits the payoff is exactly the value of its best partition, less the mean over all strings.',
        kind: 'identity',
        value: farthest,
        target: `below 1e-12 for all strings of ${horizons.join(', ')} bits`,
        holds: farthest < 1e-12,
      },
      {
        id: 'bets-allowed',
        says: 'No bet that this takes is larger than 1.',
        kind: 'bound',
        value: Math.max(...rows.map((r) => r.largest)),
        target: '<= 1',
        holds: rows.every((r) => r.largest <= 1),
      },
      {
        id: 'small-constants',
        says: 'The constants for which the mean is 0, by enumeration.',
        kind: 'identity',
        value: rows.map((r) => r.constant.toFixed(4)).join(', '),
        baseline: horizons.map((h) => known[h]!.toFixed(4)).join(', '),
        target: 'equal to four digits',
        holds: off < 6e-5,
      },
    ],
    tables: [
      {
        title: 'All strings of T bits',
        columns: ['T', 'c(T)', 'largest deviation from f - E f', 'largest bet'],
        rows: rows.map((r) => [r.horizon, r.constant, r.farthest, r.largest]),
      },
    ],
  };
}

/** Walks the tree of all prefixes, so that every bet is found once. */
function check(horizon: number, constant: number): { farthest: number; largest: number } {
  const make = (): IntervalBettor =>
    new IntervalBettor({ horizon, constant, completions: 'every', rng: new Rng('unused') });
  const bettor = make();
  const { kind } = bettor.state();
  let total = 0;
  const strings = 2 ** horizon;
  for (let word = 0; word < strings; word++) total += intervalValue(bitsOf(word, horizon), constant).value;
  const expected = total / strings;
  let [farthest, largest] = [0, 0];
  const walk = (bits: number[], sums: number[], payoff: number): void => {
    if (bits.length === horizon) {
      const owed = intervalValue(bits, constant).value - expected;
      farthest = Math.max(farthest, Math.abs(payoff - owed));
      return;
    }
    const bet = bettor.restore({ kind, values: [0, ...sums] }).predictOne();
    largest = Math.max(largest, Math.abs(bet));
    for (const b of [1, -1]) walk([...bits, b], [...sums, (sums.at(-1) ?? 0) + b], payoff + b * bet);
  };
  walk([], [], 0);
  return { farthest, largest };
}

/** c(T) from all strings, by Newton's method. */
function constantOf(horizon: number): number {
  let constant = 0.5;
  for (let i = 0; i < 40; i++) {
    let [value, roots] = [0, 0];
    for (let word = 0; word < 2 ** horizon; word++) {
      const f = intervalValue(bitsOf(word, horizon), constant);
      value += f.value;
      roots += f.roots;
    }
    constant += value / roots;
    if (Math.abs(value / roots) < 1e-12) break;
  }
  return constant;
}

function bitsOf(word: number, length: number): number[] {
  return Array.from({ length }, (_, k) => (((word >> k) & 1) === 0 ? -1 : 1));
}
