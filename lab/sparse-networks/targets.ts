// Functions to learn, Lipschitz on their domain: random polynomials and multilinear interpolations of random corner values on
// the cube, distances to random points; and smooth images of k-dimensional cubes in 64 dimensions.
import type { Rng } from 'cairn/tensor';

/** A function on the cube [-1, 1]^n. */
export interface Target {
  readonly name: string;
  readonly dim: number;
  readonly at: (x: ArrayLike<number>, from: number) => number;
}

/** A sum of 40 monomials of degree 1 to 4 over random coordinates, normal coefficients. */
export function polynomial(dim: number, rng: Rng): Target {
  const terms = Array.from({ length: 40 }, () => ({
    weight: rng.normal(),
    factors: Array.from({ length: 1 + rng.integer(4) }, () => rng.integer(dim)),
  }));
  return {
    name: `polynomial of degree 4, n = ${dim}`,
    dim,
    at: (x, from) => terms.reduce((sum, t) => sum + t.factors.reduce((p, i) => p * x[from + i]!, t.weight), 0),
  };
}

/** Random signs at the corners of the cube, interpolated in every coordinate. */
export function hypercube(dim: number, rng: Rng): Target {
  const corners = Float64Array.from({ length: 2 ** dim }, () => rng.rademacher());
  return {
    name: `hypercube, n = ${dim}`,
    dim,
    at(x, from) {
      let values = corners;
      for (let i = dim - 1; i >= 0; i--) {
        const half = values.length / 2;
        const share = (1 + x[from + i]!) / 2;
        const next = new Float64Array(half);
        for (let j = 0; j < half; j++) next[j] = (1 - share) * values[j]! + share * values[half + j]!;
        values = next;
      }
      return values[0]!;
    },
  };
}

/** Distance to the nearest of some random points: Lipschitz constant 1, with kinks. */
export function nearest(dim: number, count: number, rng: Rng): Target {
  const centres = new Float64Array(count * dim);
  rng.fillUniform(centres, -1, 1);
  return { name: `distance to ${count} points, n = ${dim}`, dim, at: (x, from) => distance(centres, dim, x, from) };
}

/** Distance of a row to the nearest centre. */
export function distance(centres: Float64Array, dim: number, x: ArrayLike<number>, from: number): number {
  let best = Infinity;
  for (let c = 0; c < centres.length; c += dim) {
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += (x[from + i]! - centres[c + i]!) ** 2;
    best = Math.min(best, sum);
  }
  return Math.sqrt(best);
}

/** Rows uniform in the cube and their targets, standardised by the mean and spread of the first call. */
export function sampler(
  target: Target,
  rng: Rng,
): (rows: number, name: string) => { x: Float32Array; y: Float32Array } {
  let scale: { mean: number; sd: number } | undefined;
  return (rows, name) => {
    const wide = new Float64Array(rows * target.dim);
    rng.fork(name).fillUniform(wide, -1, 1);
    const x = Float32Array.from(wide);
    const raw = Float64Array.from({ length: rows }, (_, i) => target.at(x, i * target.dim));
    if (!scale) {
      const mean = raw.reduce((a, v) => a + v, 0) / rows;
      scale = { mean, sd: Math.sqrt(raw.reduce((a, v) => a + (v - mean) ** 2, 0) / rows) };
    }
    const { mean, sd } = scale;
    return { x, y: Float32Array.from(raw, (v) => (v - mean) / sd) };
  };
}

/** Points of a smooth image of the k-dimensional cube in `ambient` dimensions. */
export function manifold(k: number, ambient: number, rng: Rng): (rows: number, draw: Rng) => Float64Array {
  const frequency = new Float64Array(ambient * k);
  rng.fillNormal(frequency, 1.5);
  const phase = new Float64Array(ambient);
  rng.fillUniform(phase, 0, 2 * Math.PI);
  return (rows, draw) => {
    const u = new Float64Array(k);
    const out = new Float64Array(rows * ambient);
    for (let row = 0; row < rows; row++) {
      draw.fillUniform(u, 0, 1);
      for (let i = 0; i < ambient; i++) {
        let angle = phase[i]!;
        for (let j = 0; j < k; j++) angle += frequency[i * k + j]! * u[j]!;
        out[row * ambient + i] = Math.cos(angle) / Math.sqrt(ambient);
      }
    }
    return out;
  };
}
