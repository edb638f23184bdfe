import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { identify } from './identify.ts';
import { quantise, truncate } from './stored.ts';
import { norm, scene, SPEC } from './_testing.ts';

const CANDIDATES = [...[0, 1, 2, 3].map((i) => `object-${i}`), ...Array.from({ length: 200 }, (_, k) => `other-${k}`)];

describe('identify', () => {
  it('ranks the four modules of a scene first among 204, at their positions, with weights as precise as it says', () => {
    const errors: number[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const spec = { ...SPEC, dim: 4096, seed: `identify-${seed}` } as const;
      const event = encode(scene(new Rng(seed)), spec, { balance: false, how: 'recursion' });
      const found = identify(quantise(event, { part: 'full' }), CANDIDATES, 4);
      expect(
        found
          .slice(0, 4)
          .map((f) => `${f.position} ${f.module}`)
          .sort(),
      ).toEqual(['0 object-0', '1 object-1', '2 object-2', '3 object-3']);
      expect(found.length).toBe(204);
      errors.push(...found.slice(0, 4).map((f) => (f.weight - 0.25) / f.err));
    }
    expect(norm(errors) / Math.sqrt(errors.length)).toBeLessThan(2);
    expect(norm(errors) / Math.sqrt(errors.length)).toBeGreaterThan(0.3);
  });

  it('works on half of the numbers, and needs the markers', () => {
    const spec = { ...SPEC, dim: 4096 } as const;
    const event = encode(scene(new Rng(9)), spec, { balance: false });
    const half = truncate(quantise(event, { part: 'full' }), 2048);
    const found = identify(half, CANDIDATES.slice(0, 40), 4).slice(0, 4);
    expect(found.map((f) => f.module).sort()).toEqual(['object-0', 'object-1', 'object-2', 'object-3']);
    expect(() => identify(quantise(event), CANDIDATES, 4)).toThrow('Expected a full sketch');
  });
});
