// The README card of the recogniser of spoken digits: what it is, what was measured, whose voices it learned from.
import type { SizeReport, TranscriberReport } from './transcriber.ts';
import type { ErrorRate } from './wer.ts';

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
const rate = (e: ErrorRate): string => `${percent(e.rate)} [${percent(e.interval[0])}, ${percent(e.interval[1])}]`;

/** Markdown. */
export function transcriberCard(about: {
  readonly command: string;
  readonly seed: number;
  readonly steps: number;
  readonly seconds: number;
  readonly report: TranscriberReport;
  readonly unseen?: readonly TranscriberReport[];
}): string {
  const { report, unseen = [] } = about;
  const row = (s: SizeReport): string =>
    `| ${s.size} | ${s.parameters.toLocaleString('en')} | ${(s.flopsPerSecond / 1e6).toFixed(1)} | ${s.latency.toFixed(2)} | ${rate(s.test)} | ${s.valid ? rate(s.valid) : ''} |`;
  return `# transcribe-digits

Hears English digits, spoken one after the other, at three sizes of one model (arXiv 2204.06164): the sizes share encoder layers and
have decoders of their own. Audio of 8 to 48 kHz, whole or as it comes.

| size | parameters in use | MFLOP a second of audio | latency, s | word error rate, test | chosen on |
|---|---|---|---|---|---|
${report.sizes.map(row).join('\n')}

Rates on ${report.strings} strings of two to five digits of one speaker each, with 95 % bootstrap intervals over strings; test: recordings 0 to 4
of every speaker and digit, the split of the data set's authors; chosen on: recordings 5 to 9. Trained on the rest. The model as a
whole has ${report.parameters.toLocaleString('en')} parameters; the three sizes as separate models would have ${report.separate.toLocaleString('en')}.
${unseenText(unseen)}
## Make it again

\`${about.command}\`

Seed ${about.seed}, ${about.steps.toLocaleString('en')} steps, ${Math.round(about.seconds)} s on a busy machine of two cores; weights stored in half precision, measured as stored.

## Data and licence

Trained on the Free Spoken Digit Dataset (Zohar Jackson and contributors, https://github.com/Jakobovski/free-spoken-digit-dataset),
3,000 recordings of six speakers, which is licensed under CC BY-SA 4.0. These weights are derived from it and are licensed under
[CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/) too; the code that made them is not.

## Limits

Six speakers, most of them men, recorded close to a microphone: other voices and accents are heard
worse${unseen.length > 0 ? ', as the rates on unseen speakers say' : ''}. It knows ten words and no others, and may hear a digit in any speech or music. Steady hiss, rumble and hum were trained on as silence.
`;
}

function unseenText(unseen: readonly TranscriberReport[]): string {
  if (unseen.length === 0) return '';
  const rows = unseen.map((r) => `| ${r.holdOut} | ${r.sizes.map((s) => rate(s.test)).join(' | ')} |`);
  const head = unseen[0]!.sizes.map((s) => s.size).join(' | ');
  return `
Models of the same recipe that never heard one speaker, tested on all recordings of that speaker (\`--hold-out NAME\`; not in this folder):

| speaker left out | ${head} |
|---|${unseen[0]!.sizes.map(() => '---|').join('')}
${rows.join('\n')}
`;
}
