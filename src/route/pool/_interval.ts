// 90 % intervals of a mean in [0,1] with a standard deviation, by the Beta of these moments. Kept by rounded moments: a decision
// must not pay for quantiles.
import { betaInterval, betaOfMoments } from '../../tensor/index.ts';

const kept = new Map<number, readonly [number, number]>();
const LIMIT = 100_000;

export function intervalOf(mean: number, deviation: number): readonly [number, number] {
  const m = Math.round(mean * 1000);
  const d = Math.max(1, Math.round(deviation * 1000));
  const key = m * 2048 + d;
  let found = kept.get(key);
  if (!found) {
    if (kept.size >= LIMIT) kept.clear();
    found = betaInterval(...betaOfMoments(m / 1000, (d / 1000) ** 2), 0.9);
    kept.set(key, found);
  }
  return found;
}
