import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { expectedGroups } from './expected.ts';
import { eraseRandom, fromBytes, quantise, toBytes, truncate } from './stored.ts';
import { Structure } from './structure.ts';
import type { Obj } from './types.ts';
import { unroll, type Unrolled } from './unroll.ts';
import { board, norm, SMALL, smallBoard, SPEC } from './_testing.ts';

/** How many of the cells of a board were read right. */
function cellsRight(read: Unrolled, event: Obj): number {
  const cells = event.inputs![0]!.object.inputs!;
  return read.outputs[0]!.inputs[0]!.inputs.filter((c, i) => cells[i]!.object.attributes[c.groups[0]!.chosen] === 1)
    .length;
}

describe('one-hot groups of a board', () => {
  it('come back whole from all, half and a quarter of the numbers, at 8 and at 4 bits', () => {
    const rng = new Rng(1);
    for (let k = 0; k < 3; k++) {
      const event = board(rng);
      const encoded = encode(event, SPEC);
      for (const store of ['i8', 'i4'] as const) {
        const bytes = toBytes(quantise(encoded, { store }));
        const structure = Structure.fromBytes(encoded.structure.bytes);
        for (const kept of [1024, 512, 256]) {
          const read = unroll(truncate(fromBytes(bytes, SPEC), kept), structure);
          expect(cellsRight(read, event)).toBe(81);
          expect(read).toMatchObject({ how: 'groups', consistent: true, guessing: false, reason: undefined });
          expect(read.expectedRight!).toBeGreaterThan(0.999);
          const root = read.outputs[0]!;
          const error = norm(root.attributes.map((v, j) => v - event.attributes[j]!)) / Math.sqrt(6);
          expect(error).toBeLessThan(4 * root.err);
          expect(root.err).toBeLessThan(store === 'i8' ? 0.01 : 0.1);
        }
      }
    }
  });

  it('least squares alone reads the whole board too', () => {
    const event = smallBoard(new Rng(2));
    const encoded = encode(event, SMALL);
    const read = unroll(quantise(encoded), encoded.structure, { how: 'solve' });
    expect(cellsRight(read, event)).toBe(36);
    expect(read.consistent).toBe(true);
    expect(read.outputs[0]!.inputs[0]!.inputs[0]!.err).toBeLessThan(0.15);
  });

  it('random erasure works like a prefix', () => {
    const event = smallBoard(new Rng(3));
    const encoded = encode(event, SMALL);
    expect(cellsRight(unroll(eraseRandom(quantise(encoded), 160, 9), encoded.structure), event)).toBe(36);
  });

  it('below the limit it says that it guesses, and how many it expects to be right', () => {
    const rng = new Rng(4);
    for (const kept of [32]) {
      let right = 0;
      let said = 0;
      let guessing = 0;
      for (let k = 0; k < 16; k++) {
        const event = smallBoard(rng);
        const encoded = encode(event, SMALL);
        const read = unroll(truncate(quantise(encoded), kept), encoded.structure);
        right += cellsRight(read, event) / 36 / 16;
        said += read.expectedRight! / 16;
        if (read.guessing) guessing++;
        if (read.guessing) expect(read.reason).toContain('guesses');
        else expect(cellsRight(read, event)).toBe(36);
        expect(read.outputs[0]!.attributes.every((v) => v >= 0 && v <= 1)).toBe(true);
      }
      expect(guessing).toBeGreaterThanOrEqual(10);
      expect(Math.abs(right - said)).toBeLessThan(0.08);
      const before = expectedGroups(SMALL, encode(smallBoard(rng), SMALL).structure, { kept, samples: 16 });
      expect(Math.abs(right - before.right)).toBeLessThan(0.1);
    }
  });

  it('predicts before any data that whole boards come back at half and a quarter', () => {
    const { structure } = encode(smallBoard(new Rng(5)), SMALL);
    for (const kept of [256, 128])
      expect(expectedGroups(SMALL, structure, { kept })).toMatchObject({ right: 1, whole: 1 });
  });

  it('settles a structure with far fewer unknowns than numbers, down to a single coin', () => {
    const coin = (side: number): Obj => ({
      module: 'coin',
      attributes: Float32Array.of(side === 0 ? 1 : 0, side === 1 ? 1 : 0),
      groups: [{ start: 0, size: 2 }],
    });
    for (const sides of [[1], [0, 1, 1], [1, 0, 0, 1, 1, 0]]) {
      const encoded = encode(sides.map(coin), SPEC);
      const read = unroll(quantise(encoded), encoded.structure);
      expect(read.outputs.map((o) => o.groups[0]!.chosen)).toEqual(sides);
      expect(read).toMatchObject({ consistent: true, guessing: false });
    }
  });

  it('works without priors, with groups of different sizes, and with groups beside plain attributes', () => {
    const rng = new Rng(6);
    const groups = [
      { start: 1, size: 2 },
      { start: 3, size: 5 },
    ];
    const parts = Array.from({ length: 20 }, (_, i) => {
      const attributes = new Float32Array(9);
      attributes[0] = rng.uniform() * 0.7;
      attributes[1 + rng.integer(2)] = 1;
      attributes[3 + rng.integer(5)] = 1;
      attributes[8] = rng.uniform() * 0.7;
      return { module: `part-${i % 3}`, attributes, groups };
    });
    const event: Obj = {
      module: 'root',
      attributes: new Float32Array(0),
      inputs: parts.map((object) => ({ object, weight: 1 / 20 })),
    };
    const encoded = encode(event, SPEC);
    const read = unroll(truncate(quantise(encoded), 256), encoded.structure);
    expect(read.consistent).toBe(true);
    read.outputs[0]!.inputs.forEach((p, i) => {
      for (let j = 1; j < 8; j++) expect(p.attributes[j]).toBe(parts[i]!.attributes[j]);
      expect(Math.abs(p.attributes[0]! - parts[i]!.attributes[0]!)).toBeLessThan(6 * p.err);
      expect(Math.abs(p.attributes[8]! - parts[i]!.attributes[8]!)).toBeLessThan(6 * p.err);
    });
  });

  it('notices a wrong seed', () => {
    const encoded = encode(smallBoard(new Rng(7)), SMALL);
    const foreign = { ...quantise(encoded), spec: { ...SMALL, seed: 'wrong' } };
    expect(unroll(truncate(foreign, 256), encoded.structure)).toMatchObject({ consistent: false, guessing: true });
  });
});
