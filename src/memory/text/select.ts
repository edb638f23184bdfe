// The choice of the turns that are shown, from the ranked ones: the best first.
import type { StoredTurn } from './corpus.ts';
import type { Features } from './features.ts';

/** A candidate with its features and score. */
export interface RankedTurn {
  readonly turn: StoredTurn;
  readonly features: Features;
  readonly score: number;
}

export function selectTurns(ranked: readonly RankedTurn[], k: number): RankedTurn[] {
  return ranked.slice(0, k);
}
