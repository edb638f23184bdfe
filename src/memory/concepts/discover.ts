// Finds the concepts in an unlabelled mixture of points: every point with its neighbours proposes subspaces, a code length
// says how many points each explains and of which dimension it is, the best are taken one by one, then points are shared out
// again. Dimensions, noise and number of concepts are unknown. After the discovery of 2310.12143; the code length is ours.
import { CairnError } from '../../errors.ts';
import { eigSym, matrix, Rng } from '../../tensor/index.ts';
import { dot } from './_orthonormal.ts';
import { energyAlong, fitSubspace, pointCost, principal, saving, type Subspace } from './_subspace.ts';
import { stack } from './_orthonormal.ts';
import { chooseCut, SPARE_SAMPLES } from './cut.ts';

export interface DiscoverOptions {
  /** Largest dimension of a concept's row space that is tried; by default two thirds of the directions in use, at most 10. */
  readonly maxRank?: number;
  /** Points of the mixture that propose; 96 by default. */
  readonly proposers?: number;
  /** Least members of a concept, besides twice its dimension; 8 by default. */
  readonly minMembers?: number;
  readonly seed?: string | number;
}

export interface DiscoveredConcept {
  /** Indices into the points, rising. */
  readonly members: readonly number[];
  /** Dimension of the row space. */
  readonly rank: number;
  /** Nats saved against the background, all costs paid. */
  readonly saved: number;
}

/** Directions weaker than this share of the middle one are not brought to its strength: they may be noise. */
const WEAKEST = 0.25;

interface Candidate {
  readonly rank: number;
  /** Energy off the subspace, per point. */
  readonly off: Float64Array;
  /** Points by rising energy off the subspace. */
  readonly order: Uint32Array;
}

interface Group extends DiscoveredConcept {
  readonly subspace: Subspace;
}

/**
 * Groups points into concepts; points that fit none are in no group. Largest saving first.
 *
 * @param features points as features, each [k]
 * @throws CairnError `dimension_mismatch`
 * @example
 * discover(points.map((x) => map.apply(x))).map((c) => c.members.length);
 */
export function discover(features: readonly Float64Array[], options: DiscoverOptions = {}): DiscoveredConcept[] {
  const minMembers = options.minMembers ?? 8;
  if (features.length < minMembers) return [];
  const { points, saved } = whiten(features);
  const k = points[0]!.length;
  const least = (rank: number): number => Math.max(minMembers, 2 * rank);
  // When nothing is to be told apart, all points may be one concept; fewer points than features always leave some unused.
  const enough = features.length >= Math.max(least(k), features[0]!.length + SPARE_SAMPLES);
  const whole = saved > 0 && enough ? [{ members: features.map((_, i) => i), rank: k, saved }] : [];
  if (k < 2) return whole;
  const maxRank = Math.max(1, Math.min(options.maxRank ?? Math.min(10, Math.floor((2 * k) / 3)), k - 1));
  // Only directions speak at first: points near the origin would otherwise be a group of their own.
  const directions = points.map((p) => unit(p));
  const candidates = propose(directions, maxRank, options);
  let groups = takeBest(directions, candidates, maxRank, least);
  groups = mergeGroups(directions, groups, maxRank);
  for (let pass = 0; pass < 2; pass++) groups = reassign(directions, groups, maxRank, least);
  // Then the points themselves, whose noise is of one size.
  groups = refit(points, groups, maxRank);
  for (let pass = 0; pass < 3; pass++) groups = reassign(points, groups, maxRank, least);
  groups = mergeGroups(points, groups, maxRank);
  if (groups.length === 0) return whole;
  return groups
    .map(({ members, rank, saved }) => ({ members, rank, saved }))
    .sort((a, b) => b.saved - a.saved || a.members[0]! - b.members[0]!);
}

/** What the directions that the mixture uses save, and points in them, brought to unit variance (by no more than 10) and then to one norm. */
function whiten(features: readonly Float64Array[]): { points: Float64Array[]; saved: number } {
  const k = features[0]!.length;
  const moment = matrix(k, k);
  for (const phi of features) {
    if (phi.length !== k) {
      throw new CairnError('dimension_mismatch', `Expected ${k} features of every point, got ${phi.length}.`);
    }
    for (let i = 0; i < k; i++) {
      const v = phi[i]!;
      if (v !== 0) for (let j = 0; j <= i; j++) moment.data[i * k + j] = moment.data[i * k + j]! + v * phi[j]!;
    }
  }
  const { values, vectors } = eigSym(moment);
  const total = values.reduce((s, v) => s + Math.max(0, v), 0);
  if (total === 0) return { points: features.map(() => new Float64Array(1)), saved: 0 };
  const cut = chooseCut(
    values.map((v) => (v * k) / total),
    features.length,
  );
  const skip = cut.state === 'unconstrained' ? 0 : cut.nullity;
  const kept = k - skip;
  const middle = values[skip + (kept >> 1)]!;
  const factors = Float64Array.from({ length: kept }, (_, i) =>
    Math.sqrt(features.length / Math.max(values[skip + i]!, WEAKEST * middle, 1e-12 * total)),
  );
  const points = features.map((phi) => {
    const out = new Float64Array(kept);
    for (let i = 0; i < kept; i++) {
      let c = 0;
      for (let j = 0; j < k; j++) c += vectors.data[j * k + skip + i]! * phi[j]!;
      out[i] = c * factors[i]!;
    }
    return out;
  });
  // What these directions alone save against equal variance in all.
  const off = values.subarray(0, skip).reduce((s, v) => s + Math.max(0, v), 0);
  const [n, unitVariance] = [features.length, total / k];
  const variances = [(total - off) / (kept * unitVariance), off / (Math.max(1, skip) * unitVariance)];
  return { points, saved: skip === 0 ? 0 : saving(k, kept, n, variances[0]!, variances[1]!, n) };
}

/** The point with a mean square of 1; zero stays zero. */
function unit(p: Float64Array): Float64Array {
  const size = Math.sqrt(dot(p, p) / p.length);
  return size > 0 ? p.map((v) => v / size) : p;
}

function energiesOf(points: readonly Float64Array[]): Float64Array {
  return Float64Array.from(points, (p) => dot(p, p));
}

/** Subspaces of every rank through the neighbourhoods of some points, each drawn twice towards what it explains best. */
function propose(points: readonly Float64Array[], maxRank: number, options: DiscoverOptions): Candidate[] {
  const energies = energiesOf(points);
  const rng = new Rng(options.seed ?? 0).fork('memory/concepts/discover');
  const n = points.length;
  const proposers = Math.min(n, options.proposers ?? 96);
  const chosen = proposers === n ? Uint32Array.from({ length: n }, (_, i) => i) : rng.choice(n, proposers).sort();
  const k = points[0]!.length;
  const out: Candidate[] = [];
  for (const seed of chosen) {
    const near = byAffinity(points, energies, seed);
    for (let rank = 1; rank <= maxRank; rank++) {
      let members: ArrayLike<number> = near.slice(0, rank + 2);
      let candidate: Candidate | undefined;
      for (let round = 0; round < 3; round++) {
        const { rows } = principal(points, members);
        if (rows.length < rank) break;
        const along = energyAlong(stack(rows.slice(0, rank), k), points);
        const off = along.map((v, i) => Math.max(0, energies[i]! - v));
        const order = sortedBy(off.map((v, i) => v / Math.max(energies[i]!, 1e-12)));
        candidate = { rank, off, order };
        members = order.subarray(0, Math.min(n, 2 * rank + 4));
      }
      if (candidate === undefined) continue;
      out.push({ rank, off: candidate.off, order: sortedBy(candidate.off) });
    }
  }
  return out;
}

/** A point itself, then all others by falling |cosine| with it. */
function byAffinity(points: readonly Float64Array[], energies: Float64Array, seed: number): Uint32Array {
  const p = points[seed]!;
  const cosine = Float64Array.from(points, (q, i) =>
    i === seed ? 2 : Math.abs(dot(p, q)) / Math.sqrt(Math.max(1e-24, energies[seed]! * energies[i]!)),
  );
  return sortedBy(cosine.map((c) => -c));
}

function sortedBy(keys: Float64Array): Uint32Array {
  return Uint32Array.from(keys, (_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** Takes the candidate that saves most per point, refits it to its points, removes them, and so on. */
function takeBest(
  points: readonly Float64Array[],
  candidates: readonly Candidate[],
  maxRank: number,
  least: (rank: number) => number,
): Group[] {
  const energies = energiesOf(points);
  const free = new Uint8Array(points.length).fill(1);
  const groups: Group[] = [];
  let left = points.length;
  while (left >= least(1)) {
    let best: { members: number[]; score: number } | undefined;
    for (const candidate of candidates) {
      const found = bestPrefix(candidate, energies, free, points[0]!.length, least(candidate.rank));
      if (found === undefined || found.saved <= 0) continue;
      const score = found.saved / found.count;
      if (best !== undefined && score <= best.score) continue;
      best = { score, members: prefixOf(candidate, free, found.count) };
    }
    if (best === undefined) break;
    const { subspace, saved } = fitSubspace(points, best.members, maxRank, points.length);
    for (const i of best.members) free[i] = 0;
    left -= best.members.length;
    groups.push({ members: best.members, rank: subspace.basis.rows, saved, subspace });
  }
  return groups;
}

/** How many of the free points, nearest first, a candidate explains with the largest saving. */
function bestPrefix(
  candidate: Candidate,
  energies: Float64Array,
  free: Uint8Array,
  k: number,
  least: number,
): { count: number; saved: number } | undefined {
  const { rank, off, order } = candidate;
  const all = order.length;
  let count = 0;
  let offSum = 0;
  let alongSum = 0;
  let best: { count: number; saved: number } | undefined;
  for (const i of order) {
    if (free[i] === 0) continue;
    count++;
    offSum += off[i]!;
    alongSum += energies[i]! - off[i]!;
    if (count < least) continue;
    const along = alongSum / (count * rank);
    const saved = saving(k, rank, count, along, offSum / ((k - rank) * (count - rank)), all);
    if (best === undefined || saved > best.saved) best = { count, saved };
  }
  return best;
}

function prefixOf(candidate: Candidate, free: Uint8Array, count: number): number[] {
  const out: number[] = [];
  for (const i of candidate.order) if (free[i] === 1 && out.push(i) === count) break;
  return out.sort((a, b) => a - b);
}

/** Merges two groups while one code for both is shorter than two. */
function mergeGroups(points: readonly Float64Array[], groups: readonly Group[], maxRank: number): Group[] {
  const out = [...groups];
  for (;;) {
    let best: { a: number; b: number; group: Group; gain: number } | undefined;
    for (let a = 0; a < out.length; a++) {
      for (let b = a + 1; b < out.length; b++) {
        const members = [...out[a]!.members, ...out[b]!.members].sort((x, y) => x - y);
        const { subspace, saved } = fitSubspace(points, members, maxRank, points.length);
        const gain = saved - out[a]!.saved - out[b]!.saved;
        if (gain <= 0 || (best !== undefined && gain <= best.gain)) continue;
        best = { a, b, gain, group: { members, rank: subspace.basis.rows, saved, subspace } };
      }
    }
    if (best === undefined) return out;
    out[best.a] = best.group;
    out.splice(best.b, 1);
  }
}

function refit(points: readonly Float64Array[], groups: readonly Group[], maxRank: number): Group[] {
  return groups.map(({ members }) => {
    const { subspace, saved } = fitSubspace(points, members, maxRank, points.length);
    return { members, rank: subspace.basis.rows, saved, subspace };
  });
}

/** Gives every point to the group that codes it shortest, or to none, and fits the groups again. */
function reassign(
  points: readonly Float64Array[],
  groups: readonly Group[],
  maxRank: number,
  least: (rank: number) => number,
): Group[] {
  const n = points.length;
  const energies = energiesOf(points);
  const along = groups.map((g) => energyAlong(g.subspace.basis, points));
  const members: number[][] = groups.map(() => []);
  for (let i = 0; i < n; i++) {
    let best = -1;
    let cost = 0.5 * energies[i]!;
    groups.forEach((g, c) => {
      const own = pointCost(g.subspace, energies[i]!, along[c]![i]!) + Math.log(n / Math.max(1, g.members.length));
      if (own < cost) [best, cost] = [c, own];
    });
    if (best >= 0) members[best]!.push(i);
  }
  return members
    .filter((m) => m.length >= least(1))
    .map((m) => {
      const { subspace, saved } = fitSubspace(points, m, maxRank, n);
      return { members: m, rank: subspace.basis.rows, saved, subspace };
    })
    .filter((g) => g.saved > 0 && g.members.length >= least(g.rank));
}
