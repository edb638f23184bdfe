import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { drawSpeaker, speakString, SYNTHETIC_WORDS } from '../../data/index.ts';
import { createOrtExecutor, createReferenceExecutor, defineProgram, ModelState, Rng } from '../../tensor/index.ts';
import { exportModelDir } from '../export-model.ts';
import { asrConfig, type AsrSize } from './config.ts';
import { extractSize, loadRecognizer, readAsrModel, roundToHalf, writeAsrModel } from './model.ts';
import { createRecognizer } from './recognizer.ts';
import { asrLoss } from './train.ts';

const config = asrConfig({
  vocabulary: [...SYNTHETIC_WORDS],
  audio: { mean: new Array<number>(40).fill(-6), std: new Array<number>(40).fill(3) },
  hidden_size: 16,
  num_attention_heads: 2,
  intermediate_size: 16,
  conv_kernel: 3,
  left_context: 12,
  asr_right_context: 1,
  joint_size: 12,
  embedding_size: 4,
  asr_sizes: {
    small: { causal_layers: 2, noncausal_layers: 0 },
    medium: { causal_layers: 3, noncausal_layers: 0 },
    large: { causal_layers: 3, noncausal_layers: 1 },
  },
});
const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
const state = ModelState.init(def, new Rng(1));
// Makes an untrained model talkative, so that its decisions can be compared.
for (const size of ['small', 'medium', 'large']) {
  state.set(`joint.${size}.blank.bias`, { data: Float32Array.of(-2), shape: [1], dtype: 'f32' });
  const weight = state.get(`joint.${size}.blank.weight`);
  state.set(`joint.${size}.blank.weight`, { ...weight, data: weight.data.map((x) => 6 * x) });
}
const executor = createOrtExecutor({ threads: 1 });
const dirs: string[] = [];
afterAll(async () => {
  await (await executor).dispose();
  for (const dir of dirs) await rm(dir, { recursive: true });
});
const newDir = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-asr-'));
  dirs.push(dir);
  return dir;
};
const speech = (seed = 1, sampleRate = 8000): Float32Array => {
  const rng = new Rng(seed);
  return speakString(drawSpeaker(rng), sampleRate, rng).samples;
};
const cut = (x: Float32Array, n: number): Float32Array[] =>
  Array.from({ length: Math.ceil(x.length / n) }, (_, i) => x.subarray(i * n, (i + 1) * n));

describe('recogniser', () => {
  it('hears the same however the samples come, at every size; what was final stays', async () => {
    await using recognizer = createRecognizer(config, state, await executor);
    const samples = speech();
    for (const size of recognizer.sizes) {
      const whole = await recognizer.transcribe(samples, { size });
      expect(whole.words.length).toBeGreaterThan(0);
      expect(whole.partial).toBe('');
      for (const n of [80, 333, 5000]) {
        let before = '';
        let last = whole;
        for await (const now of recognizer.stream(cut(samples, n), { size })) {
          expect(`${now.final} `.startsWith(before === '' ? '' : `${before} `)).toBe(true);
          before = now.final;
          last = now;
        }
        expect(last).toEqual(whole);
      }
    }
  });

  it('large shows at once what medium hears, until it has heard it itself', async () => {
    await using recognizer = createRecognizer(config, state, await executor);
    const samples = speech(3);
    const shown: string[] = [];
    for await (const now of recognizer.stream(cut(samples, 1920), { size: 'large' })) shown.push(now.partial);
    expect(shown.some((text) => text !== '')).toBe(true);
    expect(shown.at(-1)).toBe('');
  });

  it('a size alone hears the same, costs less, and takes other sampling rates', async () => {
    await using recognizer = createRecognizer(config, state, await executor);
    let before = { parameters: 0, flopsPerSecond: 0, latency: 0 };
    for (const size of recognizer.sizes) {
      const own = extractSize({ config, state }, size);
      await using alone = createRecognizer(own.config, own.state, await executor);
      expect((await alone.transcribe(speech(2))).words).toEqual(
        (await recognizer.transcribe(speech(2), { size })).words,
      );
      const cost = await recognizer.cost(size);
      expect(cost.parameters).toBeGreaterThan(before.parameters);
      expect(cost.flopsPerSecond).toBeGreaterThan(before.flopsPerSecond);
      expect(cost.latency).toBeGreaterThanOrEqual(before.latency);
      before = cost;
    }
    const high = speech(2, 44_100);
    const heard = await recognizer.transcribe(high, { size: 'small', sampleRate: 44_100 });
    expect(heard.time).toBeCloseTo(high.length / 44_100, 9);
    const silent = await recognizer.transcribe(new Float32Array(0));
    expect(silent).toMatchObject({ final: '', words: [], time: 0 });
  });

  it('decodes greedily or with a wider beam, and stops when told', async () => {
    await using recognizer = createRecognizer(config, state, await executor);
    const samples = speech(5);
    const greedy = await recognizer.transcribe(samples, { size: 'medium', beam: false });
    const one = await recognizer.transcribe(samples, { size: 'medium', beam: { width: 1 } });
    expect(one.words).toEqual(greedy.words);
    const wide = await recognizer.transcribe(samples, { size: 'medium', beam: { width: 8 } });
    expect(wide.logProb).toBeGreaterThanOrEqual(greedy.logProb - 1e-9);
    for await (const now of recognizer.stream(cut(samples, 700), { size: 'medium', beam: false })) {
      expect(`${greedy.final} `.startsWith(now.final === '' ? '' : `${now.final} `)).toBe(true);
      expect(now.partial).toBe('');
    }
    const signal = AbortSignal.abort();
    await expect(recognizer.transcribe(samples, { signal })).rejects.toThrow('aborted');
    const live = await recognizer.open();
    await live.finish();
    await expect(live.push(samples)).rejects.toThrow('Expected no more audio after the end');
  });
});

describe('speech model on disk', () => {
  it('comes back as it was, in full and in half precision, and hears the same', async () => {
    for (const half of [false, true]) {
      const dir = await newDir();
      const model = half ? roundToHalf({ config, state }) : { config, state };
      await writeAsrModel(dir, { config, state }, { half });
      const back = await readAsrModel(dir);
      expect(back.config).toEqual(config);
      for (const name of model.state.names()) {
        if (/^[mv]:/.test(name)) continue;
        expect(back.state.get(name).data, name).toEqual(model.state.get(name).data);
      }
      await using written = createRecognizer(config, model.state, await executor);
      await using read = await loadRecognizer(dir, await executor);
      expect(await read.transcribe(speech(7))).toEqual(await written.transcribe(speech(7)));
    }
  });

  it('exports encoders and decoders that give what the recogniser computes', async () => {
    const dir = await newDir();
    await writeAsrModel(dir, { config, state });
    const models = await exportModelDir(dir);
    expect(models.map((m) => m.name).sort()).toEqual(
      ['small', 'medium', 'large'].flatMap((s) => [`decoder-${s}.onnx`, `encoder-${s}.onnx`]).sort(),
    );
    const ort = await import('onnxruntime-node');
    const { createHostJoint } = await import('./host-joint.ts');
    const { streamProgram } = await import('./encoder-stream.ts');
    const rng = new Rng(4);
    for (const size of ['small', 'large'] as AsrSize[]) {
      const encoder = models.find((m) => m.name === `encoder-${size}.onnx`)!;
      const program = streamProgram(config, [size]);
      const feeds = Object.fromEntries(
        program.graph.inputs.map(({ name, node }) => {
          const { shape } = program.graph.nodes[node]!.outputs[0]!;
          const data = new Float32Array(shape.reduce((a, d) => a * d, 1));
          if (name === 'valid' || name.endsWith('valid')) data.fill(1);
          else rng.fillNormal(data, 0.5);
          return [name, { data, shape }];
        }),
      );
      const session = await ort.InferenceSession.create(encoder.bytes);
      const out = await session.run(
        Object.fromEntries(Object.entries(feeds).map(([k, t]) => [k, new ort.Tensor('float32', t.data, t.shape)])),
      );
      await using own = await createReferenceExecutor().compile(program, { state });
      const expected = await own.run(Object.fromEntries(Object.entries(feeds).map(([k, t]) => [k, t.data])));
      const [a, b] = [out[`joint:${size}`]!.data as Float32Array, expected[`joint:${size}`]!.data];
      expect(a.reduce((m, x, i) => Math.max(m, Math.abs(x - b[i]!)), 0)).toBeLessThan(1e-4);
      const decoder = await ort.InferenceSession.create(models.find((m) => m.name === `decoder-${size}.onnx`)!.bytes);
      const frame = a.slice(0, config.joint_size);
      const p = createHostJoint(config, size, state).step(frame, 3, 1);
      const q = await decoder.run({
        context: new ort.Tensor('int32', Int32Array.of(3, 1), [1, 1, 2]),
        joint: new ort.Tensor('float32', frame, [1, config.joint_size]),
      });
      expect((q['blank']!.data as Float32Array)[0]).toBeCloseTo(p.blank, 4);
      p.labels.forEach((l, k) => expect((q['labels']!.data as Float32Array)[k]).toBeCloseTo(l, 4));
    }
  });

  it('says what is wrong with a directory', async () => {
    const dir = await newDir();
    await writeAsrModel(dir, { config, state });
    expect((await readdir(dir)).sort()).toEqual(['config.json', 'model.safetensors']);
    expect((await stat(join(dir, 'model.safetensors'))).size).toBeGreaterThan(1000);
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...config, joint_size: 13 }));
    await expect(readAsrModel(dir)).rejects.toThrow(/Expected f32\[16,13\] for `joint.small.encoder.weight`/);
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...config, transducer: 'ctc' }));
    await expect(readAsrModel(dir)).rejects.toThrow('Expected a valid key `transducer` in config.json, got "ctc"');
  });
});
