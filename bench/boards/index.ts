// The main job measured as a whole, on boards and images that nothing was fitted on: what is proved and what is withheld,
// what reading costs beside the largest reader alone, what a sketch takes and gives back. The peer is that reader, not a package.
import { measureBoards, measureRouting } from 'cairn/mind';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';

/** Runs 1,000 boards (100 when quick) and the 10,000 test images through the product's own path. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { seed = 7, signal, log } = options;
  const count = options.quick ? 100 : 1000;
  log(`Reading MNIST's test images with every reader and through the router`);
  const routing = await measureRouting(options.quick ? { seed, count: 2000 } : { seed });
  log(`${count} generated boards, seed ${seed}`);
  const boards = await measureBoards({ count, seed, signal });
  const largest = routing.readers.at(-1)!;
  const row = (
    name: string,
    ours: number,
    unit: string,
    peer: { name: string; value: number } | undefined = undefined,
  ): BenchRow => ({
    case: name,
    ours,
    peer: peer?.value ?? null,
    peerName: peer?.name ?? 'none',
    ratio: peer && ours !== 0 ? peer.value / ours : null,
    unit,
  });
  return {
    name: 'boards',
    protocol: {
      seed,
      boards: count,
      images: routing.images,
      says: 'boards from MNIST test images and our generator; the router was fitted on held-out training images; every attempt is charged',
      routing,
      measured: boards,
    },
    rows: [
      ...routing.readers.map((r) => row(`accuracy of ${r.id}`, r.accuracy, 'share right')),
      row('accuracy, routed', routing.routedAccuracy, 'share right', { name: largest.id, value: largest.accuracy }),
      row('cost, routed', routing.costRatio * largest.flop, 'flop a digit', { name: largest.id, value: largest.flop }),
      row('boards answered with proof', boards.answered, 'share'),
      row('wrong among the proved', boards.wrongProved, 'boards'),
      row('boards a second', boards.boardsPerSecond, '1/s'),
      row('opening to the first board', boards.firstBoardMs, 'ms'),
      row('sketch of a board', boards.bytesPerEvent, 'bytes'),
      row('file a board, everything', boards.fileBytesPerEvent, 'bytes'),
      row('boards that unroll exactly', boards.unrollExact / boards.boards, 'share'),
      row('cells right from half', boards.erasure.half.right, 'share', {
        name: 'predicted',
        value: boards.erasure.half.predicted,
      }),
      row('cells right from a quarter', boards.erasure.quarter.right, 'share', {
        name: 'predicted',
        value: boards.erasure.quarter.predicted,
      }),
      row('cells right from an eighth', boards.erasure.eighth.right, 'share', {
        name: 'predicted',
        value: boards.erasure.eighth.predicted,
      }),
      row('resident memory, after all boards', boards.rss.late, 'MiB', {
        name: 'after a tenth',
        value: boards.rss.early,
      }),
    ],
  };
}
