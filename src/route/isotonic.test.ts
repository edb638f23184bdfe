import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { Rng } from '../tensor/index.ts';
import { fitIsotonic, probabilityOf } from './isotonic.ts';

describe('isotonic', () => {
  it('the example of the documentation', () => {
    const map = fitIsotonic([0.2, 0.4, 0.9, 0.95], [0, 0, 1, 1], 2);
    expect([probabilityOf(map, 0.93), probabilityOf(map, 0.1)]).toEqual([2.5 / 3, 0.5 / 3]);
    expect(() => fitIsotonic([], [])).toThrow('Expected as many outcomes');
  });

  it('rises, stays inside 0..1, and keeps equal confidences together', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { minLength: 1, maxLength: 200 }),
        (pairs) => {
          const map = fitIsotonic(
            pairs.map(([c]) => c / 20),
            pairs.map(([, r]) => (r ? 1 : 0)),
            5,
          );
          let last = 0;
          for (let c = 0; c <= 20; c++) {
            const p = probabilityOf(map, c / 20);
            expect(p).toBeGreaterThanOrEqual(last);
            last = p;
          }
          expect(last).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('finds the true probability, and mends a confidence that boasts', () => {
    const rng = new Rng(4);
    const truth = Array.from({ length: 5000 }, () => rng.uniform());
    const boast = truth.map((p) => Math.sqrt(p));
    const map = fitIsotonic(
      boast,
      truth.map((p) => (rng.bernoulli(p) ? 1 : 0)),
    );
    for (const p of [0.1, 0.3, 0.5, 0.7, 0.9])
      expect(Math.abs(probabilityOf(map, Math.sqrt(p)) - p)).toBeLessThan(0.08);
  });
});
