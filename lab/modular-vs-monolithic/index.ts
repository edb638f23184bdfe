// One Network Fits All? Modular versus Monolithic Task Formulations (arXiv 2103.15261): when one network can hold many
// tasks, when it cannot, and a meter that decides from examples.
import { createOrtExecutor, Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { clusters } from './clusters.ts';
import { parities, trees } from './programs.ts';
import { tables } from './tables.ts';

/** Runs every part; `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const rng = new Rng(options.seed).fork('modular-vs-monolithic');
  await using executor = await createOrtExecutor();
  return await runParts(
    options,
    {
      slug: 'modular-vs-monolithic',
      paper: { title: 'One Network Fits All? Modular versus Monolithic Task Formulations', arxiv: '2103.15261' },
    },
    [
      ['clusters of inputs', () => clusters(rng.fork('clusters'), executor, options)],
      ['tasks by a tree over a code', () => trees(rng.fork('trees'), executor, options)],
      ['tasks by the parity of a code', () => parities(rng.fork('parities'), executor, options)],
      ['tasks that are tables', () => tables(rng.fork('tables'), executor, options)],
    ],
  );
}
