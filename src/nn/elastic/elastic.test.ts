import { expect, test } from 'vitest';
import { createOrtExecutor, crossEntropy, type Feed, ModelState, Rng } from '../../tensor/index.ts';
import { forward } from '../forward.ts';
import { activation, linear, sequential } from '../module.ts';
import { defineTrainStep } from '../train-step.ts';
import { train } from '../trainer.ts';
import { createElasticProgram, type ElasticOptions } from './index.ts';

const net = sequential({ hidden: linear(3, 8), act: activation('tanh'), out: linear(8, 2) });
const settings = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };
const BATCH = 16;

function feeds(step: number): Record<string, Feed> {
  const rng = new Rng(2).fork(step);
  const x = Float32Array.from({ length: BATCH * 3 }, () => rng.uniform() * 2 - 1);
  return { x, y: Int32Array.from({ length: BATCH }, (_, i) => (x[3 * i]! * x[3 * i + 1]! > 0 ? 1 : 0)) };
}

const loss: ElasticOptions['loss'] = (b) =>
  crossEntropy(forward(b, net, b.input('x', [4, 3])), b.input('y', [4], 'i32'));

async function run(
  options: Partial<ElasticOptions>,
  steps = 16,
  each?: (step: number, pids: readonly number[]) => void,
): Promise<{ losses: number[]; state: number[] }> {
  await using executor = await createOrtExecutor({ threads: 1 });
  const state = ModelState.init(
    defineTrainStep((b) => loss(b), settings),
    new Rng(7),
  );
  await using program = await createElasticProgram({
    loss,
    settings,
    state,
    executor,
    shards: 4,
    workers: 2,
    ...options,
  });
  const losses: number[] = [];
  await train({
    program,
    state,
    feeds,
    schedule: { kind: 'constant', peak: 0.03, warmup: 0, final: 1 },
    beta1: settings.beta1,
    beta2: settings.beta2,
    length: { steps },
    clock: () => 0,
    onProgress: (p) => {
      losses.push(p.loss);
      each?.(p.step, program.pids);
    },
  });
  return { losses, state: state.names().flatMap((n) => [...state.get(n).data]) };
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('one, two and three workers give the same bits, close to one large batch', async () => {
  const [one, two, three] = [await run({ workers: 1 }), await run({ workers: 2 }), await run({ workers: 3 })];
  expect(two).toEqual(one);
  expect(three).toEqual(one);
  await using executor = await createOrtExecutor({ threads: 1 });
  const def = defineTrainStep(
    (b) => crossEntropy(forward(b, net, b.input('x', [BATCH, 3])), b.input('y', [BATCH], 'i32')),
    settings,
  );
  const state = ModelState.init(def, new Rng(7));
  await using program = await executor.compile(def, { state });
  for (let step = 0; step < 4; step++) {
    const out = await program.run({ ...feeds(step), lr: 0.03, c1: 1 - 0.9 ** (step + 1), c2: 1 - 0.95 ** (step + 1) });
    expect(out['loss']!.data[0]).toBeCloseTo(one.losses[step]!, 5);
  }
});

test('workers killed in the middle: the curve is that of an undisturbed run, bit for bit, and nothing is left running', async () => {
  const undisturbed = await run({});
  const lost: number[] = [];
  const [seen, killed] = [new Set<number>(), new Set<number>()];
  const disturbed = await run({ onLoss: ({ pid }) => void lost.push(pid) }, 16, (step, pids) => {
    for (const pid of pids) seen.add(pid);
    // Just after a step: the next one begins with workers that are dying or gone, once one of them and once all.
    if (step !== 4 && step !== 9) return;
    for (const pid of step === 4 ? pids.slice(0, 1) : pids) {
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    }
  });
  // A loss at the end may stay unheard where others had done the work by then; nobody else is lost.
  expect(lost.length).toBeGreaterThanOrEqual(1);
  expect(lost.filter((pid) => !killed.has(pid))).toEqual([]);
  expect(disturbed).toEqual(undisturbed);
  expect([...seen].filter(alive)).toEqual([]);
});

test('a worker that stands still is ended and its shard done by its replacement', async () => {
  const undisturbed = await run({}, 6);
  let lost = 0;
  const disturbed = await run({ workers: 1, patience: 1_000, onLoss: () => void lost++ }, 6, (step, pids) => {
    if (step === 2) process.kill(pids[0]!, 'SIGSTOP');
  });
  expect(lost).toBeGreaterThanOrEqual(1);
  expect(disturbed).toEqual(undisturbed);
});

test('without replacements and workers, the run ends with an error', async () => {
  const all = run({ workers: 1, replacements: 0 }, 8, (step, pids) => {
    if (step === 3) process.kill(pids[0]!, 'SIGKILL');
  });
  await expect(all).rejects.toMatchObject({ code: 'workers_died' });
});

test('bad numbers of shards, and batches that do not divide, are named', async () => {
  await expect(run({ shards: 0 })).rejects.toThrow('Expected shards from 1 to 1024, got 0.');
  await expect(run({ shards: 3 })).rejects.toThrow(/input `x`/);
});
