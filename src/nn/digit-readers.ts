// The three readers of handwritten digits that compete for the cells of a board: what each one is and how it is trained.
// The networks are plain data; training is in train-readers.ts.
import type { WarpRange } from '../data/index.ts';
import type { ClassifierConfig } from './config.ts';
import { activation, avgPool, conv2d, linear, reshape, rescale, type Sequential, sequential } from './module.ts';

export type ReaderSize = 'small' | 'medium' | 'large';
export const readerSizes: readonly ReaderSize[] = ['small', 'medium', 'large'];

/** How one reader is trained. */
export interface ReaderRecipe {
  readonly layers: Sequential;
  readonly epochs: number;
  readonly batchSize: number;
  /** Largest learning rate. */
  readonly rate: number;
  readonly weightDecay: number;
  /** Distortions of the training images. */
  readonly warp: WarpRange;
}

// Mean and spread of MNIST grey values, so that inputs are about standard.
const standard = rescale(1 / 0.3081, -0.1307);

/** The recipe of a reader. */
export function readerRecipe(size: ReaderSize): ReaderRecipe {
  switch (size) {
    case 'small':
      return {
        // A quarter of the pixels, one narrow layer: about 11 thousand operations.
        layers: sequential({
          grid: reshape(1, 28, 28),
          pool: avgPool(2),
          flat: reshape(196),
          scale: standard,
          hidden: linear(196, 24),
          act: activation('relu'),
          out: linear(24, 10),
        }),
        epochs: 8,
        batchSize: 128,
        rate: 0.01,
        weightDecay: 0.01,
        warp: { rotate: 0.1, scale: 0.06, shear: 0.06, shift: 0.7, blur: 0.5, weight: 0.2 },
      };
    case 'medium':
      return {
        // A plain network of two hidden layers: about 210 thousand operations.
        layers: sequential({
          scale: standard,
          hidden1: linear(784, 120),
          act1: activation('relu'),
          hidden2: linear(120, 80),
          act2: activation('relu'),
          out: linear(80, 10),
        }),
        epochs: 14,
        batchSize: 128,
        rate: 0.004,
        weightDecay: 0.02,
        warp: { rotate: 0.15, scale: 0.1, shear: 0.1, shift: 1.2, blur: 0.7, weight: 0.35 },
      };
    case 'large':
      return {
        // Three convolutions, two of them with stride 2 instead of pooling, and two dense layers: about 4.6 million operations.
        layers: sequential({
          grid: reshape(1, 28, 28),
          scale: standard,
          conv1: conv2d(1, 16, 4, { padding: 1, stride: 2 }),
          act1: activation('relu'),
          conv2: conv2d(16, 32, 3, { padding: 1 }),
          act2: activation('relu'),
          conv3: conv2d(32, 48, 4, { padding: 1, stride: 2 }),
          act3: activation('relu'),
          flat: reshape(48 * 7 * 7),
          hidden: linear(48 * 7 * 7, 64),
          act4: activation('relu'),
          out: linear(64, 10),
        }),
        epochs: 7,
        batchSize: 96,
        rate: 0.003,
        weightDecay: 0.05,
        warp: { rotate: 0.2, scale: 0.12, shear: 0.15, shift: 1.5, blur: 0.8, weight: 0.5 },
      };
    default:
      return size satisfies never;
  }
}

/** The config.json of a reader. */
export function readerConfig(size: ReaderSize, temperature = 1): ClassifierConfig {
  return {
    model_type: 'cairn_classifier',
    architectures: [`CairnDigitReader${size.charAt(0).toUpperCase()}${size.slice(1)}`],
    cairn_version: '0.1.0',
    dtype: 'float32',
    input_size: 784,
    input_meaning: '28 x 28 grey values from 0 (background) to 1 (ink), row by row, centred by mass as in MNIST',
    labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    temperature,
    layers: readerRecipe(size).layers,
  };
}
