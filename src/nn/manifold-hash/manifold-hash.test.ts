import { beforeAll, expect, test } from 'vitest';
import { createOrtExecutor, createReferenceExecutor, type Executor, ModelState, Rng } from '../../tensor/index.ts';
import { activation, linear, sequential } from '../module.ts';
import { ManifoldHash, nearestPrototype } from './manifold-hash.ts';
import { embeddingProgram, manifoldStep, wideEncoder } from './network.ts';

let executor: Executor;
beforeAll(async () => {
  executor = await createOrtExecutor({ threads: 1 });
});

/** Rows `[classes * each, 12]`: a class direction and a pose direction, mixed and bent. */
function manifolds(classes: number, each: number, rng: Rng, map: Rng): { xs: Float32Array; ids: Int32Array } {
  const w = new Float64Array(6 * 12);
  map.fork('map').fillNormal(w);
  const xs = new Float32Array(classes * each * 12);
  const ids = new Int32Array(classes * each);
  for (let c = 0; c < classes; c++) {
    const g = [0, 1, 2].map(() => rng.normal());
    for (let k = 0; k < each; k++) {
      const z = [...g, rng.normal(), rng.normal(), rng.normal()];
      const row = c * each + k;
      ids[row] = 10 * c;
      for (let j = 0; j < 12; j++) {
        let s = 0;
        for (let i = 0; i < 6; i++) s += z[i]! * w[i * 12 + j]!;
        xs[row * 12 + j] = Math.tanh(s / 2);
      }
    }
  }
  return { xs, ids };
}

const options = { inputSize: 12, width: 16, seed: 7, penalty: 1e-3, encoder: wideEncoder(12, 256, 16) };
const make = (seed = 7): ManifoldHash => new ManifoldHash({ ...options, seed, executor });

test('unseen manifolds are told apart better than by the raw numbers, and the same seed gives the same bits', async () => {
  const map = new Rng(3);
  const { xs, ids } = manifolds(40, 20, new Rng(1), map);
  const fresh = manifolds(30, 2, new Rng(2), map);
  const pick = (offset: number): Float32Array =>
    Float32Array.from({ length: 30 * 12 }, (_, i) => fresh.xs[(2 * Math.floor(i / 12) + offset) * 12 + (i % 12)]!);
  const hash = make();
  const report = await hash.fit(xs, ids, { steps: 200 });
  expect(report.classes).toBe(40);
  const right = (found: { id: Int32Array }): number => found.id.filter((v, i) => v === i).length / 30;
  const learned = right(await hash.oneShot(pick(0), pick(1)));
  const raw = right(nearestPrototype(pick(0), pick(1), 12));
  expect(learned).toBeGreaterThan(raw + 0.15);

  const bits = await hash.hash(fresh.xs);
  const differ = (a: number, b: number): number => {
    let count = 0;
    for (let v = bits[a]! ^ bits[b]!; v !== 0; v &= v - 1) count++;
    return count;
  };
  let [within, between] = [0, 0];
  for (let c = 0; c < 30; c++) {
    within += differ(2 * c, 2 * c + 1);
    between += differ(2 * c, (2 * c + 3) % 60);
  }
  expect(within).toBeLessThan(0.7 * between);

  const again = make();
  await again.fit(xs, ids, { steps: 200 });
  expect(await again.embed(fresh.xs)).toEqual(await hash.embed(fresh.xs));
});

test('embeddings have norm 1, the exported model computes them, and so does the interpreter', async () => {
  const { xs, ids } = manifolds(6, 8, new Rng(1), new Rng(3));
  await using hash = make();
  await hash.fit(xs, ids, { steps: 30 });
  const embedded = await hash.embed(xs);
  for (let row = 0; row < ids.length; row++) {
    expect(Math.hypot(...embedded.subarray(row * 16, (row + 1) * 16))).toBeCloseTo(1, 5);
  }
  const ort = await import('onnxruntime-node');
  const session = await ort.InferenceSession.create(hash.toOnnx());
  expect([session.inputNames, session.outputNames]).toEqual([['x'], ['embedding']]);
  const { embedding } = await session.run({ x: new ort.Tensor('float32', xs, [ids.length, 12]) });
  expect([...(embedding!.data as Float32Array)].every((v, i) => Math.abs(v - embedded[i]!) < 1e-5)).toBe(true);
  await session.release();
});

test('one step on the interpreter and on the runtime gives the same loss and weights', async () => {
  const net = { ...make().network, encoder: sequential({ a: linear(12, 8), b: activation('relu'), c: linear(8, 16) }) };
  for (const head of ['linear', 'cosine'] as const) {
    const def = manifoldStep({ ...net, head }, 3, 4, { beta1: 0.9, beta2: 0.999 });
    const x = new Float32Array(48);
    new Rng(5).fillNormal(x);
    const feeds = { x, y: Int32Array.of(0, 1, 2, 0), lr: 0.01, c1: 0.1, c2: 0.001 };
    const [one, two] = [ModelState.init(def, new Rng(1)), ModelState.init(def, new Rng(1))];
    const a = await (await executor.compile(def, { state: one })).run(feeds);
    const b = await (await createReferenceExecutor().compile(def, { state: two })).run(feeds);
    expect(a['loss']!.data[0]).toBeCloseTo(Number(b['loss']!.data[0]), 4);
    const [p, q] = [one.get('encoder.c.weight').data, two.get('encoder.c.weight').data];
    for (let i = 0; i < p.length; i++) expect(p[i]).toBeCloseTo(Number(q[i]), 4);
  }
});

test('what is fixed stays as drawn', async () => {
  const net = { ...make().network, fixed: ['encoder.features'] };
  const def = manifoldStep(net, 2, 2, { beta1: 0.9, beta2: 0.999 });
  const updated = def.graph.updates.map((u) => u.state);
  expect(updated).toContain('encoder.embed.weight');
  expect(updated.some((name) => name.includes('features'))).toBe(false);
  expect(embeddingProgram(net, 4).graph.params.map((p) => p.name)).toContain('encoder.features.weight');
});

test('prototypes are normalised means of their class, ties go to the first', () => {
  const support = Float32Array.of(1, 0, 0, 1, 0.6, 0.8);
  const found = nearestPrototype(support, Float32Array.of(0, 1, 1, 0), 2, [5, 9, 9]);
  expect([...found.id]).toEqual([9, 5]);
  const mean = [0.6, 1.8].map((v) => v / Math.hypot(0.6, 1.8));
  expect(found.cosine[0]).toBeCloseTo(mean[1]!, 6);
  expect([...nearestPrototype(support, support, 2).id]).toEqual([0, 1, 2]);
});

test('errors say what is wrong', async () => {
  const hash = make();
  await expect(hash.embed(new Float32Array(12))).rejects.toThrow(/Expected a trained manifold hash/);
  await expect(hash.fit(new Float32Array(13), [0, 1], { steps: 1 })).rejects.toThrow(/2 rows of 12 numbers, got 13/);
  await expect(hash.fit(new Float32Array(24), [3, 3], { steps: 1 })).rejects.toThrow(/at least two manifolds, got 1/);
  const broken = new Float32Array(24);
  broken[13] = Number.NaN;
  await expect(hash.fit(broken, [0, 1], { steps: 1 })).rejects.toThrow(/got NaN in row 1/);
  expect(() => new ManifoldHash({ ...options, executor, width: 0 })).toThrow(/positive integer as width, got 0/);
  expect(() => nearestPrototype(new Float32Array(4), new Float32Array(2), 2, [1])).toThrow(/one id for each of 2/);
});
