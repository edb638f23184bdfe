import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createOrtExecutor, createReferenceExecutor, ModelState, readSafetensorsFile, Rng } from '../tensor/index.ts';
import { parseLmSettings } from './config.ts';
import { createDecoder } from './decoder.ts';
import { createLmEvaluator, evaluationWindows } from './evaluate-lm.ts';
import { generate } from './generate.ts';
import { type LanguageModel, lmLogits, lmProgram, loadLm, saveLm } from './lm.ts';
import { lmConfig } from './lm-config.ts';
import { argmax, softmax } from './sampling.ts';
import { DEFAULT_MODEL, trainLm } from './train-lm.ts';

const text = 'the cat sat on the mat; the dog sat on the log. '.repeat(40);
const tokenizer = charTokenizer(text);
const settings = { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 16 };
const config = lmConfig({ ...settings, vocab_size: tokenizer.vocabSize, position_embedding: 'learned', qk_norm: true });
const executor = createReferenceExecutor({ dtype: 'f32' });
const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
const rng = new Rng(9);
for (const name of state.names()) {
  const t = state.get(name);
  state.set(name, { ...t, data: t.data.map((x) => x + 0.2 * rng.normal()) });
}
const model: LanguageModel = { config, tokenizer, state, executor, generation: {} };

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lm-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('saved and loaded gives the same logits; the file has the common names and layout', async () => {
  const dir = join(folder, 'saved');
  await saveLm(dir, { ...model, generation: { temperature: 0.5, topK: 3 } });
  const loaded = await loadLm(dir, executor);
  expect(loaded.generation).toEqual({ temperature: 0.5, topK: 3 });
  const ids = tokenizer.encode('the cat sat');
  expect((await lmLogits(loaded, ids)).data).toEqual((await lmLogits(model, ids)).data);
  const { tensors } = await readSafetensorsFile(join(dir, 'model.safetensors'));
  expect(tensors.get('model.layers.1.mlp.up_proj.weight')?.shape).toEqual([64, 16]);
  expect(tensors.get('lm_head.weight')?.shape).toEqual([tokenizer.vocabSize, 16]);
  expect([...tensors.keys()].filter((k) => k.startsWith('model.layers.0.')).sort()).toEqual(
    [
      'input_layernorm.weight',
      'mlp.down_proj.bias',
      'mlp.down_proj.weight',
      'mlp.up_proj.bias',
      'mlp.up_proj.weight',
      'post_attention_layernorm.weight',
      ...['k_norm', 'k_proj', 'o_proj', 'q_norm', 'q_proj', 'v_proj'].map((n) => `self_attn.${n}.weight`),
    ].map((n) => `model.layers.0.${n}`),
  );
});

test('a damaged directory is named', async () => {
  const dir = join(folder, 'damaged');
  await saveLm(dir, model);
  const path = join(dir, 'config.json');
  const good = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const fails = async (change: Record<string, unknown>, message: RegExp): Promise<void> => {
    await writeFile(path, JSON.stringify({ ...good, ...change }));
    await expect(loadLm(dir, executor)).rejects.toThrow(message);
  };
  await fails({ num_attention_heads: 3 }, /key `num_attention_heads` of config.json to divide hidden_size 16, got 3/);
  await fails({ hidden_act: 'swish' }, /key `hidden_act`/);
  await fails({ num_hidden_layers: 3 }, /Expected `model.layers.2./);
  await fails({ intermediate_size: 32 }, /Expected f32\[16,32\] for `blocks.0.mlp.in.weight`/);
  await fails({ vocab_size: 12 }, /tokenizer.json with 12 tokens/);
});

test('beyond the context the decoder goes on from the later half of the window', async () => {
  await using decoder = createDecoder(model);
  const ids = Array.from(tokenizer.encode(text.slice(0, 40)));
  let logits = await decoder.feed(ids.slice(0, 16));
  logits = await decoder.feed([ids[16]!]);
  expect(decoder.length).toBe(8);
  const window = await lmLogits(model, ids.slice(9, 17));
  logits.forEach((x, i) => expect(x).toBeCloseTo(window.data[7 * tokenizer.vocabSize + i]!, 4));
  await expect(decoder.feed([])).rejects.toThrow(/at least one token/);
  await expect(decoder.feed([tokenizer.vocabSize])).rejects.toThrow(/token ids from 0/);
});

test('greedy generation takes the best token of the full forward each time', async () => {
  const ids = Array.from(tokenizer.encode('the'));
  const run = generate(model, 'the', { maxTokens: 8, temperature: 0 });
  for await (const { token, logprob } of run) {
    const { data } = await lmLogits(model, ids);
    const last = data.slice(-tokenizer.vocabSize);
    expect(token).toBe(argmax(last));
    expect(logprob).toBeCloseTo(Math.log(softmax(last)[token]!), 4);
    ids.push(token);
  }
  const end = await run.end();
  expect(end).toEqual({
    reason: 'length',
    text: tokenizer.decode(ids.slice(3)),
    usage: { input: 3, leftOut: 0, thinking: 0, output: 8 },
  });
});

test('the same seed gives the same text, another one another', async () => {
  const sample = (seed: number): Promise<string> => generate(model, 'a', { maxTokens: 30, seed }).text();
  expect(await sample(1)).toBe(await sample(1));
  expect(await sample(1)).not.toBe(await sample(2));
});

test('a stop text ends the run, is not part of the text, and its beginnings are held back', async () => {
  const wanted = Array.from(tokenizer.encode('on the log the'));
  let i = 0;
  const force = (z: Float64Array): void => {
    z.fill(-1e9);
    z[wanted[i++]!] = 0;
  };
  const run = generate(model, 'x', { stop: ['the d', 'g th'], logitsProcessors: [force], maxTokens: 14 });
  const pieces: string[] = [];
  for await (const { text: piece } of run) pieces.push(piece);
  expect(pieces.join('')).toBe('on the lo');
  expect(pieces[8]).toBe('o');
  expect(pieces.slice(3, 7)).toEqual(['', '', '', '']);
  expect(await run.end()).toMatchObject({ reason: 'stop', text: 'on the lo', usage: { output: 13 } });
});

test('an abort ends within one token, an end token is not part of the text', async () => {
  const stop = new AbortController();
  const run = generate(model, 'a', { maxTokens: 50, signal: stop.signal });
  for await (const { index } of run) if (index === 4) stop.abort();
  expect(await run.end()).toMatchObject({ reason: 'aborted', usage: { output: 5 } });
  const all = Array.from({ length: tokenizer.vocabSize }, (_, i) => i);
  expect(await generate(model, 'a', { eosTokenIds: all }).end()).toMatchObject({ reason: 'eos', text: '' });
});

test('evaluation scores every token once, with half a context before it', () => {
  for (const count of [2, 9, 16, 17, 18, 100, 131]) {
    const scored = evaluationWindows(count, 16).flatMap(({ start, from, length }) =>
      Array.from({ length: length - from }, (_, i) => start + from + i + 1),
    );
    expect(scored).toEqual(Array.from({ length: count - 1 }, (_, i) => i + 1));
    for (const w of evaluationWindows(count, 16).slice(1)) expect(w.from).toBeGreaterThanOrEqual(8);
  }
});

test('the evaluated loss is that of the logits', async () => {
  await using evaluator = await createLmEvaluator(config, state, executor, 2);
  const ids = tokenizer.encode(text.slice(0, 30));
  let total = 0;
  for (const { start, from, length } of evaluationWindows(30, 16)) {
    const { data } = await lmLogits(model, ids.subarray(start, start + length));
    for (let i = from; i < length; i++) {
      const row = data.slice(i * tokenizer.vocabSize, (i + 1) * tokenizer.vocabSize);
      total -= Math.log(softmax(row)[ids[start + i + 1]!]!);
    }
  }
  expect(await evaluator.loss(ids)).toBeCloseTo(total / 29, 4);
});

test('training learns the text, repeats itself bit for bit, and resumes', async () => {
  await using ort = await createOrtExecutor({ threads: 1 });
  const base = { text, seed: 7, steps: 60, model: settings, recipe: { batch: 4, rate: 0.02 }, executor: ort };
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
  const first = await trainLm({ ...base, dir: a });
  expect(first.validLoss).toBeLessThan(2.2);
  expect(first.steps).toBe(60);
  await trainLm({ ...base, dir: b });
  const weights = (dir: string): Promise<Buffer> => readFile(join(dir, 'model.safetensors'));
  expect((await weights(a)).equals(await weights(b))).toBe(true);
  const stop = new AbortController();
  const cut = trainLm({ ...base, dir: c, signal: stop.signal, onProgress: (p) => p.step === 25 && stop.abort() });
  await expect(cut).rejects.toThrow('Expected to train to the end, got an abort after 25 steps.');
  await trainLm({ ...base, dir: c, resume: true });
  expect((await weights(a)).equals(await weights(c))).toBe(true);
  expect((await readdir(a)).sort()).toEqual([
    'README.md',
    'config.json',
    'generation_config.json',
    'metrics.jsonl',
    'model.safetensors',
    'tokenizer.json',
    'training.json',
  ]);
  const loaded = await loadLm(a, ort);
  expect(await generate(loaded, 'the ', { maxTokens: 20, temperature: 0 }).text()).toMatch(/[a-z .;]{20}/);
});

test('a model of byte-pair tokens and architecture blocks trains, is written, read and sampled from', async () => {
  const dir = join(folder, 'blocks');
  await using ort = await createOrtExecutor({ threads: 1 });
  const blocks = '{ "altup_num_inputs": 2, "memory_lookup": "ngram", "memory_entries": 64, "mlp_gated": true }';
  const report = await trainLm({
    text,
    seed: 5,
    steps: 30,
    dir,
    tokenizer: 'bpe',
    vocabulary: 270,
    model: { ...settings, ...parseLmSettings(blocks, DEFAULT_MODEL) },
    recipe: { batch: 4 },
    executor: ort,
  });
  expect(report.validLoss).toBeLessThan(Math.log(270));
  const loaded = await loadLm(dir, ort);
  expect(loaded.config).toMatchObject({ vocab_size: 270, altup_num_inputs: 2, memory_entries: 64 });
  expect(loaded.tokenizer.encode('the cat').length).toBeLessThan(7);
  expect(loaded.tokenizer.decode(loaded.tokenizer.encode('the cät'))).toBe('the cät');
  expect(await generate(loaded, 'the ', { maxTokens: 5, seed: 1 }).text()).not.toBe('');
});

test.each([
  ['not json', /Expected JSON with keys/],
  ['[1]', /Expected an object with keys of config.json, got \[1\]/],
  ['{ "altup_streams": 2 }', /got `altup_streams`/],
  ['{ "hidden_size": "wide" }', /key `hidden_size`/],
  [
    '{ "altup_recycled": true }',
    /key `altup_num_inputs` of config.json to be at least 2 where altup_recycled is given/,
  ],
])('settings %s are refused by name', (json, message) => {
  expect(() => parseLmSettings(json, DEFAULT_MODEL)).toThrow(message);
});

test('a text that is too short is named', async () => {
  await expect(trainLm({ text: 'ab', seed: 1, steps: 1, dir: join(folder, 'short'), executor })).rejects.toThrow(
    /Expected a text of more than/,
  );
});

test('minutes bound everything: the time for measuring is set aside', async () => {
  let now = 0;
  const clock = (): number => (now += 0.05);
  await using ort = await createOrtExecutor({ threads: 1 });
  const report = await trainLm({
    text,
    seed: 7,
    minutes: 0.2,
    dir: join(folder, 'minutes'),
    model: settings,
    recipe: { batch: 4 },
    executor: ort,
    clock,
  });
  expect(report.seconds).toBeLessThanOrEqual(12);
  expect(report.steps).toBeGreaterThan(20);
  expect(report.validShare).toBe(1);
});
