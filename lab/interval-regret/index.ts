// Optimal amortized regret in every interval (arXiv 1304.7577): payoff f - E f exactly, the constant c(T), play on blocks,
// the fast dyadic form, and segmentation of a past with its change points.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { constants } from './constants.ts';
import { identity } from './identity.ts';
import { hindsight, plays, streaming } from './plays.ts';

/** `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, plot } = options;
  const rng = new Rng(seed).fork('interval-regret');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['every string of bits', () => identity([4, 8, 12])],
    ['the constant c(T)', () => constants(rng.fork('constants'), full ? 400 : 200, plot)],
    ['play on blocks', () => plays(rng.fork('plays'), full ? 20 : 10)],
    ['the dyadic form', () => streaming(rng.fork('streaming'), full ? 40 : 12)],
    ['hindsight', () => hindsight(rng.fork('hindsight'), full ? 200 : 40)],
  ];
  return runParts(
    options,
    { slug: 'interval-regret', paper: { title: 'Optimal amortized regret in every interval', arxiv: '1304.7577' } },
    parts,
  );
}
