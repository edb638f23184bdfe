// A training step is a graph: build it once, run it anywhere. Here a line is fitted by the reference executor, then by ONNX Runtime.
import assert from 'node:assert/strict';
import {
  adamW,
  createOrtExecutor,
  createReferenceExecutor,
  defineProgram,
  type Executor,
  mean,
  ModelState,
  mul,
  Rng,
  sub,
} from 'cairn/tensor';

const step = defineProgram((b) => {
  const x = b.input('x', [8, 1]);
  const y = b.input('y', [8, 1]);
  const w = b.param('w', [1, 1], () => Float64Array.of(0));
  const error = sub(x.matmul(w), y);
  const loss = mean(mul(error, error));
  b.output('loss', loss);
  adamW(b, loss, { weightDecay: 0 });
});

async function fit(executor: Executor): Promise<number> {
  const state = ModelState.init(step, new Rng(7));
  const program = await executor.compile(step, { state });
  const x = Float32Array.from({ length: 8 }, (_, i) => i / 8);
  const y = x.map((v) => 3 * v);
  for (let t = 1; t <= 300; t++) {
    await program.run({ x, y, lr: 0.05, c1: 1 - 0.9 ** t, c2: 1 - 0.95 ** t });
  }
  const { data } = state.get('w');
  await program.dispose();
  await executor.dispose();
  return data[0]!;
}

export async function main(): Promise<void> {
  const reference = await fit(createReferenceExecutor());
  const fast = await fit(await createOrtExecutor({ threads: 1 }));
  assert.ok(Math.abs(reference - 3) < 0.01, `reference: ${reference}`);
  assert.ok(Math.abs(fast - reference) < 1e-3, `ONNX Runtime: ${fast}`);
}
