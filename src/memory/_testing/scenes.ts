// Made-up events for the tests of this folder: boards of one-hot cells, and scenes of parts with real attributes.
import type { Obj } from '../../sketch/index.ts';
import type { Rng } from '../../tensor/index.ts';

/** A one-hot object. */
export function oneHot(module: string, chosen: number, classes: number): Obj {
  const attributes = new Float32Array(classes);
  attributes[chosen] = 1;
  return { module, attributes, groups: [{ start: 0, size: classes }] };
}

/** A board: solve-board over read-board over cells of `classes` classes, 0 more often than the others. */
export function board(digits: readonly number[], classes = 10): Obj {
  const cells = digits.map((d) => ({ object: oneHot('read-digit', d, classes), weight: 1 / digits.length }));
  const read: Obj = { module: 'read-board', attributes: Float32Array.of(0.5), inputs: cells };
  return { module: 'solve-board', attributes: Float32Array.of(0.3), inputs: [{ object: read, weight: 1 }] };
}

export function randomDigits(rng: Rng, cells = 81, classes = 10): number[] {
  return Array.from({ length: cells }, () => (rng.bernoulli(0.6) ? 0 : 1 + rng.integer(classes - 1)));
}

/** A part with attributes of norm at most 1. */
export function part(module: string, rng: Rng, size = 8): Obj {
  const attributes = new Float32Array(size);
  let norm = 0;
  for (let i = 0; i < size; i++) {
    attributes[i] = rng.uniform();
    norm += attributes[i]! ** 2;
  }
  for (let i = 0; i < size; i++) attributes[i]! /= Math.sqrt(norm) * 1.000001;
  return { module, attributes };
}

/** A scene of parts with equal weights. */
export function scene(parts: readonly Obj[]): Obj {
  return {
    module: 'scene',
    attributes: new Float32Array(2),
    inputs: parts.map((object) => ({ object, weight: 1 / parts.length })),
  };
}
