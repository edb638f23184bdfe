// Made-up concepts with known truth: random subspaces, ellipsoids on hyperplanes, subspaces that share equations, mixtures.
// For tests, experiments and examples.
import { matrix, qr, type Rng } from '../../tensor/index.ts';

/** A set of points that can be drawn from. */
export interface PointSource {
  /** Dimension of the points. */
  readonly dim: number;
  /** Rank of its features' second moment and so, for k features, nullity k - rank. */
  readonly rank: number;
  /** One point with Gaussian noise of this standard deviation on every number. */
  draw(rng: Rng, noise?: number): Float64Array;
}

/** A random subspace of this rank through the origin; features of degree 1. Points have a mean square of 1 along each axis. */
export function linearSource(rng: Rng, dim: number, rank: number): PointSource {
  return spanSource(randomRows(rng, dim, rank), dim);
}

/** The span of orthonormal rows. */
export function spanSource(rows: readonly Float64Array[], dim: number): PointSource {
  return {
    dim,
    rank: rows.length,
    draw(draws, noise = 0) {
      const x = new Float64Array(dim);
      for (const row of rows) addTo(x, row, draws.normal());
      return noisy(x, draws, noise);
    },
  };
}

/**
 * The surface of a random ellipsoid of dimension dim - 2 on a random hyperplane beside the origin; features of degree 2 with a
 * constant satisfy dim + 1 equations of the plane (times 1 and each coordinate) and the one of the ellipsoid.
 */
export function ellipsoidSource(rng: Rng, dim: number): PointSource {
  const [normal, ...axes] = randomRows(rng, dim, dim);
  const offset = 0.3 + 0.7 * rng.uniform();
  const radii = axes.map(() => 0.5 + rng.uniform());
  const centre = new Float64Array(dim);
  addTo(centre, normal!, offset);
  for (const axis of axes) addTo(centre, axis, 0.3 * rng.normal());
  return {
    dim,
    rank: ((dim + 1) * (dim + 2)) / 2 - (dim + 2),
    draw(draws, noise = 0) {
      const u = axes.map(() => draws.normal());
      const size = Math.sqrt(u.reduce((s, v) => s + v * v, 0));
      const x = centre.slice();
      axes.forEach((axis, i) => addTo(x, axis, (radii[i]! * u[i]!) / size));
      return noisy(x, draws, noise);
    },
  };
}

/** Subspaces of R^dim that all satisfy the same `shared` random equations and `own` ones of their own. */
export function relatedSources(rng: Rng, dim: number, count: number, shared: number, own: number): PointSource[] {
  const rows = randomRows(rng, dim, dim);
  const free = rows.slice(shared);
  return Array.from({ length: count }, () => {
    const inside = randomRows(rng, free.length, free.length - own);
    const span = inside.map((weights) => {
      const row = new Float64Array(dim);
      free.forEach((axis, i) => addTo(row, axis, weights[i]!));
      return row;
    });
    return spanSource(span, dim);
  });
}

/** Points of several sources in random order, with the index of the source of each. */
export function mixture(
  rng: Rng,
  sources: readonly PointSource[],
  each: number,
  noise = 0,
): { points: Float64Array[]; labels: number[] } {
  const drawn = sources.flatMap((s, label) =>
    Array.from({ length: each }, () => ({ point: s.draw(rng, noise), label })),
  );
  const shuffled = rng.shuffle(drawn);
  return { points: shuffled.map((d) => d.point), labels: shuffled.map((d) => d.label) };
}

/** Random orthonormal rows. */
export function randomRows(rng: Rng, dim: number, count: number): Float64Array[] {
  const a = matrix(dim, count);
  rng.fillNormal(a.data);
  const { q } = qr(a);
  return Array.from({ length: count }, (_, j) => Float64Array.from({ length: dim }, (_, i) => q.data[i * q.cols + j]!));
}

function addTo(x: Float64Array, row: Float64Array, weight: number): void {
  for (let i = 0; i < x.length; i++) x[i] = x[i]! + weight * row[i]!;
}

function noisy(x: Float64Array, rng: Rng, noise: number): Float64Array {
  if (noise > 0) for (let i = 0; i < x.length; i++) x[i] = x[i]! + noise * rng.normal();
  return x;
}
