// An adversary who wants the sum of n bits to deviate pays for the correlation kappa of halves at every scale. For any
// increasing convex price the cheapest way to a given gain of variance is the same kappa everywhere: a self-similar one.
import { equalKappa, hurstOf } from 'cairn/online';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';

const LEVELS = 10;

/** Prices of a correlation, increasing and convex, with derivatives. */
const prices: Record<string, { price(kappa: number): number; slope(kappa: number): number }> = {
  square: { price: (k) => k * k, slope: (k) => 2 * k },
  exponential: { price: (k) => Math.exp(4 * k), slope: (k) => 4 * Math.exp(4 * k) },
  fourth: { price: (k) => k + k ** 4, slope: (k) => 1 + 4 * k ** 3 },
};

export function equalCorrelations(rng: Rng): Part {
  const rows = Object.entries(prices).flatMap(([name, { price, slope }]) =>
    [2, 4, 16].map((gain) => {
      const kappas = cheapest(rng.fork(name).fork(gain), gain, price, slope);
      const expected = equalKappa(gain, LEVELS);
      const off = Math.max(...kappas.map((k) => Math.abs(k - expected)));
      const cost = kappas.reduce((sum, k) => sum + price(k), 0);
      return { name, gain, expected, off, saved: cost - LEVELS * price(expected) };
    }),
  );
  const farthest = Math.max(...rows.map((r) => r.off));
  return {
    claims: [
      {
        id: 'equal-kappas',
        says: 'Minimising the price from a random start ends at the same correlation on all scales.',
        kind: 'identity',
        value: farthest,
        target: `within 1e-5 of D^(1/${LEVELS}) - 1 for three prices and D = 2, 4, 16`,
        holds: farthest < 1e-5 && rows.every((r) => r.saved > -1e-9),
      },
    ],
    tables: [
      {
        title: `Cheapest correlations for a gain D of the variance over ${LEVELS} scales`,
        columns: ['price', 'D', 'kappa, closed form', 'largest deviation', 'Hurst exponent'],
        rows: rows.map((r) => [r.name, r.gain, r.expected, r.off, hurstOf(r.expected)]),
      },
    ],
  };
}

/** Gradient descent in x = ln(1 + kappa), whose sum is fixed; the step is halved until the price falls. */
function cheapest(
  rng: Rng,
  gain: number,
  price: (kappa: number) => number,
  slope: (kappa: number) => number,
): number[] {
  const total = (at: readonly number[]): number => at.reduce((sum, v) => sum + price(Math.exp(v) - 1), 0);
  let x = rng.dirichlet(new Array<number>(LEVELS).fill(2)).map((share) => share * Math.log(gain));
  for (let i = 0; i < 20_000; i++) {
    const gradient = x.map((v) => slope(Math.exp(v) - 1) * Math.exp(v));
    const middle = gradient.reduce((a, b) => a + b) / LEVELS;
    const square = gradient.reduce((sum, g) => sum + (g - middle) ** 2, 0);
    if (square < 1e-18) break;
    const step = (rate: number): number[] => x.map((v, k) => v - rate * (gradient[k]! - middle));
    let rate = 1;
    while (rate > 1e-12 && !(total(step(rate)) < total(x) - (rate * square) / 4)) rate /= 2;
    if (rate <= 1e-12) break;
    x = step(rate);
  }
  return x.map((v) => Math.exp(v) - 1);
}
