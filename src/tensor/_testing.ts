// Shared by the tests of this folder: builds, runs and returns plain arrays in one call.
import type { Builder, ProgramOptions } from './builder.ts';
import { defineProgram } from './builder.ts';
import type { Feed, HostTensor } from './executor.ts';
import { ModelState } from './executor.ts';
import { interpret } from './reference.ts';
import { Rng } from './rng.ts';
import type { Shape } from './shape.ts';
import { sizeOf } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Runs a program in f64 on the reference interpreter; what `build` returns is its outputs. */
export function evaluate(
  build: (b: Builder) => Record<string, Tensor>,
  feeds: Record<string, Feed> = {},
  options: ProgramOptions = {},
): Record<string, number[]> {
  const def = defineProgram(
    (b) => {
      for (const [name, t] of Object.entries(build(b))) b.output(name, t);
    },
    { dtype: 'f64', ...options },
  );
  const { outputs } = interpret(def, feeds, ModelState.init(def, new Rng(3)));
  return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, Array.from(t.data)]));
}

/** Random f64 values, standard normal. */
export function randomTensor(rng: Rng, shape: Shape): HostTensor {
  const data = new Float64Array(sizeOf(shape));
  rng.fillNormal(data);
  return { data, shape, dtype: 'f64' };
}

/** Largest absolute difference. */
export function distance(a: readonly number[], b: readonly number[]): number {
  return a.length === b.length ? a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), 0) : Infinity;
}
