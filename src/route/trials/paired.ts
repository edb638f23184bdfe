// Comparing two methods over the same trials: differences are taken trial by trial, because trials differ by more than methods do.

/** Mean of paired differences with what it is worth. */
export interface PairedComparison {
  readonly trials: number;
  /** Mean of a - b and its standard error. */
  readonly mean: number;
  readonly standardError: number;
  /** mean / standardError; 0 when all differences are 0. */
  readonly t: number;
  /** Trials in which a is above b, and below; ties count for neither. */
  readonly wins: number;
  readonly losses: number;
  /** Two-sided sign test: probability of a split this uneven if neither were better. */
  readonly signTest: number;
}

/** Mean and standard error of a list. */
export function meanOf(values: readonly number[]): { mean: number; standardError: number } {
  const n = values.length;
  const mean = values.reduce((s, v) => s + v, 0) / Math.max(1, n);
  const variance = n > 1 ? values.reduce((s, v) => s + (v - mean) ** 2, 0) / (n - 1) : 0;
  return { mean, standardError: Math.sqrt(variance / Math.max(1, n)) };
}

/**
 * @param a figures of one method, one per trial
 * @param b of the other, for the same trials
 * @example
 * comparePaired([0.6, 0.7], [0.5, 0.6]).wins; // 2
 */
export function comparePaired(a: readonly number[], b: readonly number[]): PairedComparison {
  const differences = a.map((v, i) => v - b[i]!);
  const { mean, standardError } = meanOf(differences);
  const wins = differences.filter((d) => d > 0).length;
  const losses = differences.filter((d) => d < 0).length;
  const t = standardError > 0 ? mean / standardError : mean === 0 ? 0 : Math.sign(mean) * Infinity;
  return { trials: a.length, mean, standardError, t, wins, losses, signTest: signTest(wins, losses) };
}

/** Two-sided sign test of `wins` against `losses`. */
export function signTest(wins: number, losses: number): number {
  const n = wins + losses;
  if (n === 0) return 1;
  const fewer = Math.min(wins, losses);
  let term = 0.5 ** n;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += term;
    term *= (n - k) / (k + 1);
  }
  return Math.min(1, 2 * tail);
}
