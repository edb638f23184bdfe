import { assert, boolean, integer, nat, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import { amplitudes } from './amplitudes.ts';
import { Structure } from './structure.ts';
import { structureOf } from './trace.ts';
import type { Obj } from './types.ts';
import { board, scene } from './_testing.ts';

const leaf = (module: string, m = 2): Obj => ({ module, attributes: new Float32Array(m) });

describe('structure', () => {
  it('lists objects in post-order and shares children', () => {
    const shared = leaf('c');
    const root: Obj = {
      module: 'a',
      attributes: new Float32Array(1),
      inputs: [
        {
          object: { module: 'b', attributes: new Float32Array(3), inputs: [{ object: shared, weight: 1 }] },
          weight: 0.25,
        },
        { object: shared, weight: 0.75 },
      ],
    };
    const s = structureOf(root, { balance: false });
    expect(s.objects.map((o) => o.module)).toEqual(['c', 'b', 'a']);
    expect(s.paths).toEqual(['0/0/0', '0/0', '0']);
    expect(s.at('0/1')).toBe(0);
    expect(s.columns).toBe(6);
    const { weight, depth, column } = amplitudes(s);
    expect([...weight]).toEqual([1, 0.25, 1]);
    expect([...depth]).toEqual([2, 2, 1]);
    expect(column[2]).toBeCloseTo(2 ** -3.5, 12);
    expect(column[1]).toBeCloseTo(0.25 * 2 ** -6, 12);
    expect(column[0]).toBeCloseTo(Math.hypot(0.75 * 2 ** -6, 0.25 * 2 ** -8.5), 12);
  });

  it('survives its bytes and has one hash per shape', () => {
    const rng = new Rng(1);
    for (const s of [structureOf(board(rng)), structureOf(scene(rng)), structureOf(leaf('ü', 0))]) {
      const back = Structure.fromBytes(s.bytes);
      expect(back.objects).toEqual(s.objects);
      expect(back.outputs).toEqual(s.outputs);
      expect(back.hash).toBe(s.hash);
      expect(s.hash).toMatch(/^[0-9a-f]{16}$/);
    }
    expect(structureOf(board(rng)).hash).toBe(structureOf(board(rng)).hash);
    expect(structureOf(scene(rng)).hash).not.toBe(structureOf(scene(rng, 8)).hash);
    // About ten bytes an object.
    expect(structureOf(board(rng)).bytes.length).toBeLessThan(83 * 10 + 120);
  });

  it('refuses damaged bytes with one code', () => {
    const { bytes } = structureOf(board(new Rng(2)));
    assert(
      property(nat(bytes.length - 1), integer({ min: 1, max: 255 }), boolean(), (at, flip, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.slice();
        if (!cut) damaged[at] = damaged[at]! ^ flip;
        try {
          Structure.fromBytes(damaged);
        } catch (error) {
          return CairnError.isInstance(error) && error.code === 'structure_bytes';
        }
        return false;
      }),
      { numRuns: 300 },
    );
    assert(
      property(uint8Array({ maxLength: 200 }), (noise) => {
        expect(() => Structure.fromBytes(noise)).toThrow(CairnError);
      }),
      { numRuns: 200 },
    );
  });

  it('balances: all columns arrive within a factor of two', () => {
    const s = structureOf(board(new Rng(3)));
    const { column } = amplitudes(s);
    const arriving = s.objects.map((o, i) => column[i]! * 2 ** -o.exponent);
    expect(Math.max(...arriving) / Math.min(...arriving)).toBeLessThan(2);
    expect(structureOf(board(new Rng(3)), { balance: false }).objects.every((o) => o.exponent === 0)).toBe(true);
  });

  it('names what is wrong with a trace', () => {
    const a: { module: string; attributes: Float32Array; inputs: { object: Obj; weight: number }[] } = {
      module: 'a',
      attributes: new Float32Array(1),
      inputs: [],
    };
    a.inputs.push({ object: { ...leaf('b'), inputs: [{ object: a, weight: 1 }] }, weight: 1 });
    expect(() => structureOf(a)).toThrow('Expected a trace without cycles, got a → b → a.');
    const half: Obj = { ...leaf('p'), inputs: [{ object: leaf('q'), weight: 0.5 }] };
    expect(() => structureOf(half)).toThrow("Expected the input weights of 'p' to sum to 1, got 0.5.");
    expect(() => structureOf({ ...half, inputs: [{ object: leaf('q'), weight: -1 }] })).toThrow('positive weights');
    expect(() => structureOf(leaf(''))).toThrow('Expected a module name');
    expect(() => structureOf({ ...leaf('g', 4), groups: [{ start: 2, size: 3 }] })).toThrow(
      'Expected ascending blocks',
    );
    expect(() => structureOf({ ...leaf('g'), groups: [{ start: 0, size: 2, prior: [1, 1] }] })).toThrow('prior shares');
    expect(() => structureOf([])).toThrow('at least one output');
    expect(() => structureOf({ ...leaf('s'), signature: 7 })).toThrow('without signatures');
    expect(() => structureOf(leaf('a')).at('0/0')).toThrow("Expected a path of this structure, got '0/0'.");
  });
});
