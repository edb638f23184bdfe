// The parity hierarchy: every node of a binary tree over the bits is a task. The modular learner takes them one after the
// other, children first; the end-to-end network sees only the last task, with many more samples of it.
import { Lifelong } from 'cairn/grow';
import {
  activation,
  type ClassifierConfig,
  createClassifier,
  defineTrainStep,
  forward,
  linear,
  sequential,
} from 'cairn/nn';
import { createOrtExecutor, crossEntropy, ModelState, type Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { trainToEnd } from '../train-to-end.ts';
import { agreement, bitNames, DISTRACTORS, drawBits, parityTasks } from './part.ts';

export const FAIRNESS =
  'The modular learner gets labels for every intermediate task, the end-to-end network only for the last: that is the lifelong setting, not a fair fight on samples.';

const NETWORK_SAMPLES = 10_000;
const RECIPE = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, clipNorm: 10 };

interface Modular {
  readonly accuracy: number;
  readonly samples: number;
  readonly tasks: number;
  readonly seconds: number;
}

/** Learns the whole hierarchy; accuracy is the worst of all tasks on fresh examples. */
export function learnHierarchy(rng: Rng, seed: number, bits: number): Modular {
  const start = performance.now();
  const learner = new Lifelong({ features: bitNames(bits), seed, epsilon: 0.25, delta: 0.01 });
  const tasks = parityTasks(bits);
  let samples = 0;
  for (const task of tasks) {
    for (let status = ''; status !== 'frozen' && samples < 5000; samples++) {
      const x = drawBits(rng, bits + DISTRACTORS);
      status = learner.step(task.name, x, task.of(x)).status;
    }
  }
  const accuracy = tasks.map((task) =>
    agreement(rng, bits + DISTRACTORS, 500, (x) => learner.call(task.name, x), task.of),
  );
  learner.verify();
  return {
    accuracy: Math.min(...accuracy),
    samples,
    tasks: tasks.length,
    seconds: (performance.now() - start) / 1000,
  };
}

/** A network with one hidden layer of 256 units, trained on the last task alone. Returns its accuracy on fresh examples. */
async function endToEnd(rng: Rng, bits: number, epochs: number, signal: AbortSignal): Promise<number> {
  const width = bits + DISTRACTORS;
  const task = parityTasks(bits).at(-1)!;
  const rows = Array.from({ length: NETWORK_SAMPLES }, () => drawBits(rng, width));
  const layers = sequential({ hidden: linear(width, 256), act: activation('relu'), out: linear(256, 2) });
  const batch = 100;
  const perEpoch = NETWORK_SAMPLES / batch;
  const inputsOf = (list: readonly number[][]): Float32Array => Float32Array.from(list.flat(), (v) => 2 * v - 1);
  await using executor = await createOrtExecutor({ threads: 1 });
  const step = defineTrainStep(
    (b) => crossEntropy(forward(b, layers, b.input('x', [batch, width])), b.input('y', [batch], 'i32')),
    RECIPE,
  );
  const state = ModelState.init(step, rng.fork('weights'));
  await trainToEnd({
    step,
    executor,
    state,
    feeds: (at) => {
      const order = rng
        .fork('epoch')
        .fork(Math.floor(at / perEpoch))
        .permutation(NETWORK_SAMPLES);
      const from = (at % perEpoch) * batch;
      const picked = Array.from(order.subarray(from, from + batch), (i) => rows[i]!);
      return { x: inputsOf(picked), y: Int32Array.from(picked, (x) => task.of(x)) };
    },
    settings: RECIPE,
    steps: epochs * perEpoch,
    peak: 3e-3,
    warmup: 0.05,
    final: 0.05,
    signal,
  });
  const config: ClassifierConfig = {
    model_type: 'cairn_classifier',
    architectures: ['ParityNetwork'],
    cairn_version: '0.1.0',
    dtype: 'float32',
    input_size: width,
    input_meaning: 'bits as -1 and 1',
    labels: ['even', 'odd'],
    temperature: 1,
    layers,
  };
  const fresh = Array.from({ length: 2000 }, () => drawBits(rng, width));
  await using classifier = createClassifier(config, state, executor);
  const logits = await classifier.logits(inputsOf(fresh), fresh.length);
  return fresh.filter((x, i) => Number(logits[2 * i + 1]! > logits[2 * i]!) === task.of(x)).length / fresh.length;
}

/** 4, 8 and 16 bits, side by side. */
export async function hierarchy(rng: Rng, options: LabOptions): Promise<Part> {
  const { seed, scale, plot, signal, log } = options;
  const sizes = [4, 8, 16];
  const modular = sizes.map((bits) => learnHierarchy(rng.fork('modular').fork(bits), seed, bits));
  const network: number[] = [];
  for (const bits of sizes) {
    log(`end-to-end network on ${bits} bits`);
    network.push(await endToEnd(rng.fork('network').fork(bits), bits, scale === 'full' ? 60 : 20, signal));
  }
  plot('parity', {
    title: 'Parity of more and more bits: worst task of the modular learner, and one network',
    y: { label: 'accuracy on fresh examples' },
    columns: {
      labels: sizes.map((bits, i) => `${bits} bits, ${modular[i]!.samples} samples in all`),
      series: [
        { name: 'modules, child tasks first', values: modular.map((m) => m.accuracy) },
        { name: `network of 256, ${NETWORK_SAMPLES.toLocaleString('en')} samples of the last task`, values: network },
      ],
    },
    note: FAIRNESS,
  });
  const last = modular.at(-1)!;
  return {
    claims: [
      {
        id: 'parity-16-learned',
        says: 'Parity of 16 bits among 8 distractors is learned exactly from samples of all 15 tasks of its hierarchy.',
        kind: 'measured',
        value: last.accuracy,
        baseline: last.samples,
        target: 'accuracy 1 on every task, <= 1,000 samples in all (baseline: samples used)',
        holds: last.accuracy === 1 && last.samples <= 1000,
      },
      {
        id: 'end-to-end-at-chance',
        says: `A network of 256 units on 10,000 samples of the last task does not learn it. ${FAIRNESS}`,
        kind: 'measured',
        value: network.at(-1)!,
        baseline: 0.5,
        target: 'accuracy <= 0.55 at 16 bits',
        holds: network.at(-1)! <= 0.55,
      },
    ],
    tables: [
      {
        title: `Parity hierarchy. ${FAIRNESS}`,
        columns: ['bits', 'network, 10,000 samples', 'modular, worst task', 'tasks', 'samples in all', 'seconds'],
        rows: sizes.map((bits, i) => {
          const m = modular[i]!;
          return [bits, network[i]!, m.accuracy, m.tasks, m.samples, m.seconds];
        }),
      },
    ],
  };
}
