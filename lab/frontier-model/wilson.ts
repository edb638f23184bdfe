// Wilson's interval for a share.

/** Interval for `right` of `of`; of 95 % where `z`, its half width in standard deviations, is left out. */
export function wilson(right: number, of: number, z = 1.96): [low: number, high: number] {
  const p = right / of;
  const middle = (p + (z * z) / (2 * of)) / (1 + (z * z) / of);
  const half = (z * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of))) / (1 + (z * z) / of);
  return [middle - half, middle + half];
}
