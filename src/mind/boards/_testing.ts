// Readers for tests: they know MNIST's images by heart and misread a stated share of them, always the same ones, with a
// confidence that fits. No network, no training.
import { CairnError } from '../../errors.ts';
import { loadMnist, type Digits } from '../../data/index.ts';
import { Rng } from '../../tensor/index.ts';
import { Mind } from '../mind.ts';
import { CELLS, CLASSES, PIXELS, type BoardPicture } from './cells.ts';
import { Desk } from './desk.ts';
import { Handwriting } from './growth/handwriting.ts';
import { addBoardModules } from './modules.ts';
import type { DigitClassifier } from './read-digit.ts';

let test: { digits: Digits; known: Map<string, number> } | undefined;

export function testDigits(): Digits {
  return knownTest().digits;
}

function knownTest(): { digits: Digits; known: Map<string, number> } {
  if (!test) {
    const digits = loadMnist('test');
    const known = new Map<string, number>();
    for (let i = 0; i < digits.count; i++) known.set(keyOf(digits.images.subarray(i * PIXELS, (i + 1) * PIXELS)), i);
    test = { digits, known };
  }
  return test;
}

function keyOf(grey: ArrayLike<number>): string {
  let key = '';
  for (let i = 100; i < 700; i += 3) key += String.fromCharCode(grey[i]!);
  return key;
}

/** Misreads `errors` of the images; an image has one hardness for all readers, as in life. */
export function fakeReader(errors: number, flop: number): DigitClassifier & { runs: number } {
  const { digits, known } = knownTest();
  const reader = {
    runs: 0,
    flopsPerInput: flop,
    async predict(images: Float32Array, n: number): Promise<Float32Array> {
      reader.runs++;
      const out = new Float32Array(n * CLASSES);
      for (let i = 0; i < n; i++) {
        const grey = Uint8Array.from(images.subarray(i * PIXELS, (i + 1) * PIXELS), (v) => Math.round(v * 255));
        const image = known.get(keyOf(grey)) ?? 0;
        const rng = new Rng('hardness').fork(image);
        const hardness = rng.uniform();
        const label = digits.labels[image]!;
        const other = 1 + ((label + 1 + rng.integer(7)) % 9);
        // Wrong where the hardness is near 1; unsure around the border.
        const wrong = hardness > 1 - errors;
        const distance = Math.abs(hardness - (1 - errors)) / errors;
        const confidence = Math.min(0.9999, 0.5 + 0.5 * (1 - Math.exp(-4 * distance)));
        const [first, second] = wrong
          ? [other === label ? 1 + (label % 9) : other, label]
          : [label, other === label ? 1 + (label % 9) : other];
        for (let d = 0; d < CLASSES; d++) out[i * CLASSES + d] = (1 - confidence) * 0.05;
        out[i * CLASSES + second] = (1 - confidence) * 0.6;
        out[i * CLASSES + first] = 0;
        let rest = 0;
        for (let d = 0; d < CLASSES; d++) rest += out[i * CLASSES + d]!;
        out[i * CLASSES + first] = 1 - rest;
      }
      return out;
    },
  };
  return reader;
}

/** Stands in for the image reader: 81 * 784 grey bytes are the cells, anything else is a bad picture. */
function rawCells(bytes: Uint8Array): BoardPicture {
  if (bytes.length !== CELLS * PIXELS)
    throw new CairnError('bad_image', 'Expected a picture of a board, got something else.', {
      hint: 'Send another picture.',
    });
  return { cells: Float32Array.from(bytes, (v) => v / 255) };
}

export interface TestDeskOptions {
  readonly dataDir?: string;
  /** Share of misread images of the small, medium and large reader. */
  readonly errors?: readonly [number, number, number];
  readonly seed?: string | number;
}

/** A desk over fake readers. */
export async function testDesk(options: TestDeskOptions = {}): Promise<Desk> {
  const [small, medium, large] = options.errors ?? [0.06, 0.015, 0.006];
  let now = 1_700_000_000_000;
  const mind = await Mind.open({ dataDir: options.dataDir ?? ':memory:', seed: options.seed ?? 7, clock: () => now++ });
  const readers = [
    { size: 'small', classifier: fakeReader(small, 11_000) },
    { size: 'medium', classifier: fakeReader(medium, 210_000) },
    { size: 'large', classifier: fakeReader(large, 3_000_000) },
  ];
  addBoardModules(mind, readers);
  const handwriting = new Handwriting(testDigits);
  return Desk.open({ mind, handwriting, cut: rawCells, seed: options.seed ?? 7, timer: () => performance.now() });
}
