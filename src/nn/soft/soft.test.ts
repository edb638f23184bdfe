import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { charTokenizer, drawSpeaker, speakString, withAddedTokens } from '../../data/index.ts';
import {
  createOrtExecutor,
  createReferenceExecutor,
  defineProgram,
  type Feed,
  grad,
  ModelState,
  type OrtExecutor,
  Rng,
} from '../../tensor/index.ts';
import { audioConfig } from '../audio-config.ts';
import { parseConfig } from '../config.ts';
import { createDecoder } from '../decoder.ts';
import { exportModelDir } from '../export-model.ts';
import { generate } from '../generate.ts';
import { type LanguageModel, lmLogits, lmState, lmTensors, loadLm, saveLm, weightPrograms } from '../lm.ts';
import { lmConfig, type LmConfig } from '../lm-config.ts';
import { softWidth } from '../lm-soft-config.ts';
import { lmObjective } from '../lm-step.ts';
import { encodeMixed, type MixedExample, packMixed, readMixed, trainMixed } from './index.ts';

const tokenizer = withAddedTokens(charTokenizer('0123456789+= '), ['<image>', '<audio>']);
const [IMAGE, AUDIO] = ['<image>', '<audio>'].map((name) => tokenizer.added.get(name)!) as [number, number];
const audio = audioConfig({ mels: 8, window_seconds: 0.05, hop_seconds: 0.025, stack: 2 });

const base: Partial<LmConfig> = {
  image_token_id: IMAGE,
  image_size: 6,
  image_patch_size: 3,
  audio_token_id: AUDIO,
  audio,
  audio_rows: 8,
  audio_hidden_size: 8,
  audio_funnel: true,
};

function configOf(settings: Partial<LmConfig>): LmConfig {
  const config = lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 64,
    ...settings,
  });
  parseConfig(config);
  return config;
}

/** Every weight drawn anew, so that nothing is zero. */
function modelOf(settings: Partial<LmConfig>, seed: number): LanguageModel {
  const config = configOf(settings);
  const state = new ModelState();
  for (const def of weightPrograms(config)) state.ensure(def, new Rng(seed));
  for (const name of state.names()) {
    const t = state.get(name);
    const rng = new Rng(seed).fork(`shake ${name}`);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.2 * rng.normal()) });
  }
  return { config, state, tokenizer, executor: createReferenceExecutor(), generation: { temperature: 0 } };
}

const blocks: [string, Partial<LmConfig>][] = [
  ['plain', {}],
  ['AltUp', { altup_num_inputs: 2 }],
  ['AltUp recycled', { altup_num_inputs: 2, altup_recycled: true }],
  ['stacks and windows', { stag_num_stacks: 2, sliding_window: 5 }],
  ['every second position', { altup_sequence_stride: 2, num_hidden_layers: 3 }],
  ['tables, experts and shared keys', { moe_num_experts: 2, num_kv_shared_layers: 1, memory_lookup: 'token' }],
];

const rng = new Rng(11);
const image = Float32Array.from({ length: 36 }, () => rng.uniform());
const sound = speakString(drawSpeaker(rng), audio.sample_rate, rng).samples;
const parts = [{ image }, '+', { audio: sound }, '+', { image: image.map((x) => 1 - x) }, '='];

/** Single precision as double; integers as they are. */
function inDouble(feed: Feed): Feed {
  if (feed instanceof Float32Array) return Float64Array.from(feed);
  if (typeof feed === 'object' && 'dtype' in feed && feed.dtype === 'f32') {
    return { ...feed, data: Float64Array.from(feed.data), dtype: 'f64' };
  }
  return feed;
}

describe.each(blocks)('%s', (_, settings) => {
  test('a text alone has the logits of the model that neither sees nor hears, bit for bit', async () => {
    const model = modelOf({ ...base, ...settings }, 1);
    const plain = modelOf(settings, 1);
    const ids = tokenizer.encode('12+34=46 1');
    expect((await lmLogits(model, ids)).data).toEqual((await lmLogits(plain, ids)).data);
  });

  test('a vector that is an embedding row is that token, bit for bit', async () => {
    if (settings.memory_lookup === 'token') return expect(settings.memory_lookup).toBe('token'); // looks at ids
    const model = modelOf({ ...base, ...settings }, 2);
    const width = softWidth(model.config);
    const ids = tokenizer.encode('12+34=46 1');
    const table = model.state.get('embed.weight').data;
    const marked = ids.map((id, t) => (t === 2 ? IMAGE : t === 5 ? AUDIO : id));
    const rows = [2, 5].flatMap((t) => Array.from(table.slice(ids[t]! * width, (ids[t]! + 1) * width)));
    expect((await lmLogits(model, marked, Float32Array.from(rows))).data).toEqual((await lmLogits(model, ids)).data);
  });

  test('with pictures and sounds, cached = uncached, in any pieces, also after going back and past the context', async () => {
    const model = modelOf({ ...base, ...settings, max_position_embeddings: 40 }, 3);
    const { ids, soft } = await encodeMixed(model, parts);
    const width = softWidth(model.config);
    const answer = [...tokenizer.encode('7 8 9')];
    const whole = await lmLogits(model, [...ids, ...answer], soft);
    const v = tokenizer.vocabSize;
    const gap = (t: number, row: ArrayLike<number>): number =>
      Math.max(...Array.from(row, (x, i) => Math.abs(x - whole.data[t * v + i]!)));
    await using decoder = createDecoder(model);
    expect(gap(ids.length - 1, await decoder.feed(ids, soft))).toBeLessThan(1e-5);
    const saved = decoder.save();
    for (const [i, id] of answer.entries()) expect(gap(ids.length + i, await decoder.feed([id]))).toBeLessThan(1e-5);
    await decoder.rewind(ids.length + 2);
    expect(gap(ids.length + 2, await decoder.feed([answer[2]!]))).toBeLessThan(1e-5);
    decoder.restore(saved);
    expect(gap(ids.length, await decoder.feed([answer[0]!]))).toBeLessThan(1e-5);
    decoder.reset();
    let at = 0;
    for (const [t, id] of ids.entries()) {
      const own = id === IMAGE || id === AUDIO ? 1 : 0;
      expect(gap(t, await decoder.feed([id], soft.slice(at * width, (at + own) * width)))).toBeLessThan(1e-5);
      at += own;
    }
    // Past the context the later half is read again, with its own vectors.
    const more = Array.from({ length: 40 - ids.length }, (__, i) => i % 10);
    await decoder.feed(more);
    const late = await decoder.feed([3]);
    const kept = [...ids, ...more, 3].slice(-20);
    const places = kept.filter((id) => id === IMAGE || id === AUDIO).length;
    const again = await lmLogits(model, kept, soft.slice(soft.length - places * width));
    expect(Math.max(...Array.from(late, (x, i) => Math.abs(x - again.data[19 * v + i]!)))).toBeLessThan(1e-5);
  });

  test('gradients of encoders and model are those of finite differences', async () => {
    const config = configOf({ ...base, ...settings });
    const shape = { batch: 2, length: 24, images: 3, clips: 2 };
    const def = defineProgram(
      (b) => {
        const loss = lmObjective(b, config, shape, { mixed: shape });
        b.output('loss', loss);
        const wrt = b.trainable();
        const all = wrt.map((p) => p.tensor);
        grad(loss, all).forEach((g, i) => b.output(`d ${wrt[i]!.spec.name}`, g));
      },
      { dtype: 'f64' },
    );
    const state = new ModelState();
    state.ensure(def, new Rng(4));
    const draw = new Rng(4).fork('along');
    for (const name of state.names()) {
      const t = state.get(name);
      state.set(name, { ...t, data: t.data.map((x) => x + 0.2 * draw.normal()) });
    }
    const short = sound.slice(0, 1500);
    const examples: MixedExample[] = [
      { prompt: [{ image }, '+', { audio: short }, '='], answer: '12' },
      { prompt: [{ audio: short.map((x) => -x) }, { image }], answer: '9' },
    ];
    const feeds = Object.fromEntries(
      Object.entries(packMixed({ config, tokenizer }, shape, examples)).map(([name, t]) => [name, inDouble(t)]),
    );
    await using program = await createReferenceExecutor({ dtype: 'f64' }).compile(def, { state });
    const out = await program.run(feeds);
    const names = def.graph.params.filter((p) => p.trainable).map((p) => p.name);
    expect(names.filter((name) => /^(image|audio)\./.test(name)).length).toBeGreaterThan(10);
    for (const part of [/^image\./, /^audio\./, /./]) {
      const chosen = names.filter((name) => part.test(name));
      const before = new Map(chosen.map((name) => [name, state.get(name)]));
      const along = new Map(chosen.map((name) => [name, before.get(name)!.data.map(() => draw.normal())]));
      const analytic = chosen.reduce((sum, name) => {
        const direction = along.get(name)!;
        return Array.from(out[`d ${name}`]!.data).reduce((s, g, i) => s + g * direction[i]!, sum);
      }, 0);
      const lossAt = async (h: number): Promise<number> => {
        for (const [name, t] of before) {
          const direction = along.get(name)!;
          state.set(name, { ...t, data: t.data.map((x, i) => x + h * direction[i]!) });
        }
        return (await program.run(feeds))['loss']!.data[0]!;
      };
      const errors: number[] = [];
      for (const h of [1e-6, 1e-7]) {
        const numeric = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
        errors.push(Math.abs(analytic - numeric) / (1 + Math.abs(numeric)));
      }
      for (const [name, t] of before) state.set(name, t);
      expect(Math.abs(analytic)).toBeGreaterThan(1e-6);
      expect(Math.min(...errors)).toBeLessThan(1e-6);
    }
  });
});

describe('as files', () => {
  let dir: string;
  let executor: OrtExecutor;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cairn-soft-'));
    executor = await createOrtExecutor();
  });
  afterAll(async () => {
    await rm(dir, { recursive: true });
    await executor.dispose();
  });

  test('a few steps of training, saved, loaded and exported: the same answers', async () => {
    const shape = { batch: 2, length: 32, images: 2, clips: 4 };
    const trained = await trainMixed({
      config: configOf({
        ...base,
        altup_num_inputs: 2,
        memory_lookup: 'ngram',
        memory_entries: 64,
        moe_num_experts: 2,
      }),
      tokenizer,
      executor,
      seed: 5,
      shape,
      recipe: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, clipNorm: 1, rate: 1e-2, steps: 5 },
      examples: (step) => [{ prompt: [{ image }, '+', { audio: sound }, '='], answer: `${step}` }],
    });
    await saveLm(dir, trained);
    const model = await loadLm(dir, executor);
    expect(model.config).toEqual(trained.config);
    const prompt = await encodeMixed(model, parts);
    expect(prompt).toEqual(await encodeMixed(trained, parts));
    const text = await generate(model, prompt, { maxTokens: 5 }).text();
    expect(text).toBe(await generate(trained, prompt, { maxTokens: 5 }).text());

    const files = new Map((await exportModelDir(dir)).map((f) => [f.name, f.bytes]));
    const session = await ort.InferenceSession.create(files.get('image-encoder.onnx')!);
    const { soft } = await session.run({ 'image.pixels': new ort.Tensor('float32', image, [1, 6, 6]) });
    const width = softWidth(model.config);
    expect(soft!.dims).toEqual([4, width]);
    (soft!.data as Float32Array).forEach((x, i) => expect(x).toBeCloseTo(prompt.soft[i]!, 5));
    await session.release();
    const hears = await ort.InferenceSession.create(files.get('audio-encoder.onnx')!);
    const [clip] = readMixed(model, [{ audio: sound.slice(0, 3000) }]).clips;
    const valid = Float32Array.from({ length: 8 }, (_, i) => (i < clip!.rows ? 1 : 0));
    const heard = await hears.run({
      'audio.rows': new ort.Tensor('float32', clip!.features, [1, 8, 16]),
      'audio.valid': new ort.Tensor('float32', valid, [1, 8, 1]),
    });
    const ours = await encodeMixed(model, [{ audio: sound.slice(0, 3000) }]);
    ours.soft.forEach((x, i) => expect(heard['soft']!.data[i]).toBeCloseTo(x, 5));
    await hears.release();

    const tensors = lmTensors(model.config, model.state);
    expect([...tensors.keys()]).toContain('model.audio_encoder.layers.0.conv.depthwise.weight');
    tensors.delete('model.image_encoder.in.weight');
    expect(() => lmState(model.config, tensors)).toThrow('Expected `model.image_encoder.in.weight`');
  }, 60_000);
});

test('what is generated is text: marks are never drawn', async () => {
  const model = modelOf(base, 6);
  const prompt = await encodeMixed(model, [{ image }, '=']);
  const drawn: number[] = [];
  for await (const { token } of generate(model, prompt, { maxTokens: 40, temperature: 50, seed: 3 })) drawn.push(token);
  expect(drawn).toHaveLength(40);
  expect(drawn).not.toContain(IMAGE);
  expect(drawn).not.toContain(AUDIO);
});

test('a sound is as many places as it has pairs of rows, in clips', () => {
  const model = modelOf(base, 6);
  const { ids, clips } = readMixed(model, [{ audio: new Float32Array(8000) }]);
  const rows = clips.reduce((n, clip) => n + clip.rows, 0);
  // 1 s at 25 ms a frame, windows of 50 ms, two frames a row.
  expect(rows).toBe(Math.floor((1 + Math.floor((8000 - 400) / 200)) / 2));
  expect(clips.map((clip) => clip.rows)).toEqual([8, 8, rows - 16]);
  expect(ids).toEqual(new Array(4 + 4 + Math.ceil((rows - 16) / 2)).fill(AUDIO));
});

test('what does not fit is said', async () => {
  const model = modelOf(base, 7);
  const deaf = modelOf({}, 7);
  await expect(encodeMixed(deaf, [{ image }])).rejects.toThrow('Expected text and sounds, got a picture.');
  await expect(encodeMixed(deaf, [{ audio: sound }])).rejects.toThrow('Expected text and pictures, got a sound.');
  await expect(encodeMixed(model, [{ image: image.slice(1) }])).rejects.toThrow('6 x 6 grey values, got 35');
  await expect(encodeMixed(model, [{ audio: new Float32Array(10) }])).rejects.toThrow('at least one row');
  await expect(generate(model, '<image>=', { maxTokens: 2 }).text()).rejects.toThrow(
    'Expected vectors for 1 places of pictures and sounds in the text, got 0.',
  );
  const shape = { batch: 1, length: 8, images: 1, clips: 1 };
  const pack = (example: MixedExample, many = 1): unknown => packMixed(model, shape, new Array(many).fill(example));
  expect(() => pack({ prompt: ['1'], answer: '2' }, 2)).toThrow('at most 1 examples in a batch, got 2');
  expect(() => pack({ prompt: ['123456789'], answer: '2' })).toThrow('at most 8 tokens in a batch, got 9');
  expect(() => pack({ prompt: [{ image }, { image }], answer: '' })).toThrow('at most 1 pictures in a batch, got 2');
});

test.each([
  ['image_token_id', { image_size: 6 }, 'be given where image_size is'],
  ['image_size', { image_token_id: 1, image_patch_size: 2 }, 'be given where image_token_id is'],
  ['image_patch_size', { image_token_id: 1, image_size: 6, image_patch_size: 4 }, 'divide image_size 6, got 4'],
  ['image_token_id', { ...base, image_token_id: 9999 }, 'be a token id below vocab_size'],
  ['audio_token_id', { ...base, audio_token_id: IMAGE }, 'differ from image_token_id'],
  ['audio', { audio_token_id: 1 }, 'be given where audio_token_id is'],
  ['audio_hidden_size', { ...base, audio_hidden_size: 12 }, 'be a multiple of 8'],
  ['audio_funnel', { ...base, audio_layers: 0 }, 'be absent or false without layers'],
  ['audio_rows', { ...base, audio_rows: 7 }, 'be even where audio_funnel is true'],
  ['audio', { ...base, audio: { ...audio, mean: [1] } }, 'have 8 values in mean'],
] as [string, Partial<LmConfig>, string][])('key %s against the others is named', (key, settings, text) => {
  expect(() => configOf(settings)).toThrow(`Expected key \`${key}\` of config.json to ${text}`);
});
