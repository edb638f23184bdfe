// Silent corruption in training: one bit is flipped, in the resting state or in what a step computed, and must be found, named
// and undone, so that the curve is that of a run without the fault. A run without faults must raise no alarm.
import {
  activation,
  defineTrainStep,
  forward,
  linear,
  type ReplayEvent,
  type ReplayOptions,
  sequential,
  train,
} from 'cairn/nn';
import { createOrtExecutor, crossEntropy, type Executor, type Feed, ModelState, type Program, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

const TRIALS = 100;
const STEPS = 20;
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };
const NET = sequential({ hidden: linear(3, 8), act: activation('tanh'), out: linear(8, 2) });
const STEP = defineTrainStep(
  (b) => crossEntropy(forward(b, NET, b.input('x', [16, 3])), b.input('y', [16], 'i32')),
  ADAM,
);

interface Fault {
  readonly where: 'rest' | 'step';
  readonly step: number;
  readonly tensor: string;
  readonly index: number;
  readonly bit: number;
}

interface Curve {
  readonly losses: readonly number[];
  readonly weights: readonly number[];
  readonly events: readonly ReplayEvent[];
}

function flip(state: ModelState, { tensor, index, bit }: Fault): void {
  const t = state.get(tensor);
  const words = new Uint32Array(t.data.slice().buffer);
  words[index % words.length]! ^= 1 << bit;
  state.set(tensor, { ...t, data: new Float32Array(words.buffer) });
}

async function run(executor: Executor, rng: Rng, replay?: ReplayOptions, fault?: Fault): Promise<Curve> {
  const state = ModelState.init(STEP, rng.fork('weights'));
  await using program = await executor.compile(STEP, { state });
  const losses: number[] = [];
  const events: ReplayEvent[] = [];
  let now = -1;
  let injured = false;
  const strike = (where: Fault['where'], step: number): void => {
    if (injured || fault?.where !== where || fault.step !== step) return;
    injured = true;
    flip(state, fault);
  };
  const observed: Program = {
    stats: () => program.stats(),
    dispose: () => program.dispose(),
    [Symbol.asyncDispose]: () => program.dispose(),
    async run(feeds) {
      const out = await program.run(feeds);
      strike('step', now);
      return out;
    },
  };
  await train({
    program: observed,
    state,
    feeds(step): Record<string, Feed> {
      now = step;
      const draw = rng.fork('points').fork(step);
      const x = Float32Array.from({ length: 48 }, () => draw.uniform() * 2 - 1);
      return { x, y: Int32Array.from({ length: 16 }, (_, i) => (x[3 * i]! * x[3 * i + 1]! > 0 ? 1 : 0)) };
    },
    schedule: { kind: 'constant', peak: 0.03, warmup: 0, final: 1 },
    beta1: ADAM.beta1,
    beta2: ADAM.beta2,
    length: { steps: STEPS },
    clock: () => 0,
    onProgress: ({ step, loss }) => {
      losses[step - 1] = loss;
      strike('rest', step);
    },
    ...(replay === undefined ? {} : { replay: { ...replay, onEvent: (event) => void events.push(event) } }),
  });
  return { losses, weights: state.names().flatMap((name) => [...state.get(name).data]), events };
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

export async function replay({ seed, signal }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('replay');
  await using executor = await createOrtExecutor({ threads: 1 });
  const whole = await run(executor, rng);
  const quiet = await run(executor, rng, { every: 1 });
  const falseAlarms = quiet.events.filter((e) => e.verdict !== 'equal').length;
  const draw = rng.fork('faults');
  const names = ModelState.init(STEP, rng).names();
  let [found, named, undone] = [0, 0, 0];
  for (let trial = 0; trial < TRIALS; trial++) {
    signal.throwIfAborted();
    const fault: Fault = {
      where: trial % 2 === 0 ? 'rest' : 'step',
      step: 1 + draw.integer(STEPS - 2),
      tensor: names[draw.integer(names.length)]!,
      index: draw.integer(1000),
      bit: draw.integer(32),
    };
    const { losses, weights, events } = await run(executor, rng, { every: fault.where === 'rest' ? 10 : 1 }, fault);
    const alarms = events.filter((e) => e.verdict === 'corrupt');
    if (alarms.length === 1 && alarms[0]!.step === fault.step) found++;
    if (alarms[0]?.tensor === fault.tensor) named++;
    if (same(losses, whole.losses) && same(weights, whole.weights)) undone++;
  }
  return {
    claims: [
      {
        id: 'replay',
        says: 'Every flipped bit of the training state is found at its step and named, and training goes on as if it had not happened, bit for bit.',
        kind: 'identity',
        value: Math.min(found, named, undone),
        target: `${TRIALS} of ${TRIALS}: half at rest between steps, half within a step that is replayed`,
        holds: found === TRIALS && named === TRIALS && undone === TRIALS,
      },
      {
        id: 'replay-no-false-alarm',
        says: 'A run without faults raises no alarm and has the bits of a run without guard.',
        kind: 'identity',
        value: falseAlarms,
        target: `0 of ${quiet.events.length} replayed steps`,
        holds: falseAlarms === 0 && quiet.events.length === STEPS && same(quiet.losses, whole.losses),
      },
    ],
    tables: [
      {
        title: `Single flipped bits in ${names.length} tensors of weights and moments, ${STEPS} steps each`,
        columns: ['trials', 'found', 'named', 'undone', 'false alarms'],
        rows: [[TRIALS, found, named, undone, falseAlarms]],
      },
    ],
  };
}
