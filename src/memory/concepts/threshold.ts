// How large a residual a member may have: the quantile that Gaussian noise off the row space of the size seen in the moments
// would give, bounded by what strangers reach by chance. A function of the moments alone, so it survives merging and
// forgetting exactly. Ours, beside 2310.12143.
import { betaQuantile } from '../../tensor/index.ts';
import { rowsOf } from './_orthonormal.ts';
import type { MomentSignature } from './moment-signature.ts';
import type { Moments } from './moments.ts';

/** Residual up to which a point may belong, until twice as many points as the rank are known. */
export const START_THRESHOLD = 0.02;
const LEAST_THRESHOLD = 1e-4;
const QUANTILE = 0.99;
const CHANCE = 1e-3;

/**
 * The largest residual of a member.
 * @param signature that of the moments
 */
export function memberThreshold(moments: Moments, signature: MomentSignature): number {
  const { nullity, rank } = signature;
  if (nullity === 0 || rank === 0 || moments.count === 0) return nullity === 0 ? 1 : 0;
  // r / (1 - r) of a member is the ratio of two sums of squares, so r over its scale follows a Beta distribution; a stranger
  // is spread evenly over all directions.
  const chance = betaQuantile(CHANCE, nullity / 2, rank / 2);
  const off = energyOff(moments, signature);
  const freedom = Math.max(0.25, (moments.count - rank) / moments.count);
  const noise = off / (nullity * freedom);
  const along = Math.max(1e-300, (moments.energy - off) / rank);
  const share = betaQuantile(QUANTILE, nullity / 2, rank / 2);
  const odds = (noise / along) * (share / Math.max(1e-12, 1 - share));
  const least = moments.count >= 2 * rank ? LEAST_THRESHOLD : START_THRESHOLD;
  return Math.min(chance, Math.max(least, odds / (1 + odds)));
}

/** Mean energy of the points that violates the equations: the trace of T M over the count. */
export function energyOff(moments: Moments, signature: MomentSignature): number {
  const k = moments.size;
  const useNull = signature.nullity <= signature.rank;
  let sum = 0;
  for (const row of rowsOf(useNull ? signature.nullBasis : signature.rowBasis)) {
    for (let i = 0, at = 0; i < k; i++) {
      for (let j = 0; j < i; j++, at++) sum += 2 * row[i]! * row[j]! * moments.packed[at]!;
      sum += row[i]! * row[i]! * moments.packed[at++]!;
    }
  }
  const mean = sum / moments.count;
  return Math.max(0, useNull ? mean : moments.energy - mean);
}
