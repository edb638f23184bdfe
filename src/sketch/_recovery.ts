// Recovery of one-hot groups from fewer numbers than unknowns: orthogonal (vector) approximate message passing with a
// softmax denoiser, after Rangan, Schniter, Fletcher, "Vector Approximate Message Passing" (arXiv 1610.03082). The linear
// step uses the singular values of A, so that what columns of one class have in common does no harm.
import { linalg } from '../tensor/index.ts';
import type { Compiled } from './compiled.ts';
import { multiply, multiplyTransposed } from './_products.ts';
import { type GroupUnknown, groupRows, plainRows, type Unknowns } from './_unknowns.ts';

const { eigSym, gram, matmul, matmulTransposed, matrix, qr, transpose } = linalg;

/** The measurement of the group coordinates after projecting out the plain unknowns, in its singular basis. */
export interface GroupSystem {
  readonly unknowns: Unknowns;
  readonly rank: number;
  readonly measurements: number;
  /** [rank, groupSize] Uᵀ A in the eigenbasis of A Aᵀ. */
  readonly map: Float64Array;
  /** [rank, measurements] Uᵀ with the plain columns projected out. */
  readonly basis: Float64Array;
  /** [rank] eigenvalues of A Aᵀ. */
  readonly spectrum: Float64Array;
  /** Inner products of the columns of each group, (size − 1)² numbers one group after the other. */
  readonly local: Float64Array;
}

/** Bytes that a group system takes. */
export function groupSystemBytes(system: GroupSystem): number {
  return system.map.byteLength + system.basis.byteLength + system.local.byteLength;
}

/** Prepares a structure for recovery from the given coordinates: an eigendecomposition of that size, once. */
export function groupSystem(compiled: Compiled, unknowns: Unknowns, coordinates: Uint32Array): GroupSystem {
  const rows = coordinates.length;
  const a = transpose(matrix(unknowns.groupSize, rows, groupRows(compiled, unknowns, coordinates))); // [rows, z]
  const plain = matrix(unknowns.plain.length, rows, plainRows(compiled, unknowns, coordinates));
  for (let k = 0; k < plain.rows; k++) normaliseRow(plain.data, k, rows);
  const taken = Math.min(plain.rows, rows);
  if (taken > 0) {
    const { q } = qr(transpose(plain)); // [rows, taken]
    const shared = matmul(q, matmul(transpose(q), a));
    for (let i = 0; i < a.data.length; i++) a.data[i] = a.data[i]! - shared.data[i]!;
  }
  const size = unknowns.groupSize;
  const { map, basis, spectrum } = size < rows - taken ? wideBasis(a, size) : longBasis(a, rows - taken);
  const rank = spectrum.length;
  const local = localProducts(unknowns, map, rank);
  return { unknowns, rank, measurements: rows, map, basis, spectrum, local };
}

/** Fewer numbers than unknowns: eigenvectors of A Aᵀ. The projected directions are the `rank` smallest and drop out. */
function longBasis(a: linalg.Matrix, rank: number): Pick<GroupSystem, 'map' | 'basis' | 'spectrum'> {
  const rows = a.rows;
  const { values, vectors } = eigSym(gram(a));
  const basis = matrix(rank, rows);
  const spectrum = new Float64Array(rank);
  for (let k = 0; k < rank; k++) {
    const from = rows - 1 - k;
    spectrum[k] = Math.max(0, values[from]!);
    for (let i = 0; i < rows; i++) basis.data[k * rows + i] = vectors.data[i * rows + from]!;
  }
  return { map: matmulTransposed(basis, transpose(a)).data, basis: basis.data, spectrum };
}

/** More numbers than unknowns: eigenvectors V of Aᵀ A, from which U = A V Λ^-½; other directions hold only noise. */
function wideBasis(a: linalg.Matrix, size: number): Pick<GroupSystem, 'map' | 'basis' | 'spectrum'> {
  const { values, vectors } = eigSym(gram(transpose(a)));
  const largest = values[size - 1] ?? 0;
  const rank = values.filter((v) => v > 1e-12 * largest).length;
  const spectrum = new Float64Array(rank);
  const right = matrix(rank, size);
  const scaled = matrix(rank, size);
  for (let k = 0; k < rank; k++) {
    const from = size - 1 - k;
    const root = Math.sqrt(values[from]!);
    spectrum[k] = values[from]!;
    for (let j = 0; j < size; j++) {
      right.data[k * size + j] = vectors.data[j * size + from]! * root;
      scaled.data[k * size + j] = vectors.data[j * size + from]! / root;
    }
  }
  return { map: right.data, basis: matmulTransposed(scaled, a).data, spectrum };
}

function localProducts(unknowns: Unknowns, map: Float64Array, rank: number): Float64Array {
  const out = new Float64Array(unknowns.groups.reduce((s, g) => s + (g.size - 1) ** 2, 0));
  for (let k = 0; k < rank; k++) {
    const row = k * unknowns.groupSize;
    let p = 0;
    for (const { size, at } of unknowns.groups) {
      for (let a = 0; a < size - 1; a++) {
        const v = map[row + at + a]!;
        for (let b = 0; b < size - 1; b++) out[p] = out[p++]! + v * map[row + at + b]!;
      }
    }
  }
  return out;
}

function normaliseRow(data: Float64Array, row: number, length: number): void {
  let s = 0;
  for (let i = 0; i < length; i++) s += data[row * length + i]! ** 2;
  const scale = s > 0 ? 1 / Math.sqrt(s) : 0;
  for (let i = 0; i < length; i++) data[row * length + i] = data[row * length + i]! * scale;
}

/**
 * Misfit that pure rounding stays below for the given degrees of freedom: nine standard errors, because clipped 4-bit
 * codes have heavy tails. A wrong class leaves several times the rounding error.
 */
export function misfitLimit(freedom: number): number {
  return 1 + 9 / Math.sqrt(2 * Math.max(1, freedom));
}

/** What recovery returns. */
export interface GroupEstimate {
  /** Probability of every class, groups one after the other. */
  readonly posterior: Float64Array;
  /** Chosen class of every group. */
  readonly chosen: Int32Array;
  /** Root mean square of what the choice leaves unexplained, in units of the noise. */
  readonly misfit: number;
  /** The choice explains the numbers, and hardly any other choice could. */
  readonly settled: boolean;
  readonly iterations: number;
}

const DAMPING = 0.6;
const MAX_ITERATIONS = 60;

/**
 * Message passing until the hard choice explains the data within the noise, or the variance stands still.
 * @param y [measurements] content at the coordinates of the system
 * @param noise rms per number
 */
export function recoverGroups(system: GroupSystem, y: Float64Array, noise: number): GroupEstimate {
  const { unknowns, rank, map, spectrum } = system;
  const size = unknowns.groupSize;
  const target = rotate(system, y);
  const state = startState(unknowns);
  const { posterior, r1, r2, x1 } = state;
  const noise2 = noise * noise;
  const residual = new Float64Array(rank);
  const step = new Float64Array(size);
  const chosen = new Int32Array(unknowns.groups.length).fill(-1);
  const limit = misfitLimit(rank);
  let misfit = Infinity;
  let iterations = 0;
  let last = Infinity;
  while (iterations < MAX_ITERATIONS) {
    const first = iterations++ === 0;
    // Linear step: the best linear estimate around r2 with variance 1 / gamma2.
    let explained = 0;
    multiply(map, r2, residual);
    for (let k = 0; k < rank; k++) {
      const f = 1 / (spectrum[k]! + noise2 * state.gamma2);
      explained += spectrum[k]! * f;
      residual[k] = (target[k]! - residual[k]!) * f;
    }
    multiplyTransposed(map, residual, step);
    const a2 = clip(1 - explained / size);
    const keep = first ? 0 : 1 - DAMPING;
    for (let j = 0; j < size; j++) r1[j] = keep * r1[j]! + (1 - keep) * (r2[j]! + step[j]! / (1 - a2));
    state.gamma1 = dampPrecision(state.gamma1, (state.gamma2 * (1 - a2)) / a2, keep);
    // Denoising step: softmax per group around r1 with variance 1 / gamma1.
    const variance = denoise(unknowns.groups, state) / size;
    const a1 = clip(state.gamma1 * variance);
    for (let j = 0; j < size; j++) r2[j] = keep * r2[j]! + ((1 - keep) * (x1[j]! - a1 * r1[j]!)) / (1 - a1);
    state.gamma2 = dampPrecision(state.gamma2, (state.gamma1 * (1 - a1)) / a1, keep);
    if (choose(unknowns.groups, posterior, chosen)) {
      misfit = misfitOf(system, target, chosen) / noise;
      if (misfit <= limit) break;
    }
    if (variance < 1e-9 || (iterations > 8 && Math.abs(variance - last) < 1e-6 * last)) break;
    last = variance;
  }
  if (misfit > limit && canSettle(system, noise, 1)) {
    // Kept only when it explains everything: short of that it fits the noise and is worse than the marginals.
    const repaired = Int32Array.from(chosen);
    const after = polish(system, target, repaired) / noise;
    if (after <= limit) {
      chosen.set(repaired);
      misfit = after;
    }
  }
  const settled = misfit <= limit && canSettle(system, noise, Math.max(0.8, misfit));
  if (settled) conditional(system, target, chosen, noise, posterior);
  return { posterior, chosen, misfit, settled, iterations };
}

/**
 * Whether agreement with the numbers proves a choice: the expected count of other choices that would agree as well,
 * exp(entropy) times the share of the prior's spread within `misfit` times the noise, is below e^-5.
 */
function canSettle({ unknowns, spectrum }: GroupSystem, noise: number, misfit: number): boolean {
  let entropy = 0;
  let variance = 0;
  for (const g of unknowns.groups) {
    for (let c = 0; c < g.size; c++) entropy -= g.prior[c]! * g.logPrior[c]!;
    variance += 1 - g.prior.reduce((s, p) => s + p * p, 0);
  }
  variance /= Math.max(1, unknowns.groupSize);
  let log = entropy;
  for (const lambda of spectrum) {
    // A direction in which choices hardly differ neither proves nor disproves anything.
    log += Math.min(0, 0.5 + Math.log(misfit) - 0.5 * Math.log1p((lambda * variance) / (noise * noise)));
  }
  return log < -5;
}

interface State {
  posterior: Float64Array;
  r1: Float64Array;
  r2: Float64Array;
  x1: Float64Array;
  gamma1: number;
  gamma2: number;
}

function startState(unknowns: Unknowns): State {
  let classes = 0;
  let variance = 0;
  for (const g of unknowns.groups) {
    classes += g.size;
    variance += 1 - g.prior.reduce((s, p) => s + p * p, 0);
  }
  const size = unknowns.groupSize;
  const zeros = (): Float64Array => new Float64Array(size);
  return {
    posterior: new Float64Array(classes),
    r1: zeros(),
    r2: zeros(),
    x1: zeros(),
    gamma1: 0,
    gamma2: size / variance,
  };
}

function clip(a: number): number {
  return Math.min(1 - 1e-6, Math.max(1e-11, a));
}

/** Damps the standard deviation 1/√gamma. */
function dampPrecision(old: number, fresh: number, keep: number): number {
  return keep === 0 ? fresh : 1 / (keep / Math.sqrt(old) + (1 - keep) / Math.sqrt(fresh)) ** 2;
}

/** Posterior of every group and its mean x1 (relative to the prior mean); returns the summed posterior variance. */
function denoise(groups: readonly GroupUnknown[], state: State): number {
  const { posterior, r1, x1, gamma1 } = state;
  let total = 0;
  let p = 0;
  for (const g of groups) {
    const { size, basis, mean, at, logPrior } = g;
    let max = -Infinity;
    for (let c = 0; c < size; c++) {
      let s = 0;
      for (let a = 0; a < size - 1; a++) s += basis[a * size + c]! * (r1[at + a]! + mean[a]!);
      const score = logPrior[c]! + gamma1 * s;
      posterior[p + c] = score;
      if (score > max) max = score;
    }
    let sum = 0;
    for (let c = 0; c < size; c++) sum += posterior[p + c] = Math.exp(posterior[p + c]! - max);
    let square = 0;
    for (let c = 0; c < size; c++) {
      const q = posterior[p + c]! / sum;
      posterior[p + c] = q;
      square += q * q;
    }
    total += 1 - square;
    for (let a = 0; a < size - 1; a++) {
      let s = 0;
      for (let c = 0; c < size; c++) s += basis[a * size + c]! * posterior[p + c]!;
      x1[at + a] = s - mean[a]!;
    }
    p += size;
  }
  return total;
}

/** Most probable class of each group; true when any choice changed. */
function choose(groups: readonly GroupUnknown[], posterior: Float64Array, chosen: Int32Array): boolean {
  let changed = false;
  let p = 0;
  groups.forEach((g, i) => {
    let best = 0;
    for (let c = 1; c < g.size; c++) if (posterior[p + c]! > posterior[p + best]!) best = c;
    if (chosen[i] !== best) changed = true;
    chosen[i] = best;
    p += g.size;
  });
  return changed;
}

/** Uᵀ y with the plain unknowns projected out. */
function rotate(system: GroupSystem, y: Float64Array): Float64Array {
  const out = new Float64Array(system.rank);
  multiply(system.basis, y, out);
  return out;
}

/** What a choice leaves unexplained. @returns [rank] */
function unexplained(system: GroupSystem, target: Float64Array, chosen: Int32Array): Float64Array {
  const { unknowns, rank, map } = system;
  const z = new Float64Array(unknowns.groupSize);
  unknowns.groups.forEach((g, i) => {
    for (let a = 0; a < g.size - 1; a++) z[g.at + a] = g.basis[a * g.size + chosen[i]!]! - g.mean[a]!;
  });
  const out = new Float64Array(rank);
  multiply(map, z, out);
  for (let k = 0; k < rank; k++) out[k] = target[k]! - out[k]!;
  return out;
}

function misfitOf(system: GroupSystem, target: Float64Array, chosen: Int32Array): number {
  return rms(unexplained(system, target, chosen));
}

function rms(v: Float64Array): number {
  let s = 0;
  for (const x of v) s += x * x;
  return v.length === 0 ? 0 : Math.sqrt(s / v.length);
}

/** Gain of every single change: ‖residual − A (e_to − e_chosen)‖² − ‖residual‖², classes of all groups in a row. */
function gainsOf(system: GroupSystem, residual: Float64Array, chosen: Int32Array, gains: Float64Array): void {
  const { unknowns, map, local } = system;
  const correlation = new Float64Array(unknowns.groupSize);
  multiplyTransposed(map, residual, correlation);
  let p = 0;
  let corner = 0;
  unknowns.groups.forEach((g, i) => {
    const n = g.size - 1;
    const move = new Float64Array(n);
    for (let c = 0; c < g.size; c++) {
      for (let a = 0; a < n; a++) move[a] = g.basis[a * g.size + c]! - g.basis[a * g.size + chosen[i]!]!;
      let gain = 0;
      for (let a = 0; a < n; a++) {
        let s = -2 * correlation[g.at + a]!;
        for (let b = 0; b < n; b++) s += local[corner + a * n + b]! * move[b]!;
        gain += s * move[a]!;
      }
      gains[p + c] = gain;
    }
    p += g.size;
    corner += n * n;
  });
}

/**
 * Single changes of one group that explain more, best first, until none does: repairs a choice that is almost right.
 * Changes `chosen`; returns the rms of what stays unexplained.
 */
function polish(system: GroupSystem, target: Float64Array, chosen: Int32Array): number {
  const { groups } = system.unknowns;
  const gains = new Float64Array(groups.reduce((s, g) => s + g.size, 0));
  let residual = unexplained(system, target, chosen);
  for (let round = 0; round < 2 * groups.length; round++) {
    gainsOf(system, residual, chosen, gains);
    let best = -1e-9 * system.rank * rms(residual) ** 2;
    let change: { group: number; to: number } | undefined;
    let p = 0;
    groups.forEach((g, group) => {
      for (let to = 0; to < g.size; to++, p++) {
        if (gains[p]! >= best) continue;
        best = gains[p]!;
        change = { group, to };
      }
    });
    if (change === undefined) break;
    chosen[change.group] = change.to;
    residual = unexplained(system, target, chosen);
  }
  return rms(residual);
}

/** Posterior of every group given that the choice of all others is right: what remains in doubt once data and choice agree. */
function conditional(
  system: GroupSystem,
  target: Float64Array,
  chosen: Int32Array,
  noise: number,
  posterior: Float64Array,
): void {
  gainsOf(system, unexplained(system, target, chosen), chosen, posterior);
  let p = 0;
  for (const { size, logPrior } of system.unknowns.groups) {
    let max = -Infinity;
    for (let c = 0; c < size; c++) {
      posterior[p + c] = logPrior[c]! - posterior[p + c]! / (2 * noise * noise);
      max = Math.max(max, posterior[p + c]!);
    }
    let sum = 0;
    for (let c = 0; c < size; c++) sum += posterior[p + c] = Math.exp(posterior[p + c]! - max);
    for (let c = 0; c < size; c++) posterior[p + c] = posterior[p + c]! / sum;
    p += size;
  }
}
