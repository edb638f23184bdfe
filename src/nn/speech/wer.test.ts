import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { characterErrorRate, countErrors, errorRate } from './wer.ts';

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));

describe('error rates', () => {
  it('of known pairs', () => {
    const cases: [string, string, number, number, number][] = [
      ['a b c', 'a b c', 0, 0, 0],
      ['a b c', 'a x c', 1, 0, 0],
      ['a b c', 'a c', 0, 1, 0],
      ['a b c', 'a b b c', 0, 0, 1],
      ['a b', 'b a', 2, 0, 0],
      ['', 'a', 0, 0, 1],
      ['a b c', '', 0, 3, 0],
      ['a b c d', 'b c x d', 0, 1, 1],
    ];
    for (const [reference, hypothesis, substitutions, deletions, insertions] of cases) {
      expect(countErrors(words(reference), words(hypothesis))).toEqual({
        substitutions,
        deletions,
        insertions,
        reference: words(reference).length,
      });
    }
  });

  it('is a metric in its errors', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 7 });
    const errors = (a: string[], b: string[]): number => {
      const c = countErrors(a, b);
      return c.substitutions + c.deletions + c.insertions;
    };
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        expect(errors(a, b)).toBe(errors(b, a));
        expect(errors(a, a)).toBe(0);
        expect(errors(a, c)).toBeLessThanOrEqual(errors(a, b) + errors(b, c));
        expect(countErrors(a, b).insertions - countErrors(a, b).deletions).toBe(b.length - a.length);
      }),
    );
  });

  it('of a corpus is the sum of errors by the sum of lengths, inside its interval', () => {
    const pairs = Array.from({ length: 200 }, (_, i) => ({
      reference: words('a b c d'),
      hypothesis: words(i % 10 === 0 ? 'a b c' : 'a b c d'),
    }));
    const rate = errorRate(pairs, new Rng(1));
    expect(rate.rate).toBeCloseTo(20 / 800, 12);
    expect(rate.interval[0]).toBeLessThan(rate.rate);
    expect(rate.interval[1]).toBeGreaterThan(rate.rate);
    expect(rate.interval[1] - rate.interval[0]).toBeLessThan(0.03);
    expect(errorRate([{ reference: [], hypothesis: [] }]).rate).toBe(0);
    expect(errorRate([{ reference: [], hypothesis: ['a'] }]).rate).toBe(Infinity);
    expect(characterErrorRate([{ reference: 'seven', hypothesis: 'sven' }]).rate).toBeCloseTo(0.2, 12);
  });
});
