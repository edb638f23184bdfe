import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineProgram, type Builder } from './builder.ts';
import { ModelState } from './executor.ts';
import { zeros } from './init.ts';
import { encodeModel } from './onnx-proto.ts';
import { writeOnnx } from './onnx-write.ts';
import { createOrtExecutor } from './ort-node.ts';
import type { OrtExecutor } from './ort.ts';
import type { CacheEvent } from './program.ts';
import { Rng } from './rng.ts';

const rng = (): Rng => new Rng(7);

/** state w; run adds x to it and returns the sum before the update. */
const counter = (n = 3): ReturnType<typeof defineProgram> =>
  defineProgram((b: Builder) => {
    const x = b.input('x', [n]);
    const w = b.param('w', [n], zeros);
    b.output('total', w.sum());
    b.update('w', w.add(x));
  });

describe('ONNX Runtime executor', () => {
  let executor: OrtExecutor;
  const events: CacheEvent[] = [];
  beforeAll(async () => {
    executor = await createOrtExecutor({ threads: 1, cacheSize: 2, log: (e) => events.push(e) });
  });
  afterAll(() => executor.dispose());

  it('runs a graph in both precisions', async () => {
    for (const dtype of ['f32', 'f64'] as const) {
      const def = defineProgram((b) => b.output('y', b.input('x', [2, 2]).mul(2).add(1)), { dtype });
      await using program = await executor.compile(def);
      const x = dtype === 'f32' ? Float32Array.of(1, 2, 3, 4) : Float64Array.of(1, 2, 3, 4);
      const { y } = await program.run({ x });
      expect(y).toMatchObject({ shape: [2, 2], dtype });
      expect([...y!.data]).toEqual([3, 5, 7, 9]);
    }
  });

  it('swaps state without changing arrays that were handed out', async () => {
    const def = counter();
    const state = ModelState.init(def, rng());
    await using program = await executor.compile(def, { state });
    const x = Float32Array.of(1, 2, 3);
    const seen: number[][] = [];
    const kept = [];
    for (let i = 0; i < 5; i++) {
      await program.run({ x });
      const entry = state.get('w');
      kept.push(entry);
      seen.push([...entry.data]);
    }
    expect(seen.at(-1)).toEqual([5, 10, 15]);
    expect(kept.map((t) => [...t.data])).toEqual(seen);
  });

  it('uses two arrays in turn when nobody looks', async () => {
    const def = counter();
    const state = ModelState.init(def, rng());
    await using program = await executor.compile(def, { state });
    const arrays = new Set();
    for (let i = 0; i < 6; i++) {
      await program.run({ x: Float32Array.of(1, 1, 1) });
      arrays.add(state.borrow('w').data);
    }
    expect(arrays.size).toBe(2);
    expect([...state.get('w').data]).toEqual([6, 6, 6]);
  });

  it('keeps overlapping runs on one state in order', async () => {
    const def = counter();
    const state = ModelState.init(def, rng());
    await using a = await executor.compile(def, { state });
    await using b = await executor.compile(def, { state });
    const x = Float32Array.of(1, 0, 0);
    const totals = await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? a : b).run({ x })));
    expect(totals.map((t) => t['total']!.data[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('commits updates only when the graph says so', async () => {
    const def = defineProgram((b) => {
      const x = b.input('x', []);
      const w = b.param('w', [], zeros);
      b.update('w', w.add(x));
      b.commitIf(x.lt(10));
    });
    const state = ModelState.init(def, rng());
    await using program = await executor.compile(def, { state });
    for (const x of [1, 20, 2, NaN, 3]) await program.run({ x });
    expect(state.get('w').data[0]).toBe(6);
  });

  it('names what is missing, wrong or unknown', async () => {
    const def = counter();
    await expect(executor.compile(def)).rejects.toThrow('Expected a state with 1 entries, got none.');
    const state = ModelState.init(def, rng());
    await using program = await executor.compile(def, { state });
    await expect(program.run({})).rejects.toThrow('Expected a value for input `x` f32[3], got none.');
    await expect(program.run({ x: Float32Array.of(1) })).rejects.toThrow('Expected [3] for input `x`');
    await program.dispose();
    await expect(program.run({ x: Float32Array.of(1, 2, 3) })).rejects.toThrow('Expected a live program');
  });

  it('reports an index out of range as a CairnError that names the node', async () => {
    const def = defineProgram((b) =>
      b.scope('table', () => b.output('y', b.constant([1, 2, 3]).gather(b.input('i', [1], 'i32')))),
    );
    await using program = await executor.compile(def);
    await expect(program.run({ i: Int32Array.of(7) })).rejects.toMatchObject({ code: 'run_failed' });
    await expect(program.run({ i: Int32Array.of(7) })).rejects.toThrow('table/gather');
  });

  it('caches sessions by content, disposes the oldest idle one and warns about many shapes', async () => {
    events.length = 0;
    for (let n = 1; n <= 9; n++) {
      const state = ModelState.init(counter(n), rng());
      for (let again = 0; again < 2; again++) {
        await using program = await executor.compile(counter(n), { state });
        await program.run({ x: new Float32Array(n) });
      }
    }
    expect(events.filter((e) => e.kind === 'compile').length).toBe(9);
    expect(events.filter((e) => e.kind === 'evict').length).toBeGreaterThanOrEqual(7);
    const warnings = events.filter((e) => e.kind === 'many-shapes');
    expect(warnings.map((w) => w.message)).toEqual([
      expect.stringMatching(
        /^Expected few distinct shapes, got 9 for `total@[0-9a-f]{8}`\. Bucket or pad the length\.$/,
      ),
    ]);
  });

  it.each([
    [40, 800],
    [800, 40],
  ])('multiplies long transposed operands of %i and %i columns like the reference', async (m, n) => {
    const rows = 520;
    const def = defineProgram((b) => {
      b.output('y', b.input('a', [rows, m]).matmul(b.input('b', [rows, n]), { transA: true }));
    });
    await using program = await executor.compile(def);
    const [a, b] = [new Float32Array(rows * m), new Float32Array(rows * n)];
    rng().fillNormal(a);
    rng().fork('b').fillNormal(b);
    const { y } = await program.run({ a, b });
    for (const [i, j] of [
      [0, 0],
      [m - 1, n - 1],
      [3, 7],
      [17, 31],
    ] as const) {
      let wanted = 0;
      for (let r = 0; r < rows; r++) wanted += a[r * m + i]! * b[r * n + j]!;
      expect(y!.data[i * n + j]).toBeCloseTo(wanted, 3);
    }
  });

  it('refuses a model in which a name stands for two values', () => {
    const def = counter();
    const graph = { ...def.graph, outputs: [{ ...def.graph.outputs[0]!, name: 'p:w' }] };
    expect(() => writeOnnx(graph, { target: 'train' })).toThrow('Expected distinct value names, got `p:w` twice.');
  });

  it('writes the same bytes for the same program', () => {
    const bytes = (): Uint8Array => encodeModel(writeOnnx(counter().graph, { target: 'train' }));
    expect(bytes()).toEqual(bytes());
  });
});
