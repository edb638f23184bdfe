import { expect, test } from 'vitest';
import { checkSchedule, rateAt } from './schedule.ts';

test('warm-up rises linearly, then each kind falls to its end', () => {
  for (const kind of ['constant', 'linear', 'cosine'] as const) {
    const s = { kind, peak: 0.4, warmup: 0.2, final: 0.25 };
    expect(rateAt(s, 0)).toBe(0);
    expect(rateAt(s, 0.1)).toBeCloseTo(0.2, 12);
    expect(rateAt(s, 0.2)).toBeCloseTo(0.4, 12);
    expect(rateAt(s, 1)).toBeCloseTo(kind === 'constant' ? 0.4 : 0.1, 12);
    expect(rateAt(s, 7)).toBe(rateAt(s, 1));
    expect(rateAt(s, 0.6)).toBeCloseTo(kind === 'constant' ? 0.4 : 0.25, 12);
  }
});

test('fields out of range are named', () => {
  expect(() => checkSchedule({ kind: 'cosine', peak: Number.NaN, warmup: 0, final: 0 })).toThrow(/rate/);
  expect(() => checkSchedule({ kind: 'cosine', peak: 1, warmup: 2, final: 0 })).toThrow(/warmup/);
  expect(() => checkSchedule({ kind: 'cosine', peak: 1, warmup: 0, final: -1 })).toThrow(/final/);
});
