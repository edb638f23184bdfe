import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { encode } from './encode.ts';
import { BLOCK_SIZE, BlockMap } from './block-map.ts';
import { Maps } from './maps.ts';
import { applyAdjoint, applyOperator } from './operator.ts';
import { discover } from './discover.ts';
import { quantise, truncate } from './stored.ts';
import { structureOf } from './trace.ts';
import type { SketchSpec } from './types.ts';
import { decode, unroll } from './unroll.ts';
import { board, inner, maxDifference, norm, scene, SPEC, unitAttributes } from './_testing.ts';

const BLOCK: SketchSpec = { ...SPEC, family: 'block' };
const PLAIN = { balance: false } as const;

describe('the block-random family', () => {
  it('columns have norm 1, at most a quarter of the blocks on average, and are incoherent between matrices', () => {
    const maps = ['a', 'b'].map((name) => new BlockMap(1024, 'seed', name));
    const column = (map: BlockMap, c: number): Float64Array => {
      const x = new Float64Array(1024);
      x[c] = 1;
      return map.forward(x);
    };
    const columns = maps.map((map) => Array.from({ length: 24 }, (_, c) => column(map, c)));
    for (const c of columns.flat()) expect(norm(c)).toBeCloseTo(1, 12);
    const blocks = columns.flat().map((c) => c.filter((v, i) => i % BLOCK_SIZE === 0 && v !== 0).length);
    const mean = blocks.reduce((s, n) => s + n, 0) / blocks.length;
    expect(mean).toBeGreaterThan(6);
    expect(mean).toBeLessThan(10);
    const products = columns[0]!.flatMap((a) => columns[1]!.map((b) => inner(a, b) * 32));
    expect(norm(products) / Math.sqrt(products.length)).toBeGreaterThan(0.6);
    expect(norm(products) / Math.sqrt(products.length)).toBeLessThan(1.5);
  });

  it('rotateBack is the adjoint of rotate, on as many entries as are asked for', () => {
    const maps = new Maps(BLOCK);
    const map = maps.map('attribute', 'm');
    const rng = new Rng(1);
    const [x, y] = [new Float64Array(1024), new Float64Array(1024)];
    rng.fillNormal(x);
    rng.fillNormal(y);
    const [rx, rty, few] = [Float64Array.from(x), Float64Array.from(y), Float64Array.from(y)];
    maps.rotate(map, rx);
    maps.rotateBack(map, rty);
    maps.rotateBack(map, few, 16);
    expect(inner(rx, y)).toBeCloseTo(inner(x, rty), 9);
    expect(few.subarray(0, 16)).toEqual(rty.subarray(0, 16));
    const structure = structureOf(scene(rng, 4), PLAIN);
    const u = new Float64Array(structure.columns);
    rng.fillNormal(u);
    const s = applyOperator(maps, structure, u, { markers: false, signatures: false });
    expect(inner(s, y)).toBeCloseTo(inner(u, applyAdjoint(maps, structure, y, false)), 9);
  });

  it('encodes like the recursion, and solves the reference scene at 8 bits within its stated error', () => {
    for (let seed = 0; seed < 6; seed++) {
      const spec = { ...BLOCK, seed: `block-${seed}` };
      const objects = scene(new Rng(seed));
      const event = encode(objects, spec, { ...PLAIN, how: 'recursion' });
      expect(encode(objects, spec, { ...PLAIN, how: 'compiled' }).values).toEqual(event.values);
      const read = unroll(quantise(event), event.structure);
      expect(read.consistent).toBe(true);
      let [power, said] = [0, 0];
      read.outputs.forEach((o, i) => {
        expect(maxDifference(o.attributes, objects[i]!.attributes)).toBeLessThan(0.03);
        power += norm(o.attributes.map((v, j) => v - objects[i]!.attributes[j]!)) ** 2 / 16;
        said += o.err ** 2;
      });
      expect(Math.sqrt(said / power)).toBeGreaterThan(0.5);
      expect(Math.sqrt(said / power)).toBeLessThan(2);
      const foreign = { ...quantise(event), spec: { ...spec, seed: 'wrong' } };
      expect(unroll(foreign, event.structure).consistent).toBe(false);
    }
  });

  it('reads boards from a quarter of the numbers and finds unknown structure', () => {
    const event = board(new Rng(2));
    const encoded = encode(event, BLOCK);
    const read = unroll(truncate(quantise(encoded), 256), encoded.structure);
    expect(read).toMatchObject({ consistent: true, guessing: false });
    const objects = [0, 1].map((i) => ({ module: `object-${i}`, attributes: unitAttributes(new Rng(i), 8) }));
    const modules = [0, 1, 2, 3, 4].map((i) => ({ module: `object-${i}`, size: 8 }));
    const found = discover(encode(objects, BLOCK, PLAIN), { modules, positions: [3] });
    expect(found.objects.map((o) => `${o.path} ${o.module}`)).toEqual(['0 object-0', '1 object-1']);
    expect(found.complete).toBe(true);
  });

  it('is another store than hd3, and needs room for its blocks', () => {
    const hd3 = encode(scene(new Rng(3)), SPEC);
    expect(() => decode({ ...hd3, spec: BLOCK }, encode(board(new Rng(3)), BLOCK).structure, '0')).toThrow(
      'Expected structure',
    );
    expect(() => encode(scene(new Rng(3)), { ...BLOCK, dim: 256 })).toThrow('at least 512 for the block family');
    expect(() => encode(scene(new Rng(3)), { ...BLOCK, family: 'other' as 'block' })).toThrow("'hd3' or 'block'");
  });
});
