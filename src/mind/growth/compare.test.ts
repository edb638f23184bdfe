import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { compareTrials, type Trial } from './_compare.ts';

const trial = (cost: number, errors: number, answered = true): Trial => ({ cost, errors, of: 40, answered });

describe('comparing before and after', () => {
  it('gives ratio 1 and change 0 for the same trials, exactly', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 5 })), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.integer(),
        (list, seed) => {
          const trials = list.map(([cost, errors]) => trial(cost, errors));
          const same = compareTrials(trials, trials, seed);
          expect(same.costRatio).toEqual({ value: 1, low: 1, high: 1 });
          expect(same.errorChange).toEqual({ value: 0, low: 0, high: 0 });
          expect(same.examples).toBe(40 * trials.length);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('covers a known ratio and change of rates in about nine of ten repetitions', () => {
    let ratios = 0;
    let changes = 0;
    const runs = 40;
    for (let run = 0; run < runs; run++) {
      const rng = new Rng(`coverage ${run}`);
      const before: Trial[] = [];
      const after: Trial[] = [];
      for (let i = 0; i < 60; i++) {
        const size = 50 + 100 * rng.uniform();
        before.push(trial(size * (0.8 + 0.4 * rng.uniform()), binomial(rng, 40, 0.02)));
        after.push(trial(0.6 * size * (0.8 + 0.4 * rng.uniform()), binomial(rng, 40, 0.03)));
      }
      const { costRatio, errorChange } = compareTrials(before, after, run);
      if (costRatio.low <= 0.6 && costRatio.high >= 0.6) ratios++;
      if (errorChange.low <= 0.01 && errorChange.high >= 0.01) changes++;
    }
    // 90 % intervals: 36 of 40 expected, sd 1.9.
    expect(ratios).toBeGreaterThanOrEqual(29);
    expect(changes).toBeGreaterThanOrEqual(29);
  });
});

function binomial(rng: Rng, n: number, p: number): number {
  let k = 0;
  for (let i = 0; i < n; i++) if (rng.uniform() < p) k++;
  return k;
}
