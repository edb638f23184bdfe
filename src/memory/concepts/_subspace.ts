// A noisy subspace as a code for points: directions with large variance, the rest with small variance. Its code length says
// which points it explains better than the background does, and of which dimension it should be. Internal to discovery.
import { eigSym, linalg, matrix, type Matrix } from '../../tensor/index.ts';
import { rowsOf, stack } from './_orthonormal.ts';

/** Variances below this share of the background count as this: exact points are not infinitely precise. */
const VARIANCE_FLOOR = 1e-9;

export interface Subspace {
  readonly basis: Matrix; // [rank, k]
  /** Variance along the basis and off it, per direction. */
  readonly along: number;
  readonly off: number;
}

/** Principal directions of some points: eigenvectors of their second moment, strongest first. */
export function principal(
  points: readonly Float64Array[],
  members: ArrayLike<number>,
): { values: number[]; rows: Float64Array[] } {
  const k = points[0]!.length;
  const m = members.length;
  if (m < k) return principalFew(points, members);
  const moment = matrix(k, k);
  for (let a = 0; a < m; a++) {
    const p = points[members[a]!]!;
    for (let i = 0; i < k; i++)
      for (let j = 0; j <= i; j++) moment.data[i * k + j] = moment.data[i * k + j]! + p[i]! * p[j]!;
  }
  const { values, vectors } = eigSym(moment);
  const rows = rowsOf(linalg.transpose(vectors)).reverse();
  return { values: Array.from(values, (v) => Math.max(0, v) / m).reverse(), rows };
}

/** The same through the products of fewer points than directions: their span is all there is. */
function principalFew(
  points: readonly Float64Array[],
  members: ArrayLike<number>,
): { values: number[]; rows: Float64Array[] } {
  const k = points[0]!.length;
  const m = members.length;
  const gram = matrix(m, m);
  for (let a = 0; a < m; a++) {
    const p = points[members[a]!]!;
    for (let b = 0; b <= a; b++) {
      const r = points[members[b]!]!;
      let s = 0;
      for (let i = 0; i < k; i++) s += p[i]! * r[i]!;
      gram.data[a * m + b] = s;
    }
  }
  const { values, vectors } = eigSym(gram);
  const out: { values: number[]; rows: Float64Array[] } = { values: [], rows: [] };
  for (let c = m - 1; c >= 0; c--) {
    const value = values[c]!;
    if (value <= 1e-12 * values[m - 1]! || value <= 0) break;
    const row = new Float64Array(k);
    for (let a = 0; a < m; a++) {
      const w = vectors.data[a * m + c]! / Math.sqrt(value);
      const p = points[members[a]!]!;
      for (let i = 0; i < k; i++) row[i] = row[i]! + w * p[i]!;
    }
    out.values.push(value / m);
    out.rows.push(row);
  }
  return out;
}

/** Energy of each point along the basis. */
export function energyAlong(basis: Matrix, points: readonly Float64Array[]): Float64Array {
  const { data, cols: k } = basis;
  const out = new Float64Array(points.length);
  for (let n = 0; n < points.length; n++) {
    const p = points[n]!;
    let sum = 0;
    for (let at = 0; at < data.length; at += k) {
      let c = 0;
      for (let i = 0; i < k; i++) c += data[at + i]! * p[i]!;
      sum += c * c;
    }
    out[n] = sum;
  }
  return out;
}

/** Nats for a direction with this variance, up to the constants that all codes share. */
const nats = (variance: number): number => 0.5 * Math.log(Math.max(variance, VARIANCE_FLOOR));

/**
 * Nats that a subspace of `rank` of `k` directions saves for `members` points against unit variance everywhere, its own
 * parameters paid: one direction costs as much as one point off it costs, and a choice among all points.
 */
export function saving(k: number, rank: number, members: number, along: number, off: number, all: number): number {
  const nullity = k - rank;
  const perPoint = -(rank * nats(along) + nullity * nats(off));
  const parameters = rank * nullity * (nats(along) - nats(off) + 0.5 * Math.log(members));
  return members * (perPoint - Math.log(all / members)) - Math.max(0, parameters) - (rank + 1) * Math.log(all);
}

/** The subspace of the members whose rank has the shortest code, and what it saves. */
export function fitSubspace(
  points: readonly Float64Array[],
  members: readonly number[],
  maxRank: number,
  all: number,
): { subspace: Subspace; saved: number } {
  const k = points[0]!.length;
  const { values, rows } = principal(points, members);
  const total = values.reduce((s, v) => s + v, 0);
  let best: { rank: number; along: number; off: number; saved: number } | undefined;
  let along = 0;
  for (let rank = 1; rank <= Math.min(maxRank, rows.length, k - 1); rank++) {
    along += values[rank - 1]!;
    const freedom = Math.max(0.5, members.length - rank) / members.length;
    const variances = { along: along / rank, off: Math.max(0, total - along) / ((k - rank) * freedom) };
    const saved = saving(k, rank, members.length, variances.along, variances.off, all);
    if (best === undefined || saved > best.saved) best = { rank, ...variances, saved };
  }
  const { rank, saved, ...variances } = best!;
  return { subspace: { basis: stack(rows.slice(0, rank), k), ...variances }, saved };
}

/** Nats of a point under a subspace, up to the same constants; the background has `0.5 * energy`. */
export function pointCost(subspace: Subspace, energy: number, along: number): number {
  const { rows: rank, cols: k } = subspace.basis;
  const off = Math.max(subspace.off, VARIANCE_FLOOR);
  const row = Math.max(subspace.along, VARIANCE_FLOOR);
  return rank * nats(row) + (k - rank) * nats(off) + (0.5 * along) / row + (0.5 * Math.max(0, energy - along)) / off;
}
