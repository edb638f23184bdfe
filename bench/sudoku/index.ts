// `cairn bench sudoku`: solving with uniqueness proved, proofs written and checked, boards made, on one core. Tasks take
// turns on the same puzzles in short rounds, so that a machine that slows down slows everybody.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import {
  checkCertificate,
  countFast,
  countReference,
  generateSudoku,
  parseGrid,
  proveSudoku,
  type Grid,
  type SudokuCertificate,
} from 'cairn/reason';
import { CairnError } from 'cairn/errors';
import { Rng } from 'cairn/tensor';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median, spreadOf } from '../rounds.ts';

/** A task handles puzzle number `i`; it throws when its answer is wrong. */
interface Task {
  readonly name: string;
  readonly each: (i: number) => void;
}

function demand(right: boolean, task: string): void {
  if (!right)
    throw new CairnError(
      'wrong_answer',
      `Expected every puzzle to have one solution, got another answer from ${task}.`,
    );
}

/** Microseconds per puzzle of every task, one value per round. */
async function measure(
  tasks: readonly Task[],
  count: number,
  rounds: number,
  seconds: number,
  signal: AbortSignal,
): Promise<number[][]> {
  const next = tasks.map(() => 0);
  const work = (task: Task, t: number, ms: number): number => {
    const start = performance.now();
    let done = 0;
    let spent = 0;
    while (spent < ms) {
      for (let k = 0; k < 64; k++) {
        task.each(next[t]!);
        next[t] = (next[t]! + 1) % count;
      }
      done += 64;
      spent = performance.now() - start;
    }
    return (1000 * spent) / done;
  };
  tasks.forEach((task, t) => work(task, t, 400 * seconds)); // warm-up
  const times: number[][] = tasks.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [t, task] of tasks.entries()) {
      signal.throwIfAborted();
      times[t]!.push(work(task, t, 1000 * seconds));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return times;
}

function rowOf(name: string, ours: readonly number[], peerName: string, peer: readonly number[]): BenchRow {
  const spread = spreadOf(ours.map((time, i) => (peer[i] ?? NaN) / time).filter((x) => !Number.isNaN(x)));
  const own = median(ours);
  return {
    case: name,
    ours: own,
    peer: median(peer),
    peerName,
    ratio: spread?.median ?? null,
    unit: 'us per puzzle',
    ...(spread === undefined ? {} : { spread }),
    ...(own === null ? {} : { note: `${Math.round(1e6 / own).toLocaleString('en')} a second` }),
  };
}

/** The npm package `sudoku`, when somebody has installed it. It finds a solution and does not ask for a second one. */
async function npmSudoku(puzzles: readonly Grid[]): Promise<Task | string> {
  const name = 'sudoku';
  const loaded: unknown = await import(name).catch(() => undefined);
  const found = (loaded as { default?: unknown } | undefined)?.default ?? loaded;
  const solve = (found as { solvepuzzle?: (board: (number | null)[]) => number[] | null } | undefined)?.solvepuzzle;
  if (typeof solve !== 'function') return 'npm package sudoku is not installed';
  const boards = puzzles.map((puzzle) => Array.from(puzzle, (value) => (value === 0 ? null : value - 1)));
  return { name: 'npm sudoku (first solution only)', each: (i) => demand(solve(boards[i]!) !== null, 'npm sudoku') };
}

async function benchSolvers(
  name: string,
  puzzles: readonly Grid[],
  rounds: number,
  seconds: number,
  options: BenchOptions,
): Promise<BenchRow[]> {
  const tasks: Task[] = [
    { name: 'fast', each: (i) => demand(countFast(puzzles[i]!, 2) === 1, 'the fast solver') },
    { name: 'reference solver', each: (i) => demand(countReference(puzzles[i]!, 2) === 1, 'the reference solver') },
  ];
  const peer = await npmSudoku(puzzles);
  if (typeof peer !== 'string') tasks.push(peer);
  const times = await measure(tasks, puzzles.length, rounds, seconds, options.signal);
  options.log(`${name}: ${Math.round(1e6 / median(times[0]!)!).toLocaleString('en')} puzzles a second`);
  const rows = tasks.slice(1).map((task, t) => rowOf(name, times[0]!, task.name, times[t + 1]!));
  if (typeof peer === 'string') {
    rows.push({ ...rowOf(name, times[0]!, 'npm sudoku', []), note: peer });
  }
  return rows;
}

/** Measures on one core; about a minute, `quick` a few seconds. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, data, log, signal } = options;
  const loaded = isLoaded();
  if (loaded) log('the machine is busy: these figures are not for quoting');
  const rounds = quick ? 3 : 9;
  const seconds = quick ? 0.2 : 0.8;
  const rng = new Rng(seed);
  const minimal = Array.from({ length: quick ? 1000 : 5000 }, () => generateSudoku({ rng }).puzzle);
  log(`${minimal.length} random minimal puzzles from seed ${seed}`);
  const rows = await benchSolvers('random minimal, uniqueness proved', minimal, rounds, seconds, options);

  const certificates: SudokuCertificate[] = minimal.map((puzzle) => {
    const proof = proveSudoku(puzzle, { maxBytes: 65_536 });
    if (proof.verdict !== 'unique') throw new CairnError('wrong_answer', `Expected a proof, got ${proof.verdict}.`);
    return proof.certificate;
  });
  const makeRng = new Rng(seed).fork('make');
  const times = await measure(
    [
      { name: 'solve', each: (i) => demand(countFast(minimal[i]!, 2) === 1, 'the fast solver') },
      {
        name: 'prove',
        each: (i) => demand(proveSudoku(minimal[i]!, { maxBytes: 65_536 }).verdict === 'unique', 'the prover'),
      },
      { name: 'check', each: (i) => demand(checkCertificate(minimal[i]!, certificates[i]!).ok, 'the checker') },
      { name: 'make', each: () => void generateSudoku({ rng: makeRng }) },
      { name: 'make redundant', each: () => void generateSudoku({ rng: makeRng, redundancy: 'single' }) },
    ],
    minimal.length,
    rounds,
    seconds,
    signal,
  );
  const [solve = [], prove = [], check = [], make = [], redundant = []] = times;
  rows.push(
    rowOf('proof of uniqueness written', prove, 'solving it fast, without a proof', solve),
    rowOf('proof of uniqueness checked', check, 'solving it fast, without a proof', solve),
    rowOf('minimal puzzle made', make, 'none', []),
    rowOf('board made in which any clue can be left out', redundant, 'none', []),
  );
  const path =
    data === undefined
      ? undefined
      : ['sudoku17.txt', join('puzzles', 'sudoku17.txt')].map((p) => join(data, p)).find(existsSync);
  if (path === undefined) log('17-clue list: skipped, no sudoku17.txt (give its folder with --data)');
  else {
    const list = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.trim().length === 81)
      .map(parseGrid);
    rows.push(...(await benchSolvers('17 clues, uniqueness proved', list, rounds, seconds, options)));
  }
  return {
    name: 'sudoku',
    protocol: {
      what: 'one thread; every answer is compared with the known one',
      how: 'tasks take turns on the same puzzles, warmed up; ratio per round; median, least and greatest',
      ratio: 'peer time / our time',
      puzzles: minimal.length,
      rounds,
      seconds,
      seed,
      loaded,
      cpu: cpus()[0]?.model ?? 'unknown',
      node: process.version,
      command: 'cairn bench sudoku',
    },
    rows,
  };
}
