import { describe, expect, it } from 'vitest';
import { generatePool } from '../generated-pool.ts';
import { fitRouter } from './fit.ts';
import { taskLabels } from './side-labels.ts';

const named = (task: string | undefined, n: number) =>
  Array.from({ length: n }, () => (task === undefined ? {} : { task }));

describe('task labels', () => {
  it('takes tasks of ten prompts and more, by falling frequency; others are unknown', () => {
    const side = taskLabels([...named('rare', 9), ...named('b', 10), ...named(undefined, 3), ...named('a', 12)])!;
    expect(side.count).toBe(2);
    expect([...side.label]).toEqual([
      ...new Array<number>(9).fill(-1),
      ...new Array<number>(10).fill(1),
      ...new Array<number>(3).fill(-1),
      ...new Array<number>(12).fill(0),
    ]);
  });

  it('is nothing where one task or none is named often', () => {
    expect(taskLabels(named('one', 100))).toBeUndefined();
    expect(taskLabels([...named('one', 100), ...named('two', 9)])).toBeUndefined();
    expect(taskLabels(named(undefined, 50))).toBeUndefined();
    expect(taskLabels([])).toBeUndefined();
  });

  it('keeps the 64 most frequent of more', () => {
    const many = Array.from({ length: 80 }, (_, t) => named(`t${t}`, 10 + t)).flat();
    const side = taskLabels(many)!;
    expect(side.count).toBe(64);
    expect(side.label[0]).toBe(-1);
    expect(side.label.at(-1)).toBe(0);
  });

  it('a router is told them unless it should not be, and its decisions need none', () => {
    const pool = generatePool({ seed: 12, prompts: 300, models: 4 });
    const options = { seed: 3, k: 6, bags: 1, features: { bits: 11, dim: 12 } } as const;
    const bare = { ...pool.table, prompts: pool.table.prompts.map(({ id, text }) => ({ id, text })) };
    const told = fitRouter(pool.table, options);
    const untold = fitRouter(pool.table, { ...options, tasks: false });
    expect(told.parts.provenance['tasksTold']).toBeGreaterThan(1);
    expect(untold.parts.provenance['tasksTold']).toBe(0);
    const gamma = (r: typeof told) => pool.table.prompts.slice(0, 20).map((p) => r.route(p.text).expectedError);
    expect(gamma(untold)).toEqual(gamma(fitRouter(bare, options)));
    expect(gamma(told)).not.toEqual(gamma(untold));
  });
});
