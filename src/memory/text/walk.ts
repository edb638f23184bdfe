// The pseudo-relevance walk: from the turns that match a question best over the rare terms they hold to turns that share
// those, though none of the question's words. Source: pseudo-relevance feedback (Lavrenko and Croft 2001), one step.
import { type Candidate, type Expansion, rarityOf, type TermStatistics } from './features.ts';
import { stem } from './stem.ts';

/** Turns that the walk starts from, and terms that it goes over. */
export const WALK = { seeds: 8, terms: 20 } as const;

/** Verbs and nouns that stand in every talk: no way leads over them. */
const PLAIN = new Set(
  'do go get make take have kind type say tell think know like time use thing way many much long year month day week name really great good nice love'
    .split(' ')
    .map(stem),
);

/** A first score that the seeds are chosen by. */
export interface Seed {
  readonly candidate: Candidate;
  readonly score: number;
}

/** Distinct terms of the seeds that may lead on; their counts in the store are needed next. */
export function walkTerms(seeds: readonly Seed[], asked: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const { candidate } of seeds) {
    for (const term of candidate.counts.keys()) {
      if (!asked.has(term) && !PLAIN.has(term) && !/^[@#]/.test(term)) found.add(term);
    }
  }
  return [...found].sort();
}

/** Weights of the best terms: share of the seeds that hold them, times rarity; they sum to 4. */
export function expansionOf(
  seeds: readonly Seed[],
  allowed: ReadonlySet<string>,
  statistics: TermStatistics,
): Expansion {
  const total = seeds.reduce((sum, { score }) => sum + score, 0);
  if (total <= 0) return new Map();
  const weights = new Map<string, number>();
  for (const { candidate, score } of seeds) {
    for (const [term, count] of candidate.counts) {
      if (!allowed.has(term)) continue;
      const weight = (score / total) * rarityOf(term, statistics) * Math.sqrt(count / candidate.length);
      weights.set(term, (weights.get(term) ?? 0) + weight);
    }
  }
  const best = [...weights].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, WALK.terms);
  const sum = best.reduce((s, [, weight]) => s + weight, 0);
  return new Map(best.map(([term, weight]) => [term, (4 * weight) / sum] as const));
}
