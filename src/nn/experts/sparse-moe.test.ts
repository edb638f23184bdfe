import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createOrtExecutor,
  createReferenceExecutor,
  defineProgram,
  type Feed,
  interpret,
  ModelState,
  Rng,
  type Tensor,
} from '../../tensor/index.ts';
import { parameterGradientGap } from './_testing.ts';
import { expertLoads, moeCapacity, type MoeOptions, type SparseMoe, sparseMoe } from './sparse-moe.ts';

const base: SparseMoe = {
  width: 6,
  hidden: 10,
  experts: 4,
  topK: 1,
  capacity: 100,
  act: 'gelu',
  gated: false,
  bias: true,
  outStd: 0.3,
  balance: 'loss',
};
const N = 12;

function normals(seed: number, count: number, scale = 1): Float64Array {
  const out = new Float64Array(count);
  new Rng(seed).fork('x').fillNormal(out, scale);
  return out;
}

/** Weights large enough that the router decides. */
function stateOf(moe: SparseMoe, seed: number): ModelState {
  const def = defineProgram((b) => b.output('y', sparseMoe(b, moe, b.input('x', [N, 6]), { training: false })), {
    dtype: 'f64',
  });
  const state = ModelState.init(def, new Rng(seed));
  for (const [i, name] of state.names().entries()) {
    const t = state.get(name);
    if (name !== 'balance') state.set(name, { ...t, data: normals(seed * 100 + i, t.data.length, 0.7) });
  }
  return state;
}

function run(moe: SparseMoe, state: ModelState, x: Float64Array, options: MoeOptions): Record<string, number[]> {
  const rows = x.length / 6;
  const def = defineProgram(
    (b) => {
      const losses: [string, Tensor][] = [];
      const y = sparseMoe(b, moe, b.input('x', [rows, 6]), {
        ...options,
        addLoss: (name, value) => losses.push([name, value]),
      });
      b.output('y', y);
      for (const [name, value] of losses) b.output(name, value);
    },
    { dtype: 'f64', capture: 'hook_router' },
  );
  const { outputs } = interpret(def, { x }, state);
  return Object.fromEntries(Object.entries(outputs).map(([k, t]) => [k, Array.from(t.data)]));
}

const gap = (a: readonly number[], b: readonly number[]): number => {
  expect(a).toHaveLength(b.length);
  return a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), 0);
};

/** The dense network of expert `e`, on the host-side graph. */
function dense(moe: SparseMoe, state: ModelState, x: Float64Array, e: number): number[] {
  const def = defineProgram(
    (b) => {
      const of = (name: string, shape: number[]): Tensor => b.param(name, shape, () => new Float64Array(0));
      const input = b.input('x', [N, 6]);
      const at = (t: Tensor): Tensor => t.sliceAxis(0, e, e + 1).squeeze(0);
      const up = input.matmul(at(of('in', [moe.experts, 6, 10]))).add(at(of('in_bias', [moe.experts, 10])));
      b.output(
        'y',
        up
          .gelu()
          .matmul(at(of('out', [moe.experts, 10, 6])))
          .add(at(of('out_bias', [moe.experts, 6]))),
      );
    },
    { dtype: 'f64' },
  );
  return Array.from(interpret(def, { x }, state).outputs['y']!.data);
}

test.each([true, false])('one expert is the dense network with gate 1 (training: %s)', (training) => {
  const moe = { ...base, experts: 1 };
  const state = stateOf(moe, 1);
  const x = normals(2, N * 6);
  expect(gap(run(moe, state, x, { training })['y']!, dense(moe, state, x, 0))).toBeLessThan(1e-12);
});

test('identical experts, two a row, are the dense network', () => {
  const moe = { ...base, topK: 2 };
  const state = stateOf(moe, 1);
  for (const name of ['in', 'in_bias', 'out', 'out_bias']) {
    const t = state.get(name);
    const one = t.data.slice(0, t.data.length / 4);
    state.set(name, { ...t, data: Float64Array.from({ length: t.data.length }, (_, i) => one[i % one.length]!) });
  }
  const x = normals(2, N * 6);
  for (const training of [true, false]) {
    expect(gap(run(moe, state, x, { training })['y']!, dense(moe, state, x, 0))).toBeLessThan(1e-12);
  }
});

test('moved rows, all experts and gathered matrices give the same', () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer({ min: 0, max: 1e6 }),
        topK: fc.integer({ min: 1, max: 3 }),
        gated: fc.boolean(),
        bias: fc.boolean(),
        balance: fc.constantFrom('loss' as const, 'bias' as const),
      }),
      ({ seed, ...extra }) => {
        const moe = { ...base, ...extra };
        const state = stateOf(moe, seed);
        const x = normals(seed + 1, N * 6);
        const all = run(moe, state, x, { training: false, form: 'all' })['y']!;
        expect(gap(all, run(moe, state, x, { training: false, form: 'gathered' })['y']!)).toBeLessThan(1e-12);
        expect(gap(all, run(moe, state, x, { training: true })['y']!)).toBeLessThan(1e-12);
        // Without a bound a row does not depend on the others: the order of the batch only permutes the answers.
        const order = new Rng(seed).permutation(N);
        const shuffled = Float64Array.from({ length: N * 6 }, (_, i) => x[order[Math.floor(i / 6)]! * 6 + (i % 6)]!);
        const y = run(moe, state, shuffled, { training: false })['y']!;
        expect(
          gap(
            y,
            Array.from({ length: N * 6 }, (_, i) => all[order[Math.floor(i / 6)]! * 6 + (i % 6)]!),
          ),
        ).toBeLessThan(1e-12);
      },
    ),
    { numRuns: 25 },
  );
});

test('rows beyond the capacity become 0, later rows first, second choices before first ones', () => {
  for (const topK of [1, 2]) {
    for (const seed of [1, 2, 3]) {
      const moe = { ...base, topK, capacity: 0.6 };
      const room = moeCapacity(moe, N);
      const state = stateOf(moe, seed);
      const x = normals(seed, N * 6);
      const whole = run({ ...moe, capacity: 100 }, state, x, { training: true });
      const cut = run(moe, state, x, { training: true })['y']!;
      const p = whole['hook_router']!;
      const ranked = Array.from({ length: N }, (_, i) =>
        [0, 1, 2, 3].sort((a, c) => p[i * 4 + c]! - p[i * 4 + a]!).slice(0, topK),
      );
      const taken = [0, 0, 0, 0];
      const kept = ranked.map(() => Array.from({ length: topK }, () => false));
      for (let k = 0; k < topK; k++) for (let i = 0; i < N; i++) kept[i]![k] = taken[ranked[i]![k]!]!++ < room;
      let dropped = 0;
      for (let i = 0; i < N; i++) {
        const [a, c] = [cut, whole['y']!].map((y) => y.slice(i * 6, (i + 1) * 6)) as [number[], number[]];
        if (kept[i]!.every(Boolean)) expect(gap(a, c)).toBeLessThan(1e-12);
        else if (!kept[i]!.some(Boolean)) expect(a.every((v) => v === 0)).toBe(true);
        else expect(gap(a, c)).toBeGreaterThan(1e-9);
        dropped += kept[i]!.every(Boolean) ? 0 : 1;
      }
      expect(dropped).toBeGreaterThan(0);
    }
  }
  expect(moeCapacity({ capacity: 1.25, topK: 1, experts: 4 }, 100)).toBe(32);
  expect(moeCapacity({ capacity: 1.25, topK: 2, experts: 1 }, 10)).toBe(10);
});

test('the balance loss is 1 when even and E when all rows go to one expert', () => {
  const state = stateOf(base, 1);
  const router = (f: (k: number, e: number) => number): void =>
    state.set('router.weight', {
      data: Float64Array.from({ length: 24 }, (_, i) => f(Math.floor(i / 4), i % 4)),
      shape: [6, 4],
      dtype: 'f64',
    });
  const x = Float64Array.from({ length: N * 6 }, (_, i) => (i % 6 === Math.floor(i / 6) % 4 ? 1 : 0));
  router(() => 0);
  expect(run(base, state, x, { training: true })['balance']![0]).toBeCloseTo(1, 12);
  router((k, e) => (k === e ? 100 : 0));
  expect(run(base, state, x, { training: true })['balance']![0]).toBeCloseTo(1, 12);
  router((_, e) => (e === 2 ? 100 : 0));
  const collapsed = run(base, state, x, { training: true });
  expect(collapsed['balance']![0]).toBeCloseTo(4, 12);
  expect(collapsed['z']![0]).toBeCloseTo(100 ** 2, 6);
  expect([...expertLoads(collapsed['hook_router']!, 4)]).toEqual([0, 0, 1, 0].map((v) => expect.closeTo(v, 12)));
});

test('the bias of an expert moves against its surplus and only changes the choice', async () => {
  const moe: SparseMoe = { ...base, balance: 'bias' };
  const state = stateOf(moe, 3);
  const x = normals(4, N * 6);
  const def = defineProgram((b) => b.output('y', sparseMoe(b, moe, b.input('x', [N, 6]), { training: true })), {
    dtype: 'f64',
    capture: 'hook_router',
  });
  await using program = await createReferenceExecutor({ dtype: 'f64' }).compile(def, { state });
  const out = await program.run({ x });
  const loads = expertLoads(out['hook_router']!.data, 4);
  expect([...state.get('balance').data]).toEqual([...loads].map((v) => 1e-3 * Math.sign(0.25 - v) + 0));
  state.set('balance', { data: Float64Array.of(0, 0, 10, 0), shape: [4], dtype: 'f64' });
  const forced = await program.run({ x });
  const third = dense(moe, state, x, 2);
  const p = forced['hook_router']!.data;
  expect(
    gap(
      Array.from(forced['y']!.data),
      third.map((v, i) => v * p[Math.floor(i / 6) * 4 + 2]!),
    ),
  ).toBeLessThan(1e-12);
});

test.each([
  [{ topK: 1 }, true],
  [{ topK: 2, gated: true, act: 'silu' }, true],
  [{ topK: 2 }, false],
  [{ topK: 1, capacity: 0.7 }, true],
] as [Partial<SparseMoe>, boolean][])(
  'gradients through gates and losses are exact: %o, training %s',
  (extra, training) => {
    const moe = { ...base, ...extra };
    for (const seed of [1, 2]) {
      const state = stateOf(moe, seed);
      const { worst, names } = parameterGradientGap(
        (b) => {
          let total: Tensor | undefined;
          const y = sparseMoe(b, moe, b.input('x', [N, 6]), {
            training,
            addLoss: (_, value) => {
              total = total ? total.add(value) : value;
            },
          });
          return total ? y.sin().sum().add(total) : y.sin().sum();
        },
        { x: normals(seed, N * 6) } as Record<string, Feed>,
        new Rng(seed),
        state,
      );
      expect(worst).toBeLessThan(1e-5);
      expect(names).toContain('router.weight');
    }
  },
);

test('ONNX Runtime gives what the reference gives, in every form', async () => {
  await using ort = await createOrtExecutor({ threads: 1 });
  const moe: SparseMoe = { ...base, topK: 2, balance: 'bias', capacity: 0.8 };
  const wide = stateOf(moe, 5);
  const state = wide.clone('f32');
  const x = Float32Array.from(normals(5, N * 6));
  for (const options of [
    { training: true },
    { training: false, form: 'all' },
    { training: false, form: 'gathered' },
  ] as MoeOptions[]) {
    const def = defineProgram((b) => b.output('y', sparseMoe(b, moe, b.input('x', [N, 6]), options)));
    await using a = await ort.compile(def, { state: state.clone() });
    await using c = await createReferenceExecutor({ dtype: 'f32' }).compile(def, { state: state.clone() });
    const [y, z] = [(await a.run({ x }))['y']!.data, (await c.run({ x }))['y']!.data];
    expect(gap(Array.from(y), Array.from(z))).toBeLessThan(1e-5);
  }
});

test('more experts a row than there are is an error', () => {
  expect(() => run({ ...base, topK: 5 }, new ModelState(), normals(1, 6), { training: false })).toThrow(
    'Expected at most 4 experts a row, got 5.',
  );
});
