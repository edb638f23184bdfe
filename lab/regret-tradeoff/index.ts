// A Differential Equations Approach to Optimizing Regret Trade-offs (arXiv 1305.1359): the discounted bettor and its trade-off curve against closed forms, against
// the worst adversary found by dynamic programming, against other bets, and on random, hostile and fractal sequences.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { optimal, otherBets, tradeOffs } from './adversaries.ts';
import { closedForms } from './closed-forms.ts';
import { fixedHorizon, manyExperts, sequences, timeScales } from './streams.ts';

/** `ci` takes some twenty seconds on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, plot } = options;
  const rng = new Rng(seed).fork('regret-tradeoff');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['closed forms', () => closedForms(plot)],
    ['worst adversary of the optimal bettor', () => optimal(full ? [25, 100, 400, 1600] : [25, 100, 400])],
    ['worst adversary along the trade-off', () => tradeOffs(full ? 1600 : 400)],
    ['other bets', () => otherBets(full ? [25, 100, 400] : [100])],
    ['random, hostile and fractal sequences', () => sequences(rng.fork('sequences'), full ? 100_000 : 10_000)],
    ['many experts', () => manyExperts(rng.fork('experts'), full ? 40 : 8)],
    ['several time scales', () => timeScales(rng.fork('scales'))],
    ['fixed horizon', () => fixedHorizon(full ? 16 : 12)],
  ];
  return runParts(
    options,
    {
      slug: 'regret-tradeoff',
      paper: { title: 'A Differential Equations Approach to Optimizing Regret Trade-offs', arxiv: '1305.1359' },
    },
    parts,
  );
}
