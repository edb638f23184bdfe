// The regularised incomplete gamma function: tails of chi-square and Poisson.
import { CairnError } from '../errors.ts';
import { logGamma } from './beta.ts';

/**
 * P(a, x), the distribution function of the gamma distribution with shape a at x; by its series below a + 1, by the continued
 * fraction of the tail above. The chi-square distribution with d degrees of freedom at y is P(d / 2, y / 2).
 * @throws CairnError `bad_parameter` unless a > 0 and x >= 0
 * @example
 * incompleteGamma(1, Math.log(2)); // 0.5
 */
export function incompleteGamma(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) {
    throw new CairnError('bad_parameter', `Expected a positive shape and x >= 0, got ${a} and ${x}.`);
  }
  if (x === 0) return 0;
  if (x === Infinity) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; n < 10_000 && Math.abs(term) > Math.abs(sum) * 1e-16; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return Math.min(1, front * sum);
  }
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n < 10_000; n++) {
    const factor = -n * (n - a);
    b += 2;
    d = factor * d + b;
    if (Math.abs(d) < tiny) d = tiny;
    c = b + factor / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    const step = d * c;
    value *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return Math.max(0, 1 - front * value);
}
