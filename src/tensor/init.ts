// Initialisers of parameters: pure functions of an rng (forked by the parameter's name) and a shape.
import { CairnError } from '../errors.ts';
import type { Init } from './graph.ts';
import type { Rng } from './rng.ts';
import type { Shape } from './shape.ts';
import { sizeOf } from './shape.ts';

/** All zeros. */
export const zeros: Init = (_rng, shape) => new Float64Array(sizeOf(shape));

/** All ones. */
export const ones: Init = (_rng, shape) => new Float64Array(sizeOf(shape)).fill(1);

/** Every value `v`. */
export function constant(v: number): Init {
  return (_rng, shape) => new Float64Array(sizeOf(shape)).fill(v);
}

/** Given values, row-major. */
export function fromValues(data: ArrayLike<number>): Init {
  return () => Float64Array.from(data);
}

/** Normal with mean 0 and standard deviation `std`. */
export function normal(std = 1): Init {
  return (rng, shape) => {
    const out = new Float64Array(sizeOf(shape));
    rng.fillNormal(out, std);
    return out;
  };
}

/** Normal, redrawn until within two standard deviations. */
export function truncatedNormal(std = 1): Init {
  return (rng, shape) => Float64Array.from({ length: sizeOf(shape) }, () => truncated(rng) * std);
}

function truncated(rng: Rng): number {
  for (;;) {
    const z = rng.normal();
    if (Math.abs(z) <= 2) return z;
  }
}

/** Uniform in [low, high). */
export function uniform(low = 0, high = 1): Init {
  return (rng, shape) => {
    const out = new Float64Array(sizeOf(shape));
    rng.fillUniform(out, low, high);
    return out;
  };
}

/** Inputs and outputs of one unit: `[in, out]` for matrices, `[out, in, ...kernel]` for convolutions. */
function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length === 2) return { fanIn: shape[0]!, fanOut: shape[1]! };
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: (shape[1] ?? shape[0] ?? 1) * kernel, fanOut: (shape[0] ?? 1) * kernel };
}

/** Normal with variance `gain^2 / fanIn` (He et al. 2015 with gain sqrt 2, LeCun with gain 1). */
export function scaledNormal(gain = 1): Init {
  return (rng, shape) => normal(gain / Math.sqrt(Math.max(1, fans(shape).fanIn)))(rng, shape);
}

/** Uniform in +-sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function glorotUniform(): Init {
  return (rng, shape) => {
    const { fanIn, fanOut } = fans(shape);
    const limit = Math.sqrt(6 / Math.max(1, fanIn + fanOut));
    return uniform(-limit, limit)(rng, shape);
  };
}

/** A matrix with orthonormal rows or columns, whichever are fewer, times `gain` (modified Gram-Schmidt, done twice). */
export function orthogonal(gain = 1): Init {
  return (rng, shape) => {
    if (shape.length !== 2) throw new CairnError('bad_shape', `Expected a matrix shape, got rank ${shape.length}.`);
    const [rows, columns] = [shape[0]!, shape[1]!];
    const wide = rows < columns;
    const n = wide ? rows : columns;
    const length = wide ? columns : rows;
    const vectors: Float64Array[] = [];
    for (let i = 0; i < n; i++) {
      const v = new Float64Array(length);
      rng.fillNormal(v);
      for (let pass = 0; pass < 2; pass++) for (const u of vectors) subtractProjection(v, u);
      const norm = Math.hypot(...v);
      vectors.push(v.map((x) => x / norm));
    }
    return Float64Array.from({ length: rows * columns }, (_, k) => {
      const [r, c] = [Math.floor(k / columns), k % columns];
      return gain * (wide ? vectors[r]![c]! : vectors[c]![r]!);
    });
  };
}

function subtractProjection(v: Float64Array, u: Float64Array): void {
  let dot = 0;
  for (let i = 0; i < v.length; i++) dot += v[i]! * u[i]!;
  for (let i = 0; i < v.length; i++) v[i]! -= dot * u[i]!;
}
