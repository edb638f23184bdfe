// Provable Hierarchical Lifelong Learning with a Sketch-based Modular Architecture (arXiv 2112.10919): tasks learned one
// after another, each given the modules of those before; which task it is found where nobody says; nothing forgotten.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { forgetting, gates, hardFirst, noise } from './conditions.ts';
import { FAIRNESS, hierarchy } from './hierarchy.ts';
import { digits, halfspaces } from './real.ts';
import { unlabelled } from './unlabelled.ts';

/** Runs every part; `ci` takes about half a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale } = options;
  const rng = new Rng(seed).fork('lifelong');
  const full = scale === 'full';
  const parts: [string, () => Part | Promise<Part>][] = [
    [`parity hierarchy. ${FAIRNESS}`, () => hierarchy(rng.fork('hierarchy'), options)],
    ['tasks without names', () => unlabelled(rng.fork('unlabelled'), options)],
    ['random gates', () => gates(rng.fork('gates'), seed, full ? 40 : 4)],
    ['the hardest first', () => hardFirst(rng.fork('hard-first'), seed)],
    ['label noise', () => noise(rng.fork('noise'), seed, full ? 1000 : 100)],
    ['forgetting', () => forgetting(rng.fork('forgetting'), seed)],
    ['halfspaces', () => halfspaces(rng.fork('halfspaces'), seed)],
    ['pairs of digits', () => digits(rng.fork('digits'), seed)],
  ];
  return runParts(
    options,
    {
      slug: 'lifelong',
      paper: {
        title: 'Provable Hierarchical Lifelong Learning with a Sketch-based Modular Architecture',
        arxiv: '2112.10919',
      },
    },
    parts,
  );
}
