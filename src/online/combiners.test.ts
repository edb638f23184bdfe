import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { Bandit } from './bandit.ts';
import { DiscountedBettor } from './discounted-bettor.ts';
import { RegretMeter } from './regret-meter.ts';
import { TimeScales, withoutLoss } from './time-scales.ts';
import { Tournament } from './tournament.ts';
import { OppositeBets, TwoExperts } from './two-experts.ts';
import type { Combiner } from './types.ts';

/** Largest discounted regret to every expert over the run. */
function worst(combiner: Combiner, memory: number, steps: number, gains: (t: number, w: Float64Array) => number[]) {
  const meter = new RegretMeter(combiner.experts, { memory });
  const most = new Float64Array(combiner.experts);
  for (let t = 0; t < steps; t++) {
    const weights = combiner.predictOne();
    const g = gains(t, weights);
    meter.learnOne(weights, g);
    combiner.learnOne(g);
    meter.discounted().forEach((r, k) => (most[k] = Math.max(most[k]!, r)));
  }
  return most;
}

describe('two experts', () => {
  it('are a bettor on half the difference of the gains, and the other way round', () => {
    const rng = new Rng(1);
    const pair = new TwoExperts({ memory: 50, plus: 0.3, minus: 1.5 });
    const bettor = new DiscountedBettor({ memory: 50, plus: 0.3, minus: 1.5 });
    const bets = new OppositeBets(new TwoExperts({ memory: 50, plus: 0.3, minus: 1.5 }));
    for (let t = 0; t < 300; t++) {
      expect(pair.weight()).toBe((1 + bettor.predictOne()) / 2);
      expect(bets.predictOne()).toBeCloseTo(bettor.predictOne(), 14);
      const [p, q] = [2 * rng.uniform() - 1, 2 * rng.uniform() - 1];
      if (t % 2 === 0) pair.learnOne(p, q);
      else pair.learnOne([p, q]);
      bettor.learnOne((p - q) / 2);
      bets.learnOne((p - q) / 2);
    }
  });

  it('start on the safe one and lose no more to it than is said, whatever comes', () => {
    const options = { memory: 128, plus: 0, minus: 2 };
    const bound = new DiscountedBettor(options).guarantee();
    expect(new TwoExperts(options).weight()).toBeCloseTo(1, 2);
    const rng = new Rng(2);
    for (let k = 0; k < 60; k++) {
      const most = worst(new TwoExperts(options), 128, 2000, (t, w) => {
        const b = k % 3 === 0 ? rng.rademacher() : k % 3 === 1 ? (w[0]! > 0.5 ? -1 : 1) : t % 400 < 200 ? -1 : 1;
        return [b, -b];
      });
      expect(most[0]!).toBeLessThanOrEqual(bound.regretPlus + 1e-9);
      expect(most[1]!).toBeLessThanOrEqual(bound.regretMinus + 1e-9);
    }
  });
});

describe('the tournament', () => {
  it('of two experts is the pair, of one expert is certain', () => {
    const rng = new Rng(3);
    const tree = new Tournament(2, { memory: 40 });
    const pair = new TwoExperts({ memory: 40 });
    const one = new Tournament(1, { memory: 40 });
    for (let t = 0; t < 100; t++) {
      expect(tree.weights()).toEqual(pair.predictOne());
      expect(one.weights()).toEqual(Float64Array.of(1));
      const g = [rng.uniform(), rng.uniform()];
      tree.learnOne(g);
      pair.learnOne(g);
      one.learnOne([g[0]!]);
    }
  });

  it('has regret at most the guarantee of a node times the depth, to every expert', () => {
    const memory = 100;
    const node = new DiscountedBettor({ memory }).guarantee().regretPlus;
    const rng = new Rng(4);
    for (const experts of [3, 4, 8, 13]) {
      for (let k = 0; k < 12; k++) {
        const tree = new Tournament(experts, { memory });
        const most = worst(tree, memory, 1000, (t, w) =>
          Array.from(w, (x, i) =>
            k % 3 === 0
              ? rng.rademacher()
              : k % 3 === 1
                ? x > 1 / experts
                  ? -1
                  : 1
                : (t >> 6) % experts === i
                  ? 1
                  : -1,
          ),
        );
        tree.depths.forEach((depth, i) => expect(most[i]!).toBeLessThanOrEqual(depth * node + 1e-9));
      }
    }
  });

  it('is balanced for equal priors and gives likely experts short paths', () => {
    expect(new Tournament(8, { memory: 9 }).depths).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
    expect(new Tournament(5, { memory: 9 }).depths.toSorted()).toEqual([2, 2, 2, 3, 3]);
    const prior = [0.5, 0.125, 0.25, 0.125];
    expect(new Tournament(4, { memory: 9, prior }).depths).toEqual([1, 3, 2, 3]);
    expect(() => new Tournament(3, { memory: 9, prior: [1, 0, 1] })).toThrow('Expected 3 positive weights as prior');
    expect(() => new Tournament(0, { memory: 9 })).toThrow('Expected experts to be an integer from 1');
  });
});

describe('time scales', () => {
  it('lose almost nothing to the safe mixture on fair coins and follow the best scale where there is one', () => {
    const rng = new Rng(5);
    const memories = [16, 64, 256];
    // To the safe mixture itself, whose gain is 0: the discounted loss is at most the guarantee.
    const pair = new DiscountedBettor({ memory: 128, plus: 0, minus: 2 }).guarantee();
    for (const hostile of [true, false]) {
      const chain = new TimeScales(2, { memories: [16] });
      let loss = 0;
      for (let t = 0; t < 5000; t++) {
        const w = chain.predictOne();
        const b = hostile ? (w[0]! > 0.5 ? -1 : 1) : rng.rademacher();
        loss = (1 - 1 / 128) * loss - b * (w[0]! - w[1]!);
        expect(loss).toBeLessThanOrEqual(pair.regretPlus + 1e-9);
        chain.learnOne([b, -b]);
      }
    }
    const gainOf = (combiner: Combiner, period: number): number => {
      let gain = 0;
      for (let t = 0; t < 8192; t++) {
        const b = Math.floor(t / period) % 2 === 0 ? 1 : -1;
        const w = combiner.predictOne();
        gain += b * (w[0]! - w[1]!);
        combiner.learnOne([b, -b]);
      }
      return gain / 8192;
    };
    const scales = (): Combiner => new TimeScales(2, { memories });
    const slow = new Tournament(2, { memory: 256 });
    expect(gainOf(scales(), 64)).toBeGreaterThan(gainOf(slow, 64) + 0.3);
    expect(gainOf(scales(), 4096)).toBeGreaterThan(0.95);
    expect(gainOf(scales(), 1)).toBeGreaterThan(-0.03);
  });

  it('start with the safe mixture', () => {
    const weights = new TimeScales(3, { memories: [10, 100], safe: [2, 1, 1] }).predictOne();
    expect([...weights].map((w) => Number(w.toFixed(2)))).toEqual([0.5, 0.25, 0.25]);
    expect(() => new TimeScales(2, { memories: [10, 10] })).toThrow('Expected rising memories, got [10, 10].');
    expect(() => new TimeScales(2, { memories: [10], safe: [0, 0] })).toThrow('Expected 2 weights of the safe mixture');
  });

  it('without loss: at most the loss asked for, on the sequence that costs most', () => {
    for (const loss of [0.1, 0.01, 0.001]) {
      const bettor = withoutLoss({ memory: 400, loss });
      const bound = loss * 20 + bettor.guarantee().discretisation;
      let payoff = 0;
      for (let t = 0; t < 4000; t++) {
        const bet = bettor.predictOne();
        const b = bet > 0 ? -1 : 1;
        payoff = (1 - 1 / 400) * payoff + b * bet;
        bettor.learnOne(b);
        expect(-payoff).toBeLessThanOrEqual(bound + 1e-9);
      }
    }
    expect(() => withoutLoss({ memory: 9, loss: 0.5 })).toThrow('Expected loss between');
  });
});

describe('bandit feedback', () => {
  it('finds the best arm from the gains of chosen arms alone, and the next one after a change', () => {
    const rng = new Rng(6);
    const bandit = new Bandit({
      experts: 3,
      combiner: (deviation) => new Tournament(3, { memory: 1000, deviation }),
      exploration: 0.1,
    });
    const shares = [0, 0];
    for (let t = 0; t < 12_000; t++) {
      const best = t < 6000 ? 2 : 0;
      const chosen = rng.categorical(bandit.predictOne());
      if (t % 6000 >= 3000) shares[Math.floor(t / 6000)]! += chosen === best ? 1 / 3000 : 0;
      bandit.learnOne({ chosen, gain: rng.bernoulli(chosen === best ? 0.9 : 0.4) ? 1 : -1 });
    }
    expect(shares[0]!).toBeGreaterThan(0.6);
    expect(shares[1]!).toBeGreaterThan(0.6);
  });

  it('feeds unbiased estimates: the mean over choices is the full information, scaled by the floor', () => {
    const heard: Float64Array[] = [];
    const spy: Combiner = {
      experts: 3,
      predictOne: () => Float64Array.of(0.5, 0.3, 0.2),
      learnOne: (g) => void heard.push(Float64Array.from(g)),
      state: () => ({ kind: 'spy', values: [] }),
      restore: () => spy,
    };
    const bandit = new Bandit({ experts: 3, combiner: () => spy, exploration: 0.3 });
    const chances = bandit.predictOne();
    expect(chances.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    const gains = [0.4, -0.6, 1];
    gains.forEach((gain, chosen) => bandit.learnOne({ chosen, gain }));
    gains.forEach((gain, k) => {
      const mean = heard.reduce((sum, g, chosen) => sum + chances[chosen]! * g[k]!, 0);
      expect(mean).toBeCloseTo(1 - bandit.floor * (1 - gain), 12);
    });
    // Experts that agree share what is learned: arms 7, 7 and 9.
    heard.length = 0;
    expect(bandit.propensityOf(7, [7, 7, 9])).toBeCloseTo(chances[0]! + chances[1]!, 12);
    bandit.learnOne({ chosen: 7, gain: -1, advice: [7, 7, 9] });
    expect(heard[0]![0]).toBe(heard[0]![1]);
    expect(heard[0]![0]!).toBeLessThan(1);
    expect(heard[0]![2]).toBe(1);
  });

  it('refuses what cannot be', () => {
    const bandit = new Bandit({ experts: 2, combiner: () => new Tournament(2, { memory: 10 }) });
    expect(() => bandit.learnOne({ chosen: 2, gain: 0 })).toThrow(
      'Expected the chosen arm to be an integer from 0 to 1',
    );
    expect(() => bandit.learnOne({ chosen: 0, gain: 2 })).toThrow('Expected a payoff between -1 and 1, got 2.');
    expect(() => bandit.learnOne({ chosen: 0, gain: 0, propensity: 0 })).toThrow(
      'Expected a propensity in (0,1], got 0.',
    );
    expect(() => bandit.learnOne({ chosen: 5, gain: 0, advice: [1, 2] })).toThrow('Expected a propensity in (0,1]');
    expect(() => bandit.learnOne({ chosen: 1, gain: 0, advice: [1] })).toThrow(
      'Expected the advice of 2 experts, got 1.',
    );
  });
});
