// Cascaded encoders for speech recognition of dynamic size (arXiv 2204.06164): one model, three sizes, beside separate models; funnel
// pooling; streaming. On synthetic words by default, which is not speech; `--data DIR` with recordings word_speaker_index.wav (such
// as the Free Spoken Digit Dataset) for real digits.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { identities } from './identities.ts';
import { sizes } from './sizes.ts';
import { yesNo } from './yes-no.ts';

/** `ci` takes less than a minute on two cores; `full` trains longer. */
export function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'cascaded-asr',
      paper: {
        title: 'A Unified Cascaded Encoder ASR Model for Dynamic Model Sizes',
        arxiv: '2204.06164',
      },
    },
    [
      ['the loss against enumeration, streaming against whole utterances', () => identities(options)],
      [
        options.data === undefined
          ? 'three sizes of one model on synthetic words'
          : 'three sizes of one model on spoken digits',
        () => sizes(options),
      ],
      ...(options.data === undefined || options.scale === 'ci'
        ? []
        : ([['strings of yes and no', () => yesNo(options)]] as const)),
    ],
  );
}
