import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { blockColumn, type BlockFamily } from './block-dictionary.ts';
import { learnRecursive, parentMap, seenThrough } from './recursive-dictionary.ts';
import { inner } from './_testing.ts';

const PARENTS = 4;
const MATRICES = 4;
const COLUMNS = 5;

function familyOf(seed: number): BlockFamily {
  return { seed: `test-${seed}`, blocks: 64, size: 64, density: 0.1 };
}

/** Sums of children seen through parents; pairs of parent and matrix in `hidden` never occur. */
function samplesOf(family: BlockFamily, rng: Rng, count: number, hidden: readonly string[] = []): Float64Array[] {
  const columns = new Map<string, Float64Array>();
  for (let p = 0; p < PARENTS; p++) {
    const map = parentMap(family, `parent-${p}`);
    for (let m = 0; m < MATRICES; m++) {
      if (hidden.includes(`${p}:${m}`)) continue;
      for (let c = 0; c < COLUMNS; c++)
        columns.set(`${p}:${m}:${c}`, seenThrough(map, blockColumn(family, `m${m}`, c)));
    }
  }
  return Array.from({ length: count }, () => {
    const y = new Float64Array(family.blocks * family.size);
    rng.fillNormal(y, 1e-3);
    for (const column of columns.values()) {
      if (!rng.bernoulli(0.06)) continue;
      const x = 0.2 + 0.8 * rng.uniform();
      for (let i = 0; i < y.length; i++) y[i] = y[i]! + x * column[i]!;
    }
    return y;
  });
}

/** How many of all columns through all parents the learned dictionary predicts, and the share of their entries. */
function predicted(
  family: BlockFamily,
  { parents, matrices }: ReturnType<typeof learnRecursive>,
): { columns: number; entries: number } {
  const known = new Map(
    parents.flatMap((parent) =>
      matrices.flatMap((matrix) =>
        matrix.columns.map(({ pattern, entries }) => {
          const seen = pattern.map((v, i) => v * parent.word[i]!);
          return [seen.join(), entries.map((e, r) => e * parent.rows[r]!)] as const;
        }),
      ),
    ),
  );
  let columns = 0;
  let entries = 0;
  for (let p = 0; p < PARENTS; p++) {
    for (let m = 0; m < MATRICES; m++) {
      for (let c = 0; c < COLUMNS; c++) {
        const column = seenThrough(parentMap(family, `parent-${p}`), blockColumn(family, `m${m}`, c));
        const signs = Array.from({ length: 64 }, (_, r) => Math.sign(column[r * 64]!));
        const row = signs.findIndex((e) => e !== 0);
        const pattern = Array.from(column.subarray(row * 64, row * 64 + 64), (v) => Math.sign(v) * signs[row]!);
        const found = known.get(pattern.join());
        if (found === undefined) continue;
        columns++;
        entries += signs.filter((e, r) => e === found[r]).length / 64;
      }
    }
  }
  return { columns, entries: entries / columns };
}

describe('recursable dictionary learning', () => {
  it('factors both levels: four parents and four matrices, every column through every parent, over fresh seeds', () => {
    for (let seed = 0; seed < 4; seed++) {
      const family = familyOf(seed);
      const learned = learnRecursive(samplesOf(family, new Rng(seed), 300), { size: 64, noise: 1e-3, least: 5e-3 });
      expect(learned.parents.length).toBe(PARENTS);
      expect(learned.matrices.map((m) => m.columns.length)).toEqual(Array.from({ length: MATRICES }, () => COLUMNS));
      expect(predicted(family, learned)).toEqual({ columns: PARENTS * MATRICES * COLUMNS, entries: 1 });
      expect([...learned.parents[0]!.word, ...learned.parents[0]!.rows].every((v) => v === 1)).toBe(true);
    }
  });

  it('predicts columns of pairs that never occurred together', () => {
    const family = familyOf(9);
    const samples = samplesOf(family, new Rng(9), 300, ['0:1', '2:3']);
    const learned = learnRecursive(samples, { size: 64, noise: 1e-3, least: 5e-3 });
    expect(learned.parents.length).toBe(PARENTS);
    expect(learned.matrices.length).toBe(MATRICES);
    const { columns, entries } = predicted(family, learned);
    expect(columns).toBe(PARENTS * MATRICES * COLUMNS);
    // A row of a parent that no common column has cannot be known.
    expect(entries).toBeGreaterThan(0.98);
  });

  it('finds nothing in noise, and says which views cannot be placed', () => {
    const family = familyOf(3);
    const options = { size: 64, noise: 1e-3, least: 5e-3 };
    const nothing = Array.from({ length: 40 }, (_, k) => {
      const y = new Float64Array(4096);
      new Rng(k).fillNormal(y, 1e-3);
      return y;
    });
    expect(learnRecursive(nothing, options)).toEqual({ parents: [], matrices: [], unsettled: [] });
    // Matrix 3 is seen through two of four parents only: their product does not say which is which.
    const learned = learnRecursive(samplesOf(family, new Rng(3), 300, ['0:3', '1:3']), options);
    expect(learned.parents.length).toBe(PARENTS);
    expect(learned.matrices.length).toBe(MATRICES - 1);
    expect(learned.unsettled.map(({ columns }) => columns.length)).toEqual([COLUMNS, COLUMNS]);
    expect(predicted(family, learned).columns).toBe(PARENTS * (MATRICES - 1) * COLUMNS);
  });

  it('a parent keeps inner products', () => {
    const family = familyOf(4);
    const map = parentMap(family, 'p');
    const [a, b] = [blockColumn(family, 'm', 0), blockColumn(family, 'm', 1)];
    expect(inner(seenThrough(map, a), seenThrough(map, b))).toBeCloseTo(inner(a, b), 12);
    expect(seenThrough(map, seenThrough(map, a))).toEqual(a);
  });
});
