import { expect, it } from 'vitest';
import { distance, randomTensor } from './_testing.ts';
import { type Builder, defineProgram } from './builder.ts';
import { ModelState } from './executor.ts';
import { grad } from './grad.ts';
import { normal } from './init.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import { compileSplitStep, defineSplitStep } from './split-step.ts';
import type { Tensor } from './tensor.ts';

it('a loss on the host gives the gradients of the same loss in the graph', async () => {
  const scores = (b: Builder): Tensor =>
    b
      .input('x', [2, 3])
      .matmul(b.param('w', [3, 4], normal(1)))
      .tanh();
  const gradient = (b: Builder, loss: Tensor): void => {
    const w = b.trainable()[0]!.tensor;
    b.output('dw', grad(loss, [w])[0]!);
  };
  const step = defineSplitStep((b) => ({ scores: scores(b) }), gradient, { dtype: 'f64' });
  const whole = defineProgram((b) => gradient(b, scores(b).pow(3).sum()), { dtype: 'f64' });
  const state = ModelState.init(whole, new Rng(1));
  const executor = createReferenceExecutor();
  const feeds = { x: randomTensor(new Rng(2), [2, 3]) };

  await using split = await compileSplitStep(
    executor,
    step,
    ({ scores: s }) => ({
      loss: Array.from(s!.data).reduce((t, v) => t + v ** 3, 0),
      gradients: { scores: { ...s!, data: Float64Array.from(s!.data, (v) => 3 * v * v) } },
    }),
    { state },
  );
  await using direct = await executor.compile(whole, { state });
  const [a, b] = [await split.run(feeds), await direct.run(feeds)];
  expect(distance(Array.from(a.outputs['dw']!.data), Array.from(b['dw']!.data))).toBeLessThan(1e-14);
  expect(Number.isFinite(a.loss)).toBe(true);
});
