import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createOrtExecutor, createReferenceExecutor, ModelState, Rng } from '../tensor/index.ts';
import { loadClassifier } from './classifier.ts';
import { exportModelDir, type ExportedModel } from './export-model.ts';
import { loadLm, lmLogits, lmProgram, saveLm } from './lm.ts';
import { lmConfig } from './lm-config.ts';

let dir: string;
let models: Record<string, ExportedModel>;
const tokenizer = charTokenizer('abcdefgh ');

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-export-'));
  const config = lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    max_position_embeddings: 12,
    sliding_window: 5,
  });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 4 }), new Rng(3));
  await saveLm(dir, { config, tokenizer, state, generation: {} });
  models = Object.fromEntries((await exportModelDir(dir)).map((m) => [m.name, m]));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const int32 = (data: number[], shape: number[]): ort.Tensor => new ort.Tensor('int32', Int32Array.from(data), shape);

it('model.onnx gives our logits in a bare session, for any batch and length', async () => {
  const model = await loadLm(dir, createReferenceExecutor());
  const session = await ort.InferenceSession.create(models['model.onnx']!.bytes);
  for (const length of [1, 4, 12]) {
    const rows = [0, 1].map((r) => Array.from({ length }, (_, i) => (3 * i + 2 * r) % tokenizer.vocabSize));
    const { logits } = await session.run({ ids: int32(rows.flat(), [2, length]) });
    const size = length * tokenizer.vocabSize;
    expect(logits!.dims).toEqual([2, length, tokenizer.vocabSize]);
    for (const [r, ids] of rows.entries()) {
      const expected = await lmLogits(model, ids);
      const got = (logits!.data as Float32Array).subarray(r * size, (r + 1) * size);
      expected.data.forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThan(1e-5));
    }
  }
});

it('decoder.onnx, fed one token at a time, gives the logits of the whole context', async () => {
  const model = await loadLm(dir, createReferenceExecutor());
  const session = await ort.InferenceSession.create(models['decoder.onnx']!.bytes);
  const ids = [1, 5, 2, 7, 3, 0, 4];
  const expected = await lmLogits(model, ids);
  let past: Record<string, ort.Tensor> = {};
  for (const name of session.inputNames.filter((n) => n.startsWith('past.'))) {
    past[name] = new ort.Tensor('float32', new Float32Array(0), [1, 2, 0, 8]);
  }
  for (const [t, id] of ids.entries()) {
    const mask = Float32Array.from({ length: t + 1 }, (_, s) => (t - s >= 5 ? -1e9 : 0));
    const out = await session.run({
      ids: int32([id], [1, 1]),
      positions: int32([t], [1]),
      mask: new ort.Tensor('float32', mask, [1, t + 1]),
      ...past,
    });
    past = Object.fromEntries(Object.keys(past).map((n) => [n, out[n.replace('past.', 'present.')]!]));
    const row = expected.data.subarray(t * tokenizer.vocabSize, (t + 1) * tokenizer.vocabSize);
    row.forEach((v, i) => expect(Math.abs((out['logits']!.data as Float32Array)[i]! - v)).toBeLessThan(1e-5));
  }
});

it.each(['small', 'medium', 'large'])('a digit reader (%s) is the same file for any batch', async (size) => {
  const path = new URL(`../../models/read-digit-${size}`, import.meta.url).pathname;
  const [exported] = await exportModelDir(path);
  const executor = await createOrtExecutor({ threads: 1 });
  await using reader = await loadClassifier(path, executor);
  const session = await ort.InferenceSession.create(exported!.bytes);
  for (const n of [1, 3]) {
    const x = new Float32Array(n * 784);
    new Rng(n).fillUniform(x);
    const expected = await reader.logits(x, n);
    const { logits } = await session.run({ x: new ort.Tensor('float32', x, [n, 784]) });
    expect(logits!.dims).toEqual([n, 10]);
    expected.forEach((v, i) => expect(Math.abs((logits!.data as Float32Array)[i]! - v)).toBeLessThan(1e-4));
  }
  await executor.dispose();
});
