// One Network Fits All? Modular versus Monolithic Task Formulations (arXiv 2103.15261): when one network can hold many
// tasks, when it cannot, and a meter that decides from examples.
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, LabReport, Part } from '../report.ts';
import { clusters } from './clusters.ts';
import { parities, trees } from './programs.ts';
import { tables } from './tables.ts';

/** Runs every part; `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, signal } = options;
  const start = performance.now();
  const rng = new Rng(seed).fork('modular-vs-monolithic');
  await using executor = await createOrtExecutor();
  const done: Part[] = [];
  for (const part of [
    () => clusters(rng.fork('clusters'), executor, options),
    () => trees(rng.fork('trees'), executor, options),
    () => parities(rng.fork('parities'), executor, options),
    () => tables(rng.fork('tables'), executor, options),
  ]) {
    signal.throwIfAborted();
    done.push(await part());
  }
  return {
    slug: 'modular-vs-monolithic',
    paper: { title: 'One Network Fits All? Modular versus Monolithic Task Formulations', arxiv: '2103.15261' },
    seed,
    scale,
    seconds: (performance.now() - start) / 1000,
    claims: done.flatMap((p) => p.claims),
    tables: done.flatMap((p) => p.tables),
  };
}
