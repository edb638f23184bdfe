import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReferenceExecutor, ModelState, Rng } from '../tensor/index.ts';
import {
  classifierProgram,
  countFlops,
  createClassifier,
  loadClassifier,
  parameterCount,
  weightsOf,
} from './classifier.ts';
import type { ClassifierConfig } from './config.ts';
import { readerConfig, readerRecipe, readerSizes } from './digit-readers.ts';
import { readModel, writeModel } from './directory.ts';
import {
  activation,
  avgPool,
  conv2d,
  countParameters,
  describeModule,
  linear,
  maxPool,
  reshape,
  sequential,
} from './module.ts';

const layers = sequential({
  grid: reshape(1, 6, 6),
  conv: conv2d(1, 3, 3, { padding: 1 }),
  act: activation('relu'),
  pool: maxPool(2),
  mean: avgPool(3),
  flat: reshape(3),
  out: linear(3, 4),
});
const config: ClassifierConfig = {
  ...readerConfig('small'),
  input_size: 36,
  labels: ['a', 'b', 'c', 'd'],
  temperature: 2,
  layers,
};
const executor = createReferenceExecutor({ dtype: 'f32' });
const state = ModelState.init(classifierProgram(config, 1), new Rng(7));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'classifier-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a batch of any size gives the rows of single predictions', async () => {
  const one = createClassifier(config, state, executor);
  const rng = new Rng(3);
  const inputs = Float32Array.from({ length: 23 * 36 }, () => rng.uniform());
  const p = await one.predict(inputs, 23);
  for (let i = 0; i < 23; i++) {
    const single = await one.predict(inputs.slice(i * 36, (i + 1) * 36), 1);
    single.forEach((x, c) => expect(x).toBeCloseTo(p[i * 4 + c]!, 6));
    expect(single.reduce((s, x) => s + x, 0)).toBeCloseTo(1, 5);
  }
  expect((await one.predict(new Float32Array(0), 0)).length).toBe(0);
  await expect(one.predict(inputs, 22)).rejects.toThrow('Expected 22 inputs of 36 values, got 828 values.');
});

test('temperature divides the logits', async () => {
  const one = createClassifier(config, state, executor);
  const x = new Float32Array(36).fill(0.5);
  const z = await one.logits(x, 1);
  const e = z.map((v) => Math.exp(v / 2));
  const total = e.reduce((s, v) => s + v, 0);
  (await one.predict(x, 1)).forEach((v, i) => expect(v).toBeCloseTo(e[i]! / total, 6));
});

test('a model directory gives the same model back, and keeps unknown keys', async () => {
  const tensors = weightsOf(classifierProgram(config, 1), state);
  await writeModel(folder, { config: Object.assign({ note: 'kept' }, config), tensors, card: '# card\n' });
  const loaded = await loadClassifier(folder, executor);
  const x = new Float32Array(36).fill(0.25);
  expect(await loaded.predict(x, 1)).toEqual(await createClassifier(config, state, executor).predict(x, 1));
  expect((await readModel(folder)).config).toMatchObject({ note: 'kept' });
});

test('errors of a directory name the key or the tensor', async () => {
  await expect(loadClassifier(join(folder, 'absent'), executor)).rejects.toThrow(/Expected a model directory/);
  const path = join(folder, 'config.json');
  const good = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const fails = async (change: Record<string, unknown>, message: RegExp): Promise<void> => {
    await writeFile(path, JSON.stringify({ ...good, ...change }));
    await expect(loadClassifier(folder, executor)).rejects.toThrow(message);
  };
  await fails({ model_type: 'bert' }, /key `model_type`.*got "bert"/);
  await fails({ temperature: -1 }, /key `temperature` in config.json, got -1/);
  await fails(
    { layers: { kind: 'sequential', layers: { a: { kind: 'linear', inputs: 0 } } } },
    /key `layers.layers.a.inputs`/,
  );
  await fails({ labels: ['a', 'b', 'c'] }, /Expected logits \[batch, 3\]/);
  const wide = { ...layers, layers: { ...layers.layers, conv: conv2d(1, 3, 5, { padding: 2 }) } };
  await fails({ layers: wide }, /Expected f32\[3,1,5,5\] for `conv.weight`/);
  await writeFile(path, '{');
  await expect(loadClassifier(folder, executor)).rejects.toThrow(/Expected JSON/);
});

test('a module prints as a tree and counts its parameters', () => {
  expect(countParameters(layers)).toBe(3 * 9 + 3 + 12 + 4);
  expect(describeModule(sequential({ a: linear(2, 3), b: activation('gelu') }))).toBe(
    'model: sequential (9 parameters)\n  a: linear inputs=2 outputs=3 bias=true (9 parameters)\n  b: activation name=gelu (0 parameters)',
  );
  expect(() => sequential({ 'a.b': linear(1, 1) })).toThrow(/layer names/);
});

test('the three readers have the sizes they claim', () => {
  const flops = readerSizes.map((size) => countFlops(classifierProgram(readerConfig(size), 1)));
  expect(flops[0]).toBeLessThan(16_000);
  expect(flops[1]! / 200_000).toBeGreaterThan(0.9);
  expect(flops[1]! / 200_000).toBeLessThan(1.1);
  expect(flops[2]).toBeLessThan(6_000_000);
  for (const size of readerSizes) {
    expect(parameterCount(classifierProgram(readerConfig(size), 1))).toBe(countParameters(readerRecipe(size).layers));
  }
});
