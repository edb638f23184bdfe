import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { loadMnist } from '../mnist.ts';
import { findBoard } from './find-board.ts';
import { createGray, resample, resize, rotate, type GrayImage } from './gray.ts';
import { readPng, writePng } from './png.ts';
import { renderBoard } from './render-board.ts';
import { toDigitImage } from './to-digit.ts';

const mnist = loadMnist('test');

/** Digits 1 to 9 of the test set in about a third of the cells. */
function boardOf(rng: Rng): (Uint8Array | undefined)[] {
  return Array.from({ length: 81 }, () => {
    if (rng.bernoulli(0.6)) return undefined;
    let k = rng.integer(mnist.count);
    while (mnist.labels[k] === 0) k = rng.integer(mnist.count);
    return mnist.images.slice(784 * k, 784 * (k + 1));
  });
}

/** How far the digits that were cut out are from the ones that were drawn. */
function compare(cells: readonly (Uint8Array | undefined)[], image: GrayImage) {
  const found = findBoard(image);
  const differences: number[] = [];
  let wrongBlanks = 0;
  found.cells.forEach((cell, at) => {
    const { pixels, blank } = toDigitImage(cell);
    const drawn = cells[at];
    if (blank !== (drawn === undefined)) wrongBlanks++;
    if (drawn === undefined || blank) return;
    differences.push(pixels.reduce((sum, v, i) => sum + Math.abs(v - drawn[i]! / 255), 0) / 784);
  });
  const mean = differences.reduce((sum, v) => sum + v, 0) / differences.length;
  return { found, mean, worst: Math.max(...differences), wrongBlanks };
}

function map(image: GrayImage, change: (value: number, x: number, y: number) => number): GrayImage {
  const data = image.data.map((v, i) =>
    Math.min(255, Math.max(0, change(v, i % image.width, Math.floor(i / image.width)))),
  );
  return { ...image, data };
}

const rng = new Rng(90);
const cells = boardOf(rng);
const plain = renderBoard(cells, { cell: 56, margin: 40 });

describe('gray', () => {
  it('keeps an image that is not scaled, and its mean when it is', () => {
    const whole = { x: 0, y: 0, width: plain.width, height: plain.height };
    expect(Buffer.compare(resample(plain, whole, plain.width, plain.height).data, plain.data)).toBe(0);
    const half = resize(plain, plain.width / 2, plain.height / 2);
    const mean = (image: GrayImage): number => image.data.reduce((sum, v) => sum + v, 0) / image.data.length;
    expect(Math.abs(mean(half) - mean(plain))).toBeLessThan(0.1);
    expect(Buffer.compare(rotate(plain, 0).data, plain.data)).toBe(0);
  });

  it('names sides that are none', () => {
    expect(() => createGray(0, 5)).toThrow('Expected sides of at least one pixel, got 0 x 5.');
  });
});

describe('board images', () => {
  it.each([
    [28, 0.002],
    [48, 0.02],
    [56, 0.016],
    [84, 0.016],
  ])('cells of %i pixels give the digits back', (cell, limit) => {
    for (let i = 0; i < 2; i++) {
      const drawn = boardOf(rng);
      const { found, mean, worst, wrongBlanks } = compare(drawn, readPng(writePng(renderBoard(drawn, { cell }))));
      expect(found.grid).toBe('lines');
      expect(wrongBlanks).toBe(0);
      expect(mean).toBeLessThan(limit);
      expect(worst).toBeLessThan(limit + 0.03);
    }
  });

  it.each<[string, GrayImage, string, number]>([
    ['no margin', renderBoard(cells, { cell: 56, margin: 0 }), 'lines', 0.03],
    ['box lines only', renderBoard(cells, { cell: 56, line: 0, boxLine: 5 }), 'boxes', 0.02],
    ['no lines at all', renderBoard(cells, { cell: 56, line: 0, boxLine: 0, margin: 0 }), 'even', 0.02],
    ['grey ink on grey paper', renderBoard(cells, { cell: 56, ink: 120, paper: 220 }), 'lines', 0.02],
    ['light ink on dark paper', renderBoard(cells, { cell: 56, ink: 210, paper: 30 }), 'lines', 0.02],
    ['uneven light', map(plain, (v, x) => v * (0.45 + (0.55 * x) / plain.width)), 'lines', 0.02],
    ['noise', map(plain, (v) => v + 15 * rng.normal()), 'lines', 0.02],
    ['a turn of 2 degrees', rotate(plain, 2), 'lines', 0.03],
    ['a turn of -4 degrees', rotate(plain, -4), 'lines', 0.03],
    ['another scale', resize(plain, 450, 450), 'lines', 0.04],
    ['a stretched picture', resize(plain, 650, 560), 'lines', 0.04],
    ['a large picture', resize(plain, 1450, 1450), 'lines', 0.025],
  ])('%s', (_, image, grid, limit) => {
    const { found, mean, wrongBlanks } = compare(cells, image);
    expect(found.grid).toBe(grid);
    expect(wrongBlanks).toBe(0);
    expect(mean).toBeLessThan(limit);
  });

  it('finds the board anywhere in the picture and says where', () => {
    const canvas = createGray(900, 700);
    for (let y = 0; y < plain.height; y++) {
      canvas.data.set(plain.data.subarray(y * plain.width, (y + 1) * plain.width), (y + 30) * 900 + 280);
    }
    const { found, mean } = compare(cells, canvas);
    expect(mean).toBeLessThan(0.02);
    expect(Math.abs(found.bounds.x - 320)).toBeLessThan(1.5);
    expect(Math.abs(found.bounds.y - 70)).toBeLessThan(1.5);
    expect(Math.abs(found.bounds.width - 504)).toBeLessThan(2);
  });

  it('says why a picture has no board', () => {
    expect(() => findBoard(createGray(89, 200))).toThrow('Expected an image of at least 90 x 90 pixels, got 89 x 200.');
    expect(() => findBoard(createGray(200, 200))).toThrow('Expected a board in the image, got no ink at all.');
    expect(() => findBoard(map(createGray(200, 200, 230), (v) => v + 4 * rng.normal()))).toThrow('no ink at all');
    const wide = createGray(400, 150);
    wide.data.fill(0, 400 * 70, 400 * 70 + 200);
    wide.data.fill(0, 400 * 80, 400 * 90);
    expect(() => findBoard(wide)).toThrow(
      'Expected grid lines or a square picture of the board alone, got 400 x 150 pixels',
    );
  });
});

describe('digits', () => {
  it('centres and scales a digit that lies elsewhere in its cell', () => {
    let total = 0;
    for (let k = 0; k < 60; k++) {
      const digit = { width: 28, height: 28, data: mnist.images.slice(784 * k, 784 * (k + 1)).map((v) => 255 - v) };
      const cell = createGray(100, 100);
      const small = resize(digit, 62, 62);
      for (let y = 0; y < 62; y++) cell.data.set(small.data.subarray(y * 62, (y + 1) * 62), (y + 30) * 100 + 10);
      const { pixels } = toDigitImage(cell);
      total += pixels.reduce((sum, v, i) => sum + Math.abs(v - mnist.images[784 * k + i]! / 255), 0) / 784;
    }
    // Half a pixel of shift is lost to the whole-pixel moves of MNIST itself.
    expect(total / 60).toBeLessThan(0.06);
  });

  it('sees no digit in an empty cell, in specks and in what is left of lines', () => {
    const cell = createGray(60, 60);
    expect(toDigitImage(cell)).toMatchObject({ blank: true, ink: 0 });
    cell.data.fill(0, 0, 60 * 3);
    for (let y = 0; y < 60; y++) cell.data.fill(40, y * 60 + 57, y * 60 + 60);
    cell.data[30 * 60 + 30] = 0;
    cell.data[31 * 60 + 30] = 90;
    const { blank, pixels } = toDigitImage(cell);
    expect(blank).toBe(true);
    expect(pixels.every((v) => v === 0)).toBe(true);
  });

  it('takes no digit of the test set for a blank', () => {
    for (let k = 0; k < 1000; k++) {
      const data = mnist.images.slice(784 * k, 784 * (k + 1)).map((v) => 255 - v);
      const { blank, ink } = toDigitImage({ width: 28, height: 28, data });
      expect(blank).toBe(false);
      expect(ink).toBeGreaterThan(0.02);
    }
  });
});
