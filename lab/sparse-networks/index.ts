// Sparsely Activated Networks (arXiv 2208.04461): many networks of which a locality-sensitive hash picks one for each input
// match a dense network with far more active units on Lipschitz functions.
import type { LabOptions, LabReport } from '../report.ts';
import { runParts } from '../report.ts';
import { scaling } from './scaling.ts';
import { training } from './training.ts';

/** `ci` takes less than a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'sparse-networks',
      paper: { title: 'A Theoretical View on Sparsely Activated Networks', arxiv: '2208.04461' },
    },
    [
      ['networks picked by nearness', () => training(options)],
      ['one constant a bucket', () => scaling(options)],
    ],
  );
}
