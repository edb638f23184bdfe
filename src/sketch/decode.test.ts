import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { conjugateGradient } from './_conjugate-gradient.ts';
import { amplitudes } from './amplitudes.ts';
import { encode } from './encode.ts';
import { expectedError } from './expected.ts';
import { sketcherOf } from './sketcher.ts';
import { eraseRandom, quantise, truncate } from './stored.ts';
import { decode, unroll } from './unroll.ts';
import type { Obj, SketchSpec } from './types.ts';
import { maxDifference, norm, scene, SPEC, unitAttributes } from './_testing.ts';

const PLAIN = { balance: false } as const;

/** True attributes of all objects by path. */
function truth(event: ReturnType<typeof encode>): Map<string, Float64Array> {
  const { structure, attributes } = event;
  return new Map(
    structure.objects.map((o, i) => {
      const at = structure.offsets[i]!;
      return [structure.paths[i]!, attributes.subarray(at, at + o.size)];
    }),
  );
}

function rms(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(Array.from(a, (v, i) => v - b[i]!)) / Math.sqrt(a.length);
}

describe('solve', () => {
  it('is exact without rounding', () => {
    const event = encode(scene(new Rng(1)), SPEC, PLAIN);
    const true_ = truth(event);
    for (const path of ['0', '3', '1/0', '2/1']) {
      expect(maxDifference(decode(event, event.structure, path).attributes, true_.get(path)!)).toBeLessThan(1e-6);
    }
  });

  it('conjugate gradient and the factor agree', () => {
    const event = encode(scene(new Rng(2)), SPEC, PLAIN);
    const { structure } = event;
    const stored = truncate(quantise(event), 512);
    const { column } = amplitudes(structure);
    const columnNorms = new Float64Array(structure.columns);
    structure.objects.forEach((o, i) =>
      columnNorms.fill(column[i]!, structure.offsets[i], structure.offsets[i]! + o.size),
    );
    const coordinates = Uint32Array.from({ length: 512 }, (_, i) => i);
    const y = Float64Array.from(stored.codes, (c) => c * stored.step);
    const options = { signatures: false, columnNorms, noise: 0, tolerance: 1e-10 };
    const cg = conjugateGradient(sketcherOf(SPEC).maps, structure, coordinates, y, options);
    const direct = unroll(stored, structure);
    const flat = new Float64Array(structure.columns);
    direct.outputs.forEach((o, i) => {
      flat.set(o.attributes, structure.offsets[structure.at(`${i}`)]);
      o.inputs.forEach((p, j) => flat.set(p.attributes, structure.offsets[structure.at(`${i}/${j}`)]));
    });
    expect(maxDifference(cg.x, flat)).toBeLessThan(1e-5);
    expect(cg.iterations).toBeLessThan(150);
  });

  it('meets the errors of the reference scene at 8 bits, whole and cut to a quarter', () => {
    for (const [kept, shallow, deep] of [
      [1024, 5e-3, 5e-2],
      [512, 8e-3, 8e-2],
      [256, 2e-2, 0.25],
    ] as const) {
      for (let seed = 0; seed < 3; seed++) {
        const event = encode(scene(new Rng(100 + seed)), SPEC, PLAIN);
        const read = unroll(truncate(quantise(event), kept), event.structure);
        const true_ = truth(event);
        expect(read.consistent).toBe(true);
        for (const o of read.outputs) {
          expect(maxDifference(o.attributes, true_.get(o.path)!)).toBeLessThan(shallow);
          for (const p of o.inputs) expect(maxDifference(p.attributes, true_.get(p.path)!)).toBeLessThan(deep);
        }
      }
    }
  });

  it('says by how much it errs: within a factor 2, returned and expected before any data', () => {
    for (const [kept, store] of [
      [1024, 'i8'],
      [512, 'i8'],
      [512, 'i4'],
      [256, 'i8'],
    ] as const) {
      const power = [0, 0];
      const said = [0, 0];
      const foreseen = [0, 0];
      for (let seed = 0; seed < 12; seed++) {
        const event = encode(scene(new Rng(200 + seed)), SPEC, PLAIN);
        const read = unroll(truncate(quantise(event, { store }), kept), event.structure);
        const true_ = truth(event);
        const bits = store === 'i8' ? 8 : 4;
        const before = expectedError(SPEC, event.structure, { kept, bits });
        for (const o of read.outputs.flatMap((x) => [x, ...x.inputs])) {
          const level = o.path.length === 1 ? 0 : 1;
          power[level] = power[level]! + rms(o.attributes, true_.get(o.path)!) ** 2;
          said[level] = said[level]! + o.err ** 2;
          foreseen[level] = foreseen[level]! + before.get(o.path)! ** 2;
        }
      }
      for (const level of [0, 1]) {
        expect(Math.sqrt(said[level]! / power[level]!)).toBeGreaterThan(0.8);
        expect(Math.sqrt(said[level]! / power[level]!)).toBeLessThan(1.25);
        expect(Math.sqrt(foreseen[level]! / power[level]!)).toBeGreaterThan(0.5);
        expect(Math.sqrt(foreseen[level]! / power[level]!)).toBeLessThan(2);
      }
    }
  });

  it('random erasure is as good as a prefix', () => {
    const event = encode(scene(new Rng(3)), SPEC, PLAIN);
    const read = unroll(eraseRandom(quantise(event), 512, 5), event.structure);
    expect(read.consistent).toBe(true);
    expect(rms(read.outputs[0]!.attributes, truth(event).get('0')!)).toBeLessThan(5e-3);
  });

  it('says when there are more unknowns than numbers', () => {
    const event = encode(scene(new Rng(4)), SPEC, PLAIN);
    const read = decode(truncate(quantise(event), 192), event.structure, '0');
    expect(read.err).toBe(Infinity);
    expect(read.reason).toBe('more unknowns than kept numbers (192 unknowns, 192 numbers)');
    expect(expectedError(SPEC, event.structure, { kept: 192 }).get('0')).toBe(Infinity);
  });

  it('notices a wrong seed and refuses a wrong structure', () => {
    const event = encode(scene(new Rng(5)), SPEC, PLAIN);
    const foreign = { ...quantise(event), spec: { ...SPEC, seed: 'wrong' } };
    expect(unroll(foreign, event.structure).consistent).toBe(false);
    expect(unroll(foreign, event.structure).reason).toContain('wrong seed');
    const other = encode(scene(new Rng(5), 8), SPEC, PLAIN).structure;
    expect(() => unroll(quantise(event), other)).toThrow(`Expected structure ${event.structure.hash}`);
  });

  it('untangles the two paths of a shared child', () => {
    const rng = new Rng(6);
    const shared: Obj = { module: 's', attributes: unitAttributes(rng, 5) };
    const parents = ['a', 'b'].map((module) => ({
      module,
      attributes: unitAttributes(rng, 3),
      inputs: [{ object: shared, weight: 1 }],
    }));
    const event = encode(parents, SPEC, PLAIN);
    const read = unroll(quantise(event), event.structure);
    expect(read.outputs[0]!.inputs[0]!.attributes).toEqual(read.outputs[1]!.inputs[0]!.attributes);
    expect(maxDifference(read.outputs[0]!.inputs[0]!.attributes, shared.attributes)).toBeLessThan(0.05);
  });

  it('reads signatures back', () => {
    const spec: SketchSpec = { ...SPEC, signatures: true };
    const rng = new Rng(7);
    const ids = [0, 1, 0xffffffff, 0xdeadbeef];
    const roots = ids.map((signature, i) => ({ module: `m${i}`, attributes: unitAttributes(rng, 6), signature }));
    const event = encode(roots, spec);
    const read = unroll(quantise(event), event.structure);
    expect(read.outputs.map((o) => o.signature)).toEqual(ids);
  });
});

describe('plain and matched', () => {
  it('errors fall as 1/√d, matched is better by 2^(3h/2), and both say how large they are', () => {
    const mean = (dim: 1024 | 4096, how: 'plain' | 'matched', path: string): { true: number; said: number } => {
      let power = 0;
      let said = 0;
      for (let seed = 0; seed < 5; seed++) {
        const event = encode(scene(new Rng(300 + seed)), { ...SPEC, dim, seed: `s${seed}` }, PLAIN);
        const read = decode(event, event.structure, path, how);
        power += rms(read.attributes, truth(event).get(path)!) ** 2;
        said += read.err ** 2;
      }
      return { true: Math.sqrt(power / 5), said: Math.sqrt(said / 5) };
    };
    for (const how of ['plain', 'matched'] as const) {
      const small = mean(1024, how, '0');
      const large = mean(4096, how, '0');
      expect(small.true / large.true).toBeGreaterThan(1.5);
      expect(small.true / large.true).toBeLessThan(2.7);
      for (const m of [small, large]) {
        expect(m.said / m.true).toBeGreaterThan(0.5);
        expect(m.said / m.true).toBeLessThan(2);
      }
    }
    expect(mean(1024, 'plain', '0').true / mean(1024, 'matched', '0').true).toBeGreaterThan(2);
    expect(mean(1024, 'plain', '0/1').true / mean(1024, 'matched', '0/1').true).toBeGreaterThan(5);
  });

  it('a shorter prefix is worse', () => {
    const event = encode(scene(new Rng(8)), SPEC, PLAIN);
    const errors = [1024, 512, 256, 128].map(
      (kept) => decode(truncate(quantise(event), kept), event.structure, '0', 'matched').err,
    );
    for (let i = 1; i < errors.length; i++) expect(errors[i]!).toBeGreaterThan(errors[i - 1]!);
  });
});
