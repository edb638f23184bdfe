import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { packZip } from './_testing.ts';
import { createGray, writePng } from './image/index.ts';
import { DRAWING_SIDE, readDrawings } from './omniglot.ts';
import { drawBend, NO_BEND, prepareDrawing, sampleDrawing } from './warp-drawing.ts';

const archive = (files: readonly (readonly [string, Uint8Array])[]): Uint8Array =>
  packZip(files.map(([name, data]) => ({ name, data, method: 8 })));

/** A sheet with one black rectangle. */
function sheet(x: number, y: number, width: number, height: number, side = DRAWING_SIDE): Uint8Array {
  const image = createGray(side, side);
  for (let r = y; r < y + height; r++) image.data.fill(0, r * side + x, r * side + x + width);
  return writePng(image);
}

test('drawings are read from several archives, each once, in a fixed order', () => {
  const a = sheet(10, 20, 30, 5);
  const b = sheet(50, 50, 5, 40);
  const one = archive([
    ['set1/Greek/character02/0002_01.png', b],
    ['set1/Greek/character01/0001_02.png', a],
    ['set1/readme.txt', Buffer.from('nothing')],
  ]);
  const two = archive([
    ['set2/Greek/character01/0901_02.png', a],
    ['set2/Arcadian/character01/0700_01.png', b],
  ]);
  const drawings = readDrawings([one, two]);
  expect(drawings.characters).toEqual(['Arcadian/character01', 'Greek/character01', 'Greek/character02']);
  expect(drawings.alphabets).toEqual(['Arcadian', 'Greek']);
  expect([...drawings.alphabetOf]).toEqual([0, 1, 1]);
  expect([...drawings.character]).toEqual([0, 1, 2]);
  expect([...drawings.drawer]).toEqual([1, 2, 1]);
  const ink = drawings.images.subarray(DRAWING_SIDE ** 2, 2 * DRAWING_SIDE ** 2);
  expect(ink.reduce((s, v) => s + v, 0)).toBe(150);
  expect(ink[20 * DRAWING_SIDE + 10]).toBe(1);
  expect(() => readDrawings([archive([['x.txt', a]])])).toThrow(/got none/);
  expect(() => readDrawings([archive([['s/A/character01/1_1.png', sheet(1, 1, 2, 2, 20)]])])).toThrow(/105 x 105/);
});

test('place and size of a drawing do not change its sample; quarter turns turn it', () => {
  const sample = (image: Uint8Array, turns = 0, bend = NO_BEND): Float32Array => {
    const out = new Float32Array(28 * 28);
    sampleDrawing(prepareDrawing(image), bend, turns, 28, out);
    return out;
  };
  const box = (x: number, y: number, w: number, h: number): Uint8Array => {
    const image = new Uint8Array(DRAWING_SIDE ** 2);
    for (let r = y; r < y + h; r++) image.fill(1, r * DRAWING_SIDE + x, r * DRAWING_SIDE + x + w);
    return image;
  };
  const far = (a: Float32Array, b: Float32Array): number => a.reduce((s, v, i) => s + Math.abs(v - b[i]!), 0) / 784;
  const here = sample(box(20, 30, 40, 16));
  expect(here.reduce((s, v) => s + v, 0)).toBeGreaterThan(50);
  expect(far(here, sample(box(40, 50, 40, 16)))).toBeLessThan(1e-6);
  expect(far(here, sample(box(20, 30, 60, 24)))).toBeLessThan(0.03);
  const turned = sample(box(20, 30, 40, 16), 1);
  const standing = sample(box(30, 20, 16, 40));
  expect(far(turned, standing)).toBeLessThan(0.01);
  expect(far(here, standing)).toBeGreaterThan(0.1);
  const bend = drawBend(new Rng(7), { rotate: 15, scale: 0.2, shear: 0.2, shift: 2, elastic: 1 });
  expect(far(here, sample(box(20, 30, 40, 16), 0, bend))).toBeGreaterThan(0.01);
  expect(far(here, sample(box(20, 30, 40, 16), 0, drawBend(new Rng(1), NONE)))).toBe(0);
  expect(sample(new Uint8Array(DRAWING_SIDE ** 2)).every((v) => v === 0)).toBe(true);
});

const NONE = { rotate: 0, scale: 0, shear: 0, shift: 0, elastic: 0 };
