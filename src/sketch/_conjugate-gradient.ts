// Least squares without a matrix: conjugate gradient on the normal equations with columns scaled to norm 1. For
// structures that are too large to compile; each step costs one encode and one adjoint.
import { applyAdjoint, applyOperator } from './operator.ts';
import type { Maps } from './maps.ts';
import type { Structure } from './structure.ts';

/** What the iteration needs besides the data. */
export interface CgOptions {
  readonly signatures: boolean;
  /** [n] expected norm of each column on all d coordinates. */
  readonly columnNorms: Float64Array;
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** Rounding error per number: the iteration stops when the residual reaches it. */
  readonly noise: number;
}

/**
 * argmin ‖(A x)_kept − y‖ over x.
 * @param y [kept]
 * @returns x [n], iterations used and the rms residual
 */
export function conjugateGradient(
  maps: Maps,
  structure: Structure,
  coordinates: Uint32Array,
  y: Float64Array,
  options: CgOptions,
): { x: Float64Array; iterations: number; residual: number } {
  const { signatures, columnNorms, noise } = options;
  const tolerance = options.tolerance ?? 1e-12;
  const share = Math.sqrt(coordinates.length / maps.dim);
  const scale = columnNorms.map((a) => 1 / (a * share));
  const forward = (u: Float64Array): Float64Array => {
    const s = applyOperator(
      maps,
      structure,
      u.map((v, j) => v * scale[j]!),
      { markers: false, signatures },
    );
    return Float64Array.from(coordinates, (c) => s[c]!);
  };
  const backward = (r: Float64Array): Float64Array => {
    const full = new Float64Array(maps.dim);
    coordinates.forEach((c, i) => {
      full[c] = r[i]!;
    });
    return applyAdjoint(maps, structure, full, signatures).map((v, j) => v * scale[j]!);
  };
  const u = new Float64Array(structure.columns);
  const rest = Float64Array.from(y);
  let gradient = backward(rest);
  let direction = Float64Array.from(gradient);
  let power = dot(gradient, gradient);
  const stop = tolerance * tolerance * power;
  const limit = options.maxIterations ?? 400;
  let iterations = 0;
  while (iterations < limit && power > stop) {
    iterations++;
    const image = forward(direction);
    const alpha = power / dot(image, image);
    for (let j = 0; j < u.length; j++) u[j] = u[j]! + alpha * direction[j]!;
    for (let i = 0; i < rest.length; i++) rest[i] = rest[i]! - alpha * image[i]!;
    gradient = backward(rest);
    const next = dot(gradient, gradient);
    const beta = next / power;
    power = next;
    direction = direction.map((v, j) => gradient[j]! + beta * v);
    // At the noise floor further steps only fit the rounding.
    if (noise > 0 && power <= 1e-6 * noise * noise) break;
  }
  const residual = Math.sqrt(dot(rest, rest) / Math.max(1, rest.length));
  return { x: u.map((v, j) => v * scale[j]!), iterations, residual };
}

function dot(a: Float64Array, b: Float64Array): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i]! * b[i]!;
  return s;
}
