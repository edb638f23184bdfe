// Fractal structures in adversarial prediction (arXiv 1304.7576): why equal correlations at all scales are cheapest, the
// generator with its Hurst exponent, what a learner wins on it, and the meter that reads it off a series.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { equalCorrelations } from './equal-correlations.ts';
import { generator } from './generator.ts';
import { learners } from './learners.ts';
import { meter, series } from './meter.ts';

/** `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, log, plot, data } = options;
  const rng = new Rng(seed).fork('fractal-prediction');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['equal correlations', () => equalCorrelations(rng.fork('equal'))],
    ['the generator', () => generator(rng.fork('generator'), full ? 3000 : 600, plot)],
    ['learners', () => learners(rng.fork('learners'), full ? 200 : 40, plot)],
    ['the meter', () => meter(rng.fork('meter'), full ? 200 : 40)],
    ['real series', () => series(rng.fork('series'), data, log)],
  ];
  return runParts(
    options,
    {
      slug: 'fractal-prediction',
      paper: { title: 'Fractal structures in Adversarial Prediction', arxiv: '1304.7576' },
    },
    parts,
  );
}
