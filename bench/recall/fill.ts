// The memory that is asked: boards stored durably, 256 at a time, once for all runs that keep their folder.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Memory } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import { kept } from './kept.ts';
import { FAMILY, member } from './workload.ts';

/** What filling it took. */
export interface Filled {
  readonly perSecond: number;
  readonly bytesPerEvent: number;
  readonly bytes: Record<string, number>;
  readonly longestBatchMs: number;
}

const BATCH = 256;

/** The file in this folder, filled unless an earlier run has done so. */
export async function filledStore(
  folder: string,
  events: number,
  rng: Rng,
  seed: number,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<{ path: string; filled: Filled }> {
  const path = join(folder, 'memory.db');
  const filled = await kept<Filled>(join(folder, 'filled.json'), async () => {
    rmSync(path, { force: true });
    return fill(path, events, rng, seed, log, signal);
  });
  return { path, filled };
}

async function fill(
  path: string,
  events: number,
  rng: Rng,
  seed: number,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<Filled> {
  const memory = await Memory.open({ path, seed: `bench:${seed}` });
  let spent = 0;
  let longest = 0;
  for (let first = 0; first < events; first += BATCH) {
    signal.throwIfAborted();
    const count = Math.min(BATCH, events - first);
    const boards = Array.from({ length: count }, (_, j) =>
      member(rng, Math.floor((first + j) / FAMILY), (first + j) % FAMILY),
    );
    const start = performance.now();
    await Promise.all(
      boards.map((root, j) =>
        memory.remember(root, {
          task: 'solve-board',
          provenance: { source: 'bench', ordinal: first + j },
          at: first + j,
        }),
      ),
    );
    const took = performance.now() - start;
    spent += took;
    longest = Math.max(longest, took);
    if (first % (BATCH * 200) === 0) log(`${first + count} of ${events} boards stored`);
  }
  const stats = await memory.stats();
  await memory.close();
  const bytes = Object.fromEntries(
    Object.entries(stats.bytes)
      .map(([table, size]) => [table, Math.round((10 * size) / events) / 10] as const)
      .filter(([, size]) => size > 0),
  );
  return { perSecond: (1000 * events) / spent, bytesPerEvent: stats.bytesPerEvent, bytes, longestBatchMs: longest };
}
