import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { Bandit, type BanditOutcome } from './bandit.ts';
import { bettorSubject, combinerSubject, conformanceCases, type Subject } from './conformance.ts';
import { DiscountedBettor } from './discounted-bettor.ts';
import { DyadicBettor } from './dyadic-bettor.ts';
import { FixedHorizon } from './fixed-horizon.ts';
import { IntervalBettor } from './interval-bettor.ts';
import { RandomPlayout } from './random-playout.ts';
import { TimeScales, withoutLoss } from './time-scales.ts';
import { Tournament } from './tournament.ts';
import { OppositeBets, TwoExperts } from './two-experts.ts';
import type { Bettor, Combiner } from './types.ts';

const rng = new Rng('conformance');

const bettors: Record<string, () => Bettor> = {
  DiscountedBettor: () => new DiscountedBettor({ memory: 100 }),
  'DiscountedBettor, erfi': () => new DiscountedBettor({ memory: 100, rule: 'erfi' }),
  'DiscountedBettor, asymmetric': () => new DiscountedBettor({ memory: 30, plus: 0, minus: 2 }),
  'DiscountedBettor, smallest memory': () => new DiscountedBettor({ memory: 2 }),
  withoutLoss: () => withoutLoss({ memory: 100, loss: 0.001 }),
  FixedHorizon: () => new FixedHorizon({ horizon: 50 }),
  'FixedHorizon, erf': () => new FixedHorizon({ horizon: 1000, rule: 'erf' }),
  IntervalBettor: () => new IntervalBettor({ horizon: 64, completions: 2, rng: rng.fork('interval') }),
  'IntervalBettor, dyadic': () =>
    new IntervalBettor({ horizon: 48, cuts: 'dyadic', completions: 1, rng: rng.fork('interval') }),
  DyadicBettor: () => new DyadicBettor({ horizon: 128, rng: rng.fork('dyadic') }),
  OppositeBets: () => new OppositeBets(new TimeScales(2, { memories: [10, 100] })),
};

const combiners: Record<string, () => Combiner> = {
  TwoExperts: () => new TwoExperts({ memory: 512, plus: 0, minus: 2 }),
  Tournament: () => new Tournament(5, { memory: 100 }),
  'Tournament, prior': () => new Tournament(4, { memory: 100, prior: [8, 4, 2, 1] }),
  'Tournament of dyadic bettors': () =>
    new Tournament(3, { node: (i) => new DyadicBettor({ horizon: 64, constant: 1.5, rng: rng.fork(i) }) }),
  RandomPlayout: () => new RandomPlayout(4, { horizon: 48, rng: rng.fork('playout') }),
  TimeScales: () => new TimeScales(3, { memories: [8, 64, 512] }),
};

const bandits: Subject<Float64Array, BanditOutcome> = {
  check: (chances) => combinerSubject.check(chances, new Tournament(3, { memory: 2 })),
  outcome(_style, t, own, predictor) {
    const chosen = own.categorical(predictor.predictOne());
    return { chosen, gain: t % 7 === 0 ? -1 : 1 };
  },
  bad: () => [
    { chosen: -1, gain: 0 },
    { chosen: 0, gain: NaN },
    { chosen: 0, gain: 0, propensity: 2 },
  ],
};

for (const [name, create] of Object.entries(bettors)) {
  describe(name, () => {
    for (const c of conformanceCases(bettorSubject, { rng })) it(c.name, () => c.run(create));
  });
}
for (const [name, create] of Object.entries(combiners)) {
  describe(name, () => {
    for (const c of conformanceCases(combinerSubject, { rng })) it(c.name, () => c.run(create));
  });
}
describe('Bandit', () => {
  const create = (): Bandit =>
    new Bandit({ experts: 3, combiner: (deviation) => new Tournament(3, { memory: 100, deviation }) });
  for (const c of conformanceCases(bandits, { rng })) it(c.name, () => c.run(create));
});

describe('the suite itself', () => {
  const good = (): Bettor => new DiscountedBettor({ memory: 100 });
  /** A good bettor with one thing wrong. */
  const broken: Record<string, (b: Bettor) => Partial<Bettor>> = {
    'bets out of range': () => ({ predictOne: () => 1.5 }),
    'learns by being asked': (b) => ({
      predictOne() {
        b.learnOne(1);
        return b.predictOne();
      },
    }),
    'forgets its state': () => ({ restore: () => good() }),
    'takes anything': () => ({ learnOne: () => undefined }),
  };
  it.each(Object.entries(broken))('fails a bettor that %s', (_name, spoil) => {
    const create = (): Bettor => {
      const inner = good();
      const outer: Bettor = {
        predictOne: () => inner.predictOne(),
        learnOne: (bit) => inner.learnOne(bit),
        state: () => inner.state(),
        restore(state) {
          inner.restore(state);
          return outer;
        },
      };
      return Object.assign(outer, spoil(inner));
    };
    const failures = conformanceCases(bettorSubject, { rng }).filter((c) => {
      try {
        c.run(create);
        return false;
      } catch {
        return true;
      }
    });
    expect(failures.length).toBeGreaterThan(0);
  });
});
