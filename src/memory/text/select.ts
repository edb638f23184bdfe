// The choice of the turns that are shown, from the ranked ones: the best first, and none that nothing speaks for.
import type { StoredTurn } from './corpus.ts';
import type { Features } from './features.ts';

/** A candidate with its features and score. */
export interface RankedTurn {
  readonly turn: StoredTurn;
  readonly features: Features;
  readonly score: number;
}

/** The best `k` that anything speaks for: where nothing does, the answer is shorter, or empty. */
export function selectTurns(ranked: readonly RankedTurn[], k: number): RankedTurn[] {
  return ranked.filter(({ features }) => hasEvidence(features)).slice(0, k);
}

/** Cosines do not count here: in a small store they are chance. */
function hasEvidence(f: Features): boolean {
  return f.bm25 > 0 || f.before > 0 || f.after > 0 || f.walk > 0 || f.date > 0 || f.speaker > 0 || f.components > 0;
}
