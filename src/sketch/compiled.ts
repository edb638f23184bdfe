// The compiled encoder: for a fixed structure the sketch is s = base + A (x − μ), so A is formed once and an event costs
// one column per non-zero attribute. The recursion in operator.ts stays as its oracle.
import type { Maps } from './maps.ts';
import { addTo, expectRoom, positionMap } from './operator.ts';
import { columnsOf, type Structure } from './structure.ts';
import { SIGNATURE_BITS, type StructureObject } from './types.ts';

/** A structure with its matrix. */
export interface Compiled {
  readonly structure: Structure;
  readonly dim: number;
  /** A, column after column: column j is `columns.subarray(j * dim, (j + 1) * dim)`. */
  readonly columns: Float64Array;
  /** A μ, [d]. */
  readonly mean: Float64Array;
}

/** Bytes that a compiled structure takes. */
export function compiledBytes(structure: Structure, dim: number): number {
  return structure.columns * dim * 8;
}

/**
 * What is expected of every attribute before it is seen: the prior of its one-hot group, 0 elsewhere.
 * @returns [n]
 */
export function meanAttributes(structure: Structure): Float64Array {
  const mean = new Float64Array(structure.columns);
  structure.objects.forEach((o, i) => {
    for (const g of o.groups) {
      for (let j = 0; j < g.size; j++) mean[structure.offsets[i]! + g.start + j] = g.prior?.[j] ?? 1 / g.size;
    }
  });
  return mean;
}

/** Forms A by the same recursion as the operator, on all columns of a subtree at once. */
export function compile(maps: Maps, structure: Structure, signatures: boolean): Compiled {
  expectRoom(maps, structure);
  const d = maps.dim;
  const subtree: Map<number, Float64Array>[] = [];
  const leaves = new Map<string, Float64Array[]>();
  const remaining = useCounts(structure);
  const collect = (into: Map<number, Float64Array>, o: Pick<StructureObject, 'inputs' | 'bag'>): void => {
    o.inputs.forEach(({ object, weight }, position) => {
      const map = positionMap(maps, structure, object, position, o.bag);
      for (const [j, column] of subtree[object]!) {
        const term = Float64Array.from(column);
        maps.mix(map, term, weight);
        const known = into.get(j);
        if (known === undefined) into.set(j, term);
        else addTo(known, term, 1);
      }
      remaining[object] = remaining[object]! - 1;
      if (remaining[object] === 0) subtree[object] = new Map();
    });
  };
  structure.objects.forEach((o, i) => {
    const all = new Map<number, Float64Array>();
    collect(all, o);
    for (const column of all.values()) {
      maps.mix(maps.map('fixed', 'inputs'), column, 0.5);
      maps.mix(maps.map('module', o.module), column);
    }
    const key = `${o.module}\0${o.size}\0${o.exponent}\0${o.signature}`;
    let own = leaves.get(key);
    if (own === undefined) {
      own = ownColumns(maps, o, signatures);
      leaves.set(key, own);
    }
    own.forEach((column, j) => all.set(structure.offsets[i]! + j, column));
    subtree.push(all);
  });
  const event = new Map<number, Float64Array>();
  collect(event, { inputs: structure.outputs, bag: false });
  const columns = new Float64Array(structure.columns * d);
  for (const [j, column] of event) columns.set(column, j * d);
  const mean = new Float64Array(d);
  meanAttributes(structure).forEach((m, j) => {
    if (m !== 0) addTo(mean, columns.subarray(j * d, (j + 1) * d), m);
  });
  return { structure, dim: d, columns, mean };
}

/** How often each object is an input or an output; its columns can be dropped after the last use. */
function useCounts(structure: Structure): Int32Array {
  const counts = new Int32Array(structure.objects.length);
  for (const edges of [...structure.objects.map((o) => o.inputs), structure.outputs]) {
    for (const { object } of edges) counts[object] = counts[object]! + 1;
  }
  return counts;
}

/** T_{M,0} ½ T_attr · share · 2^-exponent · R_{M,j} e_k for every attribute and signature bit. */
function ownColumns(maps: Maps, o: StructureObject, signatures: boolean): Float64Array[] {
  const scale = (signatures ? 1 / 3 : 1 / 2) * 2 ** -o.exponent;
  return Array.from({ length: columnsOf(o) }, (_, j) => {
    const v = new Float64Array(maps.dim);
    v[j < o.size ? j : j - o.size] = scale;
    maps.rotate(maps.map(j < o.size ? 'attribute' : 'signature', o.module), v);
    maps.mix(maps.map('fixed', 'attributes'), v, 0.5);
    maps.mix(maps.map('module', o.module), v);
    return v;
  });
}

/**
 * A (x − μ), touching only the columns of non-zero attributes, four at a time.
 * @param x [n]
 * @returns [d]
 */
export function compiledContent(compiled: Compiled, x: ArrayLike<number>): Float64Array {
  const { columns, dim, mean } = compiled;
  const out = new Float64Array(dim);
  for (let i = 0; i < dim; i++) out[i] = -mean[i]!;
  const used: number[] = [];
  for (let j = 0; j < x.length; j++) if (x[j]! !== 0) used.push(j);
  let k = 0;
  for (; k + 3 < used.length; k += 4) {
    const a = used[k]! * dim;
    const b = used[k + 1]! * dim;
    const c = used[k + 2]! * dim;
    const e = used[k + 3]! * dim;
    const va = x[used[k]!]!;
    const vb = x[used[k + 1]!]!;
    const vc = x[used[k + 2]!]!;
    const ve = x[used[k + 3]!]!;
    for (let i = 0; i < dim; i++) {
      out[i] = out[i]! + (va * columns[a + i]! + vb * columns[b + i]! + (vc * columns[c + i]! + ve * columns[e + i]!));
    }
  }
  for (; k < used.length; k++) {
    const v = x[used[k]!]!;
    const at = used[k]! * dim;
    for (let i = 0; i < dim; i++) out[i] = out[i]! + v * columns[at + i]!;
  }
  return out;
}

/** Signature bits as ±1/√32, after the attributes of their object. */
export function signatureValues(signature: number): Float64Array {
  return Float64Array.from(
    { length: SIGNATURE_BITS },
    (_, b) => ((signature >>> b) & 1 ? 1 : -1) / Math.sqrt(SIGNATURE_BITS),
  );
}
