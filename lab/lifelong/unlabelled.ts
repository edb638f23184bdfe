// The same hierarchy with nobody saying which task an example belongs to: sessions in shuffled order, task identity found
// from the examples alone.
import { Lifelong } from 'cairn/grow';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { agreement, bitNames, DISTRACTORS, drawBits, parityTasks } from './part.ts';

const BITS = 16;

/** Three rounds over all 15 tasks, sessions of 140 to 199 examples. */
export function unlabelled(rng: Rng, options: LabOptions): Part {
  const width = BITS + DISTRACTORS;
  const tasks = parityTasks(BITS);
  const learner = new Lifelong({
    features: bitNames(BITS),
    seed: options.seed,
    epsilon: 0.25,
    delta: 0.01,
    identity: { history: 20_000 },
  });
  const truth: number[] = [];
  const online: [number, number][] = [];
  const found: [number, number][] = [];
  let right = 0;
  let since = 0;
  for (let round = 0; round < 3; round++) {
    for (const k of rng.shuffle([...tasks.keys()])) {
      options.signal.throwIfAborted();
      const length = 140 + rng.integer(60);
      for (let i = 0; i < length; i++) {
        const x = drawBits(rng, width);
        const y = tasks[k]!.of(x);
        if (learner.step(undefined, x, y).prediction === y) right++;
        since++;
        truth.push(k);
      }
      online.push([truth.length, right / since]);
      found.push([truth.length, learner.frozen().length / tasks.length]);
      [right, since] = [0, 0];
    }
  }
  // A module counts as a task when it is that task on every fresh example.
  const taskOf = new Map<string, number>();
  for (const { name } of learner.frozen()) {
    const match = tasks.findIndex(
      (task) => agreement(rng.fork(`match ${name}`), width, 400, (x) => learner.call(name, x), task.of) === 1,
    );
    if (match >= 0) taskOf.set(name, match);
  }
  const assigned = learner.assignments();
  const hits = assigned.filter((name, i) => name !== undefined && taskOf.get(name) === truth[i]).length;
  const share = hits / truth.length;
  const solved = new Set(taskOf.values()).size;
  options.plot('unlabelled', {
    title: 'Tasks without names: predictions before each answer, and modules found',
    x: { label: 'examples' },
    y: { label: 'share' },
    curves: [
      { name: 'right before learning, per session', points: online, kind: 'dots' },
      { name: 'modules found of 15', points: found },
    ],
    note: 'Parts of a parity must be found before the whole; sessions come in shuffled order, three rounds.',
  });
  return {
    claims: [
      {
        id: 'unlabelled-assigned',
        says: 'Without task names, examples are assigned to the right task once all evidence is in.',
        kind: 'measured',
        value: share,
        baseline: 1 / tasks.length,
        target: '>= 0.95 of all examples, the first included',
        holds: share >= 0.95,
      },
      {
        id: 'unlabelled-solved',
        says: 'Every one of the 15 tasks is found, and nothing else.',
        kind: 'measured',
        value: solved,
        baseline: learner.frozen().length,
        target: '15 tasks exact on fresh examples, 15 modules (baseline: modules)',
        holds: solved === tasks.length && learner.frozen().length === tasks.length,
      },
    ],
    tables: [
      {
        title: 'Unlabelled stream',
        columns: ['examples', 'assigned right', 'modules', 'tasks solved', 'right before learning, last round'],
        rows: [
          [truth.length, share, learner.frozen().length, solved, online.slice(-15).reduce((s, [, v]) => s + v / 15, 0)],
        ],
      },
    ],
  };
}
