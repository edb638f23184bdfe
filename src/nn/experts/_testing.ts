// Shared by the tests of sparse layers: gradients of parameters against central differences.
import {
  type Builder,
  defineProgram,
  type Feed,
  grad,
  interpret,
  ModelState,
  type Rng,
  type Tensor,
} from '../../tensor/index.ts';

/**
 * The largest relative difference between the gradient of a scalar and central differences along one random direction of
 * each trainable parameter, in f64.
 */
export function parameterGradientGap(
  build: (b: Builder) => Tensor,
  feeds: Readonly<Record<string, Feed>>,
  rng: Rng,
  state = new ModelState(),
): { worst: number; names: string[] } {
  const def = defineProgram(
    (b) => {
      const y = build(b);
      b.output('y', y);
      const trained = b.trainable();
      grad(
        y,
        trained.map((t) => t.tensor),
      ).forEach((g, i) => b.output(`d:${trained[i]!.spec.name}`, g));
    },
    { dtype: 'f64' },
  );
  state.ensure(def, rng.fork('weights'));
  const { outputs } = interpret(def, feeds, state);
  const eps = 1e-6;
  let worst = 0;
  const names = Object.keys(outputs)
    .filter((name) => name.startsWith('d:'))
    .map((name) => name.slice(2));
  for (const name of names) {
    const base = state.get(name);
    const direction = new Float64Array(base.data.length);
    rng.fork(name).fillNormal(direction);
    const at = (sign: number): number => {
      state.set(name, { ...base, data: Float64Array.from(base.data, (v, i) => v + sign * eps * direction[i]!) });
      return interpret(def, feeds, state).outputs['y']!.data[0]!;
    };
    const numeric = (at(1) - at(-1)) / (2 * eps);
    state.set(name, base);
    let analytic = 0;
    outputs[`d:${name}`]!.data.forEach((g, i) => {
      analytic += g * direction[i]!;
    });
    worst = Math.max(worst, Math.abs(numeric - analytic) / Math.max(1e-2, Math.abs(numeric), Math.abs(analytic)));
  }
  return { worst, names };
}
