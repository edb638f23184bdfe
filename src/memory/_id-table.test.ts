import { assert, array, boolean, constantFrom, integer, property, record } from 'fast-check';
import { expect, it } from 'vitest';
import { IdTable } from './_id-table.ts';

it('agrees with a Map of lists through additions and removals, crowded prefixes and growth', () => {
  // Few prefixes, some that fall on one place, so that runs cross each other.
  const prefixes = [0, 1, 64, 128, 2 ** 47 + 64, 2 ** 32, 2 ** 40 + 1, 63];
  const step = record({ prefix: constantFrom(...prefixes), remove: boolean(), pick: integer({ min: 0, max: 7 }) });
  assert(
    property(array(step, { maxLength: 400 }), (steps) => {
      const table = new IdTable();
      const expected = new Map<number, number[]>();
      let next = 1;
      for (const { prefix, remove, pick } of steps) {
        const list = expected.get(prefix) ?? [];
        expected.set(prefix, list);
        if (remove && list.length > 0) table.remove(prefix, list.splice(pick % list.length, 1)[0]!);
        else {
          list.push(next);
          table.add(prefix, next++);
        }
      }
      for (const prefix of prefixes) {
        expect(table.get(prefix).sort((a, b) => a - b)).toEqual(expected.get(prefix) ?? []);
      }
      expect(table.get(12345)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

it('holds many after making room for them', () => {
  const table = new IdTable();
  table.reserve(5000);
  for (let ref = 1; ref <= 5000; ref++) table.add(ref * 281_474_976, ref);
  for (let ref = 1; ref <= 5000; ref++) expect(table.get(ref * 281_474_976)).toEqual([ref]);
});
