import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { epochBatches } from '../data/index.ts';
import {
  type Builder,
  createOrtExecutor,
  createReferenceExecutor,
  crossEntropy,
  type Executor,
  type Feed,
  ModelState,
  Rng,
  type Tensor,
} from '../tensor/index.ts';
import { forward } from './forward.ts';
import { firstNonFinite } from './non-finite.ts';
import { activation, linear, sequential } from './module.ts';
import { defineTrainStep } from './train-step.ts';
import { train, type TrainOptions, type TrainProgress } from './trainer.ts';

const net = sequential({ hidden: linear(3, 8), act: activation('tanh'), out: linear(8, 2) });
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };
const def = defineTrainStep(
  (b) => crossEntropy(forward(b, net, b.input('x', [16, 3])), b.input('y', [16], 'i32')),
  adam,
);

/** Points of a cube, labelled by whether two coordinates have the same sign. */
const points = Float32Array.from({ length: 300 * 3 }, (_, i) => new Rng(1).fork(i).uniform() * 2 - 1);
const labels = Int32Array.from({ length: 300 }, (_, i) => (points[3 * i]! * points[3 * i + 1]! > 0 ? 1 : 0));
const batches = epochBatches({ count: 300, batchSize: 16, rng: new Rng(2) });
function feeds(step: number): Record<string, Feed> {
  const rows = batches.at(step);
  return {
    x: Float32Array.from({ length: 48 }, (_, i) => points[3 * rows[Math.floor(i / 3)]! + (i % 3)]!),
    y: Int32Array.from(rows, (r) => labels[r]!),
  };
}

let folder = '';
let clockNow = 0;
const clock = (): number => (clockNow += 0.01);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function start(
  executor: Executor,
  options: Partial<TrainOptions>,
  seed = 7,
): Promise<{ state: ModelState; run: () => ReturnType<typeof train> }> {
  const state = ModelState.init(def, new Rng(seed));
  const program = await executor.compile(def, { state });
  return {
    state,
    run: () =>
      train({
        program,
        state,
        feeds,
        schedule: { kind: 'cosine', peak: 0.03, warmup: 0.1, final: 0.1 },
        beta1: adam.beta1,
        beta2: adam.beta2,
        length: { steps: 40 },
        clock,
        ...options,
      }),
  };
}

const bits = (state: ModelState): Record<string, number[]> =>
  Object.fromEntries(state.names().map((name) => [name, [...state.get(name).data]]));

describe.each([
  ['reference', async (): Promise<Executor> => createReferenceExecutor({ dtype: 'f32' })],
  ['ort', (): Promise<Executor> => createOrtExecutor({ threads: 1 })],
])('%s', (name, make) => {
  test('the loss falls, and the same seed gives the same bits', async () => {
    const executor = await make();
    const losses: number[] = [];
    const a = await start(executor, { length: { steps: 200 }, onProgress: (p) => losses.push(p.loss) });
    const b = await start(executor, { length: { steps: 200 } });
    await a.run();
    await b.run();
    const mean = (list: number[]): number => list.reduce((s, x) => s + x, 0) / list.length;
    expect(mean(losses.slice(-20))).toBeLessThan(0.6 * mean(losses.slice(0, 20)));
    expect(bits(a.state)).toEqual(bits(b.state));
    await executor.dispose();
  });

  test('a run that was aborted and resumed equals an uninterrupted one, bit for bit', async () => {
    const executor = await make();
    const dir = await mkdtemp(join(folder, `${name}-`));
    const whole = await start(executor, {});
    await whole.run();
    const stop = new AbortController();
    const common = { dir, fingerprint: 'same', logEvery: 1 };
    const first = await start(executor, {
      ...common,
      signal: stop.signal,
      onProgress: (p: TrainProgress) => p.step === 17 && stop.abort(),
    });
    expect((await first.run()).reason).toBe('aborted');
    expect((await readdir(dir)).sort()).toEqual(['checkpoint.safetensors', 'metrics.jsonl']);
    const second = await start(executor, { ...common, resume: true }, 99);
    const result = await second.run();
    expect([result.reason, result.position.step]).toEqual(['done', 40]);
    expect(bits(second.state)).toEqual(bits(whole.state));
    const steps = (await readFile(join(dir, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l).step as number);
    expect(steps).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(await readdir(dir)).toEqual(['metrics.jsonl']);
    await executor.dispose();
  });
});

test('a checkpoint of another run is refused', async () => {
  const executor = createReferenceExecutor();
  const dir = await mkdtemp(join(folder, 'other-'));
  const stop = AbortSignal.abort();
  await (await start(executor, { dir, fingerprint: 'one', signal: stop })).run();
  await expect((await start(executor, { dir, fingerprint: 'two', resume: true })).run()).rejects.toThrow(
    /checkpoint of this run/,
  );
});

test('ten non-finite steps in a row stop the run and leave the weights alone', async () => {
  const bad = (): Record<string, Feed> => ({ x: new Float32Array(48).fill(Number.NaN), y: new Int32Array(16) });
  const run = await start(createReferenceExecutor({ dtype: 'f32' }), { feeds: bad });
  const before = bits(run.state);
  await expect(run.run()).rejects.toThrow('10 non-finite steps in a row from step 1 to step 10');
  expect(bits(run.state)).toEqual(before);
});

test('a run that ends in infinities goes back to the last good state, names the tensor and leaves a checkpoint', async () => {
  const executor = createReferenceExecutor({ dtype: 'f32' });
  const dir = await mkdtemp(join(folder, 'diverged-'));
  const loss = (b: Builder): Tensor => crossEntropy(forward(b, net, b.input('x', [16, 3])), b.input('y', [16], 'i32'));
  const broken = (step: number): Record<string, Feed> =>
    step < 57 ? feeds(step) : { ...feeds(step), x: new Float32Array(48).fill(Number.POSITIVE_INFINITY) };
  const run = await start(executor, {
    dir,
    fingerprint: 'run',
    feeds: broken,
    length: { steps: 100 },
    diagnose: (batch) => firstNonFinite(executor, run.state, loss, batch),
  });
  const error = await run.run().catch((e: unknown) => e);
  expect(error).toMatchObject({ code: 'diverged', details: { step: 58, tensor: 'hidden.hook_out' } });
  expect(String(error)).toContain('The checkpoint is of step 50');
  const whole = await start(executor, { length: { steps: 100 } });
  const resumed = await start(executor, { dir, fingerprint: 'run', length: { steps: 100 }, resume: true }, 99);
  await whole.run();
  await resumed.run();
  expect(bits(resumed.state)).toEqual(bits(whole.state));
});

test('a few non-finite steps are skipped and counted', async () => {
  const some = (step: number): Record<string, Feed> =>
    step % 4 === 1 ? { x: new Float32Array(48).fill(Number.NaN), y: new Int32Array(16) } : feeds(step);
  const run = await start(createReferenceExecutor({ dtype: 'f32' }), { feeds: some });
  const result = await run.run();
  expect(result.position.skipped).toBe(10);
  expect(Object.values(bits(run.state)).flat().every(Number.isFinite)).toBe(true);
});

test('early stop ends with the best parameters', async () => {
  const values = [5, 3, 4, 6, 1];
  let asked = 0;
  const seen: Record<string, number[]>[] = [];
  const run = await start(createReferenceExecutor({ dtype: 'f32' }), {
    evaluate: async () => {
      seen.push(bits(run.state));
      return values[asked++]!;
    },
    evaluateEvery: 5,
    patience: 2,
  });
  const result = await run.run();
  expect([result.reason, result.best, result.position.step]).toEqual(['early-stop', 3, 20]);
  const kept = bits(run.state);
  for (const [name, value] of Object.entries(seen[1]!)) expect(kept[name]).toEqual(value);
});

test('a run in seconds ends by the clock and follows the schedule', async () => {
  clockNow = 0;
  const rates: number[] = [];
  const run = await start(createReferenceExecutor({ dtype: 'f32' }), {
    length: { seconds: 2 },
    onProgress: (p) => rates.push(p.rate),
  });
  const result = await run.run();
  expect(result.position.seconds).toBeGreaterThanOrEqual(1.9);
  expect(rates.indexOf(Math.max(...rates)) / rates.length).toBeLessThan(0.2);
  expect(rates.at(-1)).toBeLessThan(0.2 * Math.max(...rates));
});
