// The events of the torture: boards of sixteen one-hot cells.
import type { Obj } from 'cairn/sketch';
import { Rng } from 'cairn/tensor';

export const CELLS = 16;
export const CLASSES = 5;

export function cell(digit: number, classes: number): Obj {
  const attributes = new Float32Array(classes);
  attributes[digit] = 1;
  return { module: 'read-digit', attributes, groups: [{ start: 0, size: classes }] };
}

export function board(digits: readonly number[], classes: number): Obj {
  const inputs = digits.map((digit) => ({ object: cell(digit, classes), weight: 1 / digits.length }));
  const read: Obj = { module: 'read-board', attributes: Float32Array.of(0.5), inputs };
  return { module: 'solve-board', attributes: Float32Array.of(0.3), inputs: [{ object: read, weight: 1 }] };
}

/** The digits of the n-th board of a writer. */
export function digitsOf(seed: string, n: number): number[] {
  const rng = new Rng(`${seed}/${n}`);
  return Array.from({ length: CELLS }, () => rng.integer(CLASSES));
}
