// Decode graphs: one compiled program serves every length of the past, on ONNX Runtime as on the reference.
import { afterAll, describe, expect, it } from 'vitest';
import { defineProgram } from './builder.ts';
import { type HostTensor, ModelState } from './executor.ts';
import { normal, ones, zeros } from './init.ts';
import { attention, concat, layerNorm, linear, matmul, rope, softmax } from './ops/index.ts';
import { createOrtExecutor } from './ort-node.ts';
import { interpret } from './reference.ts';
import { Rng } from './rng.ts';
import { sizeOf } from './shape.ts';

const rng = new Rng(4);
const executor = createOrtExecutor({ threads: 1 });
afterAll(async () => (await executor).dispose());

function random(shape: readonly number[]): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  rng.fillNormal(data);
  return { data, shape, dtype: 'f32' };
}

function worst(a: HostTensor, b: HostTensor): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.length === 0 ? 0 : Math.max(...Array.from(a.data, (v, i) => Math.abs(v - b.data[i]!)));
}

describe('symbolic dimensions', () => {
  it('a cache of any length, also none, grows by one', async () => {
    const def = defineProgram((b) => {
      const past = b.symbol('past');
      const q = b.input('q', [2, 2, 1, 8]);
      const rotated = rope(q, { positions: b.input('position', [1], 'i32') });
      const k = concat([b.input('pastK', [2, 2, past, 8]), rotated], 2);
      const v = concat([b.input('pastV', [2, 2, past, 8]), q], 2);
      const z = attention(rotated, k, v).transpose([0, 2, 1, 3]).reshape([2, 1, 16]);
      b.output('z', linear(z, b.param('w', [16, 16], normal(0.3))));
      b.output('k', k);
      b.output('v', v);
    });
    expect(def.graph.symbols).toEqual(['past']);
    const state = ModelState.init(def, rng);
    await using program = await (await executor).compile(def, { state });
    for (const n of [0, 1, 5]) {
      const feeds = {
        q: random([2, 2, 1, 8]),
        pastK: random([2, 2, n, 8]),
        pastV: random([2, 2, n, 8]),
        position: Int32Array.of(n),
      };
      const [actual, expected] = [await program.run(feeds), interpret(def, feeds, state).outputs];
      expect(actual['k']!.shape).toEqual([2, 2, n + 1, 8]);
      for (const name of ['z', 'k', 'v']) expect(worst(actual[name]!, expected[name]!)).toBeLessThan(1e-5);
    }
  });

  it('a sequence of any length passes norms, products and reductions', async () => {
    const def = defineProgram((b) => {
      const x = b.input('x', [b.symbol('time'), 8]);
      const h = layerNorm(x, b.param('gain', [8], ones), b.param('bias', [8], zeros));
      const y = linear(h, b.param('w', [8, 8], normal(0.3))).gelu();
      b.output('p', softmax(matmul(y, x, { transB: true })));
      b.output('total', y.sum(0));
    });
    const state = ModelState.init(def, rng);
    await using program = await (await executor).compile(def, { state });
    for (const n of [1, 4]) {
      const feeds = { x: random([n, 8]) };
      const [actual, expected] = [await program.run(feeds), interpret(def, feeds, state).outputs];
      for (const name of ['p', 'total']) expect(worst(actual[name]!, expected[name]!)).toBeLessThan(1e-5);
    }
  });

  it('lengths must agree where one symbol is used twice', () => {
    const def = defineProgram((b) => {
      const n = b.symbol('n');
      b.output('y', b.input('a', [n]).add(b.input('b', [n])));
    });
    expect(() => interpret(def, { a: random([2]), b: random([3]) }, undefined)).toThrow(
      'Expected one length for `n`, got 2 and 3.',
    );
  });
});
