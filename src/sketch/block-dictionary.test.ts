import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { blockColumn, type BlockFamily, learnDictionary } from './block-dictionary.ts';

const FAMILY: BlockFamily = { seed: 'test', blocks: 64, size: 32, density: 0.08 };
const LEAST = 0.1 / Math.sqrt(FAMILY.density * 2048);

function columnsOf(matrices: number, columns: number): Float64Array[] {
  return Array.from({ length: matrices * columns }, (_, k) =>
    blockColumn(FAMILY, `m${Math.floor(k / columns)}`, k % columns),
  );
}

function samplesOf(rng: Rng, columns: readonly Float64Array[], count: number, noise: number): Float64Array[] {
  return Array.from({ length: count }, () => {
    const y = new Float64Array(2048);
    rng.fillNormal(y, noise);
    for (const column of columns) {
      if (!rng.bernoulli(0.04)) continue;
      const x = 0.2 + 0.8 * rng.uniform();
      for (let i = 0; i < y.length; i++) y[i] = y[i]! + x * column[i]!;
    }
    return y;
  });
}

/** Entries ±1, 0 of a column and its pattern, as learning should return them. */
function truthOf(column: Float64Array): string {
  const entries = Array.from({ length: 64 }, (_, r) => Math.sign(column[r * 32]!));
  const row = entries.findIndex((e) => e !== 0);
  const pattern = Array.from(column.subarray(row * 32, (row + 1) * 32), (v) => Math.sign(v) * entries[row]!);
  return `${pattern.join()}|${entries.join()}`;
}

describe('dictionary learning', () => {
  it('finds all 120 columns of 12 unknown matrices with every entry from 300 noisy samples', () => {
    const columns = columnsOf(12, 10);
    const learned = learnDictionary(samplesOf(new Rng(1), columns, 300, 1e-3), { size: 32, noise: 1e-3, least: LEAST });
    expect(learned.length).toBe(12);
    expect(learned.map((m) => m.columns.length)).toEqual(Array.from({ length: 12 }, () => 10));
    const found = learned.flatMap((m) => m.columns.map((c) => `${c.pattern.join()}|${c.entries.join()}`));
    expect(found.sort()).toEqual(columns.map(truthOf).sort());
  });

  it('finds nothing in noise', () => {
    const samples = samplesOf(new Rng(2), [], 50, 1e-3);
    expect(learnDictionary(samples, { size: 32, noise: 1e-3, least: LEAST })).toEqual([]);
    expect(() => learnDictionary([new Float64Array(33)], { size: 32, noise: 0, least: 0 })).toThrow(
      'a multiple of an even block size',
    );
    expect(() => blockColumn({ ...FAMILY, size: 5 }, 'm', 0)).toThrow('Expected an even block size');
  });

  it('columns have about unit norm and name their matrix in the first half of each block', () => {
    const [a, b] = [blockColumn(FAMILY, 'm', 0), blockColumn(FAMILY, 'm', 1)];
    const half = (c: Float64Array): string => truthOf(c).split('|')[0]!.split(',').slice(0, 16).join();
    expect(half(a)).toBe(half(b));
    const power = columnsOf(12, 10).map((c) => c.reduce((s, v) => s + v * v, 0));
    const mean = power.reduce((s, v) => s + v, 0) / power.length;
    expect(mean).toBeGreaterThan(0.85);
    expect(mean).toBeLessThan(1.2);
  });
});
