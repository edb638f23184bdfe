// A user's picture becomes the 81 cell images that readers take.
import { findBoard, readPng, toDigitImage } from '../../data/index.ts';
import { CELLS, PIXELS, type BoardPicture } from './cells.ts';

/**
 * Reads a PNG, finds the board in it and brings every cell into the form of an MNIST digit.
 * @throws CairnError for bytes that are no PNG, pictures that are too small or hold no ink; each says what to do
 */
export function cutPicture(png: Uint8Array): BoardPicture {
  const { cells } = findBoard(readPng(png));
  const pixels = new Float32Array(CELLS * PIXELS);
  cells.forEach((cell, i) => pixels.set(toDigitImage(cell).pixels, i * PIXELS));
  return { cells: pixels };
}
