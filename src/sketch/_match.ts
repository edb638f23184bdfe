// Recognising a trace: does it have a given structure, and what are its attributes in the order of that structure? One walk,
// so that an event of a known shape costs no new structure.
import { CairnError } from '../errors.ts';
import { signatureValues } from './compiled.ts';
import type { Structure } from './structure.ts';
import { outputsOf } from './trace.ts';
import { type Obj, type OneHotGroup, type StructureObject, TOLERANCE } from './types.ts';

/**
 * The attributes of a trace, or undefined when its shape is another one. Exponents are not part of the shape.
 * @returns [n]
 * @throws CairnError `sketch_attributes`, `sketch_norm`, `sketch_groups` for values outside their contract
 */
export function matchTrace(root: Obj | readonly Obj[], structure: Structure): Float64Array | undefined {
  const { objects, outputs, offsets } = structure;
  const index = new Map<Obj, number>();
  let next = 0;
  const visit = (o: Obj, depth: number): number => {
    const known = index.get(o);
    if (known !== undefined) return known;
    // A cycle cannot match; structureOf names it.
    if (depth > objects.length) return -1;
    const inputs = o.inputs ?? [];
    const children: number[] = [];
    for (const input of inputs) {
      const child = visit(input.object, depth + 1);
      if (child < 0) return -1;
      children.push(child);
    }
    const shape = objects[next];
    if (shape === undefined || !sameShape(o, shape)) return -1;
    for (let k = 0; k < children.length; k++) {
      const edge = shape.inputs[k]!;
      if (edge.object !== children[k] || edge.weight !== inputs[k]!.weight) return -1;
    }
    index.set(o, next);
    return next++;
  };
  const roots = outputsOf(root);
  if (roots.length !== outputs.length) return undefined;
  for (let k = 0; k < roots.length; k++) {
    if (visit(roots[k]!.object, 0) !== outputs[k]!.object) return undefined;
  }
  if (next !== objects.length) return undefined;
  const out = new Float64Array(structure.columns);
  for (const [o, i] of index) {
    checkAttributes(o);
    out.set(o.attributes, offsets[i]);
    if (o.signature !== undefined) out.set(signatureValues(o.signature), offsets[i]! + o.attributes.length);
  }
  return out;
}

function sameShape(o: Obj, shape: StructureObject): boolean {
  return (
    o.module === shape.module &&
    o.attributes.length === shape.size &&
    (o.inputs?.length ?? 0) === shape.inputs.length &&
    (o.signature !== undefined) === shape.signature &&
    (o.bag === true) === shape.bag &&
    sameGroups(o.groups ?? [], shape.groups)
  );
}

function sameGroups(a: readonly OneHotGroup[], b: readonly OneHotGroup[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  return a.every((g, i) => {
    const h = b[i]!;
    if (g.start !== h.start || g.size !== h.size) return false;
    const p = g.prior;
    const q = h.prior;
    if (p === q) return true;
    return p !== undefined && q !== undefined && p.length === q.length && p.every((v, k) => v === q[k]);
  });
}

function checkAttributes(o: Obj): void {
  const { attributes } = o;
  let norm2 = 0;
  for (let j = 0; j < attributes.length; j++) {
    const v = attributes[j]!;
    if (!(v >= 0 && v < Infinity)) {
      throw new CairnError('sketch_attributes', `Expected finite attributes >= 0 on '${o.module}', got ${v}.`, {
        hint: 'Split a signed attribute into its positive and its negative part.',
      });
    }
    norm2 += v * v;
  }
  for (const g of o.groups ?? []) {
    let ones = 0;
    for (let j = g.start; j < g.start + g.size; j++) {
      const v = attributes[j]!;
      if (v === 1) ones++;
      else if (v !== 0) ones = NaN;
    }
    if (ones !== 1) {
      throw new CairnError(
        'sketch_groups',
        `Expected one 1 and otherwise 0 in the group at ${g.start} of '${o.module}'.`,
      );
    }
    norm2 -= 1;
  }
  if (norm2 > 1 + 2 * TOLERANCE) {
    throw new CairnError(
      'sketch_norm',
      `Expected attributes of norm at most 1 on '${o.module}', got ${Math.sqrt(norm2)}.`,
      {
        hint: 'Divide by a power of two.',
      },
    );
  }
}
