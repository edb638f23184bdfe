// StagFormer (arXiv 2501.15665): stacks of layers that look at each other's earlier positions only, so that they decode a
// token at the same time. Quality beside dense models of one and of two stacks, and the time of decoding on two threads.
// Not the paper's models or its figures: characters instead of a vocabulary, and a thousandth of the size.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { identities } from './identities.ts';
import { quality } from './quality.ts';
import { speed } from './speed.ts';

/** `ci` takes less than a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'stagformer',
      paper: {
        title: 'StagFormer: Time Staggering Transformer Decoding for Running Layers In Parallel',
        arxiv: '2501.15665',
      },
    },
    [
      ['identities', () => identities(options)],
      ['decoding on two threads', () => speed(options)],
      ['quality', () => quality(options)],
    ],
  );
}
