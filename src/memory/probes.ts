// Which keys of a table of signatures a query looks up, and how likely that finds a pair.
// Source: multi-probe LSH (Lv et al. 2007); candidate rate after Indyk and Motwani (1998).

/**
 * The keys to look up in one table, nearest first: the query's own key, then keys with bits flipped in order of the sum of
 * squares of the flipped projections. No key repeats.
 *
 * @param projections [k] the query's projections of this table
 * @param count keys wanted
 * @example
 * probeKeys(new Float32Array([0.1, -2, 3]), 2); // [0b101, 0b100]
 */
export function probeKeys(projections: ArrayLike<number>, count: number): number[] {
  const k = projections.length;
  let base = 0;
  for (let i = 0; i < k; i++) if (projections[i]! > 0) base |= 1 << i;
  const keys = [base];
  if (k === 0) return keys;
  const { order, cost } = byUncertainty(projections);
  // Sets of positions in `order`; the last element grows (shift) or gains a neighbour (expand): every set is met once.
  const scores = [cost[0]!];
  const lasts = [0];
  const masks = [1 << order[0]!];
  while (keys.length < count && scores.length > 0) {
    let best = 0;
    for (let i = 1; i < scores.length; i++) if (scores[i]! < scores[best]!) best = i;
    const score = scores[best]!;
    const last = lasts[best]!;
    const mask = masks[best]!;
    keys.push((base ^ mask) & 0xffff);
    if (last + 1 === k) {
      scores[best] = scores[scores.length - 1]!;
      lasts[best] = lasts[lasts.length - 1]!;
      masks[best] = masks[masks.length - 1]!;
      scores.pop();
      lasts.pop();
      masks.pop();
      continue;
    }
    const next = 1 << order[last + 1]!;
    scores[best] = score - cost[last]! + cost[last + 1]!;
    lasts[best] = last + 1;
    masks[best] = (mask ^ (1 << order[last]!)) | next;
    scores.push(score + cost[last + 1]!);
    lasts.push(last + 1);
    masks.push(mask | next);
  }
  return keys;
}

/** Positions by the size of their projection, least first, and the squares in that order. */
function byUncertainty(projections: ArrayLike<number>): { order: Uint8Array; cost: Float64Array } {
  const k = projections.length;
  const order = new Uint8Array(k);
  const cost = new Float64Array(k);
  for (let i = 0; i < k; i++) {
    const own = projections[i]! ** 2;
    let at = i;
    for (; at > 0 && cost[at - 1]! > own; at--) {
      cost[at] = cost[at - 1]!;
      order[at] = order[at - 1]!;
    }
    cost[at] = own;
    order[at] = i;
  }
  return { order, cost };
}

/**
 * Probability that a pair with this cosine shares a bucket: 1 - (1 - p^k)^L with p = 1 - arccos(cos)/pi.
 *
 * @example
 * candidateRate(0.9, 10, 8); // 0.852
 */
export function candidateRate(cosine: number, bits: number, tables: number): number {
  const p = 1 - Math.acos(Math.max(-1, Math.min(1, cosine))) / Math.PI;
  return 1 - (1 - p ** bits) ** tables;
}
