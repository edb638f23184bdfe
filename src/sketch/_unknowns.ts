// The unknowns of a structure as decoders count them: plain columns, and one-hot groups in coordinates without the
// direction that is known (their sum is 1), so a group of k classes costs k − 1 unknowns.
import type { Compiled } from './compiled.ts';
import type { Structure } from './structure.ts';
import { columnsOf } from './structure.ts';

/** A one-hot group among the unknowns. */
export interface GroupUnknown {
  readonly object: number;
  /** First attribute within the object. */
  readonly start: number;
  /** First column of A. */
  readonly column: number;
  readonly size: number;
  /** First of its size − 1 coordinates z. */
  readonly at: number;
  readonly prior: Float64Array;
  readonly logPrior: Float64Array;
  /** [size − 1, size] orthonormal rows orthogonal to (1, …, 1). */
  readonly basis: Float64Array;
  /** [size − 1] basis · prior. */
  readonly mean: Float64Array;
}

/** All unknowns of a structure. */
export interface Unknowns {
  /** Columns of A outside groups, ascending. */
  readonly plain: Uint32Array;
  readonly groups: readonly GroupUnknown[];
  /** Number of group coordinates. */
  readonly groupSize: number;
  /** plain.length + groupSize. */
  readonly count: number;
}

/** Splits the columns of a structure. */
export function unknownsOf(structure: Structure): Unknowns {
  const plain: number[] = [];
  const groups: GroupUnknown[] = [];
  const bases = new Map<number, Float64Array>();
  let at = 0;
  structure.objects.forEach((o, object) => {
    const offset = structure.offsets[object]!;
    let j = 0;
    for (const g of o.groups) {
      for (; j < g.start; j++) plain.push(offset + j);
      let basis = bases.get(g.size);
      if (basis === undefined) bases.set(g.size, (basis = helmert(g.size)));
      const prior = Float64Array.from({ length: g.size }, (_, c) => g.prior?.[c] ?? 1 / g.size);
      const mean = Float64Array.from({ length: g.size - 1 }, (_, a) => dotRow(basis, a, prior));
      const shape = { object, start: g.start, column: offset + g.start, size: g.size, at };
      groups.push({ ...shape, prior, logPrior: prior.map(Math.log), basis, mean });
      at += g.size - 1;
      j += g.size;
    }
    for (; j < columnsOf(o); j++) plain.push(offset + j);
  });
  return { plain: Uint32Array.from(plain), groups, groupSize: at, count: plain.length + at };
}

function dotRow(basis: Float64Array, row: number, v: Float64Array): number {
  let s = 0;
  for (let c = 0; c < v.length; c++) s += basis[row * v.length + c]! * v[c]!;
  return s;
}

/** Helmert's orthonormal contrasts of k classes. @returns [k − 1, k] */
function helmert(k: number): Float64Array {
  const out = new Float64Array((k - 1) * k);
  for (let i = 1; i < k; i++) {
    const unit = 1 / Math.sqrt(i * (i + 1));
    for (let j = 0; j < i; j++) out[(i - 1) * k + j] = unit;
    out[(i - 1) * k + i] = -i * unit;
  }
  return out;
}

/** Group coordinates as rows of numbers at the given coordinates. @returns [groupSize, rows] */
export function groupRows(compiled: Compiled, unknowns: Unknowns, coordinates: Uint32Array): Float64Array {
  const rows = coordinates.length;
  const out = new Float64Array(unknowns.groupSize * rows);
  for (const g of unknowns.groups) {
    for (let a = 0; a < g.size - 1; a++) {
      const target = (g.at + a) * rows;
      for (let c = 0; c < g.size; c++) {
        const h = g.basis[a * g.size + c]!;
        if (h === 0) continue;
        const source = (g.column + c) * compiled.dim;
        for (let i = 0; i < rows; i++)
          out[target + i] = out[target + i]! + h * compiled.columns[source + coordinates[i]!]!;
      }
    }
  }
  return out;
}

/** Plain columns as rows of numbers at the given coordinates. @returns [plain, rows] */
export function plainRows(compiled: Compiled, unknowns: Unknowns, coordinates: Uint32Array): Float64Array {
  const rows = coordinates.length;
  const out = new Float64Array(unknowns.plain.length * rows);
  unknowns.plain.forEach((column, k) => {
    const source = column * compiled.dim;
    for (let i = 0; i < rows; i++) out[k * rows + i] = compiled.columns[source + coordinates[i]!]!;
  });
  return out;
}
