import { describe, expect, it } from 'vitest';
import { defineProgram } from './builder.ts';
import { type Executor, ModelState } from './executor.ts';
import type { ProgramDef } from './graph.ts';
import { normal } from './init.ts';
import { gather, matmul } from './ops/index.ts';
import { adamW } from './optim.ts';
import { createOrtExecutor } from './ort-node.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import { createRowOptimizer } from './row-optim.ts';

const ROWS = 9;
const options = { weightDecay: 0.1, beta1: 0.8, beta2: 0.9 };

/** Two reads of one table, a matrix and a target; the same loss with and without sparse rows. */
function program(sparseRows: boolean, reads: number): ProgramDef {
  return defineProgram((b) => {
    const table = b.param('table', [ROWS, 3], normal(1), { decay: false, tags: ['rows'] });
    const w = b.param('w', [3, 2], normal(1));
    const rows = gather(table, b.input('i', [reads], 'i32')).add(gather(table, b.input('j', [reads], 'i32')));
    const loss = matmul(rows, w)
      .sub(b.input('target', [reads, 2]))
      .pow(2)
      .mean();
    b.output('loss', loss);
    adamW(b, loss, { ...options, sparseRows });
  });
}

async function trained(
  executor: Executor,
  sparse: boolean,
  indices: (step: number) => { i: Int32Array; j: Int32Array },
  rule: 'adam' | 'adagrad' = 'adam',
): Promise<{ state: ModelState; losses: number[] }> {
  const reads = indices(1).i.length;
  const def = program(sparse, reads);
  const state = ModelState.init(def, new Rng(3));
  const update = createRowOptimizer(def, state, { ...options, rule });
  await using p = await executor.compile(def, { state });
  const losses: number[] = [];
  for (let t = 1; t <= 6; t++) {
    const target = Float32Array.from({ length: reads * 2 }, (_, k) => Math.sin(k * t));
    const step = { lr: 0.05, c1: 1 - options.beta1 ** t, c2: 1 - options.beta2 ** t };
    const out = await p.run({ ...indices(t), target, ...step });
    update?.(out, step);
    losses.push(out['loss']!.data[0]!);
  }
  return { state, losses };
}

const all = Int32Array.from({ length: ROWS + 3 }, (_, k) => k % ROWS);
const some = (step: number): { i: Int32Array; j: Int32Array } => ({
  i: Int32Array.of(1, 1, step % 2),
  j: Int32Array.of(5, 1, 1),
});

describe.each([
  ['interpreter', async (): Promise<Executor> => createReferenceExecutor({ dtype: 'f32' })],
  ['runtime', (): Promise<Executor> => createOrtExecutor({ threads: 1 })],
])('%s', (_, make) => {
  it('with every row read in every step it is the optimiser in the graph', async () => {
    const executor = await make();
    const indices = (): { i: Int32Array; j: Int32Array } => ({ i: all, j: all.toReversed() });
    const [sparse, dense] = [await trained(executor, true, indices), await trained(executor, false, indices)];
    for (const name of ['table', 'w', 'm:table', 'v:table']) {
      const expected = dense.state.get(name).data;
      sparse.state.get(name).data.forEach((x, k) => expect(x).toBeCloseTo(expected[k]!, 5));
    }
    await executor.dispose();
  });

  it.each(['adam', 'adagrad'] as const)('%s changes the rows that were read and no others', async (rule) => {
    const executor = await make();
    const before = ModelState.init(program(true, 3), new Rng(3)).get('table').data;
    const { state, losses } = await trained(executor, true, some, rule);
    const after = state.get('table').data;
    const changed = Array.from({ length: ROWS }, (_x, r) => after[3 * r] !== before[3 * r]);
    expect(changed).toEqual(changed.map((_x, r) => [0, 1, 5].includes(r)));
    expect(losses.every(Number.isFinite)).toBe(true);
    await executor.dispose();
  });
});

it('adagrad takes the step of the formula, summing repeated reads', async () => {
  const executor = createReferenceExecutor({ dtype: 'f64' });
  const def = defineProgram((b) => {
    const rows = gather(b.param('table', [4, 2], normal(1), { tags: ['rows'] }), b.constant(Int32Array.of(2, 2), [2]));
    const loss = rows
      .mul(b.constant([1, 2, 3, 4], [2, 2]))
      .sum()
      .add(b.param('bias', [], normal(1)));
    b.output('loss', loss);
    adamW(b, loss, { sparseRows: true });
  });
  const state = ModelState.init(def, new Rng(1));
  const before = state.get('table').data;
  const update = createRowOptimizer(def, state, { rule: 'adagrad', rateScale: 2 })!;
  await using p = await executor.compile(def, { state });
  const step = { lr: 0.1, c1: 0.1, c2: 0.05 };
  update(await p.run(step), step);
  const after = state.get('table').data;
  const size = Math.sqrt((4 ** 2 + 6 ** 2) / 2);
  expect(after[4]).toBeCloseTo(before[4]! - (0.2 * 4) / size, 5);
  expect(after[5]).toBeCloseTo(before[5]! - (0.2 * 6) / size, 5);
  expect(before).not.toBe(after); // an array that was handed out is never changed
});

it('gradients that are not finite change nothing; a table that is read otherwise is named', async () => {
  const executor = createReferenceExecutor({ dtype: 'f32' });
  const def = program(true, 3);
  const state = ModelState.init(def, new Rng(3));
  const before = [...state.get('table').data];
  const update = createRowOptimizer(def, state)!;
  await using p = await executor.compile(def, { state });
  const step = { lr: 0.1, c1: 0.1, c2: 0.05 };
  update(await p.run({ ...some(1), target: new Float32Array(6).fill(Number.NaN), ...step }), step);
  expect([...state.get('table').data]).toEqual(before);
  expect(createRowOptimizer(program(false, 3), state)).toBeUndefined();
  expect(() =>
    defineProgram((b) => {
      const table = b.param('table', [4, 2], normal(1), { tags: ['rows'] });
      adamW(b, table.mul(table).sum(), { sparseRows: true });
    }),
  ).toThrow('Expected `table` to be read by gather along axis 0 only, got mul');
});
