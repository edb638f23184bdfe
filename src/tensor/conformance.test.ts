import { describe, expect, it } from 'vitest';
import { checkGradients } from './check.ts';
import { conformanceCases, drawSamples, sampleInputs } from './conformance.ts';
import { isFloat } from './dtype.ts';
import { opTable } from './ops/table.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import { sizeOf } from './shape.ts';

const rng = new Rng(20);

describe('reference executor in f32 agrees with f64', () => {
  const executor = createReferenceExecutor({ dtype: 'f32' });
  it.each(conformanceCases({ rng: rng.fork('f32'), dtypes: ['f32'] }).map((c) => [c.name, c] as const))(
    '%s',
    async (_name, c) => {
      await c.run(executor);
    },
  );
});

describe('gradients agree with central differences', () => {
  const differentiable = [...opTable.values()].filter((r) => r.vjp && r.samples);
  it.each(differentiable.map((r) => [r.name, r] as const))('%s', (_name, record) => {
    const own = rng.fork('fd').fork(record.name);
    let checked = 0;
    for (const [i, sample] of drawSamples(record, own, 'f64', 8).entries()) {
      const inputs = sampleInputs(sample, 'f64', own.fork(i));
      const floats = inputs.filter((x) => isFloat(x.dtype));
      if (sample.gradient === false || floats.length === 0 || floats.some((x) => sizeOf(x.shape) > 200)) continue;
      for (const order of i < 3 ? ([1, 2] as const) : ([1] as const)) {
        const report = checkGradients(
          (...xs) => {
            const ys = xs[0].builder.apply(record, xs, sample.attrs ?? {}).filter((y) => isFloat(y.dtype));
            return ys.map((y) => y.mul(y).sum()).reduce((s, y) => s.add(y));
          },
          inputs,
          {
            rng: own.fork(`probe ${i}`),
            order,
            directions: 2,
            coordinates: 2,
            ...(order === 2 ? { relative: 1e-5, absolute: 1e-6 } : {}),
          },
        );
        expect(report.failures, JSON.stringify({ sample, order })).toEqual([]);
        checked += report.checked;
      }
    }
    expect(checked).toBeGreaterThan(0);
  });
});
