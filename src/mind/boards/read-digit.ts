// The readers of one cell: `ink` decides blanks at almost no cost; three networks of different size read digits. They
// compete for every cell; the router and the readers' own confidence decide.
import type { Answer, Module } from '../module.ts';
import {
  BLANK_INK,
  CLASSES,
  DIGIT_GROUPS,
  inkOf,
  oneHotDigit,
  PIXELS,
  type DigitInput,
  type DigitReading,
} from './cells.ts';

/** A trained classifier of 28 x 28 images; `cairn/nn` loads one from a checkpoint. */
export interface DigitClassifier {
  /** @returns [n, 10] calibrated probabilities for images [n, 784] of ink 0..1 */
  predict(images: Float32Array, n: number): Promise<Float32Array>;
  readonly flopsPerInput: number;
}

/** Says "blank" where there is no ink; takes no other cell. */
export function inkReader(): Module<DigitInput, DigitReading> {
  return {
    id: 'read-digit/ink',
    task: 'read-digit',
    cost: { unit: 'flop', amount: PIXELS },
    accepts: (input) => isBlank(input),
    run: async () => blank(),
    runBatch: async (inputs) => inputs.map(blank),
  };
}

/**
 * A network as a module.
 * @param size last part of the id: `small`, `medium`, `large`
 */
export function digitReader(size: string, classifier: DigitClassifier): Module<DigitInput, DigitReading> {
  const read = async (inputs: readonly DigitInput[]): Promise<Answer<DigitReading>[]> => {
    const images = new Float32Array(inputs.length * PIXELS);
    inputs.forEach((input, i) => images.set(input.pixels, i * PIXELS));
    const probabilities = await classifier.predict(images, inputs.length);
    return inputs.map((input, i) =>
      toAnswer(probabilities.slice(i * CLASSES, (i + 1) * CLASSES), input.among, classifier.flopsPerInput),
    );
  };
  return {
    id: `read-digit/${size}`,
    task: 'read-digit',
    cost: { unit: 'flop', amount: classifier.flopsPerInput },
    accepts: (input) => !isBlank(input),
    run: async (input) => (await read([input]))[0]!,
    runBatch: (inputs) => read(inputs),
  };
}

function isBlank(input: DigitInput): boolean {
  return input.among === '1-9' && inkOf(input.pixels) < BLANK_INK;
}

function blank(): Answer<DigitReading> {
  return {
    output: { digit: 0, blank: true, probabilities: oneHotDigit(0) },
    attributes: oneHotDigit(0),
    groups: DIGIT_GROUPS,
    confidence: 1,
    usage: { flop: PIXELS },
  };
}

/** Among 1-9 the probability of a 0 is taken away and the rest scaled up: a Sudoku has no 0. */
function toAnswer(p: Float32Array, among: DigitInput['among'], flop: number): Answer<DigitReading> {
  if (among === '1-9') {
    const rest = 1 - p[0]!;
    p[0] = 0;
    for (let d = 1; d < CLASSES; d++) p[d] = rest > 1e-6 ? p[d]! / rest : 1 / 9;
  }
  let digit = among === '1-9' ? 1 : 0;
  for (let d = digit + 1; d < CLASSES; d++) if (p[d]! > p[digit]!) digit = d;
  return {
    output: { digit, blank: false, probabilities: p },
    attributes: oneHotDigit(digit),
    groups: DIGIT_GROUPS,
    confidence: Math.min(1, p[digit]!),
    usage: { flop },
  };
}
