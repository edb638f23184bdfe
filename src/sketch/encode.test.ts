import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { amplitudes } from './amplitudes.ts';
import { encode, objectSketch } from './encode.ts';
import { Maps } from './maps.ts';
import { applyAdjoint, applyOperator } from './operator.ts';
import { Sketcher, sketcherOf } from './sketcher.ts';
import { structureOf } from './trace.ts';
import type { Obj, SketchSpec } from './types.ts';
import { board, inner, maxDifference, norm, scene, smallBoard, SPEC, unitAttributes } from './_testing.ts';

const TINY: SketchSpec = { ...SPEC, dim: 256 };

describe('encode', () => {
  it('is T₀ · ½ T_attr (½ R₁ x + ½ R₂ e₁) below T_pos for one object, written out', () => {
    const x = unitAttributes(new Rng(1), 5);
    const maps = new Maps(TINY);
    const v = new Float64Array(256);
    v.set(x.map((a) => a / 2));
    maps.rotate(maps.map('attribute', 'm'), v);
    const marker = new Float64Array(256);
    marker[0] = 0.5;
    maps.rotate(maps.map('marker', 'm'), marker);
    const s = v.map((a, i) => a + marker[i]!);
    maps.mix(maps.map('fixed', 'attributes'), s, 0.5);
    maps.mix(maps.map('module', 'm'), s);
    maps.mix(maps.map('position', 0), s);
    expect(maxDifference(encode({ module: 'm', attributes: x }, TINY).values, s)).toBeLessThan(1e-9);
  });

  it('compiled equals recursion', () => {
    const rng = new Rng(2);
    const shared: Obj = { module: 'shared', attributes: unitAttributes(rng, 3) };
    const bag: Obj = {
      module: 'bag',
      attributes: unitAttributes(rng, 2),
      bag: true,
      inputs: [
        { object: shared, weight: 0.5 },
        { object: { module: 'shared', attributes: unitAttributes(rng, 3) }, weight: 0.5 },
      ],
    };
    const twice: Obj = {
      module: 'twice',
      attributes: new Float32Array(0),
      inputs: [
        { object: bag, weight: 0.5 },
        { object: shared, weight: 0.5 },
      ],
    };
    for (const root of [scene(rng), board(rng), twice]) {
      const slow = encode(root, SPEC, { how: 'recursion' });
      const fast = encode(root, SPEC, { how: 'compiled' });
      expect(maxDifference(slow.content, fast.content) / norm(slow.content)).toBeLessThan(1e-13);
      expect(slow.values).toEqual(fast.values);
    }
  });

  it('is linear in the attributes and its adjoint is the adjoint', () => {
    const rng = new Rng(3);
    const structure = structureOf(scene(rng, 4), { balance: false });
    const maps = new Maps(TINY);
    const options = { markers: false, signatures: false };
    assert(
      property(integer(), (seed) => {
        const r = new Rng(seed);
        const x = new Float64Array(structure.columns);
        const z = new Float64Array(structure.columns);
        const y = new Float64Array(256);
        r.fillNormal(x);
        r.fillNormal(z);
        r.fillNormal(y);
        const ax = applyOperator(maps, structure, x, options);
        const az = applyOperator(maps, structure, z, options);
        const both = applyOperator(
          maps,
          structure,
          x.map((v, i) => v - 2 * z[i]!),
          options,
        );
        const left = inner(ax, y);
        const right = inner(x, applyAdjoint(maps, structure, y, false));
        return (
          maxDifference(
            both,
            ax.map((v, i) => v - 2 * az[i]!),
          ) < 1e-12 && Math.abs(left - right) < 1e-10
        );
      }),
      { numRuns: 10 },
    );
  });

  it('column norms follow the amplitudes', () => {
    const rng = new Rng(4);
    const root = scene(rng);
    const sketcher = new Sketcher(SPEC);
    const { columns, structure } = sketcher.compiled(sketcher.structureOf(root, { balance: false }));
    const { column } = amplitudes(structure);
    structure.objects.forEach((o, i) => {
      const offset = structure.offsets[i]!;
      let power = 0;
      for (let j = 0; j < o.size; j++)
        power += norm(columns.subarray((offset + j) * 1024, (offset + j + 1) * 1024)) ** 2;
      const ratio = Math.sqrt(power / o.size) / column[i]!;
      expect(ratio).toBeGreaterThan(0.9);
      expect(ratio).toBeLessThan(1.1);
    });
  });

  it('gives equal values for equal input, whatever was encoded before', () => {
    const events = [scene(new Rng(5)), smallBoard(new Rng(6))];
    const one = events.map((e) => new Sketcher(SPEC).encode(e).values);
    const warm = new Sketcher(SPEC);
    for (let k = 0; k < 3; k++) events.forEach((e, i) => expect(warm.encode(e).values).toEqual(one[i]));
    expect(sketcherOf({ ...SPEC })).toBe(sketcherOf(SPEC));
  });

  it('a shared child adds its weights', () => {
    const rng = new Rng(7);
    const child: Obj = { module: 'c', attributes: unitAttributes(rng, 4) };
    const copy: Obj = { ...child, attributes: Float32Array.from(child.attributes) };
    const parent = (a: Obj, b: Obj): Obj => ({
      module: 'p',
      attributes: new Float32Array(0),
      bag: true,
      inputs: [
        { object: a, weight: 0.5 },
        { object: b, weight: 0.5 },
      ],
    });
    const options = { balance: false } as const;
    const shared = encode(parent(child, child), TINY, options);
    expect(shared.structure.objects.length).toBe(2);
    expect(maxDifference(shared.values, encode(parent(child, copy), TINY, options).values)).toBeLessThan(1e-8);
  });

  it('checks attributes', () => {
    const bad = (attributes: number[], groups?: Obj['groups']) => () =>
      encode({ module: 'm', attributes: Float32Array.from(attributes), groups }, TINY);
    expect(bad([NaN])).toThrow("Expected finite attributes >= 0 on 'm', got NaN.");
    expect(bad([-0.5])).toThrow('got -0.5');
    expect(bad([1, 1])).toThrow("Expected attributes of norm at most 1 on 'm'");
    expect(bad([0.5, 0.5], [{ start: 0, size: 2 }])).toThrow('Expected one 1');
    expect(bad([0, 1, 1], [{ start: 0, size: 2 }])).not.toThrow();
    expect(bad(Array.from({ length: 300 }, () => 0))).toThrow('Expected at most 256 attributes');
    expect(() => encode(scene(new Rng(1)), { ...SPEC, dim: 1000 as 1024 })).toThrow('power of two');
  });

  it('objects have a sketch of their own that does not depend on where they occur', () => {
    const event = board(new Rng(8));
    const cells = event.inputs![0]!.object.inputs!;
    const twin = cells.findIndex((c, i) => i > 0 && inner(c.object.attributes, cells[0]!.object.attributes) === 1);
    expect(objectSketch(cells[0]!.object, SPEC).values).toEqual(objectSketch(cells[twin]!.object, SPEC).values);
  });
});
