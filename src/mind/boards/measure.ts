// Measurements of the board engine: what is read, solved, proved, remembered and rebuilt, at what cost and speed. Every figure
// comes from the product's own path; nothing is warmed, cached or left out for the occasion.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMnist } from '../../data/index.ts';
import { expectedGroups, truncate, unroll } from '../../sketch/index.ts';
import type { StoredEvent } from '../../memory/index.ts';
import { CELLS, type DigitReading } from './cells.ts';
import { digitsOf } from './erase.ts';
import { openBoards, toInputs, type OpenBoardsOptions } from './open.ts';
import type { BoardView } from './view.ts';

export interface MeasureBoardsOptions extends Omit<OpenBoardsOptions, 'dataDir' | 'seed'> {
  readonly count: number;
  readonly seed: string | number;
  /** Where to remember; default: a fresh directory on disk that is removed afterwards. */
  readonly dataDir?: string;
  /** Boards whose sketches are cut to a half and a quarter. Default: at most 200. */
  readonly erasures?: number;
  readonly signal?: AbortSignal;
}

/** A share that was measured and the share that was to be expected. */
export interface Predicted {
  readonly right: number;
  readonly predicted: number;
}

export interface BoardMeasurement {
  readonly seed: string | number;
  readonly boards: number;
  readonly proved: number;
  readonly withheld: number;
  /** Boards given as proved whose digits or solution are not those of the puzzle. */
  readonly wrongProved: number;
  readonly answered: number;
  readonly escalated: number;
  readonly repaired: number;
  /** Share of inked cells whose first answer was right, before escalation and repair. */
  readonly readAccuracy: number;
  /** flop of everything that ran over flop of the largest reader on every inked cell. */
  readonly costRatio: number;
  /** Milliseconds from opening to the first finished board. */
  readonly firstBoardMs: number;
  /** After the first board; generating the boards included. */
  readonly boardsPerSecond: number;
  readonly bytesPerEvent: number;
  readonly receiptBytesPerEvent: number;
  /** Bytes of the database file per event, all indexes included. */
  readonly fileBytesPerEvent: number;
  /** Boards whose 81 digits come back exactly from the stored sketch. */
  readonly unrollExact: number;
  readonly erasure: { readonly half: Predicted; readonly quarter: Predicted; readonly eighth: Predicted };
  /** Resident memory after a tenth of the boards and after all, MiB. */
  readonly rss: { readonly early: number; readonly late: number };
}

/**
 * @example
 * const m = await measureBoards({ count: 1000, seed: 4242 });
 * m.wrongProved; // 0
 */
export async function measureBoards(options: MeasureBoardsOptions): Promise<BoardMeasurement> {
  const own = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'cairn-measure-')) : undefined;
  const { count, seed } = options;
  const from = performance.now();
  const desk = await openBoards({ ...options, seed, dataDir: options.dataDir ?? own! });
  try {
    const stream = desk.stream({ seed, from: 0 });
    const sum = {
      proved: 0,
      wrong: 0,
      escalated: 0,
      repaired: 0,
      inked: 0,
      readRight: 0,
      flop: 0,
      large: 0,
      bytes: 0,
      receipts: 0,
    };
    const ids: string[] = [];
    const taken: Uint8Array[] = [];
    let firstBoardMs = 0;
    let started = 0;
    let early = 0;
    for (let i = 0; i < count; i++) {
      const view = await stream.next(options.signal);
      if (i === 0) {
        started = performance.now();
        firstBoardMs = started - from;
      }
      if (i === Math.floor(count / 10)) early = process.memoryUsage.rss();
      ids.push(view.id);
      taken.push(Uint8Array.from(view.cells, (cell) => cell.digit));
      tally(view, desk.generated(seed, i).solution, sum);
    }
    const seconds = (performance.now() - started) / 1000;
    const late = process.memoryUsage.rss();
    const stats = await desk.mind.stats();
    const read = await readBack(ids, (id) => desk.mind.get(id), taken, options);
    return {
      seed,
      boards: count,
      proved: sum.proved,
      withheld: count - sum.proved,
      wrongProved: sum.wrong,
      answered: sum.proved / count,
      escalated: sum.escalated,
      repaired: sum.repaired,
      readAccuracy: sum.readRight / sum.inked,
      costRatio: sum.flop / sum.large,
      firstBoardMs,
      boardsPerSecond: count > 1 ? (count - 1) / seconds : 0,
      bytesPerEvent: sum.bytes / count,
      receiptBytesPerEvent: sum.receipts / count,
      fileBytesPerEvent: stats.bytesPerEvent,
      ...read,
      rss: { early: early / 2 ** 20, late: late / 2 ** 20 },
    };
  } finally {
    await desk.close();
    if (own) await rm(own, { recursive: true, force: true });
  }
}

interface Sums {
  proved: number;
  wrong: number;
  escalated: number;
  repaired: number;
  inked: number;
  readRight: number;
  flop: number;
  large: number;
  bytes: number;
  receipts: number;
}

function tally(view: BoardView, solution: Uint8Array, sum: Sums): void {
  if (view.status === 'proved') {
    sum.proved++;
    const wrongDigits = view.cells.some((cell) => cell.digit !== cell.truth);
    const wrongSolution = view.solution === null || view.solution.some((digit, i) => digit !== solution[i]);
    if (wrongDigits || wrongSolution) sum.wrong++;
  }
  sum.escalated += view.escalated;
  sum.repaired += view.repaired;
  for (const cell of view.cells) {
    if (cell.truth === 0) continue;
    sum.inked++;
    if ((cell.repairedFrom ?? cell.digit) === cell.truth) sum.readRight++;
  }
  sum.flop += view.cost.flop;
  sum.large += view.cost.alwaysLargeFlop;
  sum.bytes += view.sketch.bytes;
  sum.receipts += view.sketch.receiptBytes;
}

/** Decodes what was stored: whole, and cut to a half, a quarter and an eighth. The truth is what was finally taken. */
async function readBack(
  ids: readonly string[],
  get: (id: string) => Promise<StoredEvent>,
  taken: readonly Uint8Array[],
  options: MeasureBoardsOptions,
): Promise<Pick<BoardMeasurement, 'unrollExact' | 'erasure'>> {
  const cuts = [2, 4, 8].map((part) => ({ part, right: 0, predicted: 0, n: 0 }));
  let unrollExact = 0;
  for (const [i, id] of ids.entries()) {
    options.signal?.throwIfAborted();
    const event = await get(id);
    const whole = digitsOf(unroll(event.sketch, event.structure));
    if (whole && same(whole, taken[i]!) === CELLS) unrollExact++;
    if (!whole || i >= (options.erasures ?? 200)) continue;
    for (const cut of cuts) {
      const kept = event.sketch.spec.dim / cut.part;
      const left = digitsOf(unroll(truncate(event.sketch, kept), event.structure));
      cut.right += left ? same(left, whole) / CELLS : 0;
      cut.predicted += expectedGroups(event.sketch.spec, event.structure, { kept, samples: 12 }).right;
      cut.n++;
    }
  }
  const [half, quarter, eighth] = cuts.map(({ right, predicted, n }) => ({
    right: right / n,
    predicted: predicted / n,
  }));
  return { unrollExact, erasure: { half: half!, quarter: quarter!, eighth: eighth! } };
}

function same(a: Uint8Array, b: Uint8Array): number {
  let n = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) n++;
  return n;
}

export interface RoutingMeasurement {
  readonly seed: string | number;
  readonly images: number;
  /** Accuracy and flop per image of every reader alone, smallest first. */
  readonly readers: readonly { readonly id: string; readonly accuracy: number; readonly flop: number }[];
  readonly routedAccuracy: number;
  /** flop per image of everything that ran, features and routing included, over the largest reader's. */
  readonly costRatio: number;
  /** Share of images by the reader whose answer was taken. */
  readonly share: Readonly<Record<string, number>>;
  /** What the held-out training images promised: error and cost ratio. */
  readonly promised: { readonly error: number; readonly bestError: number; readonly costRatio: number };
}

/** Reads MNIST's 10,000 test images with every reader alone and through the router, which never saw them. */
export async function measureRouting(
  options: Omit<OpenBoardsOptions, 'dataDir'> & { readonly count?: number } = {},
): Promise<RoutingMeasurement> {
  const desk = await openBoards({ ...options, dataDir: ':memory:' });
  try {
    const { mind } = desk;
    const test = loadMnist('test');
    const count = Math.min(options.count ?? test.count, test.count);
    const inputs = toInputs(
      test,
      Array.from({ length: count }, (_, i) => i),
    );
    const run = async (
      allow?: readonly string[],
    ): Promise<{ accuracy: number; flop: number; share: Record<string, number> }> => {
      let right = 0;
      let flop = 0;
      const share: Record<string, number> = {};
      for (let at = 0; at < count; at += 500) {
        const replies = await mind.askAll<DigitReading>('read-digit', inputs.slice(at, at + 500), {
          remember: false,
          ...(allow ? { allow } : {}),
        });
        replies.forEach((reply, i) => {
          if (reply.output?.digit === test.labels[at + i]) right++;
          flop += reply.usage.flop;
          share[reply.module ?? 'none'] = (share[reply.module ?? 'none'] ?? 0) + 1 / count;
        });
      }
      return { accuracy: right / count, flop: flop / count, share };
    };
    const readers = [];
    for (const id of mind.modules('read-digit').filter((m) => m !== 'read-digit/ink'))
      readers.push({ id, ...(await run([id])) });
    const routed = await run();
    const fitted = mind.router('read-digit')?.fitted;
    return {
      seed: options.seed ?? 'cairn',
      images: count,
      readers: readers.map(({ id, accuracy, flop }) => ({ id, accuracy, flop })),
      routedAccuracy: routed.accuracy,
      costRatio: routed.flop / readers.at(-1)!.flop,
      share: routed.share,
      promised: {
        error: fitted?.error ?? NaN,
        bestError: fitted?.bestError ?? NaN,
        costRatio: fitted ? fitted.cost / fitted.bestCost : NaN,
      },
    };
  } finally {
    await desk.close();
  }
}
