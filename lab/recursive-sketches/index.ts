// Recursive Sketches for Modular Deep Learning (arXiv 1905.12730): what comes back from one constant-size vector, with which
// error, and what is left when most of it is erased. Scenes of twelve objects with known truth, and Sudoku boards.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { boards } from './boards.ts';
import { crosstalk } from './crosstalk.ts';
import { dictionary, recursiveDictionary } from './dictionary.ts';
import { discovering } from './discovering.ts';
import { resemblance } from './resemblance.ts';
import { solving } from './solving.ts';

/** Runs every part; `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale } = options;
  const rng = new Rng(seed).fork('recursive-sketches');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['cross-talk falls with the size of the sketch', () => crosstalk(rng.fork('crosstalk'), seed, full ? 3 : 1)],
    ['solving for all objects at once', () => solving(rng.fork('solving'), seed, full ? 60 : 20)],
    ['similarity and counts', () => resemblance(rng.fork('similarity'), seed, full ? 200 : 60)],
    ['finding the objects of an unknown structure', () => discovering(rng.fork('discover'), seed, full ? 10 : 2)],
    ['learning unknown matrices', () => dictionary(rng.fork('dictionary'), seed)],
    ['learning two levels at once', () => recursiveDictionary(rng.fork('recursive'), seed, full ? 6 : 2)],
    ['boards under erasure', () => boards(rng.fork('boards'), seed, full ? 150 : 32, options.plot)],
  ];
  return runParts(
    options,
    {
      slug: 'recursive-sketches',
      paper: { title: 'Recursive Sketches for Modular Deep Learning', arxiv: '1905.12730' },
    },
    parts,
  );
}
