// Alternating Updates for Efficient Transformers (arXiv 2301.13310): a wider token at the cost of a narrow one. Character
// models of width 64 on a novel from an npm package, or on tinyshakespeare where `--data` has it.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { gain } from './gain.ts';
import { identities } from './identities.ts';
import { times } from './times.ts';

/** Runs every part. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    { slug: 'altup', paper: { title: 'Alternating Updates for Efficient Transformers', arxiv: '2301.13310' } },
    [
      ['what holds exactly', () => identities(options)],
      ['loss on held-out text', () => gain(options)],
      ['time of a step and of a token', () => times(options)],
    ],
  );
}
