import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createOrtExecutor,
  crossEntropy,
  type Feed,
  type HostTensor,
  ModelState,
  type Program,
  Rng,
} from '../../tensor/index.ts';
import { forward } from '../forward.ts';
import { activation, linear, sequential } from '../module.ts';
import { defineTrainStep } from '../train-step.ts';
import { train } from '../trainer.ts';
import { fingerprint, type ReplayEvent, type ReplayOptions } from './index.ts';

const net = sequential({ hidden: linear(3, 8), act: activation('tanh'), out: linear(8, 2) });
const def = defineTrainStep((b) => crossEntropy(forward(b, net, b.input('x', [16, 3])), b.input('y', [16], 'i32')), {
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.01,
  clipNorm: 1,
});
const STEPS = 24;

function feeds(step: number): Record<string, Feed> {
  const rng = new Rng(2).fork(step);
  const x = Float32Array.from({ length: 48 }, () => rng.uniform() * 2 - 1);
  return { x, y: Int32Array.from({ length: 16 }, (_, i) => (x[3 * i]! * x[3 * i + 1]! > 0 ? 1 : 0)) };
}

/** Where a bit is flipped: while the state rests before a step, or as if the step had computed it wrongly. */
interface Fault {
  readonly when: 'rest' | 'step';
  readonly step: number;
  readonly tensor: number;
  readonly index: number;
  readonly bit: number;
}

function flip(state: ModelState, fault: Fault): string {
  const name = state.names()[fault.tensor % state.names().length]!;
  const t = state.get(name);
  const words = new Uint32Array(t.data.slice().buffer);
  words[fault.index % words.length]! ^= 1 << fault.bit;
  state.set(name, { ...t, data: new Float32Array(words.buffer) });
  return name;
}

interface Curve {
  readonly losses: number[];
  readonly state: number[];
  readonly events: ReplayEvent[];
  readonly flipped: string | undefined;
}

async function run(replay: ReplayOptions | undefined, fault?: Fault): Promise<Curve> {
  await using executor = await createOrtExecutor({ threads: 1 });
  const state = ModelState.init(def, new Rng(7));
  await using program = await executor.compile(def, { state });
  const losses: number[] = [];
  const events: ReplayEvent[] = [];
  let flipped: string | undefined;
  let asked = -1;
  let calls = 0;
  const injured: Program = {
    ...program,
    run: async (given) => {
      const out: Record<string, HostTensor> = await program.run(given);
      if (fault?.when === 'step' && flipped === undefined && asked === fault.step) flipped = flip(state, fault);
      calls++;
      return out;
    },
  };
  await train({
    program: injured,
    state,
    feeds: (step) => {
      asked = step;
      return feeds(step);
    },
    schedule: { kind: 'constant', peak: 0.03, warmup: 0, final: 1 },
    beta1: 0.9,
    beta2: 0.95,
    length: { steps: STEPS },
    clock: () => 0,
    onProgress: ({ step, loss }) => {
      losses[step - 1] = loss;
      if (fault?.when === 'rest' && flipped === undefined && step === fault.step) flipped = flip(state, fault);
    },
    ...(replay === undefined ? {} : { replay: { ...replay, onEvent: (e) => void events.push(e) } }),
  });
  expect(calls).toBeGreaterThanOrEqual(STEPS);
  return { losses, state: state.names().flatMap((n) => [...state.get(n).data]), events, flipped };
}

const good = await run(undefined);

test('the fingerprint sees every flipped bit, whatever the length and alignment', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.nat(3), fc.nat(), (bytes, offset, at) => {
      const room = new Uint8Array(bytes.length + 8);
      room.set(bytes, offset);
      const view = room.subarray(offset, offset + bytes.length);
      const before = fingerprint(view);
      expect(before).toBe(fingerprint(bytes.slice()));
      view[at % view.length]! ^= 1 << (at % 8);
      expect(fingerprint(view)).not.toBe(before);
    }),
  );
});

test('a run under guard has the bits of a run without, and every replay is equal', async () => {
  for (const every of [1, 5]) {
    const guarded = await run({ every });
    expect(guarded.losses).toEqual(good.losses);
    expect(guarded.state).toEqual(good.state);
    expect(guarded.events.map((e) => e.verdict)).toEqual(
      Array.from({ length: Math.ceil(STEPS / every) }, () => 'equal'),
    );
  }
});

test('a hundred flipped bits, half at rest and half within a step: all found, none false, the curve is whole', async () => {
  const rng = new Rng(11);
  for (let trial = 0; trial < 100; trial++) {
    const fault: Fault = {
      when: trial % 2 === 0 ? 'rest' : 'step',
      step: 1 + rng.integer(STEPS - 2),
      tensor: rng.integer(100),
      index: rng.integer(1000),
      bit: rng.integer(32),
    };
    const { losses, state, events, flipped } = await run({ every: fault.when === 'rest' ? 5 : 1 }, fault);
    const found = events.filter((e) => e.verdict !== 'equal');
    expect(found, JSON.stringify(fault)).toMatchObject([
      { verdict: 'corrupt', check: fault.when === 'rest' ? 'seal' : 'replay', step: fault.step, tensor: flipped },
    ]);
    expect(losses).toEqual(good.losses);
    expect(state).toEqual(good.state);
  }
}, 60_000);

test('without a seal, a flip that makes the loss jump is found by replaying since the snapshot', async () => {
  const fault: Fault = { when: 'rest', step: 22, tensor: 2, index: 0, bit: 30 };
  const { events, losses } = await run({ every: 100, seal: false }, fault);
  expect(events.at(-1)).toMatchObject({ verdict: 'corrupt', check: 'replay', from: 0 });
  expect(losses).toEqual(good.losses);
});

test('an executor that gives other bits each time is called nondeterministic, not corrupt', async () => {
  await using executor = await createOrtExecutor({ threads: 1 });
  const state = ModelState.init(def, new Rng(7));
  await using program = await executor.compile(def, { state });
  const events: ReplayEvent[] = [];
  let calls = 0;
  await train({
    program: {
      ...program,
      run: async (given) => {
        const out = await program.run(given);
        return { ...out, loss: { ...out['loss']!, data: Float32Array.of(calls++) } };
      },
    },
    state,
    feeds,
    schedule: { kind: 'constant', peak: 0.03, warmup: 0, final: 1 },
    beta1: 0.9,
    beta2: 0.95,
    length: { steps: 3 },
    clock: () => 0,
    replay: { every: 2, onEvent: (e) => void events.push(e) },
  });
  expect(events.map((e) => [e.verdict, e.tensor])).toEqual([
    ['nondeterministic', 'loss'],
    ['nondeterministic', 'loss'],
  ]);
});

test('settings out of range are named', async () => {
  await expect(run({ every: 0 })).rejects.toThrow('Expected every of the replay to be a positive integer, got 0.');
  await expect(run({ ring: 1.5 })).rejects.toThrow(/ring/);
  await expect(run({ sigma: 0 })).rejects.toThrow(/sigma/);
});
