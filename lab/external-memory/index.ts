// The Power of External Memory in Increasing Predictive Model Capacity (arXiv 2302.00003): tables that are read instead of
// computed add parameters and hardly any computation. Rows by hashed bigrams help a character model a lot; rows by hashed or
// softmax-routed vectors, added, do not at this size, and the table says so.
import type { LabOptions, LabReport } from '../report.ts';
import { runParts } from '../report.ts';
import { comparison } from './comparison.ts';
import { identities } from './identities.ts';

/** `ci` takes less than a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'external-memory',
      paper: { title: 'The Power of External Memory in Increasing Predictive Model Capacity', arxiv: '2302.00003' },
    },
    [
      ['what holds exactly', () => identities(options)],
      ['tables beside a dense model', () => comparison(options)],
    ],
  );
}
