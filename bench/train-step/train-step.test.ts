import { createOrtExecutor, createReferenceExecutor, type Executor, ModelState, Rng } from 'cairn/tensor';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adamFeeds } from 'cairn/tensor';
import { afterAll, describe, expect, it } from 'vitest';
import { trainStep } from './gpt.ts';
import { adam, firstWeights, type GptCase, paramShapes, readWorkload, writeWorkload } from './workload.ts';

const tiny: GptCase = { name: 'tiny', dim: 16, layers: 2, heads: 2, length: 8, batch: 3, vocab: 11 };
const dir = mkdtempSync(join(tmpdir(), 'cairn-workload-'));
afterAll(() => rmSync(dir, { recursive: true }));
writeWorkload(dir, tiny, 5);
const work = readWorkload(dir);

function startState(dtype: 'f32' | 'f64' = 'f32'): ModelState {
  const state = ModelState.init(trainStep(tiny, dtype), new Rng(0));
  for (const [name, data] of work.weights) {
    const values = dtype === 'f64' ? Float64Array.from(data) : data.slice();
    state.set(name, { data: values, shape: state.get(name).shape, dtype });
  }
  return state;
}

async function losses(
  executor: Executor,
  state: ModelState,
  from: number,
  to: number,
  dtype: 'f32' | 'f64' = 'f32',
): Promise<number[]> {
  const program = await executor.compile(trainStep(tiny, dtype), { state });
  const out: number[] = [];
  for (let step = from; step <= to; step++) {
    const { loss } = await program.run({ ...work.batch(step - 1), ...adamFeeds(step, adam.lr, adam) });
    out.push(loss!.data[0]!);
  }
  await program.dispose();
  return out;
}

describe('training step of the benchmark', () => {
  it('reads the workload it wrote', () => {
    expect(work.params).toEqual(paramShapes(tiny));
    for (const { name, data } of firstWeights(tiny, 5)) expect(work.weights.get(name)).toEqual(data);
    const { x, y } = work.batch(6);
    expect(x.length).toBe(tiny.batch * tiny.length);
    expect([...y.subarray(0, tiny.length - 1)]).toEqual([...x.subarray(1, tiny.length)]);
  });

  it('trains alike on ONNX Runtime and on the reference in f32 and f64', async () => {
    const ort = await createOrtExecutor({ threads: 2 });
    const ours = await losses(ort, startState(), 1, 20);
    const single = await losses(createReferenceExecutor({ dtype: 'f32' }), startState(), 1, 20);
    const double = await losses(createReferenceExecutor(), startState('f64'), 1, 20, 'f64');
    expect(ours.at(-1)!).toBeLessThan(ours[0]!);
    for (const [i, wanted] of double.entries()) {
      expect(Math.abs(ours[i]! - wanted) / wanted).toBeLessThan(1e-4);
      expect(Math.abs(single[i]! - wanted) / wanted).toBeLessThan(1e-4);
    }
    await ort.dispose();
  });

  it('resumes bit for bit on two threads, and the same seed gives the same run', async () => {
    const ort = await createOrtExecutor({ threads: 2 });
    const [straight, again, first] = [startState(), startState(), startState()];
    const all = await losses(ort, straight, 1, 12);
    expect(await losses(ort, again, 1, 12)).toEqual(all);
    const head = await losses(ort, first, 1, 5);
    const resumed = first.clone();
    expect([...head, ...(await losses(ort, resumed, 6, 12))]).toEqual(all);
    for (const name of straight.names()) expect(resumed.get(name).data).toEqual(straight.get(name).data);
    await ort.dispose();
  });
});
