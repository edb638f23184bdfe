import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { DyadicBettor } from './dyadic-bettor.ts';
import { IntervalBettor } from './interval-bettor.ts';
import { type Cuts, fairBits, intervalConstant, intervalValue } from './interval-value.ts';
import type { Bettor } from './types.ts';

function allStrings(length: number): number[][] {
  return Array.from({ length: 2 ** length }, (_, word) =>
    Array.from({ length }, (__, k) => (((word >> k) & 1) === 0 ? -1 : 1)),
  );
}

/** The best partition by trying every one. */
function byEnumeration(bits: readonly number[], c: number, cuts: Cuts): number {
  const n = bits.length;
  let best = -Infinity;
  for (let word = 0; word < 2 ** (n - 1); word++) {
    let [value, start, allowed] = [0, 0, true];
    for (let end = 1; end <= n; end++) {
      if (end < n && ((word >> (end - 1)) & 1) === 0) continue;
      const length = end - start;
      const power = Number.isInteger(Math.log2(length));
      if (cuts !== 'all' && !power) allowed = false;
      if (cuts === 'tree' && start % length !== 0) allowed = false;
      value += Math.abs(bits.slice(start, end).reduce((a, b) => a + b, 0)) - c * Math.sqrt(length);
      start = end;
    }
    if (allowed) best = Math.max(best, value);
  }
  return best;
}

function play(bettor: Bettor, bits: ArrayLike<number>): number {
  let payoff = 0;
  for (let t = 0; t < bits.length; t++) {
    payoff += bits[t]! * bettor.predictOne();
    bettor.learnOne(bits[t]!);
  }
  return payoff;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('the value of a partition', () => {
  it('is that of trying every partition', () => {
    const rng = new Rng(1);
    for (const cuts of ['all', 'dyadic', 'tree'] as const) {
      for (let k = 0; k < 20; k++) {
        const bits = Array.from({ length: 8 }, () => 2 * rng.uniform() - 1);
        const c = 2 * rng.uniform();
        expect(intervalValue(bits, c, cuts).value).toBeCloseTo(byEnumeration(bits, c, cuts), 12);
      }
    }
    expect(() => intervalValue([1, 1, 1], 1, 'tree')).toThrow('Expected log2 of the number of bits to be an integer');
  });

  it('has the sum of roots as its slope in c', () => {
    const bits = fairBits(new Rng(2), 64);
    for (const cuts of ['all', 'dyadic', 'tree'] as const) {
      const [a, b] = [intervalValue(bits, 1.4, cuts), intervalValue(bits, 1.4 + 1e-7, cuts)];
      expect((a.value - b.value) / 1e-7).toBeCloseTo(a.roots, 4);
    }
  });

  it('has mean 0 over all strings at the constants found by enumeration', () => {
    for (const [horizon, constant] of [
      [4, 1.3043],
      [8, 1.4325],
      [12, 1.5166],
    ] as const) {
      const at = (c: number): number => mean(allStrings(horizon).map((bits) => intervalValue(bits, c).value));
      expect(at(constant - 6e-5)).toBeGreaterThan(0);
      expect(at(constant + 6e-5)).toBeLessThan(0);
    }
  });

  it('has constants that grow slowly with the horizon', () => {
    const rng = new Rng(3);
    for (const [horizon, all, dyadic] of [
      [16, 1.567, 1.381],
      [64, 1.781, 1.513],
      [250, 1.948, 1.615],
    ] as const) {
      for (const [cuts, expected] of [
        ['all', all],
        ['dyadic', dyadic],
      ] as const) {
        const found = intervalConstant({ horizon, rng: rng.fork(horizon).fork(cuts), strings: 200, cuts });
        expect(Math.abs(found.constant - expected)).toBeLessThan(5 * found.error + 0.01);
        expect(found.error).toBeLessThan(0.06);
      }
    }
  });
});

describe('the interval bettor', () => {
  it('has payoff f - E f on every string when every completion is taken', () => {
    for (const cuts of ['all', 'dyadic'] as const) {
      for (const [horizon, constant] of [
        [1, 0.5],
        [5, 1.3],
        [8, 1.4325],
      ] as const) {
        const strings = allStrings(horizon);
        const expected = mean(strings.map((bits) => intervalValue(bits, constant, cuts).value));
        for (const bits of strings) {
          const bettor = new IntervalBettor({ horizon, constant, cuts, completions: 'every', rng: new Rng(0) });
          expect(play(bettor, bits)).toBeCloseTo(intervalValue(bits, constant, cuts).value - expected, 12);
        }
      }
    }
  });

  it('the same for all strings of ten and twelve bits, bet by bet over the tree of prefixes', () => {
    for (const [horizon, constant] of [
      [10, 1.48],
      [12, 1.5166],
    ] as const) {
      const expected = mean(allStrings(horizon).map((bits) => intervalValue(bits, constant).value));
      const bettor = new IntervalBettor({ horizon, constant, completions: 'every', rng: new Rng(0) });
      const { kind } = bettor.state();
      let [farthest, largest] = [0, 0];
      const walk = (bits: number[], sums: number[], payoff: number): void => {
        if (bits.length === horizon) {
          farthest = Math.max(farthest, Math.abs(payoff - (intervalValue(bits, constant).value - expected)));
          return;
        }
        const bet = bettor.restore({ kind, values: [0, ...sums] }).predictOne();
        largest = Math.max(largest, Math.abs(bet));
        for (const b of [1, -1]) walk([...bits, b], [...sums, (sums.at(-1) ?? 0) + b], payoff + b * bet);
      };
      walk([], [], 0);
      expect(farthest).toBeLessThan(1e-12);
      expect(largest).toBeLessThan(0.7);
    }
  });

  it('wins at least f - E f on real payoffs', () => {
    const rng = new Rng(4);
    const horizon = 8;
    const expected = mean(allStrings(horizon).map((bits) => intervalValue(bits, 1.4).value));
    for (let k = 0; k < 30; k++) {
      const bits = Array.from({ length: horizon }, () => 2 * rng.uniform() - 1);
      const bettor = new IntervalBettor({ horizon, constant: 1.4, completions: 'every', rng });
      expect(play(bettor, bits)).toBeGreaterThan(intervalValue(bits, 1.4).value - expected - 1e-12);
    }
  });

  it('keeps its promise with random completions: blocks, one bias, alternation', () => {
    const horizon = 128;
    const rng = new Rng(5);
    const constant = intervalConstant({ horizon, rng: rng.fork('c'), strings: 300 }).constant;
    const sequences = {
      blocks: Float64Array.from({ length: horizon }, (_, t) => (Math.floor(t / 32) % 2 === 0 ? 1 : -1)),
      constant: new Float64Array(horizon).fill(1),
      alternating: Float64Array.from({ length: horizon }, (_, t) => (t % 2 === 0 ? 1 : -1)),
    };
    for (const [name, bits] of Object.entries(sequences)) {
      const payoffs = Array.from({ length: 4 }, (_, k) =>
        play(new IntervalBettor({ horizon, constant, rng: rng.fork(name).fork(k) }), bits),
      );
      expect(Math.abs(mean(payoffs) - intervalValue(bits, constant).value), name).toBeLessThan(8);
    }
  });

  it('refuses what it cannot play', () => {
    const rng = new Rng(6);
    expect(() => new IntervalBettor({ horizon: 17, completions: 'every', rng })).toThrow(
      'integer from 1 to 16, got 17',
    );
    expect(() => new IntervalBettor({ horizon: 0, rng })).toThrow('Expected horizon to be an integer from 1 to 4096');
    expect(() => new DyadicBettor({ horizon: 48, rng })).toThrow('Expected log2 of the horizon to be an integer');
  });
});

describe('the dyadic bettor', () => {
  it('has payoff f - E f on every string, in the mean over its completions', () => {
    const [horizon, constant] = [8, 1.2];
    const strings = allStrings(horizon);
    const expected = mean(strings.map((bits) => intervalValue(bits, constant, 'tree').value));
    const bettor = new DyadicBettor({ horizon, constant, completions: 4000, rng: new Rng(7) });
    const start = bettor.state();
    let worst = 0;
    for (const bits of strings) {
      bettor.restore(start);
      worst = Math.max(worst, Math.abs(play(bettor, bits) - (intervalValue(bits, constant, 'tree').value - expected)));
    }
    expect(worst).toBeLessThan(0.25); // each of 8 bets has a standard error below 1 / sqrt(4000)
  });

  it('wins the sum of its blocks, game after game', () => {
    const horizon = 256;
    const bettor = new DyadicBettor({ horizon, rng: new Rng(8) });
    const bits = Float64Array.from({ length: 4 * horizon }, (_, t) => (Math.floor(t / 64) % 2 === 0 ? 1 : -1));
    const promised = 4 * intervalValue(bits.subarray(0, horizon), bettor.constant, 'tree').value;
    expect(play(bettor, bits)).toBeGreaterThan(promised - 40);
    expect(promised).toBeGreaterThan(400);
  });
});
