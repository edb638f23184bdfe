// Universal Model Routing for Efficient LLM Inference (arXiv 2502.08773): models that a router never saw in training are routed to
// from their errors on a small labelled set. Generated pools with a known truth; with `--data` the evaluation tables found there.
// It reproduces the method, not the paper's tables: those data are not at hand.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { bound } from './bound.ts';
import { comparison } from './comparison.ts';
import { identities } from './identities.ts';
import { realTables } from './real-tables.ts';

/** `ci` takes about half a minute on two cores, without tables. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'universal-routing',
      paper: { title: 'Universal Model Routing for Efficient LLM Inference', arxiv: '2502.08773' },
    },
    [
      ['identities', () => identities(options)],
      ['excess risk and its bound', () => bound(options)],
      ['generated pools', () => comparison(options)],
      ['evaluation tables', () => realTables(options)],
    ],
  );
}
