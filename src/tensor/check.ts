// Gradient checks: derivatives of a graph function against central differences, in f64 on the reference interpreter.
// Meant for tests of ops and models; differences in f32 would be noise.
import { CairnError } from '../errors.ts';
import type { Builder } from './builder.ts';
import { defineProgram } from './builder.ts';
import { convert, isFloat } from './dtype.ts';
import type { HostTensor } from './executor.ts';
import { grad } from './grad.ts';
import type { ProgramDef } from './graph.ts';
import { interpret } from './reference.ts';
import type { Rng } from './rng.ts';
import { sizeOf } from './shape.ts';
import type { Tensor } from './tensor.ts';

export interface GradientCheckOptions {
  readonly rng: Rng;
  /** Step of the differences. Default 1e-6, and 1e-5 for order 2. */
  readonly eps?: number;
  /** Random directions per input. Default 8. */
  readonly directions?: number;
  /** Single coordinates per input. Default 4. */
  readonly coordinates?: number;
  /** 2 checks the gradient of `<grad f, d>` for a random `d`. Default 1. */
  readonly order?: 1 | 2;
  /** Passes if `|a - b| <= absolute + relative * max(|a|, |b|)`. Default 1e-7 and 1e-6. */
  readonly absolute?: number;
  readonly relative?: number;
}

export interface GradientFailure {
  /** Number of the input. */
  readonly input: number;
  /** `direction 3` or `coordinate 17`. */
  readonly along: string;
  readonly analytic: number;
  readonly numeric: number;
}

export interface GradientReport {
  readonly checked: number;
  /** Largest `|a - b| / (absolute + relative * max)`; at most 1 when all pass. */
  readonly worst: number;
  readonly failures: readonly GradientFailure[];
}

/**
 * Compares the gradient of `f` with central differences along random unit directions and single coordinates. A result
 * that is no scalar is weighted with random numbers first. Integer inputs are fed and not differentiated.
 *
 * @param f builds the function from one tensor per input; called with f64 tensors
 * @example
 * checkGradients((x) => x.tanh().sum(), [{ data: Float64Array.of(1, 2), shape: [2], dtype: 'f64' }], { rng: new Rng(1) });
 */
export function checkGradients(
  f: (...inputs: [Tensor, ...Tensor[]]) => Tensor,
  inputs: readonly HostTensor[],
  options: GradientCheckOptions,
): GradientReport {
  const { rng, order = 1, absolute = 1e-7, relative = 1e-6, directions = 8, coordinates = 4 } = options;
  const eps = options.eps ?? (order === 1 ? 1e-6 : 1e-5);
  const wide = inputs.map((x) =>
    isFloat(x.dtype) ? { ...x, data: convert(x.data, x.dtype, 'f64'), dtype: 'f64' as const } : x,
  );
  const def = checkedProgram(f, wide, rng, order);
  const at = (feeds: readonly HostTensor[]): Record<string, HostTensor> =>
    interpret(def, Object.fromEntries(feeds.map((x, i) => [`x${i}`, x])), undefined).outputs;
  const base = at(wide);
  const failures: GradientFailure[] = [];
  let checked = 0;
  let worst = 0;
  wide.forEach((x, i) => {
    if (!isFloat(x.dtype) || x.data.length === 0) return;
    const gradient = base[`d${i}`]!.data;
    for (const { along, d } of probes(x.data.length, directions, coordinates, rng)) {
      const shifted = (sign: number): number => {
        const data = Float64Array.from(x.data, (v, k) => v + sign * eps * d[k]!);
        return at(wide.map((w, j) => (j === i ? { ...x, data } : w)))['y']!.data[0]!;
      };
      const numeric = (shifted(1) - shifted(-1)) / (2 * eps);
      const analytic = d.reduce((s, v, k) => s + v * gradient[k]!, 0);
      const score =
        Math.abs(numeric - analytic) / (absolute + relative * Math.max(Math.abs(numeric), Math.abs(analytic)));
      checked++;
      worst = Math.max(worst, Number.isNaN(score) ? Infinity : score);
      if (!(score <= 1)) failures.push({ input: i, along, analytic, numeric });
    }
  });
  return { checked, worst, failures };
}

/** A program with outputs `y` (scalar) and `d0`, `d1`, ... (its gradient for each float input). */
function checkedProgram(
  f: (...inputs: [Tensor, ...Tensor[]]) => Tensor,
  inputs: readonly HostTensor[],
  rng: Rng,
  order: 1 | 2,
): ProgramDef {
  return defineProgram(
    (b) => {
      const xs = inputs.map((x, i) => b.input(`x${i}`, x.shape, x.dtype));
      if (!xs[0]) throw new CairnError('no_tensor', 'Expected at least one input to check, got none.');
      const floats = xs.filter((x) => isFloat(x.dtype));
      let y = weighted(b, f(xs[0], ...xs.slice(1)), rng);
      if (order === 2) {
        const parts = grad(y, floats).map((g) => weighted(b, g, rng));
        y = parts.reduce((s, p) => s.add(p));
      }
      b.output('y', y);
      const gradients = grad(y, floats);
      xs.forEach((x, i) => {
        if (isFloat(x.dtype)) b.output(`d${i}`, gradients[floats.indexOf(x)]!);
      });
    },
    { dtype: 'f64' },
  );
}

/** `sum(t * w)` with fixed random weights. */
function weighted(b: Builder, t: Tensor, rng: Rng): Tensor {
  const w = Float64Array.from({ length: sizeOf(t.shape) }, () => 0.5 + rng.uniform());
  return t.mul(b.constant(w, t.shape, 'f64')).sum();
}

function probes(n: number, directions: number, coordinates: number, rng: Rng): { along: string; d: Float64Array }[] {
  const random = Array.from({ length: n === 1 ? 0 : directions }, (_, k) => {
    const d = new Float64Array(n);
    rng.fillNormal(d);
    const norm = Math.sqrt(d.reduce((s, v) => s + v * v, 0));
    return { along: `direction ${k}`, d: d.map((v) => v / norm) };
  });
  const single = Array.from(rng.choice(n, Math.min(n, coordinates)), (k) => {
    const d = new Float64Array(n);
    d[k] = 1;
    return { along: `coordinate ${k}`, d };
  });
  return [...random, ...single];
}
