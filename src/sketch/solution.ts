// All unknowns of a sketch at once. With one-hot groups: choose the classes (from as few numbers as suffice, then verify on
// all), and fit the rest exactly. Without: least squares. Every estimate comes with its standard error.
import { amplitudes } from './amplitudes.ts';
import { compiledBytes, compiledContent, meanAttributes } from './compiled.ts';
import { conjugateGradient } from './_conjugate-gradient.ts';
import { type LeastSquares, leastSquares, leastSquaresBytes, residualOf, solveLeastSquares } from './_least-squares.ts';
import {
  type GroupEstimate,
  type GroupSystem,
  groupSystem,
  groupSystemBytes,
  misfitLimit,
  recoverGroups,
} from './_recovery.ts';
import { groupRows, plainRows, type Unknowns, unknownsOf } from './_unknowns.ts';
import { head, type Observation, padded } from './observe.ts';
import { applyAdjoint } from './operator.ts';
import type { Sketcher } from './sketcher.ts';
import { columnsOf, type Structure } from './structure.ts';

/** Estimates of all attributes of an event. */
export interface Solution {
  readonly how: 'matched' | 'solve' | 'groups';
  /** [n] */
  readonly x: Float64Array;
  /** [objects] rms error expected per attribute outside groups (of all attributes for `solve` and `matched`). */
  readonly err: Float64Array;
  /** rms of what stays unexplained, in units of the rounding error. */
  readonly misfit: number;
  /** Whether the unexplained part is no larger than the rounding error allows. */
  readonly consistent: boolean;
  /** The kept numbers leave no doubt about the classes; true when there are none. */
  readonly settled: boolean;
  /** Class probabilities of all groups, with `groups` only. */
  readonly posterior: Float64Array | undefined;
  readonly chosen: Int32Array | undefined;
  readonly reason?: string | undefined;
}

/** Unknowns that a factor is formed for; beyond it conjugate gradients run without a matrix. */
const FACTOR_LIMIT = 1500;
/** Least squares needs this many kept numbers per unknown. */
const ROOM = 1.25;

/** Unknowns of a structure, computed once. */
export function unknowns(sketcher: Sketcher, structure: Structure): Unknowns {
  return sketcher.derived(
    structure,
    'unknowns',
    () => 0,
    () => unknownsOf(structure),
  );
}

/** Whether the matrix of a structure may be formed. */
export function canCompile(sketcher: Sketcher, structure: Structure): boolean {
  return structure.columns <= 4 * FACTOR_LIMIT && compiledBytes(structure, sketcher.spec.dim) <= 96 << 20;
}

/** Relative size below which a misfit is rounding of the arithmetic, not of the store. */
function noiseFloor(observation: Observation): number {
  let power = 0;
  for (const v of observation.y) power += v * v;
  return Math.max(observation.noise, 1e-9 * Math.sqrt(power / Math.max(1, observation.kept)), 1e-300);
}

/** x̂ = μ + (d/d')/a² · Aᵀ y for every column: needs no inversion, has cross-talk. */
export function matchedSolution(sketcher: Sketcher, observation: Observation, structure: Structure): Solution {
  const { dim, signatures } = sketcher.spec;
  const full = padded(observation, dim);
  const back = applyAdjoint(sketcher.maps, structure, full, signatures);
  const mean = meanAttributes(structure);
  const { column } = amplitudes(structure, signatures);
  const ratio = dim / observation.kept;
  let power = 0;
  for (const v of observation.y) power += v * v;
  // ‖s‖² + d σ² of the full sketch, both seen through the kept numbers.
  const energy = ratio * power;
  const err = new Float64Array(structure.objects.length);
  const x = Float64Array.from(mean);
  structure.objects.forEach((o, i) => {
    const a = column[i]! * 2 ** -o.exponent;
    const offset = structure.offsets[i]!;
    for (let j = 0; j < columnsOf(o); j++) x[offset + j] = x[offset + j]! + (ratio * back[offset + j]!) / (a * a);
    err[i] = Math.sqrt(energy) / (a * Math.sqrt(observation.kept));
  });
  return {
    how: 'matched',
    x,
    err,
    misfit: NaN,
    consistent: true,
    settled: true,
    posterior: undefined,
    chosen: undefined,
  };
}

/** Least squares over all unknowns; falls back to `matched` with err = Infinity when there are too few numbers. */
export function leastSquaresSolution(sketcher: Sketcher, observation: Observation, structure: Structure): Solution {
  const parts = unknowns(sketcher, structure);
  if (parts.count * ROOM > observation.kept) {
    const fallback = matchedSolution(sketcher, observation, structure);
    const reason = `more unknowns than kept numbers (${parts.count} unknowns, ${observation.kept} numbers)`;
    return { ...fallback, err: fallback.err.fill(Infinity), reason };
  }
  const noise = noiseFloor(observation);
  if (parts.count > FACTOR_LIMIT || !canCompile(sketcher, structure)) {
    return iterativeSolution(sketcher, observation, structure, noise);
  }
  const ls = factorOf(sketcher, structure, observation, 'all');
  const u = solveLeastSquares(ls, observation.y);
  const rest = residualOf(ls, observation.y, u);
  const x = expand(structure, parts, u);
  const freedom = observation.kept - parts.count;
  const misfit = Math.sqrt(dot(rest, rest) / freedom) / noise;
  const scale = observation.noise > 0 ? observation.noise : noise;
  const err = errorsOf(structure, parts, ls.spread, scale);
  const consistent = misfit <= misfitLimit(freedom);
  return { how: 'solve', x, err, misfit, consistent, settled: true, posterior: undefined, chosen: undefined };
}

function iterativeSolution(
  sketcher: Sketcher,
  observation: Observation,
  structure: Structure,
  noise: number,
): Solution {
  const { dim, signatures } = sketcher.spec;
  const { column } = amplitudes(structure, signatures);
  const columnNorms = new Float64Array(structure.columns);
  const err = new Float64Array(structure.objects.length);
  const n = structure.columns;
  structure.objects.forEach((o, i) => {
    const a = column[i]! * 2 ** -o.exponent;
    columnNorms.fill(a, structure.offsets[i]!, structure.offsets[i]! + columnsOf(o));
    err[i] = noise / (a * Math.sqrt(observation.kept / dim) * Math.sqrt(1 - n / observation.kept));
  });
  const { x, residual } = conjugateGradient(sketcher.maps, structure, observation.coordinates, observation.y, {
    signatures,
    columnNorms,
    noise: observation.noise,
  });
  const mean = meanAttributes(structure);
  const freedom = Math.max(1, observation.kept - n);
  const misfit = (residual * Math.sqrt(observation.kept / freedom)) / noise;
  const consistent = misfit <= misfitLimit(freedom);
  const shifted = x.map((v, j) => v + mean[j]!);
  return { how: 'solve', x: shifted, err, misfit, consistent, settled: true, posterior: undefined, chosen: undefined };
}

/** The factor of a structure for a set of kept numbers, cached: of all unknowns, or of those outside groups. */
export function factorOf(
  sketcher: Sketcher,
  structure: Structure,
  observation: Observation,
  which: 'all' | 'plain',
): LeastSquares {
  return sketcher.derived(structure, `factor:${which}:${observation.key}`, leastSquaresBytes, () => {
    const parts = unknowns(sketcher, structure);
    const compiled = sketcher.compiled(structure);
    const plain = plainRows(compiled, parts, observation.coordinates);
    if (which === 'plain') return leastSquares(plain, parts.plain.length, observation.kept);
    const rows = new Float64Array(parts.count * observation.kept);
    rows.set(groupRows(compiled, parts, observation.coordinates));
    rows.set(plain, parts.groupSize * observation.kept);
    return leastSquares(rows, parts.count, observation.kept);
  });
}

/** Unknowns back to attributes: μ + basisᵀ z for groups. */
function expand(structure: Structure, parts: Unknowns, u: Float64Array): Float64Array {
  const x = meanAttributes(structure);
  for (const g of parts.groups) {
    for (let c = 0; c < g.size; c++) {
      let s = x[g.column + c]!;
      for (let a = 0; a < g.size - 1; a++) s += g.basis[a * g.size + c]! * u[g.at + a]!;
      x[g.column + c] = s;
    }
  }
  parts.plain.forEach((column, k) => {
    x[column] = u[parts.groupSize + k]!;
  });
  return x;
}

/** rms over the unknowns of each object of spread × noise. */
function errorsOf(structure: Structure, parts: Unknowns, spread: Float64Array, noise: number): Float64Array {
  const power = new Float64Array(structure.objects.length);
  for (const g of parts.groups) {
    for (let a = 0; a < g.size - 1; a++) power[g.object] = power[g.object]! + spread[g.at + a]! ** 2;
  }
  let object = 0;
  parts.plain.forEach((column, k) => {
    while (object + 1 < structure.offsets.length && structure.offsets[object + 1]! <= column) object++;
    power[object] = power[object]! + spread[parts.groupSize + k]! ** 2;
  });
  return power.map((p, i) => noise * Math.sqrt(p / Math.max(1, columnsOf(structure.objects[i]!))));
}

/** The group system of a structure for a set of kept numbers, cached. */
export function groupSystemOf(sketcher: Sketcher, structure: Structure, observation: Observation): GroupSystem {
  return sketcher.derived(structure, `groups:${observation.key}`, groupSystemBytes, () =>
    groupSystem(sketcher.compiled(structure), unknowns(sketcher, structure), observation.coordinates),
  );
}

/** Numbers with which recovery starts: 1.6 times the entropy of the groups in nats, plus the plain unknowns. */
function firstRows(parts: Unknowns): number {
  let entropy = 0;
  for (const g of parts.groups) for (let c = 0; c < g.size; c++) entropy -= g.prior[c]! * g.logPrior[c]!;
  return Math.max(64, 64 * Math.ceil((1.6 * entropy + parts.plain.length) / 64));
}

/** Chooses the class of every group, from twice the numbers when the first choice does not explain them, then fits the rest. */
export function groupSolution(sketcher: Sketcher, observation: Observation, structure: Structure): Solution {
  const parts = unknowns(sketcher, structure);
  const noise = noiseFloor(observation);
  const first = firstRows(parts);
  // What twice the numbers do not settle, more will not either: it is noise, damage or another structure.
  const most = Math.min(observation.kept, 2 * first);
  let rows = Math.min(most, first);
  for (;;) {
    const part = head(observation, rows);
    const system = groupSystemOf(sketcher, structure, part);
    const estimate = recoverGroups(system, part.y, noise);
    const solution = fitRest(sketcher, observation, structure, parts, estimate, noise);
    if ((solution.consistent && solution.settled) || rows === most) return solution;
    rows = most;
  }
}

/** With the classes fixed, least squares for what is left; the residual over all kept numbers is the verdict. */
function fitRest(
  sketcher: Sketcher,
  observation: Observation,
  structure: Structure,
  parts: Unknowns,
  estimate: GroupEstimate,
  noise: number,
): Solution {
  const x = new Float64Array(structure.columns);
  parts.groups.forEach((g, i) => {
    x[g.column + estimate.chosen[i]!] = 1;
  });
  const known = compiledContent(sketcher.compiled(structure), x);
  const rest = Float64Array.from(observation.coordinates, (c, i) => observation.y[i]! - known[c]!);
  const freedom = Math.max(1, observation.kept - parts.plain.length);
  const err = new Float64Array(structure.objects.length);
  let unexplained: Float64Array = rest;
  let reason: string | undefined;
  if (parts.plain.length > 0 && parts.plain.length * ROOM <= observation.kept) {
    const ls = factorOf(sketcher, structure, observation, 'plain');
    const u = solveLeastSquares(ls, rest);
    unexplained = residualOf(ls, rest, u);
    const { settled } = estimate;
    parts.plain.forEach((column, k) => {
      x[column] = settled ? u[k]! : Math.min(1, Math.max(0, u[k]!));
    });
    const level = settled ? noise : Math.hypot(noise, doubt(sketcher, structure, parts, estimate));
    err.set(errorsOf(structure, { ...parts, groups: [], groupSize: 0 }, ls.spread, level));
    if (!settled) err.forEach((e, i) => (err[i] = Math.min(1, e)));
  } else if (parts.plain.length > 0) {
    reason = `more unknowns than kept numbers (${parts.plain.length} unknowns, ${observation.kept} numbers)`;
    for (const column of parts.plain) err[ownerOf(structure, column)] = Infinity;
  }
  const misfit = Math.sqrt(dot(unexplained, unexplained) / freedom) / noise;
  const consistent = misfit <= misfitLimit(freedom);
  return {
    how: 'groups',
    x,
    err,
    misfit,
    consistent,
    settled: estimate.settled,
    posterior: estimate.posterior,
    chosen: estimate.chosen,
    reason,
  };
}

/** rms per number of what wrong classes are expected to leave in the sketch: ‖A (e_true − e_chosen)‖² is about 2 a². */
function doubt(sketcher: Sketcher, structure: Structure, parts: Unknowns, estimate: GroupEstimate): number {
  const { column } = amplitudes(structure, sketcher.spec.signatures);
  let power = 0;
  let p = 0;
  parts.groups.forEach((g, i) => {
    const wrong = 1 - estimate.posterior[p + estimate.chosen[i]!]!;
    power += 2 * wrong * (column[g.object]! * 2 ** -structure.objects[g.object]!.exponent) ** 2;
    p += g.size;
  });
  return Math.sqrt(power / sketcher.spec.dim);
}

function ownerOf(structure: Structure, column: number): number {
  let object = 0;
  while (object + 1 < structure.offsets.length && structure.offsets[object + 1]! <= column) object++;
  return object;
}

function dot(a: Float64Array, b: Float64Array): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i]! * b[i]!;
  return s;
}
