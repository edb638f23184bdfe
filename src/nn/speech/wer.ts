// Word and character error rates by Levenshtein distance, with bootstrap intervals over utterances.
import { Rng } from '../../tensor/index.ts';

export interface ErrorCounts {
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
  /** Length of the reference. */
  readonly reference: number;
}

/**
 * The fewest edits that turn a reference into a hypothesis; ties are resolved as substitution, then deletion, then insertion.
 * @example
 * countErrors(['one', 'two'], ['one', 'too', 'two']).insertions; // 1
 */
export function countErrors<T>(reference: readonly T[], hypothesis: readonly T[]): ErrorCounts {
  const [n, m] = [reference.length, hypothesis.length];
  const cost: number[][] = Array.from({ length: n + 1 }, (_, i) =>
    Array.from({ length: m + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  for (let i = 1; i <= n; i++) {
    for (let j = 1; j <= m; j++) {
      const same = reference[i - 1] === hypothesis[j - 1] ? 0 : 1;
      cost[i]![j] = Math.min(cost[i - 1]![j - 1]! + same, cost[i - 1]![j]! + 1, cost[i]![j - 1]! + 1);
    }
  }
  let [substitutions, deletions, insertions] = [0, 0, 0];
  for (let i = n, j = m; i > 0 || j > 0;) {
    const here = cost[i]![j]!;
    const same = i > 0 && j > 0 && reference[i - 1] === hypothesis[j - 1] ? 0 : 1;
    if (i > 0 && j > 0 && here === cost[i - 1]![j - 1]! + same) {
      substitutions += same;
      i--;
      j--;
    } else if (i > 0 && here === cost[i - 1]![j]! + 1) {
      deletions++;
      i--;
    } else {
      insertions++;
      j--;
    }
  }
  return { substitutions, deletions, insertions, reference: n };
}

export interface ErrorRate extends ErrorCounts {
  /** Errors / reference length over all utterances; infinite when only insertions are there. */
  readonly rate: number;
  /** 95 % interval by resampling utterances. */
  readonly interval: readonly [low: number, high: number];
}

const RESAMPLES = 1000;

/**
 * The corpus rate: errors summed over utterances by lengths summed.
 * @param pairs reference and hypothesis of each utterance
 */
export function errorRate<T>(
  pairs: readonly { readonly reference: readonly T[]; readonly hypothesis: readonly T[] }[],
  rng: Rng = new Rng('bootstrap'),
): ErrorRate {
  const counts = pairs.map((p) => countErrors(p.reference, p.hypothesis));
  const rates = Array.from({ length: RESAMPLES }, () =>
    rateOf(sumCounts(counts.map(() => counts[rng.integer(counts.length)]!))),
  ).sort((a, b) => a - b);
  const total = sumCounts(counts);
  return {
    ...total,
    rate: rateOf(total),
    interval: [rates[Math.floor(0.025 * RESAMPLES)] ?? 0, rates[Math.ceil(0.975 * RESAMPLES) - 1] ?? 0],
  };
}

/** Characters of texts instead of words. */
export function characterErrorRate(
  pairs: readonly { readonly reference: string; readonly hypothesis: string }[],
  rng?: Rng,
): ErrorRate {
  return errorRate(
    pairs.map((p) => ({ reference: Array.from(p.reference), hypothesis: Array.from(p.hypothesis) })),
    rng,
  );
}

function sumCounts(counts: readonly ErrorCounts[]): ErrorCounts {
  const sum = (key: keyof ErrorCounts): number => counts.reduce((n, c) => n + c[key], 0);
  return {
    substitutions: sum('substitutions'),
    deletions: sum('deletions'),
    insertions: sum('insertions'),
    reference: sum('reference'),
  };
}

function rateOf(c: ErrorCounts): number {
  const errors = c.substitutions + c.deletions + c.insertions;
  return c.reference === 0 ? (errors > 0 ? Infinity : 0) : errors / c.reference;
}
