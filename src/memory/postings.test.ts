import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePostings, encodePostings, postingsContain, readVarint, writeVarint } from './postings.ts';

const SPAN = 2048;
const lists = fc.oneof(
  fc.uniqueArray(fc.integer({ min: 0, max: SPAN - 1 }), { maxLength: 60 }),
  // Dense lists: nearly everything, minus a few.
  fc
    .tuple(fc.integer({ min: 0, max: SPAN }), fc.uniqueArray(fc.integer({ min: 0, max: SPAN - 1 }), { maxLength: 30 }))
    .map(([n, missing]) => Array.from({ length: n }, (_, i) => i).filter((v) => !missing.includes(v))),
  fc.array(fc.boolean(), { maxLength: 700 }).map((bits) => bits.flatMap((bit, i) => (bit ? [i] : []))),
);

describe('posting lists', () => {
  it('come back as they were, for any set', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const sorted = [...list].sort((a, b) => a - b);
        const packed = encodePostings(sorted, SPAN);
        expect(Array.from(decodePostings(packed, SPAN))).toEqual(sorted);
        for (const v of [0, 1, 7, 8, 400, SPAN - 1, ...sorted.slice(0, 3)]) {
          expect(postingsContain(packed, v)).toBe(sorted.includes(v));
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('stay complete through random additions and removals (model: a Set)', () => {
    const step = fc.record({ add: fc.boolean(), value: fc.integer({ min: 0, max: 200 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const model = new Set<number>();
        let packed = encodePostings([], SPAN);
        for (const { add, value } of steps) {
          if (add) model.add(value);
          else model.delete(value);
          const list = Array.from(decodePostings(packed, SPAN)).filter((v) => v !== value);
          if (add) list.push(value);
          packed = encodePostings(
            list.sort((a, b) => a - b),
            SPAN,
          );
        }
        expect(Array.from(decodePostings(packed, SPAN))).toEqual([...model].sort((a, b) => a - b));
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it('take a byte per rare posting, a bit per common one, nothing when everything is in', () => {
    const every = (step: number): number[] => Array.from({ length: 16_384 / step }, (_, i) => i * step);
    expect(encodePostings(every(64), 16_384).length).toBe(1 + 256);
    expect(encodePostings(every(2), 16_384).length).toBeLessThanOrEqual(1 + 2048);
    expect(encodePostings(every(1), 16_384).length).toBeLessThan(6);
    expect(
      encodePostings(
        every(1).filter((v) => v !== 77 && v !== 9000),
        16_384,
      ).length,
    ).toBeLessThan(8);
  });

  it('never take more than the plain varints', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const sorted = [...list].sort((a, b) => a - b);
        let plain = 1;
        sorted.forEach((v, i) => (plain += v - (sorted[i - 1] ?? -1) - 1 < 128 ? 1 : 2));
        expect(encodePostings(sorted, SPAN).length).toBeLessThanOrEqual(plain);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it('refuse lists that do not rise and bytes that are no list', () => {
    expect(() => encodePostings([3, 3], SPAN)).toThrow('Expected rising integers below 2048, got 3 after 3.');
    expect(() => encodePostings([SPAN], SPAN)).toThrow('Expected rising integers below 2048, got 2048 after -1.');
    expect(() => decodePostings(Uint8Array.of(9, 1), SPAN)).toThrow('Expected a packed posting list, got other bytes.');
    expect(() => decodePostings(Uint8Array.of(0, 255), SPAN)).toThrow('packed posting list');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const list = decodePostings(bytes, SPAN);
          for (let i = 0; i < list.length; i++) expect(list[i]).toBeLessThan(SPAN);
        } catch (error) {
          expect(error).toHaveProperty('code', 'bad_posting');
        }
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  it('varints hold every integer below 2^53', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = new Uint8Array(9);
        const end = writeVarint(bytes, 0, value);
        expect(readVarint(bytes, 0)).toEqual([value, end]);
      }),
      { seed: 5 },
    );
  });
});
