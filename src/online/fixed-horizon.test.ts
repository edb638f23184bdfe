import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { FixedHorizon } from './fixed-horizon.ts';
import { RandomPlayout } from './random-playout.ts';

/** All strings of `length` bits. */
function* strings(length: number): Generator<number[]> {
  for (let word = 0; word < 2 ** length; word++) {
    yield Array.from({ length }, (_, k) => (((word >> k) & 1) === 0 ? -1 : 1));
  }
}

describe('the fixed-horizon bettor', () => {
  it('has payoff |S| - E|S| on every string, exactly', () => {
    for (const horizon of [1, 2, 5, 10, 11]) {
      let mean = 0;
      for (const bits of strings(horizon)) mean += Math.abs(bits.reduce((a, b) => a + b)) / 2 ** horizon;
      for (const bits of strings(horizon)) {
        const bettor = new FixedHorizon({ horizon });
        let payoff = 0;
        for (const b of bits) {
          payoff += b * bettor.predictOne();
          bettor.learnOne(b);
        }
        expect(payoff).toBeCloseTo(Math.abs(bits.reduce((a, b) => a + b)) - mean, 12);
        expect(bettor.regret()).toBeCloseTo(mean, 12);
      }
    }
  });

  it('has regret near sqrt(2 N / pi), and the erf rule is near the exact one', () => {
    expect(new FixedHorizon({ horizon: 10_000 }).regret() / Math.sqrt(20_000 / Math.PI)).toBeCloseTo(1, 4);
    const exact = new FixedHorizon({ horizon: 400 });
    const limit = new FixedHorizon({ horizon: 400, rule: 'erf' });
    for (let t = 0; t < 390; t++) {
      expect(Math.abs(exact.predictOne() - limit.predictOne())).toBeLessThan(0.06);
      const b = t % 3 === 0 ? -1 : 1;
      exact.learnOne(b);
      limit.learnOne(b);
    }
  });

  it('begins anew after the horizon', () => {
    const bettor = new FixedHorizon({ horizon: 3 });
    for (const b of [1, 1, -1]) bettor.learnOne(b);
    expect(bettor.predictOne()).toBe(0);
    expect(bettor.state().values).toEqual([0, 0]);
  });
});

describe('random playout', () => {
  it('of two opposite experts is the erf rule', () => {
    const horizon = 100;
    const pair = new RandomPlayout(2, { horizon, completions: 20_000, rng: new Rng(1) });
    const bettor = new FixedHorizon({ horizon, rule: 'erf' });
    for (let t = 0; t < 95; t++) {
      const [first, second] = pair.predictOne();
      expect(Math.abs(first! - second! - bettor.predictOne())).toBeLessThan(0.035);
      const b = t % 3 === 0 ? -1 : 1;
      pair.learnOne([b, -b]);
      bettor.learnOne(b);
    }
    expect(pair.regret()).toBeCloseTo(Math.sqrt((2 * horizon) / Math.PI), 4);
    expect(new RandomPlayout(4, { horizon: 1, rng: new Rng(1) }).regret()).toBeCloseTo(Math.SQRT2 * 1.02938, 4);
  });

  it('has no more regret than it says on random, adversarial and switching blocks', () => {
    const horizon = 120;
    for (const experts of [2, 3, 6]) {
      for (let k = 0; k < 30; k++) {
        const rng = new Rng(k).fork(experts);
        const combiner = new RandomPlayout(experts, { horizon, completions: 600, rng: rng.fork('walks') });
        const total = new Float64Array(experts);
        let own = 0;
        for (let t = 0; t < horizon; t++) {
          const weights = combiner.predictOne();
          const leader = total.indexOf(Math.max(...total));
          const gains = Float64Array.from({ length: experts }, (_, i) => {
            if (k % 3 === 0) return rng.rademacher();
            if (k % 3 === 1) return i === leader ? -1 : 1; // the leader always falls back
            return (t >> 4) % experts === i ? 1 : -1;
          });
          gains.forEach((g, i) => {
            own += weights[i]! * g;
            total[i]! += g;
          });
          combiner.learnOne(gains);
        }
        expect(Math.max(...total) - own).toBeLessThan(combiner.regret() + 2);
      }
    }
  });
});
