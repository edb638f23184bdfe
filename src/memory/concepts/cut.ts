// Where the null space of a moment matrix ends: the largest ratio gap in its eigenvalues, with a noise floor, and with enough
// samples above the gap to have filled the rest. Too few samples would otherwise look like a very precise concept.
// After 2310.12143; the rule is ours, measured in the concepts experiment.

/**
 * `determined`: there is a gap and enough samples. `underdetermined`: too few samples to tell. `unconstrained`: enough
 * samples and no equation holds.
 */
export type CutState = 'determined' | 'underdetermined' | 'unconstrained';

export interface Cut {
  readonly state: CutState;
  /** Eigenvalues counted as zero. */
  readonly nullity: number;
  /** First eigenvalue above the cut over the last one below it, at least the floor. */
  readonly gap: number;
}

/** Samples beyond the rank of the row space that a cut needs. */
export const SPARE_SAMPLES = 4;

export interface CutOptions {
  /** Eigenvalues below this count as this: 4 sigma² for noise of standard deviation sigma, 1e-9 by default. */
  readonly floor?: number;
  /** Least ratio that counts as a gap; 4 by default. */
  readonly gap?: number;
}

/**
 * Chooses the number of null directions.
 *
 * @param values ascending eigenvalues of the moment matrix, scaled to mean 1
 * @param count samples
 * @example
 * chooseCut([1e-12, 1e-12, 0.8, 1.9], 30); // { state: 'determined', nullity: 2, … }
 */
export function chooseCut(values: ArrayLike<number>, count: number, options: CutOptions = {}): Cut {
  const k = values.length;
  const floor = options.floor ?? 1e-9;
  const least = options.gap ?? 4;
  const at = (i: number): number => Math.max(floor, values[i]!);
  let zeros = 0;
  while (zeros < k - 1 && values[zeros]! <= floor) zeros++;
  const plain = zeros === 0 ? 1 : at(zeros) / at(zeros - 1);
  // Exact zeros that hardly more samples than the rank leave: they are the equations, but nothing confirms them yet.
  if (zeros > 0 && k - zeros < count && k - zeros + SPARE_SAMPLES > count) {
    return { state: 'underdetermined', nullity: zeros, gap: plain };
  }
  // As many samples as the rank always leave zeros behind: a gap needs a few more.
  const most = Math.min(k - 1, Math.floor(count) - SPARE_SAMPLES);
  let above = 0;
  let best: Cut | undefined;
  // From the top: `above` is the sum of the eigenvalues that stay in the row space.
  for (let rank = 1; rank <= most; rank++) {
    const nullity = k - rank;
    above += values[nullity]!;
    const gap = at(nullity) / at(nullity - 1);
    if (gap < least || values[nullity - 1]! > (0.2 * above) / rank) continue;
    if (best === undefined || gap > best.gap) best = { state: 'determined', nullity, gap };
  }
  if (best !== undefined) return best;
  if (count >= k + SPARE_SAMPLES) return { state: 'unconstrained', nullity: 0, gap: 1 };
  return { state: 'underdetermined', nullity: zeros, gap: plain };
}
