import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { similarity } from './similarity.ts';
import { quantise } from './stored.ts';
import { submoduleSimilarity } from './submodule-similarity.ts';
import type { Obj } from './types.ts';
import { scene, smallBoard, SMALL, SPEC, unitAttributes } from './_testing.ts';

const PLAIN = { balance: false } as const;

describe('similarity of parts', () => {
  it('finds equal objects at other positions, which the sketches themselves barely show', () => {
    for (let seed = 0; seed < 6; seed++) {
      const objects = scene(new Rng(seed));
      const a = encode(objects, SPEC, PLAIN);
      const b = encode(objects.toReversed(), SPEC, PLAIN);
      const parts = submoduleSimilarity(quantise(a), quantise(b), [a.structure, b.structure]);
      expect(parts.pairs.length).toBe(12);
      expect(parts.unmatched).toEqual([[], []]);
      expect(parts.similarity).toBeGreaterThan(0.999);
      expect(similarity(a, b, { part: 'full' })).toBeLessThan(0.8);
      const pair = parts.pairs.find((p) => p.module === 'object-0')!;
      expect(pair.paths).toEqual(['0', '3']);
    }
  });

  it('weighs a pair by its precision and lets objects without a partner count as unlike', () => {
    const rng = new Rng(1);
    const left = scene(rng);
    const right = left.map((o, i) => (i === 1 ? { ...o, module: 'new' } : o));
    const [a, b] = [encode(left, SPEC, PLAIN), encode(right, SPEC, PLAIN)];
    const parts = submoduleSimilarity(quantise(a), quantise(b), [a.structure, b.structure]);
    expect(parts.unmatched).toEqual([['1'], ['1']]);
    // Outputs are far more precise than their parts: one of four missing costs two of five shares.
    expect(parts.similarity).toBeGreaterThan(0.5);
    expect(parts.similarity).toBeLessThan(0.7);
    const [shallow, deep] = [parts.pairs[0]!, parts.pairs.at(-1)!];
    expect(shallow.weight).toBeGreaterThan(20 * deep.weight);
    expect(submoduleSimilarity(a, b, [a.structure, b.structure], 'part-0-0').pairs.length).toBe(1);
  });

  it('says how many cells of two boards agree, and counts a shared child once', () => {
    const rng = new Rng(2);
    const [one, two] = [smallBoard(rng), smallBoard(rng)];
    const [a, b] = [encode(one, SMALL), encode(two, SMALL)];
    const count = (o: Obj): number[] => {
      const out = Array.from({ length: 7 }, () => 0);
      for (const cell of o.inputs![0]!.object.inputs!) out[cell.object.attributes.indexOf(1)]!++;
      return out;
    };
    const [x, y] = [count(one), count(two)];
    const common = x.reduce((sum, n, c) => sum + Math.min(n, y[c]!), 0);
    const parts = submoduleSimilarity(quantise(a), quantise(b), [a.structure, b.structure], 'read-digit');
    expect(parts.similarity).toBeCloseTo(common / 36, 9);

    const child: Obj = { module: 'c', attributes: unitAttributes(rng, 4) };
    const parent = (module: string): Obj => ({
      module,
      attributes: unitAttributes(rng, 3),
      inputs: [{ object: child, weight: 1 }],
    });
    const shared = encode([parent('p'), parent('q')], SPEC, PLAIN);
    const own = submoduleSimilarity(shared, shared, [shared.structure, shared.structure], 'c');
    expect(own.pairs.map((p) => p.paths)).toEqual([['0/0', '0/0']]);
  });
});
