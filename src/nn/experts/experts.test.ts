import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Builder,
  createOrtExecutor,
  createReferenceExecutor,
  defineProgram,
  grad,
  ModelState,
  Rng,
  type Tensor,
  zeros,
} from '../../tensor/index.ts';
import { parameterGradientGap } from './_testing.ts';
import { fitBucketConstant, predictBucketConstant } from './bucket-constant.ts';
import {
  bucketLoads,
  bucketsOf,
  drawPlanes,
  fitPlanes,
  hashBuckets,
  lshHash,
  randomBuckets,
  storePlanes,
} from './hash.ts';
import { expertFlops, forwardExperts, type LshExpertsSettings, lshExperts, sortRows } from './lsh-experts.ts';

const reference = createReferenceExecutor({ dtype: 'f64' });

function points(seed: number, rows: number, dim: number): Float64Array {
  const out = new Float64Array(rows * dim);
  new Rng(seed).fork('points').fillUniform(out, -1, 1);
  return out;
}

/** Runs `build` in f64 with random state; returns all outputs as arrays. */
async function outputs(
  build: (b: Builder) => Record<string, Tensor>,
  feeds: Record<string, Float64Array | Int32Array>,
  state?: ModelState,
  seed = 5,
): Promise<Record<string, number[]>> {
  const def = defineProgram(
    (b) => {
      for (const [name, t] of Object.entries(build(b))) b.output(name, t);
    },
    { dtype: 'f64' },
  );
  const filled = (state ?? new ModelState()).ensure(def, new Rng(seed));
  await using program = await reference.compile(def, { state: filled });
  const out = await program.run(feeds);
  return Object.fromEntries(Object.entries(out).map(([name, t]) => [name, [...t.data]]));
}

test.each([
  ['angular', 16, 1, undefined],
  ['halfspace', 8, 3, undefined],
  ['euclidean', 27, 2, 3],
  ['euclidean', 10, 1, 1],
] as const)('%s buckets in the graph are those of the host', async (metric, buckets, tables, hashes) => {
  const hash = lshHash({ inDim: 5, buckets, tables, metric, ...(hashes === undefined ? {} : { hashes }) });
  for (const seed of [1, 2, 3]) {
    const data = points(seed, 400, 5);
    const planes = fitPlanes(hash, data, new Rng(seed));
    const state = new ModelState();
    storePlanes(state, 'hash', hash, planes, 'f64');
    const unseen = points(seed + 10, 300, 5).map((v) => 1.5 * v);
    const out = await outputs(
      (b) => ({ route: b.scope('hash', () => hashBuckets(b, hash, b.input('x', [300, 5]))) }),
      { x: unseen },
      state,
    );
    expect(out['route']).toEqual([...bucketsOf(hash, planes, unseen)]);
    expect(Math.max(...out['route']!)).toBeLessThan(buckets);
  }
});

test('angular buckets do not depend on the length of a row; the share of differing bits estimates the angle', () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.01, max: 100, noNaN: true }), (seed, scale) => {
      const hash = lshHash({ inDim: 4, buckets: 64, tables: 2 });
      const planes = drawPlanes(hash, new Rng(seed));
      const x = points(seed, 5, 4);
      expect(
        bucketsOf(
          hash,
          planes,
          x.map((v) => v * scale),
        ),
      ).toEqual(bucketsOf(hash, planes, x));
    }),
    { numRuns: 30 },
  );
  const many = lshHash({ inDim: 3, buckets: 2, tables: 10_000 });
  for (const seed of [1, 2, 3]) {
    const [x, y] = [points(seed, 1, 3), points(seed + 100, 1, 3)];
    const planes = drawPlanes(many, new Rng(seed));
    const [a, b] = [bucketsOf(many, planes, x), bucketsOf(many, planes, y)];
    const differing = a.reduce((n, v, i) => n + (v === b[i] ? 0 : 1), 0) / 10_000;
    const dot = x.reduce((s, v, i) => s + v * y[i]!, 0);
    expect(Math.abs(differing - Math.acos(dot / (Math.hypot(...x) * Math.hypot(...y))) / Math.PI)).toBeLessThan(0.02);
  }
});

test('hyperplanes through random rows keep buckets fuller than hyperplanes through the origin of shifted data', () => {
  const hash = lshHash({ inDim: 6, buckets: 16, metric: 'halfspace' });
  const ratios = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
    const data = points(seed, 2000, 6).map((v) => v + 2);
    const smallest = (planes: ReturnType<typeof drawPlanes>): number =>
      bucketLoads(bucketsOf(hash, planes, data), 16).reduce((n, v) => n + (v > 0 ? 1 : 0), 0);
    return smallest(fitPlanes(hash, data, new Rng(seed))) / smallest(drawPlanes(hash, new Rng(seed)));
  });
  expect(ratios.reduce((a, v) => a + v, 0) / ratios.length).toBeGreaterThan(1.5);
});

test('random buckets are a function of the row, spread evenly, and deaf to nearness', () => {
  const data = points(1, 4000, 3);
  const route = randomBuckets({ inDim: 3, buckets: 16, tables: 1 }, data);
  expect(randomBuckets({ inDim: 3, buckets: 16, tables: 1 }, data)).toEqual(route);
  const loads = bucketLoads(route, 16);
  const chi2 = loads.reduce((s, v) => s + (v - 250) ** 2 / 250, 0);
  expect(chi2).toBeLessThan(45); // 15 degrees of freedom, p = 1e-4
  const moved = randomBuckets(
    { inDim: 3, buckets: 16, tables: 1 },
    data.map((v) => v + 1e-6),
  );
  const same = route.reduce((n, v, i) => n + (v === moved[i] ? 1 : 0), 0) / 4000;
  expect(same).toBeLessThan(0.12);
});

const settings: LshExpertsSettings = { inDim: 5, outDim: 2, buckets: 8, units: 7, tables: 1, metric: 'halfspace' };

test('one bucket is the dense network, bit for bit', async () => {
  const layer = lshExperts({ ...settings, buckets: 1 });
  const out = await outputs(
    (b) => {
      const x = b.input('x', [9, 5]);
      const y = forwardExperts(b, layer, x);
      const [up, upBias] = [b.param('up', [1, 5, 7], zeros), b.param('up_bias', [1, 7], zeros)];
      const [down, downBias] = [b.param('down', [1, 7, 2], zeros), b.param('down_bias', [1, 2], zeros)];
      const dense = x.matmul(up.squeeze(0)).add(upBias).relu().matmul(down.squeeze(0)).add(downBias);
      return { y, dense };
    },
    { x: points(3, 9, 5) },
  );
  expect(out['y']).toEqual(out['dense']);
});

test.each([
  [{}],
  [{ tables: 3 }],
  [{ metric: 'euclidean', buckets: 9, hashes: 2, tables: 2 }],
  [{ router: 'learned', buckets: 5 }],
  [{ router: 'random', buckets: 5, tables: 2 }],
] as Partial<LshExpertsSettings>[][])(
  '%o: gathered matrices and sorted batches agree, gradients too',
  async (extra) => {
    const layer = lshExperts({ ...settings, ...extra });
    const rows = 40;
    for (const seed of [1, 2]) {
      const x = points(seed, rows, 5);
      const planes = fitPlanes(layer.hash, x, new Rng(seed));
      const state = new ModelState();
      if (layer.router === 'lsh') storePlanes(state, 'hash', layer.hash, planes, 'f64');
      let route = layer.router === 'lsh' ? bucketsOf(layer.hash, planes, x) : randomBuckets(layer, x);
      const withGrad = (y: Tensor, b: Builder): Record<string, Tensor> => ({
        y,
        ...Object.fromEntries(
          grad(
            y.mul(y).sum(),
            b.trainable().map((t) => t.tensor),
          ).map((g, i) => [`g${i}`, g]),
        ),
      });
      if (layer.router === 'learned') {
        // The host's choice must be the router's own: the largest product.
        const probe = await outputs(
          (b) => ({ y: forwardExperts(b, layer, b.input('x', [rows, 5])) }),
          { x },
          state,
          seed,
        );
        expect(probe['y']).toHaveLength(rows * 2);
        const w = state.get('router').data;
        route = Int32Array.from({ length: rows }, (_, i) => {
          const scores = Array.from({ length: 5 }, (__, e) => {
            let s = 0;
            for (let k = 0; k < 5; k++) s += x[i * 5 + k]! * Number(w[k * 5 + e]);
            return s;
          });
          return scores.indexOf(Math.max(...scores));
        });
      }
      const a = await outputs(
        (b) => {
          const input = b.input('x', [rows, 5]);
          const fed = layer.router === 'random' ? { route: b.input('route', [rows, layer.tables], 'i32') } : {};
          return withGrad(forwardExperts(b, layer, input, fed), b);
        },
        { x, ...(layer.router === 'random' ? { route } : {}) },
        state,
        seed,
      );
      const sorted = sortRows(layer, route);
      const c = await outputs(
        (b) => {
          const order = {
            rows: b.input('rows', [layer.tables * layer.buckets, sorted.capacity], 'i32'),
            slots: b.input('slots', [rows, layer.tables], 'i32'),
          };
          return withGrad(forwardExperts(b, layer, b.input('x', [rows, 5]), { sorted: order }), b);
        },
        { x, rows: sorted.rows, slots: sorted.slots },
        state,
        seed,
      );
      for (const name of Object.keys(a)) {
        a[name]!.forEach((v, i) => expect(c[name]![i]).toBeCloseTo(v, 12));
      }
    }
  },
);

test('a network that no row uses has no gradient; gradients are exact', async () => {
  const layer = lshExperts({ ...settings, router: 'random' });
  const route = Int32Array.of(1, 1, 6);
  const out = await outputs(
    (b) => {
      const y = forwardExperts(b, layer, b.input('x', [3, 5]), { route: b.input('route', [3, 1], 'i32') });
      const [up, down] = b.trainable().filter((t) => t.spec.shape.length === 3);
      const [du, dd] = grad(y.mul(y).sum(), [up!.tensor, down!.tensor]);
      return { du: du!, dd: dd! };
    },
    { x: points(2, 3, 5), route },
  );
  const size = { du: 5 * 7, dd: 7 * 2 } as const;
  for (const name of ['du', 'dd'] as const) {
    for (let e = 0; e < 8; e++) {
      const part = out[name]!.slice(e * size[name], (e + 1) * size[name]);
      const used = e === 1 || e === 6;
      expect(part.some((v) => v !== 0)).toBe(used);
    }
  }
  const learned = lshExperts({ ...settings, router: 'learned' });
  const gaps = parameterGradientGap(
    (b) =>
      forwardExperts(b, learned, b.input('x', [3, 5]))
        .cos()
        .sum(),
    { x: points(4, 3, 5) },
    new Rng(1),
  );
  expect(gaps.worst).toBeLessThan(1e-6);
  expect(gaps.names).toContain('router');
});

test('ONNX Runtime answers as the reference does', async () => {
  await using ort = await createOrtExecutor({ threads: 1 });
  const layer = lshExperts({ ...settings, tables: 2 });
  const def = defineProgram((b) => b.output('y', forwardExperts(b, layer, b.input('x', [64, 5]))));
  const state = ModelState.init(def, new Rng(2));
  const x = Float32Array.from(points(1, 64, 5));
  const planes = fitPlanes(layer.hash, x, new Rng(1));
  storePlanes(state, 'hash', layer.hash, planes);
  await using a = await ort.compile(def, { state });
  await using b = await createReferenceExecutor({ dtype: 'f32' }).compile(def, { state });
  const [y, z] = [(await a.run({ x }))['y']!.data, (await b.run({ x }))['y']!.data];
  y.forEach((v, i) => expect(v).toBeCloseTo(z[i]!, 5));
});

test('bucket constants are the means of their buckets and err by at most L times the diameter', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom('halfspace' as const, 'euclidean' as const), (seed, metric) => {
      const hash = lshHash({ inDim: 2, buckets: 16, metric, ...(metric === 'euclidean' ? { hashes: 2 } : {}) });
      const side = 20;
      const grid = Float64Array.from({ length: side * side * 2 }, (_, i) =>
        i % 2 === 0 ? Math.floor(i / 2 / side) / side : (Math.floor(i / 2) % side) / side,
      );
      const lipschitz = 3;
      const target = Float64Array.from(
        { length: side * side },
        (_, i) => lipschitz * Math.hypot(grid[2 * i]! - 0.4, grid[2 * i + 1]! - 0.6),
      );
      const route = bucketsOf(hash, fitPlanes(hash, grid, new Rng(seed)), grid);
      const model = fitBucketConstant({ buckets: 16, tables: 1, outDim: 1 }, route, target);
      const predicted = predictBucketConstant(model, route);
      for (let bucket = 0; bucket < 16; bucket++) {
        const members = Array.from(route.keys()).filter((i) => route[i] === bucket);
        expect(model.loads[bucket]).toBe(members.length);
        if (members.length === 0) continue;
        const mean = members.reduce((s, i) => s + target[i]!, 0) / members.length;
        let diameter = 0;
        for (const i of members)
          for (const j of members)
            diameter = Math.max(diameter, Math.hypot(grid[2 * i]! - grid[2 * j]!, grid[2 * i + 1]! - grid[2 * j + 1]!));
        for (const i of members) {
          expect(predicted[i]).toBeCloseTo(mean, 12);
          expect(Math.abs(predicted[i]! - target[i]!)).toBeLessThanOrEqual(lipschitz * diameter + 1e-12);
        }
      }
    }),
    { numRuns: 10 },
  );
});

test('sizes that contradict each other are named', () => {
  expect(() => lshExperts({ ...settings, buckets: 12 })).toThrow('Expected `buckets` to be a power of two, got 12.');
  expect(() => lshExperts({ ...settings, metric: 'euclidean', hashes: 2, buckets: 8 })).toThrow('to the power 2');
  expect(() => lshExperts({ ...settings, units: 0 })).toThrow('Expected `units` of at least 1, got 0.');
  expect(() => lshExperts({ ...settings, router: 'learned', tables: 2 })).toThrow('one table');
  expect(() => lshHash({ inDim: 0, buckets: 2 })).toThrow('`inDim`');
  expect(() => sortRows({ buckets: 2, tables: 1 }, Int32Array.of(0, 0, 1), 1)).toThrow('at most 1 rows');
  expect(() => fitPlanes(lshHash({ inDim: 3, buckets: 2 }), [1, 2], new Rng(1))).toThrow('rows of 3');
  expect(() =>
    defineProgram((b) => void forwardExperts(b, lshExperts({ ...settings, router: 'random' }), b.input('x', [1, 5]))),
  ).toThrow('route');
  expect(expertFlops(lshExperts({ ...settings, tables: 2 }))).toBe(2 * 5 * 3 * 2 + 2 * 2 * 7 * (5 + 2));
});
