// From a trace (objects with values) to its structure: checks, post-order, balanced exponents.
import { CairnError } from '../errors.ts';
import { amplitudes } from './amplitudes.ts';
import { columnsOf, Structure } from './structure.ts';
import { type Obj, type OneHotGroup, type StructureObject, TOLERANCE } from './types.ts';

/** Options of `structureOf`. */
export interface StructureOptions {
  /**
   * Divide the attributes of heavy objects by powers of two until all columns arrive with about equal norm, so that one
   * quantisation step serves all (default true). Without it an object's exponent is 0 unless its groups need more.
   */
  readonly balance?: boolean | undefined;
  readonly signatures?: boolean | undefined;
}

/**
 * The structure of a trace; checks module names, weights, groups and the absence of cycles.
 * @throws CairnError `sketch_cycle`, `sketch_weights`, `sketch_groups`, `sketch_module`, `sketch_signature`
 * @example
 * structureOf({ module: 'read', attributes: new Float32Array(4) }).columns; // 4
 */
export function structureOf(root: Obj | readonly Obj[], options: StructureOptions = {}): Structure {
  const roots = outputsOf(root);
  const index = new Map<Obj, number>();
  const open: Obj[] = [];
  const objects: StructureObject[] = [];
  const visit = (o: Obj): number => {
    const known = index.get(o);
    if (known !== undefined) return known;
    if (open.includes(o)) {
      const names = [...open.slice(open.indexOf(o)), o].map((x) => x.module).join(' → ');
      throw new CairnError('sketch_cycle', `Expected a trace without cycles, got ${names}.`, {
        hint: 'Remove the edge that leads back.',
      });
    }
    if (open.length > 64) throw new CairnError('sketch_depth', 'Expected a trace of depth at most 64, got more.');
    checkObject(o, options.signatures === true);
    open.push(o);
    const inputs = (o.inputs ?? []).map(({ object, weight }) => ({ object: visit(object), weight }));
    open.pop();
    objects.push({
      module: o.module,
      size: o.attributes.length,
      exponent: groupExponent(o),
      groups: o.groups ?? [],
      signature: o.signature !== undefined,
      bag: o.bag === true,
      inputs,
    });
    index.set(o, objects.length - 1);
    return objects.length - 1;
  };
  const outputs = roots.map(({ object, weight }) => ({ object: visit(object), weight }));
  const raw = new Structure(objects, outputs);
  return options.balance === false ? raw : balance(raw);
}

/** The output objects with their weights: one object, or several with equal weights. */
export function outputsOf(root: Obj | readonly Obj[]): readonly { object: Obj; weight: number }[] {
  const roots: readonly Obj[] = isList(root) ? root : [root];
  if (roots.length === 0) {
    throw new CairnError('sketch_empty', 'Expected at least one output object, got none.');
  }
  return roots.map((object) => ({ object, weight: 1 / roots.length }));
}

function isList(root: Obj | readonly Obj[]): root is readonly Obj[] {
  return Array.isArray(root);
}

/** Exponents such that every attribute column arrives within a factor √2 of the weakest one. */
function balance(structure: Structure): Structure {
  const { column } = amplitudes(structure);
  let least = Infinity;
  structure.objects.forEach((o, i) => {
    if (columnsOf(o) > 0) least = Math.min(least, column[i]! * 2 ** -o.exponent);
  });
  if (!Number.isFinite(least)) return structure;
  const objects = structure.objects.map((o, i) => {
    if (columnsOf(o) === 0) return o;
    const extra = Math.max(0, Math.round(Math.log2((column[i]! * 2 ** -o.exponent) / least)));
    return { ...o, exponent: o.exponent + extra };
  });
  return new Structure(objects, structure.outputs);
}

/** Several one-hot blocks have a norm above 1: the smallest exponent that brings them back. */
function groupExponent(o: Obj): number {
  const groups = o.groups ?? [];
  if (groups.length === 0) return 0;
  const inGroups = groups.reduce((s, g) => s + g.size, 0);
  const blocks = groups.length + (o.attributes.length > inGroups ? 1 : 0);
  return Math.ceil(Math.log2(Math.sqrt(blocks)) - 1e-12);
}

function checkObject(o: Obj, signatures: boolean): void {
  if (typeof o.module !== 'string' || o.module.length === 0 || o.module.length > 255) {
    throw new CairnError('sketch_module', `Expected a module name of 1 to 255 characters, got '${String(o.module)}'.`);
  }
  if (o.attributes.length > 65535) {
    throw new CairnError('sketch_attributes', `Expected at most 65535 attributes, got ${o.attributes.length}.`);
  }
  if (o.signature !== undefined && !signatures) {
    throw new CairnError('sketch_signature', `Expected no signature on '${o.module}' in a store without signatures.`, {
      hint: 'Set signatures: true in the specification.',
    });
  }
  const inputs = o.inputs ?? [];
  if (inputs.length > 0) {
    let sum = 0;
    for (const { weight } of inputs) {
      if (!(weight > 0)) {
        throw new CairnError('sketch_weights', `Expected positive weights below '${o.module}', got ${weight}.`);
      }
      sum += weight;
    }
    if (!(Math.abs(sum - 1) <= TOLERANCE)) {
      throw new CairnError('sketch_weights', `Expected the input weights of '${o.module}' to sum to 1, got ${sum}.`, {
        hint: 'Divide each weight by their sum.',
      });
    }
  }
  let end = 0;
  for (const g of o.groups ?? []) {
    checkGroup(o, g, end);
    end = g.start + g.size;
  }
}

function checkGroup(o: Obj, g: OneHotGroup, from: number): void {
  const ok = Number.isInteger(g.start) && Number.isInteger(g.size) && g.size >= 2;
  if (!ok || g.start < from || g.start + g.size > o.attributes.length) {
    throw new CairnError(
      'sketch_groups',
      `Expected ascending blocks inside ${o.attributes.length} attributes of '${o.module}', got ${g.start}+${g.size}.`,
      { hint: 'List groups in order, without overlap, with at least two classes.' },
    );
  }
  if (g.prior === undefined) return;
  const sum = g.prior.reduce((s, p) => s + p, 0);
  if (g.prior.length !== g.size || !g.prior.every((p) => p > 0) || Math.abs(sum - 1) > TOLERANCE) {
    throw new CairnError('sketch_groups', `Expected ${g.size} positive prior shares that sum to 1 on '${o.module}'.`);
  }
}
