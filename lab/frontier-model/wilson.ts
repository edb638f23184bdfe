// Wilson's interval for a share.

/** 95 % interval for `right` of `of`. */
export function wilson(right: number, of: number): [low: number, high: number] {
  const z = 1.96;
  const p = right / of;
  const middle = (p + (z * z) / (2 * of)) / (1 + (z * z) / of);
  const half = (z * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of))) / (1 + (z * z) / of);
  return [middle - half, middle + half];
}
