import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type Builder, defineProgram } from './builder.ts';
import { ModelState } from './executor.ts';
import { exportModel, exportOnnx } from './export.ts';
import type { ProgramDef } from './graph.ts';
import { normal, ones } from './init.ts';
import { decodeModel } from './onnx-read.ts';
import { adamW } from './optim.ts';
import { attention, crossEntropy, gelu, layerNorm, linear, rmsNorm, rope } from './ops/index.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import type { Tensor } from './tensor.ts';

const [T, D, V] = [6, 8, 11];

/** A one-block transformer with everything an export must lower. */
function model(b: Builder): Tensor {
  const x = b.input('tokens', [2, T], 'i32');
  const p = (name: string, ...shape: number[]): Tensor => b.param(name, shape, shape.length > 1 ? normal(0.3) : ones);
  const h = p('embed', V, D).gather(x); // [2, T, D]
  const heads = (name: string): Tensor =>
    linear(layerNorm(h, p('ln.gain', D), p('ln.bias', D)), p(name, D, D))
      .reshape([2, T, 2, 4])
      .transpose([0, 2, 1, 3]);
  const mixed = attention(rope(heads('wq')), rope(heads('wk')), heads('wv'), { causal: true });
  const joined = h.add(mixed.transpose([0, 2, 1, 3]).reshape([2, T, D]));
  const wide = gelu(linear(rmsNorm(joined, p('rms', D)), p('up', D, 16), p('up.bias', 16)));
  return linear(joined.add(linear(wide, p('down', 16, D))), p('head', D, V)); // [2, T, V]
}

const forward = (): ProgramDef => defineProgram((b) => b.output('logits', model(b)));
const tokens = Int32Array.from({ length: 2 * T }, (_, i) => (i * 7) % V);

describe('export', () => {
  it.each([17, 18, 20] as const)('opset %i runs in a bare session with the same logits', async (opset) => {
    const def = forward();
    const state = ModelState.init(def, new Rng(3));
    const bytes = exportOnnx(def, state, { opset });
    const session = await ort.InferenceSession.create(bytes);
    expect(session.inputNames).toEqual(['tokens']);
    const { logits } = await session.run({ tokens: new ort.Tensor('int32', tokens, [2, T]) });
    const reference = await createReferenceExecutor().compile(def, { state });
    const wanted = (await reference.run({ tokens }))['logits']!;
    expect(logits!.dims).toEqual([2, T, V]);
    const worst = Math.max(...wanted.data.map((v, i) => Math.abs(v - Number(logits!.data[i]))));
    expect(worst).toBeLessThan(1e-5);
    await session.release();
  });

  it('uses the standard domain, keeps the names of weights and carries metadata', () => {
    const def = forward();
    const state = ModelState.init(def, new Rng(3));
    const m = decodeModel(exportOnnx(def, state, { metadata: { 'cairn.config': '{}' } }));
    expect(m.opsets).toEqual([{ domain: '', version: 20 }]);
    expect(new Set(m.nodes.map((n) => n.domain))).toEqual(new Set(['']));
    const named = m.initializers.map((t) => t.name).filter((name) => !name.startsWith('%'));
    expect(named.toSorted()).toEqual(def.graph.params.map((p) => p.name).toSorted());
    expect(m.metadata).toEqual({ 'cairn.format': '1', 'cairn.config': '{}' });
  });

  it('leaves the optimiser, its feeds and other outputs behind', () => {
    const def = defineProgram((b) => {
      const logits = model(b);
      b.output('logits', logits);
      const loss = crossEntropy(logits, b.input('labels', [2, T], 'i32'));
      b.output('loss', loss);
      adamW(b, loss);
    });
    const state = ModelState.init(def, new Rng(3));
    const m = exportModel(def, state, { outputs: ['logits'] });
    expect(m.inputs.map((v) => v.name)).toEqual(['tokens']);
    expect(m.outputs.map((v) => v.name)).toEqual(['logits']);
    expect(m.initializers.some((t) => /^[mv]:/.test(t.name))).toBe(false);
    const alone = exportModel(forward(), state);
    expect(m.nodes.length).toBe(alone.nodes.length);
    expect(() => exportModel(def, state, { outputs: ['logit'] })).toThrow(
      'Expected an output of the program (logits, loss, gradNorm, skipped), got `logit`.',
    );
  });

  it('keeps symbolic dimensions symbolic', async () => {
    const def = defineProgram((b) => {
      const x = b.input('x', [b.symbol('batch'), D]);
      b.output('y', linear(x, b.param('w', [D, 3], normal(1))));
    });
    const bytes = exportOnnx(def, ModelState.init(def, new Rng(1)));
    expect(decodeModel(bytes).inputs[0]!.dims).toEqual(['batch', D]);
    const session = await ort.InferenceSession.create(bytes);
    for (const n of [1, 5]) {
      const { y } = await session.run({ x: new ort.Tensor('float32', new Float32Array(n * D), [n, D]) });
      expect(y!.dims).toEqual([n, 3]);
    }
    await session.release();
  });
});
