// The generator against its exact moments, and against the values of its first description.
import { fairBits, fractalBits, fractalMoments, intervalValue } from 'cairn/online';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { mean } from './part.ts';

const LEVELS = 10;
/** Hurst exponents from runs of 600 strings of 1,024 bits, by q. */
const KNOWN = new Map([
  [0, 0.5],
  [0.1, 0.554],
  [0.2, 0.589],
  [0.3, 0.633],
  [0.5, 0.73],
]);

export function generator(rng: Rng, strings: number, plot: LabOptions['plot']): Part {
  const rows = [...KNOWN].map(([q, known]) => {
    const exact = fractalMoments(LEVELS, q);
    const all = Array.from({ length: strings }, (_, k) => fractalBits(LEVELS, q, rng.fork(`${q}`).fork(k)));
    const sums = all.map((bits) => Math.abs(bits.reduce((a, b) => a + b)));
    const squares = mean(sums.map((s) => s * s));
    const root = 2 ** (LEVELS / 2);
    return {
      q,
      known,
      exact,
      absolute: mean(sums) / root,
      rms: Math.sqrt(squares) / root,
      hurst: Math.log2(squares) / (2 * LEVELS),
      value: mean(all.slice(0, 100).map((bits) => intervalValue(bits, 2.1).value)),
    };
  });
  const off = Math.max(...rows.map((r) => Math.abs(r.hurst - r.exact.hurst)));
  const fromKnown = Math.max(...rows.map((r) => Math.abs(r.exact.hurst - r.known)));
  const rising = rows.slice(1).every((r, i) => r.value > rows[i]!.value);
  const walk = (bits: Float64Array): [number, number][] => {
    let sum = 0;
    return [...bits].map((b, t) => [t + 1, (sum += b)]);
  };
  plot('walks', {
    title: 'Sums of the first bits of fractal and fair strings',
    x: { label: 'bits' },
    y: { label: 'sum' },
    curves: [
      { name: 'fair', points: walk(fairBits(rng.fork('walk'), 1024)) },
      { name: 'fractal, q 0.3', points: walk(fractalBits(LEVELS, 0.3, rng.fork('walk'))) },
      { name: 'fractal, q 0.7', points: walk(fractalBits(LEVELS, 0.7, rng.fork('walk'))) },
    ],
  });
  return {
    claims: [
      {
        id: 'hurst-of-the-generator',
        says: 'Strings of the generator have the Hurst exponent that their exact moments give.',
        kind: 'measured',
        value: off,
        target: `within 0.02 for five q, ${strings} strings of 1,024 bits`,
        holds: off <= 0.02,
      },
      {
        id: 'hurst-known',
        says: 'The exact exponents agree with the values measured when the generator was first described.',
        kind: 'measured',
        value: fromKnown,
        baseline: [...KNOWN.values()].join(', '),
        target: 'within 0.02 for five q',
        holds: fromKnown <= 0.02,
      },
      {
        id: 'more-to-win',
        says: 'The value f of the best partition grows with q: deviation is predictability.',
        kind: 'measured',
        value: rows.map((r) => r.value.toFixed(0)).join(', '),
        target: 'rising in q, mean over 100 strings, c = 2.1',
        holds: rising,
      },
    ],
    tables: [
      {
        title: `Fractal strings of 1,024 bits, ${strings} of each`,
        columns: [
          'q',
          'E|S| / sqrt(n)',
          'exact',
          'rms / sqrt(n)',
          'exact',
          'H',
          'exact',
          'kappa of the halves',
          'E f (c = 2.1)',
        ],
        rows: rows.map((r) => [
          r.q,
          r.absolute,
          r.exact.meanAbsolute / 32,
          r.rms,
          Math.sqrt(r.exact.meanSquare) / 32,
          r.hurst,
          r.exact.hurst,
          r.exact.kappas.at(-1)!,
          r.value,
        ]),
      },
    ],
  };
}
