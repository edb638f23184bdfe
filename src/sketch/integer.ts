// Sums of sketches that can be taken apart again: every contribution is rounded to whole steps once, so adding and
// subtracting are exact integer operations and leave no residue. For centroids, task means, bags of events.
import { CairnError } from '../errors.ts';
import { fullValues, type Readable } from './observe.ts';
import { sketcherOf } from './sketcher.ts';
import { roundTo, type StoredSketch } from './stored.ts';
import type { Structure } from './structure.ts';
import { expectSameMaps, type SketchSpec } from './types.ts';

/** A sum of sketches in whole steps. */
export interface IntegerSketch {
  readonly spec: SketchSpec;
  /** Value of one step, a power of two. */
  readonly step: number;
  /** How many sketches are in the sum. */
  readonly count: number;
  /** [d] whole numbers, exact up to 2^53. */
  readonly sums: Float64Array;
}

/** One step of the default grid: fine enough for sketches of depth four, coarse enough for ten million of them. */
export const DEFAULT_STEP = 2 ** -36;

/** The empty sum. */
export function emptySum(spec: SketchSpec, step = DEFAULT_STEP): IntegerSketch {
  if (!(step > 0) || !Number.isInteger(Math.log2(step))) {
    throw new CairnError('sketch_step', `Expected a power of two as step, got ${step}.`, { hint: 'Use 2 ** -36.' });
  }
  return { spec, step, count: 0, sums: new Float64Array(spec.dim) };
}

/**
 * One sketch in whole steps. Pass the sketch as it is stored, never its unrounded original, or subtracting it later
 * leaves a residue.
 * @param structure needed for stored content
 */
export function toInteger(sketch: Readable, structure?: Structure, step = DEFAULT_STEP): IntegerSketch {
  const sum = emptySum(sketch.spec, step);
  const values = fullValues(sketcherOf(sketch.spec), sketch, structure);
  for (let i = 0; i < values.length; i++) sum.sums[i] = whole(values[i]! / step);
  return { ...sum, count: 1 };
}

function whole(v: number): number {
  const magnitude = Math.floor(Math.abs(v) + 0.5);
  if (!(magnitude <= Number.MAX_SAFE_INTEGER)) {
    throw new CairnError('sketch_overflow', `Expected sums within 53 bits, got ${v}.`, { hint: 'Use a larger step.' });
  }
  return v < 0 ? -magnitude : magnitude;
}

/** a + b, exact. */
export function add(a: IntegerSketch, b: IntegerSketch): IntegerSketch {
  return combine(a, b, 1);
}

/** a − b, exact: what was added comes out without residue. */
export function subtract(a: IntegerSketch, b: IntegerSketch): IntegerSketch {
  return combine(a, b, -1);
}

function combine(a: IntegerSketch, b: IntegerSketch, sign: 1 | -1): IntegerSketch {
  expectSameMaps(a.spec, b.spec);
  if (a.step !== b.step) {
    throw new CairnError('sketch_step', `Expected sums with one step, got ${a.step} and ${b.step}.`);
  }
  const sums = new Float64Array(a.sums.length);
  for (let i = 0; i < sums.length; i++) sums[i] = whole(a.sums[i]! + sign * b.sums[i]!);
  return { spec: a.spec, step: a.step, count: a.count + sign * b.count, sums };
}

/** The sum divided by its count, as values. @returns [d] */
export function meanOf(sum: IntegerSketch): Float64Array {
  const scale = sum.count === 0 ? 0 : sum.step / sum.count;
  return Float64Array.from(sum.sums, (v) => v * scale);
}

/** The sum as a stored sketch in the bits of its specification, for export; the sum itself stays exact. */
export function exportSum(sum: IntegerSketch): StoredSketch {
  const values = Float64Array.from(sum.sums, (v) => v * sum.step);
  const shape = { part: 'full', structureHash: '0000000000000000', kept: values.length, order: 0 } as const;
  return { kind: 'stored', spec: sum.spec, ...shape, ...roundTo(values, sum.spec.store) };
}
