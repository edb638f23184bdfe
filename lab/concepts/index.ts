// Simple Mechanisms for Representing, Indexing and Manipulating Concepts (arXiv 2310.12143): concepts as zero sets of
// polynomials, known by the null space of their moments. Made-up concepts with known truth, and outlines of sprites.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { combining } from './combining.ts';
import { discovering } from './discovering.ts';
import { higher } from './higher.ts';
import { membership } from './membership.ts';
import { sprites } from './sprites.ts';

/** Runs every part; `ci` takes less than a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, plot } = options;
  const rng = new Rng(seed).fork('concepts');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['membership from few samples', () => membership(rng.fork('membership'), full ? 10 : 2, plot)],
    ['combining concepts', () => combining(rng.fork('combining'), full ? 40 : 10)],
    ['discovery in mixtures', () => discovering(rng.fork('discovering'), full ? 20 : 2, plot)],
    ['concepts of concepts', () => higher(rng.fork('higher'), full ? 10 : 2, full ? 10_000 : 4_000)],
    ['outlines of sprites', () => sprites(rng.fork('sprites'), full ? 60 : 12)],
  ];
  return runParts(
    options,
    {
      slug: 'concepts',
      paper: { title: 'Simple Mechanisms for Representing, Indexing and Manipulating Concepts', arxiv: '2310.12143' },
    },
    parts,
  );
}
