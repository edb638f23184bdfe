// The reference scene: twelve objects in two levels with known attributes, and how far a reading is from them.
import type { Obj, SketchSpec } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';

/** Outputs of a scene. */
export const OBJECTS = 4;
/** Inputs of each output. */
export const PARTS = 2;
/** Attributes of each object. */
export const ATTRIBUTES = 16;
/** Attributes as they are, without powers of two between the levels. */
export const UNBALANCED = { balance: false } as const;

export function specOf(dim: SketchSpec['dim'], seed: string | number): SketchSpec {
  return { dim, seed: `lab:${seed}`, family: 'hd3', store: 'i8', signatures: false };
}

export function unitAttributes(rng: Rng, m = ATTRIBUTES): Float32Array {
  const x = Float64Array.from({ length: m }, () => rng.uniform());
  const norm = Math.sqrt(x.reduce((s, v) => s + v * v, 0)) * (1 + 1e-7);
  return Float32Array.from(x, (v) => v / norm);
}

/** Four objects of different modules, each with two parts of different modules. */
export function scene(rng: Rng): Obj[] {
  return Array.from({ length: OBJECTS }, (_, i) => ({
    module: `object-${i}`,
    attributes: unitAttributes(rng),
    inputs: Array.from({ length: PARTS }, (_, j) => ({
      object: { module: `part-${i}-${j}`, attributes: unitAttributes(rng) },
      weight: 1 / PARTS,
    })),
  }));
}

/** All objects of a scene with the paths they have in a sketch. */
export function objectsOf(objects: readonly Obj[]): { path: string; depth: 1 | 2; object: Obj }[] {
  return objects.flatMap((object, i) => [
    { path: `${i}`, depth: 1 as const, object },
    ...object.inputs!.map((p, j) => ({ path: `${i}/${j}`, depth: 2 as const, object: p.object })),
  ]);
}

export function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}

export function squared(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}

export function mean(values: readonly number[]): number {
  return values.reduce((s, v) => s + v, 0) / values.length;
}
