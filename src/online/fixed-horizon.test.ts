import { describe, expect, it } from 'vitest';
import { FixedHorizon } from './fixed-horizon.ts';

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
