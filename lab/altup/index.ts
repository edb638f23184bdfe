// Alternating Updates for Efficient Transformers (arXiv 2301.13310): a wider token at the cost of a narrow one. Character
// models of width 64 on a novel from an npm package, or on tinyshakespeare where `--data` has it.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { gain, type Losses } from './gain.ts';
import { identities } from './identities.ts';
import { price } from './price.ts';
import { type StepCosts, times } from './times.ts';

/** Runs every part. */
export async function run(options: LabOptions): Promise<LabReport> {
  let losses: Losses | undefined;
  let costs: StepCosts | undefined;
  return runParts(
    options,
    { slug: 'altup', paper: { title: 'Alternating Updates for Efficient Transformers', arxiv: '2301.13310' } },
    [
      ['what holds exactly', () => identities(options)],
      [
        'loss on held-out text',
        async () => {
          const part = await gain(options);
          ({ losses } = part);
          return part;
        },
      ],
      [
        'time of a step and of a token',
        async () => {
          const part = await times(options);
          ({ costs } = part);
          return part;
        },
      ],
      ...(options.scale === 'full'
        ? [['what the same loss costs a dense model', () => price(losses!, costs!)] as const]
        : []),
    ],
  );
}
