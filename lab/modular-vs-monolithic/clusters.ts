// More and more linear tasks on the same number of examples: one network for all, a module per code with the codes known,
// and a module per cluster with nothing known. Also what the decision says about each.
import { type Decision, decideFormulation, modulePerCode, rSquared, sharedNetwork } from 'cairn/grow';
import type { Executor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { codedTasks } from './tasks.ts';

const EXAMPLES = 10_000;

interface Row {
  readonly count: number;
  readonly one: number;
  readonly oracle: number;
  readonly found: number;
  readonly clusters: number;
  readonly decision: Decision | undefined;
}

export async function clusters(rng: Rng, executor: Executor, options: LabOptions): Promise<Part> {
  const { seed, scale, log, plot, signal } = options;
  const counts = scale === 'full' ? [1, 2, 5, 10, 20, 50, 100, 200] : [1, 10, 200];
  const shared = sharedNetwork({ executor, signal });
  const rows: Row[] = [];
  for (const count of counts) {
    signal.throwIfAborted();
    log(`${count} tasks`);
    const tasks = codedTasks(rng.fork(count), count);
    const train = tasks.draw(rng.fork(count).fork('train'), EXAMPLES);
    const test = tasks.draw(rng.fork(count).fork('test'), 2000);
    const score = async (formulation: typeof shared): Promise<{ r2: number; models: number }> => {
      const fitted = await formulation.fit(train, rng.fork(count).fork('fit'));
      return { r2: rSquared(await fitted.predict(test), test.ys), models: fitted.sizes.length };
    };
    const one = await score(shared);
    const oracle = await score(modulePerCode({ oracle: tasks.oracle }));
    const found = await score(modulePerCode({ seed }));
    const decision =
      scale === 'full' || count >= 10
        ? await decideFormulation(train, { shared, modular: modulePerCode({ seed }), seed })
        : undefined;
    rows.push({ count, one: one.r2, oracle: oracle.r2, found: found.r2, clusters: found.models, decision });
  }
  const at = (count: number): Row => rows.find((r) => r.count === count)!;
  const gap = (count: number): number => at(count).found - at(count).one;
  plot('tasks', {
    title: `R² on fresh examples, ${EXAMPLES.toLocaleString('en')} examples shared by more and more tasks`,
    x: { label: 'tasks', scale: 'log' },
    y: { label: 'R²' },
    curves: [
      { name: 'one network of 512', points: rows.map((r) => [r.count, r.one] as const) },
      { name: 'module per code, codes known', points: rows.map((r) => [r.count, r.oracle] as const), dashed: true },
      { name: 'module per cluster, nothing known', points: rows.map((r) => [r.count, r.found] as const) },
    ],
    note: 'Linear tasks in 10 dimensions, chosen by a 32-dimensional code with noise 0.05.',
  });
  return {
    claims: [
      {
        id: 'few-tasks-share',
        says: 'Ten linear tasks cost one network almost nothing.',
        kind: 'measured',
        value: gap(10),
        target: 'R² of modules less R² of the network <= 0.05 at 10 tasks',
        holds: gap(10) <= 0.05,
      },
      {
        id: 'many-tasks-part',
        says: 'Two hundred of them do: the same examples no longer suffice for one network.',
        kind: 'measured',
        value: gap(200),
        target: 'R² gap >= 0.5 at 200 tasks',
        holds: gap(200) >= 0.5,
      },
      {
        id: 'clusters-found',
        says: 'Modules need no oracle: clusters of codes are found, and R² is the same.',
        kind: 'measured',
        value: at(200).found,
        baseline: at(200).oracle,
        target: 'R² >= 0.99 at 200 tasks without known codes, 200 clusters (baseline: codes known)',
        holds: at(200).found >= 0.99 && at(200).clusters === 200,
      },
      {
        id: 'decision-follows',
        says: 'The decision by held-out penalty and bootstrap takes modules at 200 tasks, for all that have examples enough.',
        kind: 'measured',
        value: at(200).decision!.choice,
        baseline: at(200).decision!.interval[0],
        target: 'modular for >= 150 of 200 tasks, whole interval of the penalty above 1 (baseline: its lower end)',
        holds: at(200).decision?.choice === 'modular' && at(200).decision!.ready >= 150,
      },
    ],
    tables: [
      {
        title: 'R² on fresh examples (the column with known codes flatters the modules: nobody has it)',
        columns: [
          'tasks',
          'one network',
          'codes known',
          'clusters found',
          'clusters',
          'decision',
          'tasks ready',
          'because',
        ],
        rows: rows.map((r) => [
          r.count,
          r.one,
          r.oracle,
          r.found,
          r.clusters,
          r.decision?.choice,
          r.decision?.ready,
          r.decision?.reason,
        ]),
      },
    ],
  };
}
