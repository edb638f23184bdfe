import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hypervolume, nonDominated, paretoFront, type ParetoPoint, surelyDominated, upperHull } from './pareto.ts';

const small = fc.integer({ min: 0, max: 9 });
const points = fc
  .array(fc.record({ cost: small, quality: small, spread: fc.integer({ min: 0, max: 3 }) }), { maxLength: 14 })
  .map((rows) =>
    rows.map(({ cost, quality, spread }, i): ParetoPoint => ({
      id: `p${i}`,
      cost,
      quality,
      ...(spread === 0 ? {} : { ciLow: quality - spread, ciHigh: quality + spread }),
    })),
  );
const ids = (ps: readonly ParetoPoint[]): string[] => ps.map((p) => p.id).sort();

test('the front is what brute force leaves, in any order, ties flagged', () => {
  fc.assert(
    fc.property(points, fc.infiniteStream(fc.nat()), (ps, random) => {
      const { front, ties } = paretoFront(ps);
      const kept = nonDominated(ps.map((p) => [p.cost, -p.quality])).map((i) => ps[i]!);
      expect(ids(front)).toEqual(ids(kept));
      const shuffled = ps.map((p) => ({ p, key: random.next().value as number }));
      shuffled.sort((a, b) => a.key - b.key);
      expect(paretoFront(shuffled.map((x) => x.p)).front).toEqual(front);
      for (let i = 1; i < front.length; i++) {
        const [a, b] = [front[i - 1]!, front[i]!];
        const tied = a.cost === b.cost && a.quality === b.quality;
        expect(tied || (a.cost < b.cost && a.quality < b.quality)).toBe(true);
        expect(ties.some((t) => t.includes(a.id) && t.includes(b.id))).toBe(tied);
      }
    }),
  );
});

test('the hull is concave, starts and ends with the front, and no point lies above it', () => {
  fc.assert(
    fc.property(points, (ps) => {
      const hull = upperHull(ps);
      const { front } = paretoFront(ps);
      expect(hull.at(0)?.cost).toBe(front.at(0)?.cost);
      expect(hull.at(-1)?.quality).toBe(front.at(-1)?.quality);
      const slope = (i: number): number =>
        (hull[i]!.quality - hull[i - 1]!.quality) / (hull[i]!.cost - hull[i - 1]!.cost);
      for (let i = 2; i < hull.length; i++) expect(slope(i)).toBeLessThan(slope(i - 1));
      for (const p of ps) {
        for (let i = 1; i < hull.length; i++) {
          const [a, b] = [hull[i - 1]!, hull[i]!];
          if (p.cost < a.cost || p.cost > b.cost) continue;
          expect(p.quality).toBeLessThanOrEqual(a.quality + slope(i) * (p.cost - a.cost) + 1e-9);
        }
      }
    }),
  );
});

test('the area is what counting cells gives; a point that is beaten adds nothing', () => {
  fc.assert(
    fc.property(points, small, small, (ps, cost, quality) => {
      const reference = { cost: 9, quality: 1 };
      let cells = 0;
      for (let c = 0; c < 9; c++) for (let q = 1; q < 9; q++) if (ps.some((p) => p.cost <= c && p.quality > q)) cells++;
      expect(hypervolume(ps, reference)).toBe(cells);
      const more = [...ps, { id: 'new', cost, quality }];
      if (ps.some((p) => p.cost <= cost && p.quality >= quality && (p.cost < cost || p.quality > quality))) {
        expect(hypervolume(more, reference)).toBe(cells);
        expect(upperHull(more)).toEqual(upperHull(ps));
        expect(paretoFront(more)).toEqual(paretoFront(ps));
      }
    }),
  );
});

test('beaten with confidence: intervals apart, cost no lower; never a point of the front of the upper ends', () => {
  fc.assert(
    fc.property(points, (ps) => {
      const beaten = surelyDominated(ps);
      for (const p of ps) {
        const by = ps.find((q) => q.id === beaten.get(p.id));
        const any = ps.some((q) => q.cost <= p.cost && (q.ciLow ?? q.quality) > (p.ciHigh ?? p.quality));
        expect(by !== undefined).toBe(any);
        if (by) expect(by.cost <= p.cost && by.quality > p.quality).toBe(true);
      }
      for (const p of paretoFront(ps).front) expect(beaten.has(p.id)).toBe(false);
    }),
  );
});

test('numbers that make no sense are named', () => {
  expect(() => paretoFront([{ id: 'a', cost: Number.NaN, quality: 1 }])).toThrow('finite numbers for `a`');
  expect(() => paretoFront([{ id: 'a', cost: 1, quality: 1, ciLow: 2 }])).toThrow('interval around 1 for `a`');
});
