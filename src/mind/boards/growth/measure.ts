// Growth measured: a memory is filled with boards, grows, and goes on with new boards beside a memory that did not grow. What
// the boards really show is known, and is used for the figures alone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Growth } from '../../growth/index.ts';
import type { Desk } from '../desk.ts';
import { openBoards, type OpenBoardsOptions } from '../open.ts';
import { conceptPurity, type PurityFigures } from './purity.ts';

export interface MeasureGrowthOptions extends Omit<OpenBoardsOptions, 'dataDir' | 'seed'> {
  /** Boards that are remembered before it grows. */
  readonly boards: number;
  /** New boards afterwards. */
  readonly later: number;
  readonly seed: string | number;
  readonly signal?: AbortSignal;
}

/** New boards as one memory answered them. */
export interface LaterFigures {
  readonly proved: number;
  readonly wrongProved: number;
  readonly flopPerBoard: number;
}

export interface GrowthMeasurement {
  readonly growths: readonly Growth[];
  readonly seconds: number;
  /** Longest time that the process's own loop did not turn while it grew, milliseconds. */
  readonly longestStallMs: number;
  readonly purity: PurityFigures;
  /** New boards after growth, and the same boards without. Their handwriting may repeat what was remembered. */
  readonly later: { readonly grown: LaterFigures; readonly plain: LaterFigures; readonly boards: number };
}

/**
 * @example
 * const m = await measureGrowth({ boards: 300, later: 100, seed: 4242 });
 * m.purity.purity; // share of cells whose concept's majority they show
 */
export async function measureGrowth(options: MeasureGrowthOptions): Promise<GrowthMeasurement> {
  const { boards, later, seed, signal, onProgress } = options;
  const dirs = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), 'cairn-growth-'))));
  const [grown, plain] = await Promise.all(dirs.map((dataDir) => openBoards({ ...options, dataDir })));
  try {
    onProgress?.(`remembering ${boards} boards`);
    const stream = grown!.stream({ seed, from: 0 });
    for (let i = 0; i < boards; i++) await stream.next(signal);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const began = performance.now();
    const growths = await grown!.growths.grow({
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
    });
    const seconds = (performance.now() - began) / 1000;
    delay.disable();
    const purity = await conceptPurity(grown!);
    onProgress?.(`answering ${later} new boards with and without`);
    return {
      growths,
      seconds,
      longestStallMs: delay.max / 1e6,
      purity,
      later: {
        boards: later,
        grown: await answer(grown!, seed, boards, later, signal),
        plain: await answer(plain!, seed, boards, later, signal),
      },
    };
  } finally {
    await grown!.close();
    await plain!.close();
    for (const dir of dirs) await rm(dir, { recursive: true, force: true });
  }
}

async function answer(
  desk: Desk,
  seed: string | number,
  from: number,
  count: number,
  signal: AbortSignal | undefined,
): Promise<LaterFigures> {
  const stream = desk.stream({ seed, from });
  let [proved, wrongProved, flop] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const board = await stream.next(signal);
    flop += board.cost.flop;
    if (board.status !== 'proved') continue;
    proved++;
    if (board.cells.some((cell) => cell.digit !== cell.truth)) wrongProved++;
  }
  return { proved, wrongProved, flopPerBoard: count === 0 ? 0 : flop / count };
}
