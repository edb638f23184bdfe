// A run of training as experiments make it is the run of the library with the same options, and ends when it is told to.
import { activation, defineTrainStep, forward, linear, sequential, train } from 'cairn/nn';
import { createOrtExecutor, crossEntropy, type Feed, ModelState, Rng } from 'cairn/tensor';
import { expect, test } from 'vitest';
import { trainToEnd, type Training } from './train-to-end.ts';

const SETTINGS = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };
const STEPS = 40;
const net = sequential({ hidden: linear(3, 8), act: activation('tanh'), out: linear(8, 2) });
const step = defineTrainStep(
  (b) => crossEntropy(forward(b, net, b.input('x', [16, 3])), b.input('y', [16], 'i32')),
  SETTINGS,
);
const fresh = (): ModelState => ModelState.init(step, new Rng(5));
const valuesOf = (state: ModelState): number[] => state.names().flatMap((name) => [...state.get(name).data]);

function feeds(at: number): Record<string, Feed> {
  const rng = new Rng(3).fork(at);
  const x = Float32Array.from({ length: 48 }, () => rng.uniform() * 2 - 1);
  return { x, y: Int32Array.from({ length: 16 }, (_, i) => (x[3 * i]! * x[3 * i + 1]! > 0 ? 1 : 0)) };
}

async function trained(more: Partial<Training> = {}): Promise<number[]> {
  await using executor = await createOrtExecutor({ threads: 1 });
  const state = fresh();
  const { signal } = new AbortController();
  const rates = { peak: 0.02, warmup: 0.1, final: 0.05 };
  await trainToEnd({ step, executor, state, feeds, settings: SETTINGS, steps: STEPS, ...rates, signal, ...more });
  return valuesOf(state);
}

test('gives the bits of the library’s own loop', async () => {
  await using executor = await createOrtExecutor({ threads: 1 });
  const state = fresh();
  await using program = await executor.compile(step, { state });
  const result = await train({
    program,
    state,
    feeds,
    schedule: { kind: 'cosine', peak: 0.02, warmup: 0.1, final: 0.05 },
    beta1: SETTINGS.beta1,
    beta2: SETTINGS.beta2,
    length: { steps: STEPS },
    clock: () => 0,
  });
  expect(result.reason).toBe('done');
  const seen: number[] = [];
  expect(await trained({ onProgress: ({ step: at }) => void seen.push(at) })).toEqual(valuesOf(state));
  expect(seen).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
});

test('ends where it has learned enough, and with the reason of its signal', async () => {
  const seen: number[] = [];
  await trained({ onProgress: ({ step: at }) => void seen.push(at), enough: ({ step: at }) => at === 7 });
  expect(seen.at(-1)).toBe(7);
  const stop = new AbortController();
  const stopped = trained({
    signal: stop.signal,
    onProgress: ({ step: at }) => {
      if (at === 5) stop.abort(new Error('no more'));
    },
  });
  await expect(stopped).rejects.toThrow('no more');
});
