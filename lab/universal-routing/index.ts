// Universal Model Routing for Efficient LLM Inference (arXiv 2502.08773): models that a router never saw in training are routed to
// from their errors on a small labelled set. Generated pools with a known truth; with `--data` the evaluation tables found there.
// It reproduces the method, not the paper's tables: those data are not at hand.
import type { LabOptions, LabReport, Part } from '../report.ts';
import { bound } from './bound.ts';
import { comparison } from './comparison.ts';
import { identities } from './identities.ts';
import { realTables } from './real-tables.ts';

/** `ci` takes about half a minute on two cores, without tables. */
export async function run(options: LabOptions): Promise<LabReport> {
  const start = performance.now();
  const parts: [string, () => Promise<Part> | Part][] = [
    ['identities', () => identities(options)],
    ['excess risk and its bound', () => bound(options)],
    ['generated pools', () => comparison(options)],
    ['evaluation tables', () => realTables(options)],
  ];
  const done: Part[] = [];
  for (const [name, part] of parts) {
    options.signal.throwIfAborted();
    options.log(name);
    done.push(await part());
  }
  return {
    slug: 'universal-routing',
    paper: { title: 'Universal Model Routing for Efficient LLM Inference', arxiv: '2502.08773' },
    seed: options.seed,
    scale: options.scale,
    seconds: (performance.now() - start) / 1000,
    claims: done.flatMap((p) => p.claims),
    tables: done.flatMap((p) => p.tables),
  };
}
