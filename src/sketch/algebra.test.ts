import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { add, emptySum, exportSum, meanOf, subtract, toInteger } from './integer.ts';
import { plainStats, stats } from './statistics.ts';
import { dequantise, quantise } from './stored.ts';
import type { Obj, SketchSpec } from './types.ts';
import { maxDifference, scene, SMALL, smallBoard, SPEC, unitAttributes } from './_testing.ts';

describe('sums', () => {
  it('adding and taking away again restores every number, in any order', () => {
    const rng = new Rng(1);
    const events = Array.from({ length: 12 }, (_, i) => encode(i % 2 === 0 ? smallBoard(rng) : scene(rng), SPEC));
    const parts = events.map((e) => toInteger(quantise(e), e.structure));
    const bag = parts.reduce(add, emptySum(SPEC));
    const reversed = parts.toReversed().reduce(add, emptySum(SPEC));
    expect(reversed).toEqual(bag);
    const less = [3, 0, 7].reduce((s, i) => subtract(s, parts[i]!), bag);
    expect(less).toEqual(parts.filter((_, i) => ![3, 0, 7].includes(i)).reduce(add, emptySum(SPEC)));
    expect(parts.reduce(subtract, bag).sums.every((v) => v === 0)).toBe(true);
    expect(less.count).toBe(9);
    expect(maxDifference(meanOf(toInteger(events[1]!)), events[1]!.values)).toBeLessThan(2 ** -36);
    expect(
      maxDifference(
        dequantise(exportSum(bag)),
        bag.sums.map((v) => v * bag.step),
      ),
    ).toBeLessThan(exportSum(bag).step);
  });

  it('refuses other steps and other stores', () => {
    expect(() => emptySum(SPEC, 0.3)).toThrow('Expected a power of two as step, got 0.3.');
    expect(() => add(emptySum(SPEC), emptySum(SPEC, 2 ** -20))).toThrow('Expected sums with one step');
    expect(() => add(emptySum(SPEC), emptySum({ ...SPEC, seed: 'b' }))).toThrow('of one store');
    const event = encode(smallBoard(new Rng(2)), SPEC);
    expect(() => toInteger(quantise(event))).toThrow('Expected a full sketch or its structure');
  });
});

describe('statistics', () => {
  const flat = (rng: Rng, counts: readonly number[]): Obj[] =>
    counts.flatMap((count, k) =>
      Array.from({ length: count }, () => ({ module: `kind-${k}`, attributes: unitAttributes(rng, 8) })),
    );

  it('counts from the transparent part within two returned standard deviations in 9 of 10 seeds', () => {
    let covered = 0;
    let total = 0;
    for (let seed = 0; seed < 30; seed++) {
      const spec: SketchSpec = { ...SPEC, seed: `stats-${seed}` };
      const event = encode(flat(new Rng(seed), [1, 3, 6]), spec, { balance: false, how: 'recursion' });
      [1, 3, 6].forEach((count, k) => {
        const read = plainStats(event, `kind-${k}`, { size: 8, weight: 1 / 10, depth: 1 });
        total++;
        if (Math.abs(read.count - count) <= 2 * read.err) covered++;
      });
    }
    expect(covered / total).toBeGreaterThanOrEqual(0.9);
  });

  it('is exact when the structure is known', () => {
    const rng = new Rng(3);
    const objects = flat(rng, [2, 5]);
    const event = encode(objects, SPEC);
    const read = stats(quantise(event), event.structure, 'kind-1');
    expect(read.count).toBe(5);
    for (let j = 0; j < 8; j++) {
      const mean = objects.slice(2).reduce((s, o) => s + o.attributes[j]! / 5, 0);
      expect(Math.abs(read.mean[j]! - mean)).toBeLessThan(6 * read.err);
    }
    expect(read.err).toBeLessThan(5e-3);
  });

  it('gives the share of every class of a board', () => {
    const event = smallBoard(new Rng(4));
    const encoded = encode(event, SMALL);
    const read = stats(quantise(encoded), encoded.structure, 'read-digit');
    const blanks = event.inputs![0]!.object.inputs!.filter((c) => c.object.attributes[0] === 1).length;
    expect(read.count).toBe(36);
    expect(read.mean[0]! * 36).toBeCloseTo(blanks, 9);
  });
});
