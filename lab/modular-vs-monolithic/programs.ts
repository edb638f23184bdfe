// Codes that are read by a program: trees of decisions on their bits, and parities of them, which neither a network nor a
// greedy tree can read unless the parity is a module.
import { codeTree, expressions, Lifelong, rSquared, sharedNetwork, type TaskData } from 'cairn/grow';
import type { Executor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { CODE_BITS, parityTasks, treeTasks } from './tasks.ts';

const EXAMPLES = 10_000;

/** Trees of depth 1 to 5. */
export async function trees(rng: Rng, executor: Executor, options: LabOptions): Promise<Part> {
  const { log, plot, scale, signal } = options;
  const shared = sharedNetwork({ executor, signal });
  const depths = scale === 'full' ? [1, 2, 3, 4, 5] : [1, 3, 5];
  const rows: { depth: number; network: number; tree: number; leaves: number; bound: number }[] = [];
  for (const depth of depths) {
    signal.throwIfAborted();
    log(`decisions of depth ${depth}`);
    const draw = treeTasks(rng.fork(depth), depth);
    const [train, test] = [draw(rng.fork(depth).fork('train'), EXAMPLES), draw(rng.fork(depth).fork('test'), 2000)];
    const network = rSquared(await (await shared.fit(train, rng.fork('fit'))).predict(test), test.ys);
    const grown = await codeTree().fit(train, rng.fork('fit'));
    const tree = rSquared(await grown.predict(test), test.ys);
    const bound = expressions.tilde(expressions.choiceTree(depth, expressions.input, 2));
    rows.push({ depth, network, tree, leaves: grown.sizes.length, bound });
  }
  plot('trees', {
    title: 'R² when the task is chosen by a tree of decisions on 16 bits',
    x: { label: 'depth of the tree' },
    y: { label: 'R² on fresh examples' },
    curves: [
      { name: 'one network of 512', points: rows.map((r) => [r.depth, r.network] as const) },
      { name: 'tree over the code, module per leaf', points: rows.map((r) => [r.depth, r.tree] as const) },
    ],
  });
  const worst = Math.min(...rows.map((r) => r.tree));
  const falls = rows[0]!.network - rows.at(-1)!.network;
  return {
    claims: [
      {
        id: 'trees-read',
        says: 'Codes that are read by a tree of up to 5 decisions are learned with a module per leaf.',
        kind: 'measured',
        value: worst,
        target: 'R² >= 0.99 at every depth',
        holds: worst >= 0.99,
      },
      {
        id: 'complexity-follows-code',
        says: 'One network gets worse as the code gets deeper, and so does the bound.',
        kind: 'measured',
        value: falls,
        target: 'R² at depth 1 less R² at depth 5 >= 0.2, bound increasing',
        holds: falls >= 0.2 && rows.every((r, i) => i === 0 || r.bound > rows[i - 1]!.bound),
      },
    ],
    tables: [
      {
        title:
          'Trees of decisions (bound: g~(1) of the tree with soft steps of sharpness 2; samples grow as its square)',
        columns: ['depth', 'one network', 'tree with modules', 'leaves found', 'g~(1)'],
        rows: rows.map((r) => [r.depth, r.network, r.tree, r.leaves, r.bound]),
      },
    ],
  };
}

/** The same data with one more attribute of the code. */
function withColumn(data: TaskData, column: (code: Float32Array) => number): TaskData {
  const { codeWidth } = data;
  const codes = new Float32Array(data.ys.length * (codeWidth + 1));
  for (let i = 0; i < data.ys.length; i++) {
    const code = data.codes.subarray(i * codeWidth, (i + 1) * codeWidth);
    codes.set(code, i * (codeWidth + 1));
    codes[i * (codeWidth + 1) + codeWidth] = column(code);
  }
  return { ...data, codes, codeWidth: codeWidth + 1 };
}

/** Two tasks chosen by the parity of 8 bits of the code. */
export async function parities(rng: Rng, executor: Executor, options: LabOptions): Promise<Part> {
  const { seed, signal, log } = options;
  log('parity of 8 bits of the code');
  const draw = parityTasks(rng, 8);
  const [train, test] = [draw(rng.fork('train'), EXAMPLES), draw(rng.fork('test'), 2000)];
  const scoreTree = async (a: TaskData, b: TaskData): Promise<number> =>
    rSquared(await (await codeTree().fit(a, rng.fork('tree'))).predict(b), b.ys);
  const network = rSquared(
    await (await sharedNetwork({ executor, signal }).fit(train, rng.fork('fit'))).predict(test),
    test.ys,
  );
  const tree = await scoreTree(train, test);
  // The lifelong learner is given the parities of neighbouring stretches as tasks, smallest first.
  const learner = new Lifelong({
    features: Array.from({ length: CODE_BITS }, (_, i) => `bit ${i}`),
    seed,
    epsilon: 0.25,
    delta: 0.01,
  });
  const bits = rng.fork('bits');
  let labels = 0;
  let last = '';
  for (let w = 2; w <= 8; w *= 2) {
    for (let from = 0; from < 8; from += w) {
      last = `parity ${from} to ${from + w - 1}`;
      for (let status = ''; status !== 'frozen' && labels < 5000; labels++) {
        const x: number[] = Array.from({ length: CODE_BITS }, () => (bits.bernoulli() ? 1 : 0));
        const y = x.slice(from, from + w).reduce((s, v) => s ^ v, 0);
        status = learner.step(last, x, y).status;
      }
    }
  }
  const module = (code: Float32Array): number =>
    2 *
      learner.call(
        last,
        Array.from(code, (v) => (v > 0 ? 1 : 0)),
      )! -
    1;
  const modular = await scoreTree(withColumn(train, module), withColumn(test, module));
  return {
    claims: [
      {
        id: 'parity-codes-need-modules',
        says: 'Tasks chosen by a parity of the code are out of reach for a network and for a greedy tree, until the parity is a module.',
        kind: 'measured',
        value: modular,
        baseline: Math.max(network, tree),
        target: 'R² >= 0.99 with the module, <= 0.6 without (baseline: the better of network and tree)',
        holds: modular >= 0.99 && Math.max(network, tree) <= 0.6,
      },
    ],
    tables: [
      {
        title: 'Two tasks chosen by the parity of 8 of 16 bits',
        columns: ['one network', 'tree over bits', 'tree with the parity as a module', 'labels for the parities'],
        rows: [[network, tree, modular, labels]],
      },
    ],
  };
}
