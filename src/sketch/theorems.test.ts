import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { Maps } from './maps.ts';
import { sketcherOf } from './sketcher.ts';
import { similarity } from './similarity.ts';
import { plainStats } from './statistics.ts';
import { fromBytes, quantise, toBytes, truncate } from './stored.ts';
import { Structure } from './structure.ts';
import { decode, unroll, type UnrolledObject } from './unroll.ts';
import type { Obj, SketchSpec } from './types.ts';
import { hash64 } from './_bytes.ts';
import { board, inner, norm, scene, SMALL, smallBoard, SPEC, unitAttributes } from './_testing.ts';

const PLAIN = { balance: false } as const;

function rms(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(Array.from(a, (v, i) => v - b[i]!)) / Math.sqrt(a.length);
}

function mean(values: readonly number[]): number {
  return values.reduce((s, v) => s + v, 0) / values.length;
}

/** A random trace: one to four outputs, up to two levels below them, one shared child in three traces. */
function randomScene(rng: Rng): Obj[] {
  let next = 0;
  const make = (depth: number): Obj => {
    const size = 2 + rng.integer(9);
    const count = depth >= 3 ? 0 : rng.integer(depth === 1 ? 4 : 3);
    const inputs = Array.from({ length: count }, () => make(depth + 1));
    const raw = inputs.map(() => 0.3 + rng.uniform());
    const sum = raw.reduce((s, v) => s + v, 0);
    const weighted = inputs.map((object, i) => ({ object, weight: raw[i]! / sum }));
    return { module: `m${next++}`, attributes: unitAttributes(rng, size), inputs: weighted };
  };
  const roots = Array.from({ length: 1 + rng.integer(4) }, () => make(1));
  if (rng.bernoulli(1 / 3)) {
    const child: Obj = { module: 'shared', attributes: unitAttributes(rng, 4) };
    return [...roots, parentOf('left', child, rng), parentOf('right', child, rng)];
  }
  return roots;
}

function parentOf(module: string, object: Obj, rng: Rng): Obj {
  return { module, attributes: unitAttributes(rng, 3), inputs: [{ object, weight: 1 }] };
}

describe('theorems', () => {
  it('T halves the energy: 0.5 within 0.03 on average over seeds', () => {
    const shares = Array.from({ length: 40 }, (_, seed) => {
      const maps = new Maps({ ...SPEC, seed: `half-${seed}` });
      const x = new Float64Array(1024);
      new Rng(seed).fillNormal(x);
      const tx = Float64Array.from(x);
      maps.mix(maps.map('module', 'a'), tx);
      return inner(tx, tx) / inner(x, x);
    });
    expect(Math.abs(mean(shares) - 0.5)).toBeLessThan(0.03);
    expect(Math.max(...shares.map((s) => Math.abs(s - 0.5)))).toBeLessThan(0.1);
  });

  it('the error grows by 2^2.5 over the weight of the edge with each level', () => {
    const ratios = Array.from({ length: 8 }, (_, seed) => {
      const objects = scene(new Rng(seed));
      const event = encode(objects, { ...SPEC, seed: `levels-${seed}` }, PLAIN);
      const read = unroll(quantise(event), event.structure);
      const shallow = read.outputs.map((o, i) => rms(o.attributes, objects[i]!.attributes) ** 2);
      const deep = read.outputs.flatMap((o, i) =>
        o.inputs.map((p, j) => rms(p.attributes, objects[i]!.inputs![j]!.object.attributes) ** 2),
      );
      return Math.sqrt(mean(deep) / mean(shallow));
    });
    // 2^2.5 / ½ = 11.3 in the reference scene.
    expect(mean(ratios)).toBeGreaterThan(9);
    expect(mean(ratios)).toBeLessThan(14);
  });

  it('tells three cases of similarity apart: unrelated, one object of four shared, attributes moved a little', () => {
    const full = { part: 'full' } as const;
    const unrelated: number[] = [];
    const shared: number[] = [];
    for (let seed = 0; seed < 24; seed++) {
      const spec = { ...SPEC, seed: `cases-${seed}` };
      const one = scene(new Rng(seed));
      const foreign = (o: Obj): Obj => ({
        ...o,
        module: `foreign-${o.module}`,
        inputs: o.inputs?.map(({ object, weight }) => ({ object: foreign(object), weight })),
      });
      const other = scene(new Rng(1000 + seed)).map(foreign);
      const event = encode(one, spec, { ...PLAIN, how: 'recursion' });
      unrelated.push(similarity(event, encode(other, spec, { ...PLAIN, how: 'recursion' }), full));
      const overlap = other.map((o, i) => (i === 1 ? one[1]! : o));
      shared.push(similarity(event, encode(overlap, spec, { ...PLAIN, how: 'recursion' }), full));
      const moved = one.map((o) => ({
        ...o,
        attributes: o.attributes.map((v, i) => Math.max(0, v * 0.98 + 0.01 * Math.sin(i))),
      }));
      const near = encode(moved, spec, { ...PLAIN, how: 'recursion' });
      const step = Math.max(...one.map((o, i) => norm(o.attributes.map((v, j) => v - moved[i]!.attributes[j]!))));
      expect(norm(near.values.map((v, i) => v - event.values[i]!))).toBeLessThan(step / 2);
    }
    // Sketches without a common module are as random vectors: rms 1/√d.
    expect(norm(unrelated) / Math.sqrt(24)).toBeLessThan(2 / 32);
    expect(mean(shared)).toBeGreaterThan(0.18);
    expect(mean(shared)).toBeLessThan(0.35);
  });

  it('means of one module are covered by their stated deviation', () => {
    let covered = 0;
    let total = 0;
    for (let seed = 0; seed < 40; seed++) {
      const rng = new Rng(seed);
      const flat = [2, 6].flatMap((count, k) =>
        Array.from({ length: count }, () => ({ module: `kind-${k}`, attributes: unitAttributes(rng, 8) })),
      );
      const spec: SketchSpec = { ...SPEC, dim: 4096, seed: `means-${seed}` };
      const event = encode(flat, spec, { ...PLAIN, how: 'recursion' });
      const read = plainStats(event, 'kind-1', { size: 8, weight: 1 / 8, depth: 1 });
      for (let j = 0; j < 8; j++) {
        const truth = mean(flat.slice(2).map((o) => o.attributes[j]!));
        total++;
        // The deviation of an entry is err / count for the sum, and the count adds its own.
        if (Math.abs(read.mean[j]! - truth) <= 2 * (read.err / read.count) * Math.hypot(1, truth)) covered++;
      }
    }
    expect(covered / total).toBeGreaterThanOrEqual(0.9);
  });

  it('a shorter prefix is worse in truth, not only in what is stated', () => {
    const errors = [4096, 1024, 256].map((kept) =>
      mean(
        Array.from({ length: 10 }, (_, seed) => {
          const objects = scene(new Rng(seed));
          const event = encode(objects, { ...SPEC, dim: 4096, seed: `prefix-${seed}` }, { ...PLAIN, how: 'recursion' });
          const read = decode(truncate(quantise(event), kept), event.structure, '0', 'matched');
          return rms(read.attributes, objects[0]!.attributes);
        }),
      ),
    );
    expect(errors[1]! / errors[0]!).toBeGreaterThan(1.4);
    expect(errors[2]! / errors[1]!).toBeGreaterThan(1.4);
  });

  it('unrolling the parent and then its child is the direct decode', () => {
    const event = encode(randomScene(new Rng(5)), SPEC);
    const stored = quantise(event);
    const visit = (o: UnrolledObject): void => {
      const direct = decode(stored, event.structure, o.path);
      expect(direct.attributes).toEqual(o.attributes);
      expect(direct.err).toBe(o.err);
      o.inputs.forEach(visit);
    };
    unroll(stored, event.structure).outputs.forEach(visit);
  });

  it('states its error within a factor 2 over 200 random scenes, and is consistent with all of them', () => {
    let consistent = 0;
    const power = [0, 0, 0];
    const said = [0, 0, 0];
    for (let seed = 0; seed < 200; seed++) {
      const objects = randomScene(new Rng(7000 + seed));
      const event = encode(objects, SMALL, { how: 'compiled' });
      const read = unroll(truncate(quantise(event), seed % 2 === 0 ? 512 : 384), event.structure);
      if (read.consistent) consistent++;
      const compare = (o: UnrolledObject, depth: number): void => {
        const i = event.structure.at(o.path);
        const at = event.structure.offsets[i]!;
        const truth = event.attributes.subarray(at, at + o.attributes.length);
        power[depth] = power[depth]! + (rms(o.attributes, truth) / o.err) ** 2;
        said[depth] = said[depth]! + 1;
        o.inputs.forEach((p) => compare(p, depth + 1));
      };
      read.outputs.forEach((o) => compare(o, 0));
    }
    expect(consistent).toBe(200);
    for (const depth of [0, 1, 2]) {
      const ratio = Math.sqrt(power[depth]! / said[depth]!);
      expect(ratio).toBeGreaterThan(0.5);
      expect(ratio).toBeLessThan(2);
    }
  });

  it('gives the same bytes everywhere: a sketch and a board as they were first made', () => {
    const own = toBytes(quantise(encode(scene(new Rng(1)), SPEC, { how: 'recursion' })));
    const whole = toBytes(quantise(encode(board(new Rng(2)), SPEC, { how: 'compiled' })));
    const block = toBytes(quantise(encode(scene(new Rng(3)), { ...SPEC, family: 'block' }, { how: 'recursion' })));
    expect([own, whole, block].map(hash64)).toEqual(GOLDEN);
    const small = encode(smallBoard(new Rng(4)), SMALL);
    const again = fromBytes(toBytes(quantise(small)), SMALL);
    const structure = Structure.fromBytes(small.structure.bytes);
    expect(unroll(again, structure).outputs[0]!.inputs[0]!.inputs[3]!.groups).toEqual(
      unroll(quantise(small), small.structure).outputs[0]!.inputs[0]!.inputs[3]!.groups,
    );
    expect(sketcherOf(SMALL).structureOf(smallBoard(new Rng(5))).hash).toBe(small.structure.hash);
  });
});

/** Names of the three records above; a change here breaks every store that exists. */
const GOLDEN = ['cd32faf6138445de', 'b58925185a14a3ee', 'db49a98a4863d5f1'];
