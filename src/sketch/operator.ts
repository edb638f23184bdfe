// The sketch of a structure as a linear operator, applied by recursion: attributes → sketch and its adjoint. This is the
// readable version and the oracle of the compiled encoder. It never forms a matrix.
import { CairnError } from '../errors.ts';
import type { Maps } from './maps.ts';
import type { Structure } from './structure.ts';
import { columnsOf } from './structure.ts';
import { SIGNATURE_BITS, type StructureEdge } from './types.ts';

/** What `applyOperator` adds up. */
export interface ApplyOptions {
  /** Add the known presence markers ½ R_{M,2} e₁ of all objects. */
  readonly markers: boolean;
  /** Objects carry signatures: shares of ⅓ instead of ½. */
  readonly signatures: boolean;
  /** Receives each object's own sketch, in the order of the structure. */
  readonly parts?: Float64Array[];
}

/**
 * s = A x (+ markers). Cost: inputs + 4 maps per object.
 * @param x [n] unknowns of all objects in the order of the structure, before division by 2^exponent
 * @returns [d]
 */
export function applyOperator(
  maps: Maps,
  structure: Structure,
  x: ArrayLike<number>,
  options: ApplyOptions,
): Float64Array {
  const share = options.signatures ? 1 / 3 : 1 / 2;
  expectRoom(maps, structure);
  const own: Float64Array[] = [];
  structure.objects.forEach((o, i) => {
    const v = new Float64Array(maps.dim);
    const offset = structure.offsets[i]!;
    const scale = share * 2 ** -o.exponent;
    let used = false;
    for (let j = 0; j < o.size; j++) {
      const value = x[offset + j]!;
      v[j] = scale * value;
      used ||= value !== 0;
    }
    if (used) maps.rotate(maps.map('attribute', o.module), v);
    if (o.signature) {
      const c = new Float64Array(maps.dim);
      for (let j = 0; j < SIGNATURE_BITS; j++) c[j] = scale * x[offset + o.size + j]!;
      maps.rotate(maps.map('signature', o.module), c);
      addTo(v, c, 1);
      used = true;
    }
    if (options.markers) {
      const marker = new Float64Array(maps.dim);
      marker[0] = share;
      maps.rotate(maps.map('marker', o.module), marker);
      addTo(v, marker, 1);
      used = true;
    }
    if (used) maps.mix(maps.map('fixed', 'attributes'), v, 0.5);
    if (o.inputs.length > 0) {
      const tuple = tupleOf(maps, structure, o.inputs, own, o.bag);
      maps.mix(maps.map('fixed', 'inputs'), tuple, 0.5);
      addTo(v, tuple, 1);
    }
    maps.mix(maps.map('module', o.module), v);
    own.push(v);
  });
  if (options.parts !== undefined) options.parts.push(...own);
  return tupleOf(maps, structure, structure.outputs, own, false);
}

/**
 * x = Aᵀ y, the adjoint of `applyOperator` without markers.
 * @param y [d]
 * @returns [n]
 */
export function applyAdjoint(maps: Maps, structure: Structure, y: Float64Array, signatures: boolean): Float64Array {
  const share = signatures ? 1 / 3 : 1 / 2;
  const out = new Float64Array(structure.columns);
  const gradients: (Float64Array | undefined)[] = structure.objects.map(() => undefined);
  const push = (edges: readonly StructureEdge[], from: Float64Array, bag: boolean): void => {
    edges.forEach(({ object, weight }, position) => {
      const g = Float64Array.from(from);
      maps.mixBack(positionMap(maps, structure, object, position, bag), g, weight);
      const known = gradients[object];
      if (known === undefined) gradients[object] = g;
      else addTo(known, g, 1);
    });
  };
  push(structure.outputs, y, false);
  for (let i = structure.objects.length - 1; i >= 0; i--) {
    const o = structure.objects[i]!;
    const g = gradients[i];
    if (g === undefined) continue;
    maps.mixBack(maps.map('module', o.module), g);
    if (o.inputs.length > 0) {
      const below = Float64Array.from(g);
      maps.mixBack(maps.map('fixed', 'inputs'), below, 0.5);
      push(o.inputs, below, o.bag);
    }
    if (columnsOf(o) === 0) continue;
    maps.mixBack(maps.map('fixed', 'attributes'), g, 0.5);
    const scale = share * 2 ** -o.exponent;
    const offset = structure.offsets[i]!;
    if (o.signature) {
      const c = Float64Array.from(g);
      maps.rotateBack(maps.map('signature', o.module), c, SIGNATURE_BITS);
      for (let j = 0; j < SIGNATURE_BITS; j++) out[offset + o.size + j] = scale * c[j]!;
    }
    maps.rotateBack(maps.map('attribute', o.module), g, o.size);
    for (let j = 0; j < o.size; j++) out[offset + j] = scale * g[j]!;
    gradients[i] = undefined;
  }
  return out;
}

function tupleOf(
  maps: Maps,
  structure: Structure,
  edges: readonly StructureEdge[],
  own: readonly Float64Array[],
  bag: boolean,
): Float64Array {
  const sum = new Float64Array(maps.dim);
  edges.forEach(({ object, weight }, position) => {
    const term = Float64Array.from(own[object]!);
    maps.mix(positionMap(maps, structure, object, position, bag), term, weight);
    addTo(sum, term, 1);
  });
  return sum;
}

/** Ordered inputs are told apart by position; those of a bag share one map per module. */
export function positionMap(
  maps: Maps,
  structure: Structure,
  object: number,
  position: number,
  bag: boolean,
): ReturnType<Maps['map']> {
  return bag ? maps.map('bag', structure.objects[object]!.module) : maps.map('position', position);
}

/** Throws when an object has more attributes than the sketch has numbers. */
export function expectRoom(maps: Maps, structure: Structure): void {
  for (const o of structure.objects) {
    if (o.size <= maps.dim) continue;
    throw new CairnError(
      'sketch_attributes',
      `Expected at most ${maps.dim} attributes on '${o.module}', got ${o.size}.`,
      {
        hint: 'Use a larger dim or split the object.',
      },
    );
  }
}

/** a += factor · b. */
export function addTo(a: Float64Array, b: ArrayLike<number>, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + factor * b[i]!;
}
