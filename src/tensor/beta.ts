// The Beta distribution: log-gamma, regularised incomplete beta, quantiles. Enough for intervals on error rates.
import { CairnError } from '../errors.ts';

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7). */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** I_x(a, b), the distribution function of Beta(a, b), by its continued fraction. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0)) throw new CairnError('bad_parameter', `Expected positive Beta parameters, got ${a} and ${b}.`);
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  // Lentz's method
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * value;

  function guard(v: number): number {
    return Math.abs(v) < tiny ? tiny : v;
  }
}

/** The p-quantile of Beta(a, b), by bisection to 1e-12. */
export function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60 && high - low > 1e-12; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Central interval of Beta(a, b).
 * @example
 * betaInterval(1, 1, 0.9); // [0.05, 0.95]
 */
export function betaInterval(a: number, b: number, level = 0.9): [number, number] {
  return [betaQuantile((1 - level) / 2, a, b), betaQuantile((1 + level) / 2, a, b)];
}

/** The Beta with a given mean in (0,1) and variance below mean (1 - mean), as [a, b]. */
export function betaOfMoments(mean: number, variance: number): [number, number] {
  const m = Math.min(1 - 1e-9, Math.max(1e-9, mean));
  const total = Math.max(1e-3, (m * (1 - m)) / Math.max(variance, 1e-18) - 1);
  return [m * total, (1 - m) * total];
}
