// What a memory of boards grows: how pure the concepts are beside the true digits, what patterns save, whether a grown reader is
// cheaper at equal quality, and how long anybody waits meanwhile. The peer is the same engine without growth, not a package.
import { measureGrowth } from 'cairn/mind';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';

/** Fills a memory with 300 boards (170 when quick), lets it grow, and answers new boards with and without. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { seed = 7, signal, log } = options;
  const boards = options.quick ? 170 : 300;
  const later = options.quick ? 40 : 100;
  const measured = await measureGrowth({ boards, later, seed, signal, onProgress: log });
  const { purity, growths, seconds, longestStallMs, later: after } = measured;
  const row = (name: string, ours: number, unit: string, peer?: { name: string; value: number }): BenchRow => ({
    case: name,
    ours,
    peer: peer?.value ?? null,
    peerName: peer?.name ?? 'none',
    ratio: peer && ours !== 0 ? peer.value / ours : null,
    unit,
  });
  const rows = [
    row('concepts of read-digit', purity.concepts, 'concepts'),
    row('different digits among them', purity.digits, 'digits'),
    row('purity, all cells', purity.purity, 'share'),
    row('purity, inked cells', purity.inked, 'share'),
  ];
  for (const growth of growths) {
    if (growth.kind === 'circuit') {
      const saved = growth.bitsBefore - growth.bitsAfter;
      const chance = { name: 'the same symbols in random order', value: growth.savedShuffled };
      rows.push(row(`bits saved by patterns, ${growth.name}`, saved, 'bits', chance));
    }
    if (growth.kind === 'module' && growth.heldOut.events > 0) {
      const before = { name: 'routes in use', value: growth.cost.before };
      rows.push(row(`held-out board with ${growth.module} (${growth.status})`, growth.cost.after, 'flop', before));
      const errors = { name: 'routes in use', value: growth.errors.before };
      rows.push(row(`wrong first answers of ${growth.heldOut.examples}`, growth.errors.after, 'cells', errors));
    }
  }
  const without = (value: number): { name: string; value: number } => ({ name: 'without growth', value });
  rows.push(
    row('a new board', after.grown.flopPerBoard, 'flop', without(after.plain.flopPerBoard)),
    row(`proved of ${later} new boards`, after.grown.proved, 'boards', without(after.plain.proved)),
    row('wrong among the proved', after.grown.wrongProved, 'boards', without(after.plain.wrongProved)),
    row('time to grow', seconds, 's'),
    row('longest stall of the loop', longestStallMs, 'ms'),
  );
  return {
    name: 'growth',
    protocol: {
      seed,
      boards,
      later,
      says: 'nothing is labelled while it grows; the true digits are used for the figures alone; new boards may repeat handwriting, held-out boards do not',
      measured,
    },
    rows,
  };
}
