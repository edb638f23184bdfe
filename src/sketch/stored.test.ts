import { assert, boolean, integer, nat, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { similarity } from './similarity.ts';
import {
  dequantise,
  eraseRandom,
  fromBytes,
  keptCoordinates,
  quantise,
  storedBytes,
  toBytes,
  truncate,
} from './stored.ts';
import { board, maxDifference, norm, scene, SPEC } from './_testing.ts';

const event = encode(board(new Rng(1)), SPEC);

describe('stored sketches', () => {
  it('survive their bytes at 32, 8 and 4 bits, whole, cut short and thinned out', () => {
    for (const store of ['f32', 'i8', 'i4'] as const) {
      for (const part of ['content', 'full'] as const) {
        const whole = quantise(event, { store, part });
        for (const s of [
          whole,
          truncate(whole, 96),
          eraseRandom(whole, 512, 7),
          truncate(eraseRandom(whole, 512, 7), 64),
        ]) {
          const bytes = toBytes(s);
          expect(bytes.length).toBe(storedBytes(store, s.kept));
          expect(fromBytes(bytes, SPEC)).toEqual(s);
        }
      }
    }
    expect(toBytes(quantise(event)).length).toBeLessThanOrEqual(1280);
  });

  it('round to the nearest step and report the error they made', () => {
    for (const store of ['i8', 'i4'] as const) {
      const s = quantise(event, { store });
      const error = dequantise(s).map((v, i) => v - event.content[i]!);
      expect(norm(error) / 32).toBeCloseTo(s.noise, 12);
      if (store === 'i8') expect(maxDifference(dequantise(s), event.content)).toBeLessThanOrEqual(s.step * 0.5000001);
      expect(s.noise / (s.step / Math.sqrt(12))).toBeGreaterThan(0.8);
      expect(s.noise / (s.step / Math.sqrt(12))).toBeLessThan(1.3);
    }
    expect(quantise(event, { store: 'f32' }).noise).toBeLessThan(1e-12);
  });

  it('rounds half away from zero', () => {
    const content = new Float64Array(1024);
    content.set([127, 0.5, -0.5, 1.5, -2.5, -127]);
    expect([...quantise({ ...event, content }).codes.subarray(0, 6)]).toEqual([127, 1, -1, 2, -3, -127]);
  });

  it('refuse damage, other stores and impossible cuts', () => {
    const bytes = toBytes(truncate(quantise(event), 128));
    assert(
      property(nat(bytes.length - 1), integer({ min: 1, max: 255 }), boolean(), (at, flip, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.slice();
        if (!cut) damaged[at] = damaged[at]! ^ flip;
        try {
          fromBytes(damaged, SPEC);
        } catch (error) {
          return CairnError.isInstance(error) && error.code === 'sketch_bytes';
        }
        return false;
      }),
      { numRuns: 300 },
    );
    expect(() => fromBytes(bytes, { ...SPEC, seed: 'other' })).toThrow('Expected a sketch of the store');
    expect(() => truncate(quantise(event), 100)).toThrow('Expected a multiple of 32 up to 1024 numbers, got 100.');
    expect(() => truncate(truncate(quantise(event), 64), 128)).toThrow('up to 64');
  });

  it('cutting a random order keeps distinct coordinates and nests', () => {
    const s = eraseRandom(quantise(event), 512, 3);
    const coordinates = keptCoordinates(s);
    expect(new Set(coordinates).size).toBe(512);
    expect(keptCoordinates(truncate(s, 128))).toEqual(coordinates.slice(0, 128));
    coordinates.forEach((c, i) => expect(s.codes[i]).toBe(quantise(event).codes[c]));
  });
});

describe('similarity', () => {
  it('is 1 for equal events, near 0 for unrelated ones, and survives rounding and cutting', () => {
    const options = { balance: false } as const;
    const full = { part: 'full' } as const;
    const a = encode(scene(new Rng(2)), SPEC, options);
    const b = encode(
      scene(new Rng(3)).map((o) => ({ ...o, module: `x${o.module}`, inputs: [] })),
      SPEC,
      options,
    );
    expect(similarity(a, a)).toBeCloseTo(1, 12);
    expect(similarity(a, quantise(a))).toBeGreaterThan(0.999);
    expect(similarity(truncate(quantise(a), 256), quantise(a))).toBeGreaterThan(0.999);
    expect(similarity(eraseRandom(quantise(a), 256, 1), a)).toBeGreaterThan(0.999);
    expect(Math.abs(similarity(a, b, full))).toBeLessThan(0.15);
    const stored = quantise(a);
    expect(() => similarity(stored, a, full)).toThrow('Expected the structure');
    expect(similarity(stored, a, { ...full, structures: [a.structure, a.structure] })).toBeGreaterThan(0.999);
    expect(() => similarity(a, encode(scene(new Rng(2)), { ...SPEC, seed: 'other' }))).toThrow('of one store');
  });

  it('one shared object of four gives the cosine that its share predicts', () => {
    const cosines = Array.from({ length: 6 }, (_, k) => {
      const one = scene(new Rng(10 + k));
      const other = scene(new Rng(40 + k)).map((o, i) => (i === 2 ? one[2]! : { ...o, module: `y${i}`, inputs: [] }));
      const options = { balance: false } as const;
      return similarity(encode(one, SPEC, options), encode(other, SPEC, options), { part: 'full' });
    });
    const mean = cosines.reduce((s, c) => s + c, 0) / cosines.length;
    expect(mean).toBeGreaterThan(0.2);
    expect(mean).toBeLessThan(0.4);
  });
});
