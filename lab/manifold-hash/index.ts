// For Manifold Learning, Deep Neural Networks can be Locality Sensitive Hash Functions (arXiv 2103.06875): a representation
// that keeps which manifold a point lies on and forgets where on it, so that one example of something new is enough.
import { createOrtExecutor, type Executor, Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { loadDrawings, omniglot } from './omniglot.ts';
import { synthetic } from './synthetic.ts';

/** Runs the synthetic part, and the handwritten characters when they are below `data`; `ci` takes under a minute. */
export async function run(options: LabOptions): Promise<LabReport> {
  const rng = new Rng(options.seed).fork('manifold-hash');
  await using executor = await createOrtExecutor();
  return await runParts(
    options,
    {
      slug: 'manifold-hash',
      paper: {
        title: 'For Manifold Learning, Deep Neural Networks can be Locality Sensitive Hash Functions',
        arxiv: '2103.06875',
      },
    },
    [
      ['manifolds in many dimensions', () => synthetic(rng.fork('synthetic'), executor, options)],
      ['handwritten characters', () => characters(rng.fork('omniglot'), executor, options)],
    ],
  );
}

/** Omniglot, or a row that says how to get at it. */
async function characters(rng: Rng, executor: Executor, options: LabOptions): Promise<Part> {
  const drawings = await loadDrawings(options.data);
  if (drawings !== undefined) return omniglot(drawings, rng, executor, options);
  options.log('Omniglot: skipped, no archives images_background_small1.zip and 2 below --data.');
  const rows = [['skipped: pass --data with the background archives']];
  return { claims: [], tables: [{ title: 'Omniglot', columns: ['result'], rows }] };
}
