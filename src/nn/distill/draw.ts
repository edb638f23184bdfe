// A distribution with few entries that stands for one with many and is right on average: what is likely is kept as it is, of the rest
// some are drawn and share its mass equally. Of all such with k entries it has the least expected squared error (Fearnhead and
// Clifford 2003, J. R. Stat. Soc. B 65, optimal resampling). Not the k likeliest: those say nothing about the rest.

/** At most k tokens of a distribution, likeliest first; the weights sum to what the distribution does. */
export interface SparseDistribution {
  readonly ids: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Draws k entries of `p`. Those that have at least the threshold c keep their probability; the others are taken with probability
 * `p_i / c`, each at most once, and weigh c, which is what is left divided by the entries that are left. So every token's expected
 * weight is its probability, and so is the expected cross entropy of any student. With k of all entries it is `p` itself.
 * @param p not negative, by token; not all zero
 * @param order tokens by falling probability
 * @param k from 1 to all
 * @param uniform from 0 to below 1: the only chance in it
 * @example
 * drawSparse([0.5, 0.3, 0.1, 0.1], [0, 1, 2, 3], 3, 0.9); // ids 0, 1, 3; weights 0.5, 0.3, 0.2
 */
export function drawSparse(
  p: ArrayLike<number>,
  order: ArrayLike<number>,
  k: number,
  uniform: number,
): SparseDistribution {
  const ids = new Int32Array(k);
  const weights = new Float64Array(k);
  // From the small end, so that what is left is exact however little it is.
  const left = new Float64Array(order.length + 1);
  for (let i = order.length - 1; i >= 0; i--) left[i] = left[i + 1]! + p[order[i]!]!;
  let kept = 0;
  while (kept < k && (k === order.length || p[order[kept]!]! >= left[kept]! / (k - kept))) {
    ids[kept] = order[kept]!;
    weights[kept] = p[order[kept]!]!;
    kept++;
  }
  // The others lie side by side, in order, and are taken where a comb with teeth c apart meets them.
  const c = left[kept]! / (k - kept);
  let [at, sum] = [kept, 0];
  for (let tooth = 0; tooth < k - kept; tooth++) {
    const place = (tooth + uniform) * c;
    // No entry is wider than c; the second bound leaves one for each tooth to come, whatever rounding did.
    while (sum + p[order[at]!]! <= place && order.length - at > k - kept - tooth) sum += p[order[at++]!]!;
    ids[kept + tooth] = order[at]!;
    weights[kept + tooth] = c;
    sum += p[order[at++]!]!;
  }
  return { ids, weights };
}
