// Arms without any key: two Sudoku solvers, each with several budgets. One fills in what follows and guesses the rest, k tries with
// luck of their own; the other searches until its proof is longer than allowed. A router over features of the board (not its
// solution) picks an arm for each board.
import {
  cleanCurve,
  curveFigures,
  deferralCurve,
  estimatePsi,
  expected,
  type EvaluationTable,
  phiOf,
  UniRoute,
} from 'cairn/route';
import { formatGrid, generateSudoku, geometryOf, type Grid, isSolution, searchProof, traceSolve } from 'cairn/reason';
import { Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import { mean, type Part } from './part.ts';

const TRIES = [1, 2, 4, 8, 16] as const;
const BYTES = [1, 4, 16, 64, 1024] as const;
const DIM = 5;
/** Work of one step of filling in, and of one byte of proof, in the same unit. */
const STEP = 1;
const BYTE = 40;

interface Board {
  readonly puzzle: Grid;
  readonly features: readonly number[];
}

/** What can be seen of a board at a glance, before anything is solved. */
function featuresOf(puzzle: Grid): number[] {
  const { steps, grid } = traceSolve(puzzle, { strategies: [2, 3] });
  const g = geometryOf(9);
  const clues = puzzle.filter((v) => v !== 0).length;
  const filled = grid.filter((v) => v !== 0).length;
  const empty = g.peers.map((peers, cell) =>
    puzzle[cell] === 0 ? new Set(peers.map((p) => puzzle[p]!).filter((v) => v !== 0)).size : 0,
  );
  return [clues / 81, filled / 81, filled === 81 ? 1 : 0, mean(empty) / 9, steps.length / 81];
}

/** Fills in single candidates and places; where none is left, guesses one value at random and goes on. */
function guess(puzzle: Grid, rng: Rng): { solved: boolean; work: number } {
  const grid = Uint8Array.from(puzzle);
  let work = 0;
  for (;;) {
    const trace = traceSolve(grid, { strategies: [2, 3] });
    work += trace.steps.length + 1;
    if (trace.contradiction) return { solved: false, work };
    grid.set(trace.grid);
    const { peers } = geometryOf(9);
    let cell = -1;
    let options: number[] = [];
    for (let c = 0; c < 81; c++) {
      if (grid[c] !== 0) continue;
      const taken = new Set(peers[c]!.map((p) => grid[p]!));
      const free = Array.from({ length: 9 }, (_, v) => v + 1).filter((v) => !taken.has(v));
      if (cell < 0 || free.length < options.length) {
        cell = c;
        options = free;
      }
    }
    if (cell < 0) return { solved: isSolution(grid), work };
    if (options.length === 0) return { solved: false, work };
    grid[cell] = options[rng.integer(options.length)]!;
  }
}

function makeBoards(count: number, rng: Rng): Board[] {
  return Array.from({ length: count }, (_, i) => {
    const tier = i % 3 === 0 ? 'search' : undefined;
    const clues = i % 3 === 2 ? 30 : 'minimal';
    const { puzzle } = generateSudoku({ rng: rng.fork(i), clues, ...(tier === undefined ? {} : { tier }) });
    return { puzzle, features: featuresOf(puzzle) };
  });
}

/** Errors and work of every arm on every board. */
function play(boards: readonly Board[], rng: Rng): EvaluationTable {
  const models = [...TRIES.map((k) => `guess@${k}`), ...BYTES.map((b) => `search@${b}`)];
  const error: number[] = [];
  const cost: number[] = [];
  boards.forEach(({ puzzle }, j) => {
    for (const k of TRIES) {
      let solved = false;
      let work = 0;
      for (let i = 0; i < k && !solved; i++) {
        const tried = guess(puzzle, rng.fork(`${j}-${k}-${i}`));
        solved = tried.solved;
        work += tried.work;
      }
      error.push(solved ? 0 : 1);
      cost.push(STEP * work);
    }
    for (const bytes of BYTES) {
      const { solutions, tree, exceeded } = searchProof(puzzle, bytes);
      error.push(!exceeded && solutions.length === 1 ? 0 : 1);
      cost.push(BYTE * (exceeded ? bytes : tree.length));
    }
  });
  return {
    models,
    count: boards.length,
    dim: DIM,
    features: Float32Array.from(boards.flatMap((b) => b.features)),
    error: Float64Array.from(error),
    cost: Float64Array.from(cost),
  };
}

export async function budgetArms({ seed, scale, log, plot }: LabOptions): Promise<Part> {
  const count = scale === 'full' ? 900 : 300;
  const rng = new Rng(seed).fork('budget-arms');
  const boards = makeBoards(2 * count, rng.fork('boards'));
  log(`${boards.length} boards, the first ${formatGrid(boards[0]!.puzzle).replace(/\s/g, '').slice(0, 18)}…`);
  const order = rng.fork('split').permutation(boards.length);
  const pick = (from: number): Board[] => Array.from(order.slice(from, from + count), (j) => boards[j]!);
  const labelled = play(pick(0), rng.fork('labelled'));
  const unseen = play(pick(count), rng.fork('unseen'));
  const M = labelled.models.length;
  const router = UniRoute.fit(labelled.features!, labelled, { k: 8, rng: rng.fork('map'), estimator: 'shrunk', n0: 5 });
  const costs = estimatePsi(phiOf(router.map, labelled), labelled.cost, router.map.k, { estimator: 'shrunk', n0: 5 });
  const phi = phiOf(router.map, unseen);
  const gamma = router.predictAll(unseen);
  const cost = new Float64Array(unseen.count * M);
  for (let j = 0; j < unseen.count; j++) {
    cost.set(expected(phi.subarray(j * router.map.k, (j + 1) * router.map.k), costs), j * M);
  }
  const quality = labelled.models.map((_, m) => 1 - mean(column(unseen.error, m, M)));
  const work = labelled.models.map((_, m) => mean(column(unseen.cost, m, M)));
  const dearest = Math.max(...work);
  const points = quality.map((q, m) => ({ quality: q, cost: work[m]! / dearest }));
  const best = points.reduce((a, b) => (b.quality > a.quality ? b : a));
  const curve = deferralCurve(gamma, unseen, { cost });
  // Below the cost of an arm, or of the cheapest routing, only a part of the boards can be paid for; the rest stay unsolved.
  const fromNothing = { cost: [0, ...curve.cost], quality: [0, ...curve.quality] };
  const routed = curveFigures(fromNothing, best);
  const areas = points.map((p) => p.quality * (1 - p.cost / 2));
  const single = Math.max(...areas);
  const unseeing = curveFigures(cleanCurve([{ cost: 0, quality: 0 }, ...points]), best).area;
  const family = (from: number): number[] => quality.slice(from, from + TRIES.length);
  const rises = [family(0), family(TRIES.length)].map((f) => f.at(-1)! - f[0]!);
  const exceptions = [family(0), family(TRIES.length)].flatMap((f, s) =>
    f
      .slice(1)
      .flatMap((q, i) =>
        q < f[i]! ? [`${labelled.models[s * TRIES.length + i + 1]} below the budget before it`] : [],
      ),
  );
  plot('arms', {
    title: 'Budgets as arms: quality and work of solvers and of a router over them',
    note: 'Boards that the router has not seen. Work is relative to the dearest arm.',
    x: { label: 'mean work, relative' },
    y: { label: 'share of boards solved' },
    curves: [
      { name: 'router over all arms', points: curve.cost.map((c, i) => [c, curve.quality[i]!] as const) },
      {
        name: 'guessing, 1 to 16 tries',
        kind: 'dots',
        points: points.slice(0, TRIES.length).map((p) => [p.cost, p.quality] as const),
      },
      {
        name: 'search, 1 to 1024 bytes',
        kind: 'dots',
        points: points.slice(TRIES.length).map((p) => [p.cost, p.quality] as const),
      },
    ],
  });
  return {
    claims: [
      {
        id: 'budget-raises-quality',
        says: 'A larger budget solves more boards, for both solvers; exceptions between neighbours are listed and not smoothed away.',
        kind: 'measured',
        value: Math.min(...rises),
        baseline: exceptions.length === 0 ? 'no exception' : exceptions.join('; '),
        target: 'largest budget above the smallest by more than 0.1 for both; at most one exception',
        holds: Math.min(...rises) > 0.1 && exceptions.length <= 1,
      },
      {
        id: 'arms-dominate-single',
        says: 'Over all costs a router over the arms does better than the best single arm.',
        kind: 'measured',
        value: routed.area,
        baseline: single,
        target: 'Area of the arm curve > the best single arm’s',
        holds: routed.area > single,
      },
    ],
    tables: [
      {
        title: `Arms on ${unseen.count} boards the router has not seen`,
        columns: ['arm', 'solved', 'mean work', 'Area alone'],
        rows: [
          ...labelled.models.map((id, m) => [id, quality[m]!, work[m]!, areas[m]!]),
          ['a mixture that does not look at the board', null, null, unseeing],
          ['router over all arms', routed.peak, null, routed.area],
        ],
      },
    ],
  };
}

function column(data: Float64Array, m: number, width: number): number[] {
  return Array.from({ length: data.length / width }, (_, j) => data[j * width + m]!);
}
