import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { discover } from './discover.ts';
import { encode } from './encode.ts';
import { quantise } from './stored.ts';
import { maxDifference, scene, SPEC } from './_testing.ts';

/** The twelve modules of the reference scene among others that do not occur. */
function modulesWith(others: number): { module: string; size: number }[] {
  const own = [0, 1, 2, 3].flatMap((i) => [`object-${i}`, `part-${i}-0`, `part-${i}-1`]);
  return [...own, ...Array.from({ length: others }, (_, k) => `other-${k}`)].map((module) => ({ module, size: 16 }));
}

describe('discover', () => {
  it('finds all twelve objects of the reference scene among 20 modules, at 8 bits, with weights and attributes', () => {
    const objects = scene(new Rng(1));
    const event = encode(objects, SPEC, { balance: false });
    const found = discover(quantise(event, { part: 'full' }), { modules: modulesWith(8), positions: [4, 2] });
    expect(found.objects.map((o) => `${o.path} ${o.module}`)).toEqual(
      [0, 1, 2, 3].flatMap((i) => [`${i} object-${i}`, `${i}/0 part-${i}-0`, `${i}/1 part-${i}-1`]),
    );
    expect(found.complete).toBe(true);
    for (const o of found.objects) {
      const [i, j] = o.path.split('/').map(Number);
      const original = j === undefined ? objects[i!]! : objects[i!]!.inputs![j]!.object;
      expect(o.weight).toBeCloseTo(j === undefined ? 0.25 : 0.125, 2);
      expect(maxDifference(o.attributes, original.attributes)).toBeLessThan(6 * o.err + 1e-6);
    }
  });

  it('stops when nothing is left, with more positions than objects', () => {
    const event = encode(scene(new Rng(2)).slice(0, 2), SPEC, { balance: false });
    const found = discover(event, { modules: modulesWith(4), positions: [4, 3] });
    expect(found.objects.map((o) => o.path)).toEqual(['0', '0/0', '0/1', '1', '1/0', '1/1']);
    expect(found.complete).toBe(true);
  });

  it('finds nothing in a sketch of unknown modules', () => {
    const event = encode(scene(new Rng(3)), SPEC, { balance: false });
    const strangers = modulesWith(12).slice(12);
    const found = discover(event, { modules: strangers, positions: [4] });
    expect(found.objects).toEqual([]);
    expect(found).toMatchObject({ residual: 1, complete: false });
  });

  it('needs the markers', () => {
    const event = encode(scene(new Rng(4)), SPEC);
    expect(() => discover(quantise(event), { modules: [], positions: [1] })).toThrow('Expected a full sketch');
  });
});
