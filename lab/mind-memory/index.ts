// How does the Mind store Information? (arXiv 1910.06718): events as sketches in hash buckets that form an implicit graph.
// What is found through components and through the graph, what hashing finds, and what forgetting and a lost server take.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { components } from './components.ts';
import { forgetting } from './forgetting.ts';
import { rates } from './rates.ts';
import { shards } from './shards.ts';
import { walks } from './walks.ts';

/** Runs every part; `ci` takes well under a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, plot } = options;
  const rng = new Rng(seed).fork('mind-memory');
  const full = scale === 'full';
  return runParts(
    options,
    {
      slug: 'mind-memory',
      paper: { title: 'How does the Mind store Information?', arxiv: '1910.06718' },
    },
    [
      ['one shared component', () => components(rng.fork('components'), seed, full ? 400 : 80, plot)],
      ['buckets beside the formula', () => rates(rng.fork('rates'), seed, full ? 12_000 : 2500, plot)],
      ['walks over the graph', () => walks(rng.fork('walks'), seed, full ? 60 : 20, plot)],
      ['forgetting', () => forgetting(rng.fork('forgetting'), seed, full ? 900 : 150, plot)],
      ['a lost server', () => shards(rng.fork('shards'), seed, full ? 400 : 120, plot)],
    ],
  );
}
