// Events that the tests of this folder share: the reference scene and a board. Not part of the public API.
import type { Rng } from '../tensor/index.ts';
import type { Obj, SketchSpec } from './types.ts';

export const SPEC: SketchSpec = { dim: 1024, seed: 'test', family: 'hd3', store: 'i8', signatures: false };

/** m numbers uniform in [0, 1], normalised. */
export function unitAttributes(rng: Rng, m: number): Float32Array {
  const x = Float64Array.from({ length: m }, () => rng.uniform());
  const norm = Math.sqrt(x.reduce((s, v) => s + v * v, 0)) * (1 + 1e-7);
  return Float32Array.from(x, (v) => v / norm);
}

/** Four objects of different modules, each with two parts of different modules: the reference scene of 12 objects. */
export function scene(rng: Rng, m = 16): Obj[] {
  return [0, 1, 2, 3].map((i) => ({
    module: `object-${i}`,
    attributes: unitAttributes(rng, m),
    inputs: [0, 1].map((j) => ({
      object: { module: `part-${i}-${j}`, attributes: unitAttributes(rng, m) },
      weight: 0.5,
    })),
  }));
}

/** 60 % blanks, the rest spread over the digits. */
export function blankPrior(classes: number): number[] {
  return [0.6, ...Array.from({ length: classes - 1 }, () => 0.4 / (classes - 1))];
}

/** A handwritten board as it was read and solved: cells of one class each below two objects with real attributes. */
export function board(rng: Rng, count = 81, classes = 10): Obj {
  const prior = blankPrior(classes);
  const groups = [{ start: 0, size: classes, prior }];
  const cells = Array.from({ length: count }, () => {
    const attributes = new Float32Array(classes);
    attributes[rng.categorical(prior)] = 1;
    return { module: 'read-digit', attributes, groups };
  });
  const inputs = cells.map((object) => ({ object, weight: 1 / count }));
  const read = { module: 'read-board', attributes: unitAttributes(rng, 4), inputs };
  return { module: 'solve-board', attributes: unitAttributes(rng, 6), inputs: [{ object: read, weight: 1 }] };
}

/** A 6 x 6 board and a store that is as full with it as 1,024 numbers are with a 9 x 9 one: cheap to factor. */
export const SMALL: SketchSpec = { ...SPEC, dim: 512 };
export function smallBoard(rng: Rng): Obj {
  return board(rng, 36, 7);
}

/** Largest absolute difference. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}

export function norm(v: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < v.length; i++) s += v[i]! ** 2;
  return Math.sqrt(s);
}

export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i]! * b[i]!;
  return s;
}
