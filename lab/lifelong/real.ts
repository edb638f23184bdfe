// Tasks with real numbers and real images: intersections of halfspaces out of learned halfspaces, and tasks on pairs of
// handwritten digits out of a digit reader that is brought in as a module.
import { fileURLToPath } from 'node:url';
import type { Part } from '../report.ts';
import { loadMnist } from 'cairn/data';
import { Lifelong } from 'cairn/grow';
import { loadClassifier } from 'cairn/nn';
import { createOrtExecutor, type Rng } from 'cairn/tensor';

/** Four random halfspaces in 12 dimensions, then pairs of them, then all four. */
export function halfspaces(rng: Rng, seed: number): Part {
  const width = 12;
  const epsilon = 0.1;
  const learner = new Lifelong({
    features: Array.from({ length: width }, (_, i) => `x${i}`),
    seed,
    epsilon,
    delta: 0.01,
    networks: false,
  });
  const draw = (): number[] => Array.from({ length: width }, () => rng.normal());
  const planes = Array.from({ length: 4 }, () => {
    const w = new Map(Array.from(rng.choice(width, 4), (i) => [i, rng.rademacher() * (0.5 + rng.uniform())] as const));
    return (x: readonly number[]): number => ([...w].reduce((s, [i, v]) => s + v * x[i]!, 0.6) > 0 ? 1 : 0);
  });
  const tasks: [string, (x: readonly number[]) => number][] = [
    ...planes.map((of, i): [string, (x: readonly number[]) => number] => [`halfspace ${i + 1}`, of]),
    ['1 and 2', (x) => planes[0]!(x) & planes[1]!(x)],
    ['3 and 4', (x) => planes[2]!(x) & planes[3]!(x)],
    ['all four', (x) => planes.reduce((s, of) => s & of(x), 1)],
  ];
  // For comparison: an intersection alone, without the halfspaces before it. It fits only where one plane does the work.
  const alone = new Lifelong({ features: learner.library.features, seed, epsilon, delta: 0.01, networks: false });
  const rows = tasks.map(([name, of]) => {
    let samples = 0;
    for (let status = ''; status !== 'frozen' && samples < 6000; samples++) {
      const x = draw();
      status = learner.step(name, x, of(x)).status;
    }
    const module = learner.frozen().find((m) => m.name === name);
    let wrong = 0;
    for (let k = 0; k < 2000; k++) {
      const x = draw();
      if (learner.call(name, x) !== of(x)) wrong++;
    }
    return {
      name,
      samples,
      kind: module?.model.kind ?? 'not frozen',
      how: module?.certificate?.how ?? '',
      error: wrong / 2000,
    };
  });
  const [lastName, last] = tasks.at(-2)!;
  for (let k = 0; k < 3000; k++) {
    const x = draw();
    alone.step(lastName, x, last(x));
  }
  const worst = Math.max(...rows.map((r) => r.error));
  return {
    claims: [
      {
        id: 'halfspace-intersections',
        says: 'Intersections of halfspaces are learned as truth tables over frozen halfspaces.',
        kind: 'bound',
        value: worst,
        baseline: alone.tasks()[0]!.status,
        target: 'all frozen with error <= 0.1, intersections as tables (baseline: the same task without its parts)',
        holds: worst <= epsilon && rows.slice(4).every((r) => r.kind === 'table'),
      },
    ],
    tables: [
      {
        title: 'Halfspaces in 12 dimensions and their intersections',
        columns: ['task', 'samples', 'model', 'certificate', 'error on fresh examples'],
        rows: rows.map((r) => [r.name, r.samples, r.kind, r.how, r.error]),
      },
    ],
  };
}

type PairTask = readonly [name: string, of: (a: number, b: number) => number];

const PAIR_TASKS: readonly PairTask[] = [
  ['left is even', (a) => 1 - (a % 2)],
  ['right is even', (_, b) => 1 - (b % 2)],
  ['sum is even', (a, b) => 1 - ((a + b) % 2)],
  ['left at least right', (a, b) => (a >= b ? 1 : 0)],
  ['right at least left', (a, b) => (b >= a ? 1 : 0)],
  ['equal', (a, b) => (a === b ? 1 : 0)],
  ['sum', (a, b) => a + b],
  ['two-digit number', (a, b) => 10 * a + b],
  ['sum is ten or more', (a, b) => (a + b >= 10 ? 1 : 0)],
];

/** Pairs of MNIST test images, which the reader has never seen: half of them to learn from, half to judge by. */
export async function digits(rng: Rng, seed: number): Promise<Part> {
  const { images, labels, count } = loadMnist('test');
  await using executor = await createOrtExecutor({ threads: 1 });
  const dir = fileURLToPath(new URL('../../models/read-digit-medium', import.meta.url));
  await using reader = await loadClassifier(dir, executor);
  const logits = await reader.logits(
    Float32Array.from(images, (v) => v / 255),
    count,
  );
  const read = Uint8Array.from({ length: count }, (_, i) => {
    const row = logits.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row));
  });
  const learner = new Lifelong({
    features: ['left image', 'right image'],
    seed,
    epsilon: 0.1,
    delta: 0.01,
    tolerance: 0.25,
    networks: false,
  });
  for (const [side, name] of ['left', 'right'].entries()) {
    const digit = (x: ArrayLike<number>): number => read[x[side]!]!;
    learner.adopt(`${name} digit`, 'number', digit, 'read-digit-medium');
    for (let k = 0; k < 10; k++) {
      learner.adopt(`${name} is ${k}`, 'boolean', (x) => (digit(x) === k ? 1 : 0), 'read-digit-medium');
    }
  }
  const order = rng.permutation(count);
  const pair = (half: number): [number, number] => {
    const at = (): number => order[half * (count >> 1) + rng.integer(count >> 1)]!;
    return [at(), at()];
  };
  const rows = PAIR_TASKS.map(([name, of]) => {
    let samples = 0;
    for (let status = ''; status !== 'frozen' && samples < 8000; samples++) {
      const x = pair(0);
      status = learner.step(name, x, of(labels[x[0]]!, labels[x[1]]!)).status;
    }
    const module = learner.frozen().find((m) => m.name === name);
    let wrong = 0;
    for (let k = 0; k < 2000; k++) {
      const x = pair(1);
      const answer = learner.call(name, x);
      if (answer === undefined || Math.abs(answer - of(labels[x[0]]!, labels[x[1]]!)) > 0.25) wrong++;
    }
    return { name, samples, kind: module?.model.kind ?? 'not frozen', depth: module?.depth ?? 0, error: wrong / 2000 };
  });
  let misread = 0;
  for (let i = 0; i < count; i++) if (read[i] !== labels[i]) misread++;
  const worst = Math.max(...rows.map((r) => r.error));
  return {
    claims: [
      {
        id: 'pairs-of-digits',
        says: 'Tasks on pairs of handwritten digits are learned over a digit reader, each from a few thousand pairs at most.',
        kind: 'bound',
        value: worst,
        baseline: misread / count,
        target: 'all nine frozen, error <= 0.1 on images of the other half (baseline: digits misread)',
        holds: worst <= 0.1 && rows.every((r) => r.kind !== 'not frozen'),
      },
    ],
    tables: [
      {
        title: 'Pairs of MNIST test images (labels of the task only; the reader is a frozen module)',
        columns: ['task', 'pairs seen', 'model', 'depth', 'error'],
        rows: rows.map((r) => [r.name, r.samples, r.kind, r.depth, r.error]),
      },
    ],
  };
}
