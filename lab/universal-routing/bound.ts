// Proposition 2: routing by the mean error of a kind loses at most what errors deviate from that mean within the kind. Kinds are made
// with known deviations, so both sides can be computed; with estimated means the finite-sample radius is added.
import { finiteSampleBound } from 'cairn/route';
import { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

export function bound({ seed, scale }: LabOptions): Part {
  const rng = new Rng(seed).fork('bound');
  const runs = scale === 'full' ? 2000 : 400;
  const deviations = [0, 0.02, 0.05, 0.1, 0.2];
  const rows = deviations.map((deviation) => {
    const own = rng.fork(`deviation-${deviation}`);
    let excess = 0;
    let limit = 0;
    let broken = 0;
    let brokenEstimated = 0;
    for (let run = 0; run < runs; run++) {
      const r = once(own, deviation);
      excess = Math.max(excess, r.excess);
      limit = Math.max(limit, r.limit);
      if (r.excess > r.limit + 1e-12) broken++;
      if (r.estimatedExcess > r.estimatedLimit) brokenEstimated++;
    }
    return { deviation, excess, limit, broken, brokenEstimated };
  });
  const broken = rows.reduce((s, r) => s + r.broken, 0);
  const estimated = rows.reduce((s, r) => s + r.brokenEstimated, 0) / (runs * rows.length);
  return {
    claims: [
      {
        id: 'prop-2-bound',
        says: 'Excess risk of routing by the true mean errors of kinds never exceeds twice the mean deviation within them.',
        kind: 'bound',
        value: broken,
        target: `0 violations in ${runs * rows.length} pools`,
        holds: broken === 0,
      },
      {
        id: 'finite-sample-bound',
        says: 'With means from a labelled sample, twice (deviation + sampling radius) is exceeded less often than delta = 0.1.',
        kind: 'bound',
        value: estimated,
        baseline: 0.1,
        target: 'share of violations <= 0.1',
        holds: estimated <= 0.1,
      },
    ],
    tables: [
      {
        title: 'Excess risk beside its bound, by the deviation within kinds (largest over pools)',
        columns: ['deviation', 'excess risk', 'bound'],
        rows: rows.map((r) => [r.deviation, r.excess, r.limit]),
      },
    ],
  };
}

/** One pool of 6 kinds, 4 models and 50 prompts a kind. */
function once(rng: Rng, deviation: number) {
  const [K, M, size] = [6, 4, 50];
  const counts: number[] = [];
  let excess = 0;
  let limit = 0;
  let estimatedExcess = 0;
  let largest = 0;
  for (let k = 0; k < K; k++) {
    const base = Array.from({ length: M }, () => 0.2 + 0.6 * rng.uniform());
    const gamma = Array.from({ length: size }, () => base.map((b) => b + deviation * (2 * rng.uniform() - 1)));
    const psi = base.map((_, m) => gamma.reduce((s, g) => s + g[m]!, 0) / size);
    const labelled = 20 + rng.integer(60);
    counts.push(labelled);
    const seen = new Array<number>(M).fill(0);
    for (let j = 0; j < labelled; j++) {
      const g = gamma[rng.integer(size)]!;
      for (let m = 0; m < M; m++) if (rng.bernoulli(g[m]!)) seen[m] = seen[m]! + 1 / labelled;
    }
    const [byTruth, bySample] = [leastOf(psi), leastOf(seen)];
    for (const g of gamma) {
      const best = Math.min(...g);
      const off = Math.max(...g.map((v, m) => Math.abs(v - psi[m]!)));
      largest = Math.max(largest, off);
      excess += (g[byTruth]! - best) / (K * size);
      estimatedExcess += (g[bySample]! - best) / (K * size);
      limit += (2 * off) / (K * size);
    }
  }
  const { worst } = finiteSampleBound(counts, M, 0.1);
  return { excess, limit, estimatedExcess, estimatedLimit: 2 * (largest + worst) };
}

function leastOf(values: readonly number[]): number {
  return values.reduce((best, v, i) => (v < values[best]! ? i : best), 0);
}
