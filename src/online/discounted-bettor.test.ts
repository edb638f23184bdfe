import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { DiscountedBettor } from './discounted-bettor.ts';
import { fractalBits } from './fractal.ts';
import { OPTIMAL_THRESHOLD, PayoffFunction } from './trade-off.ts';

/** Largest discounted regret to either expert at any time. */
function worstRegret(bettor: DiscountedBettor, steps: number, bit: (t: number, bet: number) => number): number {
  const rho = 1 - 1 / bettor.memory;
  let [x, payoff, worst] = [0, 0, 0];
  for (let t = 0; t < steps; t++) {
    const bet = bettor.predictOne();
    const b = bit(t, bet);
    bettor.learnOne(b);
    x = rho * x + b;
    payoff = rho * payoff + b * bet;
    worst = Math.max(worst, Math.abs(x) - payoff);
  }
  return worst;
}

describe('the discounted bettor', () => {
  it('keeps the guaranteed payoff at every time, for real payoffs too', () => {
    const options = fc.record({
      memory: fc.integer({ min: 2, max: 500 }),
      plus: fc.double({ min: 0, max: 3, noNaN: true }),
      minus: fc.double({ min: 0.1, max: 3, noNaN: true }),
    });
    const payoffs = fc.array(fc.oneof(fc.constantFrom(-1, 1), fc.double({ min: -1, max: 1, noNaN: true })), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(options, payoffs, (o, bits) => {
        const bettor = new DiscountedBettor(o);
        const { discretisation } = bettor.guarantee();
        const f = new PayoffFunction(o.plus, o.minus);
        const [rho, root] = [1 - 1 / o.memory, Math.sqrt(o.memory)];
        let [x, payoff] = [0, 0];
        for (const b of bits) {
          payoff = rho * payoff + b * bettor.predictOne();
          bettor.learnOne(b);
          x = rho * x + b;
          if (payoff < root * f.value(x / root) - discretisation - 1e-6) return false;
        }
        return true;
      }),
      { numRuns: 300 },
    );
  });

  it('has regret at most 0.93 sqrt(n) on ten thousand random, adversarial and fractal sequences', () => {
    const rng = new Rng('discounted');
    let worst = 0;
    for (let k = 0; k < 10_000; k++) {
      const own = rng.fork(k);
      const memory = [100, 150, 200][k % 3]!;
      const bettor = new DiscountedBettor({ memory });
      const target = (own.uniform() < 0.5 ? 1 : -1) * OPTIMAL_THRESHOLD * Math.sqrt(memory);
      let sum = 0;
      const fractal = k % 4 === 2 ? fractalBits(8, own.uniform(), own) : undefined;
      const bias = own.uniform();
      const regret = worstRegret(bettor, 256, (t, bet) => {
        const b =
          k % 4 === 0
            ? own.bernoulli(bias)
              ? 1
              : -1
            : k % 4 === 1
              ? bet > 0 === own.bernoulli(0.9)
                ? -1
                : 1
              : (fractal?.[t] ?? (sum < target ? 1 : -1)); // the last walks to where the regret is largest and back
        sum += b;
        return b;
      });
      worst = Math.max(worst, regret / Math.sqrt(memory));
    }
    expect(worst).toBeLessThan(0.93);
    expect(worst).toBeGreaterThan(0.5);
  });

  it('guarantees within 0.5 % of 0.9241 sqrt(n) from n = 100 on; the discrete part falls as 1 / sqrt(n)', () => {
    const at = (memory: number) => new DiscountedBettor({ memory }).guarantee();
    for (const n of [100, 400, 1600, 10_000]) {
      expect(at(n).regretPlus / Math.sqrt(n) / OPTIMAL_THRESHOLD).toBeLessThan(1.005);
      expect(at(n).regretMinus).toBeCloseTo(at(n).regretPlus, 9);
    }
    expect(at(100).discretisation / at(400).discretisation).toBeCloseTo(2, 1);
  });

  it('the limit rule is near the exact one, and an asymmetric pair (T, T) is the symmetric bettor', () => {
    const rng = new Rng(3);
    const one = new DiscountedBettor({ memory: 400 });
    const two = new DiscountedBettor({ memory: 400, plus: OPTIMAL_THRESHOLD, minus: OPTIMAL_THRESHOLD });
    const limit = new DiscountedBettor({ memory: 400, rule: 'erfi' });
    for (let t = 0; t < 2000; t++) {
      expect(two.predictOne()).toBe(one.predictOne());
      expect(Math.abs(limit.predictOne() - one.predictOne())).toBeLessThan(0.04);
      const b = rng.bernoulli(0.55) ? 1 : -1;
      for (const bettor of [one, two, limit]) bettor.learnOne(b);
    }
  });

  it('mirrored bits give mirrored bets', () => {
    const rng = new Rng(4);
    const one = new DiscountedBettor({ memory: 60, plus: 0.3, minus: 1.5 });
    const two = new DiscountedBettor({ memory: 60, plus: 1.5, minus: 0.3 });
    for (let t = 0; t < 500; t++) {
      expect(two.predictOne()).toBeCloseTo(-one.predictOne(), 12);
      const b = 2 * rng.uniform() - 1;
      one.learnOne(b);
      two.learnOne(-b);
    }
  });

  it('bad parameters are refused', () => {
    expect(() => new DiscountedBettor({ memory: 1 })).toThrow('Expected memory between 2 and 1000000000000, got 1.');
    expect(() => new DiscountedBettor({ memory: NaN })).toThrow('got NaN');
  });
});
