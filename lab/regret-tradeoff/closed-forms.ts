// The closed forms: threshold, payoff function, trade-off curve and the frontier of asymmetric pairs.
import { frontier, OPTIMAL_THRESHOLD, PayoffFunction, tradeOff } from 'cairn/online';
import type { LabOptions, Part } from '../report.ts';

export function closedForms(plot: LabOptions['plot']): Part {
  let residual = 0;
  for (const [plus, minus] of [[OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD] as const, [2, 2] as const, [0, 2] as const]) {
    const f = new PayoffFunction(plus, minus);
    for (let i = 1; i < 1000; i++) {
      const z = -minus + ((plus + minus) * i) / 1000;
      const terms = [f.curvature(z), -2 * z * f.slope(z), 2 * f.value(z)];
      const size = Math.max(1, ...terms.map(Math.abs));
      residual = Math.max(residual, Math.abs(terms[0]! + terms[1]! + terms[2]!) / size);
    }
  }
  const thresholds = [OPTIMAL_THRESHOLD, 1.2, 1.5, 2, 2.5, 3];
  const curve = Array.from({ length: 60 }, (_, i) =>
    tradeOff(OPTIMAL_THRESHOLD + (2.1 * i) / 59, OPTIMAL_THRESHOLD + (2.1 * i) / 59),
  );
  plot('trade-off', {
    title: 'Regret to either expert against loss where there is nothing to predict',
    x: { label: 'loss / sqrt(n)', scale: 'log' },
    y: { label: 'regret / sqrt(n)' },
    curves: [{ name: 'optimal bettors', points: curve.map((t) => [t.loss, t.regretPlus]) }],
  });
  const pareto = Array.from({ length: 60 }, (_, i) => frontier(0.05 * 50 ** (i / 59)));
  plot('asymmetric', {
    title: 'Regrets to the two experts',
    x: { label: 'regret to the first / sqrt(n)' },
    y: { label: 'regret to the second / sqrt(n)' },
    curves: [{ name: 'Pareto frontier', points: pareto.map((t) => [t.regretPlus, t.regretMinus]) }],
  });
  let dominated = 0;
  for (const best of pareto.filter((_, i) => i % 6 === 0)) {
    for (let a = 0; a <= 3; a += 0.1) {
      for (let b = 0.1; b <= 3; b += 0.1) {
        const t = tradeOff(a, b);
        if (t.regretPlus < best.regretPlus - 1e-9 && t.regretMinus < best.regretMinus - 1e-9) dominated++;
      }
    }
  }
  return {
    claims: [
      {
        id: 'threshold',
        says: 'The threshold T* of the symmetric optimum, the root of 2 T D(T) = 1, is also its regret in units of sqrt(n).',
        kind: 'identity',
        value: OPTIMAL_THRESHOLD,
        baseline: tradeOff(OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD).regretPlus,
        target: '0.9241388730 to ten digits, both',
        holds:
          Math.abs(OPTIMAL_THRESHOLD - 0.924138873) < 1e-9 &&
          Math.abs(tradeOff(OPTIMAL_THRESHOLD, OPTIMAL_THRESHOLD).regretPlus - OPTIMAL_THRESHOLD) < 1e-10,
      },
      {
        id: 'hermite-equation',
        says: 'Between the thresholds the payoff function solves f" - 2 z f\' + 2 f = 0.',
        kind: 'identity',
        value: residual,
        target: 'residual below 1e-9 at 3,000 points',
        holds: residual < 1e-9,
      },
      {
        id: 'frontier',
        says: 'No pair of thresholds has both regrets below those of a pair with r+/T+ + r-/T- = 2.',
        kind: 'identity',
        value: dominated,
        target: '0 dominating pairs on a grid of 930, for each of 10 frontier pairs',
        holds: dominated === 0,
      },
    ],
    tables: [
      {
        title: 'Trade-off of the symmetric bettors, in units of sqrt(n)',
        columns: ['T', 'regret', 'loss'],
        rows: thresholds.map((t) => [t, tradeOff(t, t).regretPlus, tradeOff(t, t).loss]),
      },
    ],
  };
}
