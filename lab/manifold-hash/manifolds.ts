// Synthetic manifolds: x = f(gamma, theta) with a class gamma and a pose theta, and the measures of this experiment.
import type { Rng } from 'cairn/tensor';

/** Rows `[count * each, size]`, `each` of every manifold, and their manifold. */
export interface Rows {
  readonly xs: Float32Array;
  readonly ids: Int32Array;
  readonly size: number;
  readonly each: number;
}

/** A family of manifolds: gamma and theta, both unit vectors of R^8, through a fixed random function. */
export interface Family {
  readonly size: number;
  /** New manifolds with `each` points. */
  draw(rng: Rng, count: number, each: number): Rows;
}

const PART = 8;

function unitVector(rng: Rng): Float64Array {
  const v = new Float64Array(PART);
  rng.fillNormal(v);
  const length = Math.sqrt(v.reduce((s, a) => s + a * a, 0));
  return v.map((a) => a / length);
}

function layer(rng: Rng, inputs: number, outputs: number): Float64Array {
  const w = new Float64Array(inputs * outputs);
  rng.fillNormal(w, 1 / Math.sqrt(inputs));
  return w;
}

/** 16 to 64, scaled for inputs of norm² 2: pre-activations have variance 1. */
function firstLayer(rng: Rng): Float64Array {
  const w = new Float64Array(2 * PART * 64);
  rng.fillNormal(w, Math.SQRT1_2);
  return w;
}

function times(x: Float64Array, w: Float64Array, outputs: number): Float64Array {
  const y = new Float64Array(outputs);
  for (let i = 0; i < x.length; i++) for (let j = 0; j < outputs; j++) y[j]! += x[i]! * w[i * outputs + j]!;
  return y;
}

function familyOf(size: number, f: (z: Float64Array) => Float64Array): Family {
  return {
    size,
    draw(rng, count, each) {
      const xs = new Float32Array(count * each * size);
      const ids = new Int32Array(count * each);
      for (let c = 0; c < count; c++) {
        const gamma = unitVector(rng.fork('gamma').fork(c));
        const poses = rng.fork('theta').fork(c);
        for (let k = 0; k < each; k++) {
          const z = new Float64Array(2 * PART);
          z.set(gamma);
          z.set(unitVector(poses), PART);
          const x = f(z);
          const scale = Math.sqrt(size / x.reduce((s, v) => s + v * v, 0));
          xs.set(
            x.map((v) => v * scale),
            (c * each + k) * size,
          );
          ids[c * each + k] = c;
        }
      }
      return { xs, ids, size, each };
    },
  };
}

/**
 * R^64 out of a network of 64 tanh units with pre-activations of variance 1. Nearly invertible, since 64 numbers come from
 * 16: the easy case.
 */
export function easyFamily(rng: Rng): Family {
  const [a, b] = [firstLayer(rng.fork('a')), layer(rng.fork('b'), 64, 64)];
  return familyOf(64, (z) => times(times(z, a, 64).map(Math.tanh), b, 64));
}

/**
 * R^12 out of 16 numbers: half of the units before the last map are absolute values, which fold the sphere, and 12 numbers
 * cannot hold 16, so something of the class is lost for good.
 */
export function foldedFamily(rng: Rng): Family {
  const [a, b] = [firstLayer(rng.fork('a')), layer(rng.fork('b'), 64, 12)];
  return familyOf(12, (z) =>
    times(
      times(z, a, 64).map((v, i) => (i % 2 === 0 ? Math.tanh(v) : Math.abs(v) - 0.8)),
      b,
      12,
    ),
  );
}

/** How much representations `[n, width]` depend on the pose, and what one example is worth. */
export interface Measured {
  /** E‖r(γ,θ) - r(γ,θ')‖² / E‖r(γ,θ) - r(γ',θ')‖², rows scaled to norm 1. */
  readonly ratio: number;
  /** Share right among 20 classes by the nearest of 20 single examples, by cosine. */
  readonly oneShot: number;
}

/** Both measures over rows with `each` points of each manifold. */
export function measure(rng: Rng, values: Float32Array, width: number, each: number, episodes = 200): Measured {
  const rows = unitRows(values, width);
  const count = rows.length / width / each;
  const square = (i: number, j: number): number => {
    let s = 0;
    for (let k = 0; k < width; k++) s += (rows[i * width + k]! - rows[j * width + k]!) ** 2;
    return s;
  };
  let [within, between, pairs] = [0, 0, 0];
  for (let c = 0; c < count; c++) {
    for (let k = 1; k < each; k++) {
      const other = (c + 1 + rng.integer(count - 1)) % count;
      within += square(c * each, c * each + k);
      between += square(c * each, other * each + k);
      pairs++;
    }
  }
  let right = 0;
  for (let e = 0; e < episodes; e++) {
    const classes = rng.choice(count, 20);
    const [a, b] = rng.choice(each, 2) as unknown as [number, number];
    for (const c of classes) {
      let best = -1;
      let least = Infinity;
      for (const other of classes) {
        const d = square(c * each + b, other * each + a);
        if (d < least) [best, least] = [other, d];
      }
      if (best === c) right++;
    }
  }
  return { ratio: within / pairs / (between / pairs), oneShot: right / (20 * episodes) };
}

/** Rows scaled to norm 1. */
export function unitRows(values: Float32Array, width: number): Float32Array {
  const out = values.slice();
  for (let i = 0; i < out.length; i += width) {
    let square = 0;
    for (let k = i; k < i + width; k++) square += out[k]! ** 2;
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let k = i; k < i + width; k++) out[k]! *= scale;
  }
  return out;
}
