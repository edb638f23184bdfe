// A board service for tests of the server and the studio: real handwriting, puzzles that singles solve, and everything the
// interface asks for, computed without networks or a database. It stands for no result of the product.
import { CairnError } from '../../src/errors.ts';
import { loadMnist } from '../../src/data/index.ts';
import type {
  BoardStream,
  BoardView,
  CallView,
  CellView,
  ErasureView,
  EventView,
  HitView,
  TotalsView,
} from '../../src/mind/index.ts';
import type { BoardService } from '../../src/serve/index.ts';
import { easyPuzzle, solveBySingles, type SinglesStep } from './singles.ts';

const DIMS = 1024;
const FLOP = { small: 16_000, medium: 210_000, large: 4_200_000 } as const;

interface Stored {
  board: BoardView;
  readonly steps: readonly SinglesStep[];
  readonly images: readonly number[];
}

/** Options of the fixture. */
export interface FixtureOptions {
  readonly seed?: number;
  /** Milliseconds a board takes. */
  readonly delayMs?: number;
  /** The `n`-th next() of the stream (from 0) throws this. */
  readonly failAt?: ReadonlyMap<number, Error>;
  readonly startAt?: number;
}

/** A service whose boards are the same for the same seed. */
export function createFixtureBoards(options: FixtureOptions = {}): BoardService & { readonly closed: boolean } {
  const random = mulberry(options.seed ?? 1);
  const mnist = loadMnist('test');
  const byDigit = Array.from({ length: 10 }, () => [] as number[]);
  for (let i = 0; i < 2_000; i++) byDigit[mnist.labels[i]!]!.push(i);
  const events: Stored[] = [];
  const solvers: Record<string, number> = { propagation: 0, exact: 0 };
  let made = 0;
  let closed = false;

  const find = (id: string): Stored => {
    if (!/^[0-9a-f]{16}$/.test(id)) {
      throw new CairnError('bad_event_id', `Expected an event id of 16 hexadecimal digits, got "${id}".`, {
        hint: 'Take an id from /api/events.',
      });
    }
    const stored = events.find((e) => e.board.id === id);
    if (stored) return stored;
    throw new CairnError('not_found', `Expected a remembered event, got ${id}.`, {
      hint: 'It may have been forgotten.',
    });
  };

  const make = (source: string): BoardView => {
    const ordinal = ++made;
    const { puzzle, solution } = easyPuzzle(random, 27 + Math.floor(random() * 8));
    const { steps } = solveBySingles(puzzle);
    const withheld = ordinal % 9 === 0;
    const images: number[] = [];
    const repairAt = ordinal % 7 === 0 ? puzzle.findIndex((d) => d > 0) : -1;
    let flop = 0;
    let escalated = 0;
    const cells = puzzle.map((digit, cell): CellView => {
      if (digit === 0) {
        images.push(-1);
        return { digit: 0, given: false, reader: 'ink', asked: ['ink'], confidence: 0.9999, runnerUp: null, truth: 0 };
      }
      const pool = byDigit[digit]!;
      images.push(pool[Math.floor(random() * pool.length)]!);
      const u = random();
      const reader = cell === repairAt ? 'repair' : u < 0.66 ? 'small' : u < 0.93 ? 'medium' : 'large';
      const asked =
        reader === 'small' ? ['small'] : reader === 'medium' ? ['small', 'medium'] : ['small', 'medium', 'large'];
      if (reader === 'large') escalated++;
      for (const a of asked) flop += FLOP[a as 'small'];
      const confidence = reader === 'repair' ? 0.21 : 1 - random() * (reader === 'large' ? 0.06 : 0.02);
      const other = (digit % 9) + 1;
      return {
        digit,
        given: true,
        reader,
        asked,
        confidence,
        runnerUp: { digit: other, probability: (1 - confidence) * 0.8 },
        ...(reader === 'repair' ? { repairedFrom: other } : {}),
        truth: digit,
      };
    });
    const inked = cells.filter((c) => c.given).length;
    const solver = random() < 0.8 ? 'propagation' : 'exact';
    if (!withheld) solvers[solver] = (solvers[solver] ?? 0) + 1;
    const board: BoardView = {
      id: hex(random) + hex(random),
      ordinal,
      at: Date.UTC(2026, 0, 5, 9, 0, 0) + ordinal * 2_000,
      source,
      provenance: { source, seed: options.seed ?? 1, index: ordinal - 1, tier: 'singles', clues: inked },
      status: withheld ? 'withheld' : 'proved',
      reason: withheld
        ? 'The reading admits 3 solutions, and no single change of a digit leaves exactly one within the budget of 0.1 %.'
        : null,
      cells,
      solution: withheld ? null : solution,
      solver: withheld ? null : solver,
      certificate: withheld
        ? null
        : {
            kind: 'trace',
            says: `${steps.length} deductions, each with its reason; the checker replayed all of them.`,
            size: steps.length,
            checked: true,
          },
      cost: { flop, alwaysLargeFlop: inked * FLOP.large, ms: 18 + random() * 30 },
      sketch: { kept: DIMS, dims: DIMS, bits: 8, bytes: 1_036, receiptBytes: 172 },
      escalated,
      repaired: repairAt >= 0 ? 1 : 0,
      exact: true,
    };
    events.unshift({ board, steps: withheld ? [] : steps, images });
    return board;
  };

  for (let i = 0; i < (options.startAt ?? 0); i++) make('generated');

  const totals = (): TotalsView => {
    const boards = events.map((e) => e.board);
    const readers: Record<string, number> = { small: 0, medium: 0, large: 0, repair: 0 };
    for (const b of boards) for (const c of b.cells) if (c.given) readers[c.reader] = (readers[c.reader] ?? 0) + 1;
    const sum = (of: (b: BoardView) => number): number => boards.reduce((a, b) => a + of(b), 0);
    const flop = sum((b) => b.cost.flop);
    const alwaysLargeFlop = sum((b) => b.cost.alwaysLargeFlop);
    return {
      boards: made,
      proved: boards.filter((b) => b.status === 'proved').length,
      withheld: boards.filter((b) => b.status === 'withheld').length,
      readers,
      escalated: sum((b) => b.escalated),
      repaired: sum((b) => b.repaired),
      solvers,
      flop,
      alwaysLargeFlop,
      costRatio: alwaysLargeFlop === 0 ? 0 : flop / alwaysLargeFlop,
      wrongProved: 0,
      events: events.length,
      sketchBytes: sum((b) => b.sketch.bytes),
      bytesPerEvent: 1_208,
      boardsPerSecond: 0.5,
    };
  };

  const hits = (self: Stored, cell: number | undefined, k: number): HitView[] => {
    const wanted = cell === undefined ? undefined : self.board.cells[cell];
    return events
      .filter(
        (e) =>
          e !== self &&
          (wanted === undefined || e.board.cells.some((c) => c.digit === wanted.digit && c.reader === wanted.reader)),
      )
      .slice(0, k)
      .map((e, i) => ({
        id: e.board.id,
        ordinal: e.board.ordinal,
        at: e.board.at,
        score: 0.62 - i * 0.03,
        why:
          wanted === undefined
            ? 'The whole sketches point the same way.'
            : `The same reading somewhere on the board: ${wanted.digit} by ${wanted.reader}.`,
        board: e.board,
      }));
  };

  return {
    get closed() {
      return closed;
    },
    list: async ({ before = Infinity, limit = 20 } = {}) =>
      events
        .filter((e) => e.board.ordinal < before)
        .slice(0, limit)
        .map((e) => e.board),
    board: async (id) => find(id).board,
    event: async (id): Promise<EventView> => {
      const { board, steps } = find(id);
      return {
        id,
        ordinal: board.ordinal,
        at: board.at,
        task: 'solve-board',
        provenance: board.provenance,
        call: callsOf(board),
        sketch: board.sketch,
        board,
        proof: steps,
      };
    },
    erase: async (id, keep): Promise<ErasureView> => {
      const { board } = find(id);
      const kept = Math.min(keep, board.sketch.kept);
      const expectedRight = 1 / (1 + Math.exp(-(kept - 140) / 14));
      const draw = mulberry(board.ordinal * 7_919 + kept);
      const cells = board.cells.map((c) => {
        const right = draw() < expectedRight;
        const digit = right ? c.digit : (c.digit + 1 + Math.floor(draw() * 8)) % 10;
        return { digit, right, confidence: right ? expectedRight * (0.8 + 0.2 * draw()) : 0.3 * draw() };
      });
      const right = cells.filter((c) => c.right).length / 81;
      return {
        id,
        kept,
        dims: DIMS,
        bytes: kept + 12,
        how: kept >= 912 ? 'least squares' : 'sparse recovery',
        cells,
        right,
        expectedRight,
        expectedError: 0.01 + 2 / kept,
        solutionSurvives: right === 1 && board.status === 'proved',
      };
    },
    related: async (id, cell, k = 8) => {
      const self = find(id);
      const digit = cell === undefined ? null : (self.board.cells[cell]?.digit ?? null);
      return { id, cell: cell ?? null, digit, hits: hits(self, cell, k) };
    },
    picture: async (id) => {
      const { board, images } = find(id);
      if (board.source === 'image') return null;
      const bytes = new Uint8Array(81 * 784);
      images.forEach((image, cell) => {
        if (image >= 0) bytes.set(mnist.images.subarray(image * 784, (image + 1) * 784), cell * 784);
      });
      return { side: 28, cells: Buffer.from(bytes).toString('base64') };
    },
    sketch: async (id) => {
      const { board } = find(id);
      const draw = mulberry(board.ordinal);
      const values = Array.from({ length: board.sketch.kept }, () =>
        Math.round((draw() + draw() + draw() + draw() - 2) * 80),
      );
      return { id, dims: DIMS, kept: board.sketch.kept, step: 0.0021, values };
    },
    totals: async () => totals(),
    askImage: async (png) => {
      if (png[0] !== 0x89 || png[1] !== 0x50) {
        throw new CairnError('bad_image', 'Expected a PNG picture, got something else.', {
          hint: 'Save the board as PNG and try again.',
        });
      }
      return make('image');
    },
    forget: async (id, how) => {
      const stored = find(id);
      const bytesBefore = stored.board.sketch.bytes;
      if (how === 'subtract') {
        events.splice(events.indexOf(stored), 1);
        return {
          id,
          bytesBefore,
          bytesAfter: 0,
          says: 'The event, its sketch and every entry of it in the index are gone.',
        };
      }
      stored.board = {
        ...stored.board,
        exact: false,
        sketch: { ...stored.board.sketch, kept: how.keep, bytes: how.keep + 12 },
      };
      return {
        id,
        bytesBefore,
        bytesAfter: how.keep + 12,
        says: `Only the first ${how.keep} numbers of its sketch are left.`,
      };
    },
    recall: async ({ digits }, k) =>
      events
        .map((e) => ({ e, score: e.board.cells.filter((c, i) => c.digit === digits[i]).length / 81 }))
        .sort((a, b) => b.score - a.score)
        .slice(0, k)
        .map(({ e, score }) => ({
          id: e.board.id,
          ordinal: e.board.ordinal,
          at: e.board.at,
          score,
          why: 'Shared cells.',
          board: e.board,
        })),
    feedback: async (id) => void find(id),
    stream: (): BoardStream => {
      let index = 0;
      const next = async (signal?: AbortSignal): Promise<BoardView> => {
        const at = index++;
        await new Promise((resolve) => setTimeout(resolve, options.delayMs ?? 1));
        signal?.throwIfAborted();
        const failure = options.failAt?.get(at);
        if (failure) throw failure;
        return make('generated');
      };
      return {
        next,
        get index() {
          return index;
        },
        async *[Symbol.asyncIterator]() {
          for (;;) yield await next();
        },
      };
    },
    close: async () => {
      closed = true;
    },
  };
}

function callsOf(board: BoardView): CallView {
  const route = (chosen: string, runnerUp: string | null): CallView['route'] => ({
    by: runnerUp === null ? 'only' : 'router',
    chosen,
    path: runnerUp === null ? [chosen] : [chosen, runnerUp],
    interval: runnerUp === null ? null : [0.0048, 0.0099],
    expectedError: runnerUp === null ? null : 0.0071,
    expectedCost: runnerUp === null ? null : 61_000,
    runnerUp: runnerUp === null ? null : { module: runnerUp, expectedError: 0.0054, expectedCost: 212_000 },
    cluster: runnerUp === null ? null : 11,
  });
  const leaf = (cell: CellView, index: number): CallView & { cell: number } => ({
    cell: index,
    task: 'read-digit',
    module: cell.given ? `read-digit/${cell.asked.at(-1)!}` : 'read-digit/ink',
    weight: 1 / 81,
    confidence: cell.confidence,
    route: route(`read-digit/${cell.asked[0]!}`, cell.given ? 'read-digit/medium' : null),
    attempts: cell.asked.map((module, i) => ({
      module: `read-digit/${module}`,
      outcome: i === cell.asked.length - 1 ? ('answered' as const) : ('unsure' as const),
      confidence: i === cell.asked.length - 1 ? cell.confidence : 0.71,
      flop: FLOP[module as 'small'] ?? 784,
    })),
    usage: { flop: cell.asked.reduce((sum, m) => sum + (FLOP[m as 'small'] ?? 784), 0), ms: 0.2 },
    calls: [],
  });
  const read: CallView = {
    task: 'read-board',
    module: 'read-board/cells',
    weight: 0.9,
    confidence: 0.97,
    route: route('read-board/cells', null),
    attempts: [{ module: 'read-board/cells', outcome: 'answered', confidence: 0.97, flop: 0 }],
    usage: { flop: 0, ms: 6.2 },
    calls: board.cells.map(leaf),
  };
  const solve: CallView = {
    task: 'solve-sudoku',
    module: board.solver === null ? null : `solve-sudoku/${board.solver}`,
    weight: 0.1,
    confidence: board.solver === null ? null : 1,
    route: { ...route('solve-sudoku/propagation', 'solve-sudoku/exact'), cluster: null },
    attempts: [
      {
        module: 'solve-sudoku/propagation',
        outcome: board.solver === 'propagation' ? 'answered' : 'abstained',
        confidence: 1,
        flop: 12_000,
      },
      ...(board.solver === 'exact'
        ? [{ module: 'solve-sudoku/exact', outcome: 'answered' as const, confidence: 1, flop: 80_000 }]
        : []),
    ],
    usage: { flop: 12_000, ms: 0.4 },
    calls: [],
  };
  return {
    task: 'solve-board',
    module: 'solve-board/read-then-solve',
    weight: 1,
    confidence: board.status === 'proved' ? 0.98 : null,
    route: route('solve-board/read-then-solve', null),
    attempts: [
      {
        module: 'solve-board/read-then-solve',
        outcome: board.status === 'proved' ? 'answered' : 'unproved',
        confidence: null,
        flop: 0,
      },
    ],
    usage: { flop: 0, ms: board.cost.ms },
    calls: [read, solve],
  };
}

function mulberry(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function hex(random: () => number): string {
  return Math.floor(random() * 0xffffffff)
    .toString(16)
    .padStart(8, '0');
}
