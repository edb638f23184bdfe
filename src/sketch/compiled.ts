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
 * A (x − μ), touching only the columns of non-zero attributes, eight at a time: what it costs is reading those columns.
 * @param x [n]
 * @returns [d]
 */
export function compiledContent(compiled: Compiled, x: ArrayLike<number>): Float64Array {
  const { columns, dim, mean } = compiled;
  const out = new Float64Array(dim);
  for (let i = 0; i < dim; i++) out[i] = -mean[i]!;
  const used = new Uint32Array(x.length);
  let n = 0;
  for (let j = 0; j < x.length; j++) if (x[j] !== 0) used[n++] = j;
  let k = 0;
  for (; k + 7 < n; k += 8) addEight(out, columns, used.subarray(k, k + 8), x);
  for (; k < n; k++) {
    const v = x[used[k]!]!;
    const at = used[k]! * dim;
    for (let i = 0; i < dim; i++) out[i] = out[i]! + v * columns[at + i]!;
  }
  return out;
}

/** out += Σ x_j column_j over eight columns: one pass over `out`, so that reading the columns is nearly all there is. */
function addEight(out: Float64Array, columns: Float64Array, used: Uint32Array, x: ArrayLike<number>): void {
  const d = out.length;
  const [a, b, c, e] = [used[0]! * d, used[1]! * d, used[2]! * d, used[3]! * d];
  const [f, g, p, q] = [used[4]! * d, used[5]! * d, used[6]! * d, used[7]! * d];
  const [va, vb, vc, ve] = [x[used[0]!]!, x[used[1]!]!, x[used[2]!]!, x[used[3]!]!];
  const [vf, vg, vp, vq] = [x[used[4]!]!, x[used[5]!]!, x[used[6]!]!, x[used[7]!]!];
  for (let i = 0; i < d; i++) {
    const first = va * columns[a + i]! + vb * columns[b + i]! + (vc * columns[c + i]! + ve * columns[e + i]!);
    const second = vf * columns[f + i]! + vg * columns[g + i]! + (vp * columns[p + i]! + vq * columns[q + i]!);
    out[i] = out[i]! + (first + second);
  }
}

/** Signature bits as ±1/√32, after the attributes of their object. */
export function signatureValues(signature: number): Float64Array {
  return Float64Array.from(
    { length: SIGNATURE_BITS },
    (_, b) => ((signature >>> b) & 1 ? 1 : -1) / Math.sqrt(SIGNATURE_BITS),
  );
}
