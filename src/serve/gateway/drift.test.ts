// What tells that the world has changed, on traffic whose truth is known: squared errors, kinds of prompts; and the words that moved
// a choice.
import { beforeAll, describe, expect, test } from 'vitest';
import { fitRouter, generatePool, type PromptRouter, selectPrompts } from '../../route/index.ts';
import { Rng } from '../../tensor/index.ts';
import type { DecisionRecord } from './explain.ts';
import { outcomesOverTime } from './outcomes-over-time.ts';
import { promptDrift } from './prompt-drift.ts';
import { wordShares } from './word-shares.ts';

const pool = generatePool({ seed: 'drift', prompts: 1_500, models: 3, topics: 5 });
let router: PromptRouter;
beforeAll(() => {
  const labelled = selectPrompts(
    pool.table,
    Array.from({ length: 400 }, (_, j) => j),
  );
  router = fitRouter(labelled, { seed: 3, k: 8, bags: 1, features: { bits: 12, dim: 16 } });
});

describe('the Brier score', () => {
  const life = (rng: Rng, wrong: (p: number, i: number) => number): DecisionRecord[] =>
    Array.from({ length: 600 }, (_, i) => {
      const p = 0.05 + 0.4 * rng.uniform();
      return {
        id: String(i),
        at: i,
        status: 200,
        expectedError: p,
        outcome: rng.bernoulli(wrong(p, i)) ? 0 : 1,
      } as DecisionRecord;
    });

  test('raises an alarm in few of many calm lives, and is what it should be', () => {
    let alarms = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { brier } = outcomesOverTime(life(new Rng(`calm-${seed}`), (p) => p));
      expect(brier.count).toBe(500);
      if (brier.alarm) alarms++;
      expect(Math.abs(brier.score - brier.expected)).toBeLessThan(0.08);
    }
    expect(alarms).toBeLessThanOrEqual(2);
  });

  test('notices errors that make up for each other, which their sum does not', () => {
    let [brier, sums] = [0, 0];
    for (let seed = 0; seed < 20; seed++) {
      // As many errors as expected, but on the other prompts.
      const over = outcomesOverTime(life(new Rng(`swap-${seed}`), (p) => 0.5 - p));
      if (over.brier.alarm) brier++;
      if (over.drifted) sums++;
    }
    expect(brier).toBeGreaterThanOrEqual(18);
    expect(sums).toBeLessThanOrEqual(2);
  });

  test('says nothing of few answers', () => {
    const few = outcomesOverTime(life(new Rng('few'), () => 1).slice(0, 40));
    expect(few.brier).toMatchObject({ count: 40, alarm: false });
    expect(outcomesOverTime([]).brier).toMatchObject({ count: 0, score: 0, alarm: false });
  });
});

test('kinds of prompts: no alarm on the like of the labelled ones, one when a single topic is left', () => {
  const routed = (wanted: (topic: number) => boolean): DecisionRecord[] =>
    pool.table.prompts.flatMap(({ text }, j) => {
      if (j < 400 || !wanted(pool.topic[j]!)) return [];
      const { cluster } = router.route(text);
      return [{ id: String(j), by: 'uniroute', cluster } as DecisionRecord];
    });
  const calm = routed(() => true);
  expect(promptDrift(router, calm)).toMatchObject({ requests: 1_000, alarm: false });
  const one = routed((topic) => topic === 0);
  const many = Array.from({ length: 5 }, () => one)
    .flat()
    .slice(0, 1_000);
  expect(promptDrift(router, many)).toMatchObject({ requests: 1_000, alarm: true });
  expect(promptDrift(router, many.slice(0, 900)).alarm).toBe(false);
});

test('word shares: leaving a word out changes the expected error by its share; words of no weight are not told', () => {
  const { text } = pool.table.prompts[700]!;
  const inTokens = Math.ceil(text.length / 4);
  const { ranking } = router.route(text, { inTokens });
  const shares = wordShares(router, text, inTokens, [ranking[0]!.id, ranking[1]!.id]);
  expect(shares.length).toBeGreaterThan(0);
  expect(shares.length).toBeLessThanOrEqual(8);
  const [first] = shares;
  const without = text
    .split(/(?<![\p{L}\p{N}])(?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])(?![\p{L}\p{N}])/u)
    .map((piece) => (piece.toLowerCase() === first!.word ? ' ' : piece))
    .join('');
  const left = router.route(without, { inTokens }).ranking;
  const of = (list: typeof left, id: string): number => list.find((arm) => arm.id === id)!.expectedError;
  const error = of(ranking, ranking[0]!.id) - of(left, ranking[0]!.id);
  expect(first!.error).toBeCloseTo(error, 12);
  expect(first!.against).toBeCloseTo(error - (of(ranking, ranking[1]!.id) - of(left, ranking[1]!.id)), 12);
  for (let i = 1; i < shares.length; i++)
    expect(Math.abs(shares[i - 1]!.against)).toBeGreaterThanOrEqual(Math.abs(shares[i]!.against));
  expect(wordShares(router, '', 1, [ranking[0]!.id, undefined])).toEqual([]);
});
