// For Manifold Learning, Deep Neural Networks can be Locality Sensitive Hash Functions (arXiv 2103.06875): a representation
// that keeps which manifold a point lies on and forgets where on it, so that one example of something new is enough.
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, LabReport, Part } from '../report.ts';
import { loadDrawings, omniglot } from './omniglot.ts';
import { synthetic } from './synthetic.ts';

/** Runs the synthetic part, and the handwritten characters when they are below `data`; `ci` takes under a minute. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, log } = options;
  const start = performance.now();
  const rng = new Rng(seed).fork('manifold-hash');
  await using executor = await createOrtExecutor();
  const done: Part[] = [await synthetic(rng.fork('synthetic'), executor, options)];
  const drawings = await loadDrawings(options.data);
  if (drawings === undefined) {
    log('Omniglot: skipped, no archives images_background_small1.zip and 2 below --data.');
    const rows = [['skipped: pass --data with the background archives']];
    done.push({ claims: [], tables: [{ title: 'Omniglot', columns: ['result'], rows }] });
  } else done.push(await omniglot(drawings, rng.fork('omniglot'), executor, options));
  return {
    slug: 'manifold-hash',
    paper: {
      title: 'For Manifold Learning, Deep Neural Networks can be Locality Sensitive Hash Functions',
      arxiv: '2103.06875',
    },
    seed,
    scale,
    seconds: (performance.now() - start) / 1000,
    claims: done.flatMap((p) => p.claims),
    tables: done.flatMap((p) => p.tables),
  };
}
