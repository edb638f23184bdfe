import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawSpeaker, speakString, SYNTHETIC_WORDS } from '../../data/index.ts';
import { asrConfig, asrLoss, createRecognizer, type Recognizer, sizesOf } from '../../nn/index.ts';
import { createOrtExecutor, defineProgram, type Executor, ModelState, Rng } from '../../tensor/index.ts';
import { Mind } from '../mind.ts';
import { addSpeechModules, type Listener, openListener } from './open.ts';
import { soundEncoder, type SpokenInput, type SpokenReading, TRANSCRIBE } from './spoken.ts';

/** An untrained model that says much: what it hears means nothing, how it is routed and traced does. */
function untrained(executor: Executor): Recognizer {
  const config = asrConfig({
    vocabulary: SYNTHETIC_WORDS,
    hidden_size: 16,
    num_attention_heads: 2,
    intermediate_size: 16,
    conv_kernel: 3,
    left_context: 8,
    joint_size: 8,
    embedding_size: 4,
    audio: { mean: new Array<number>(40).fill(-6), std: new Array<number>(40).fill(3) },
  });
  const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
  const state = ModelState.init(def, new Rng(1));
  for (const size of sizesOf(config)) {
    state.set(`joint.${size}.blank.bias`, { data: Float32Array.of(-4), shape: [1], dtype: 'f32' });
  }
  return createRecognizer(config, state, executor);
}

const input = (seed: number): SpokenInput => {
  const rng = new Rng(seed);
  return { samples: speakString(drawSpeaker(rng), 8000, rng, { words: [1, 2] }).samples, sampleRate: 8000 };
};

describe('spoken digits in the mind', () => {
  let executor: Awaited<ReturnType<typeof createOrtExecutor>>;
  let recognizer: Recognizer;
  let listener: Listener;
  beforeAll(async () => {
    executor = await createOrtExecutor({ threads: 1 });
    recognizer = untrained(executor);
    listener = await openListener({ recognizer });
  });
  afterAll(async () => {
    await listener.close();
    await recognizer[Symbol.asyncDispose]();
    await executor.dispose();
  });

  it('three sizes compete at their own cost, and what was heard is remembered', async () => {
    await using mind = await Mind.open({ dataDir: ':memory:' });
    await addSpeechModules(mind, recognizer);
    expect(mind.modules(TRANSCRIBE)).toEqual(['small', 'medium', 'large'].map((size) => `${TRANSCRIBE}/${size}`));
    const reply = await mind.ask<SpokenReading>(TRANSCRIBE, input(1));
    expect(reply.module).toBe(`${TRANSCRIBE}/small`);
    expect(reply.output!.words.length).toBeGreaterThan(0);
    expect(reply.event).toBeDefined();
    expect(Math.hypot(...reply.trace.attributes)).toBeCloseTo(1, 5);
    const pinned = await mind.ask<SpokenReading>(TRANSCRIBE, input(1), { allow: [`${TRANSCRIBE}/large`] });
    expect(pinned.usage.flop).toBeGreaterThan(reply.usage.flop);
    const { receipt } = await mind.explain(reply.event!);
    expect(JSON.stringify(receipt)).toContain(`${TRANSCRIBE}/small`);
  });

  it('a calibrated router picks the size', async () => {
    await using mind = await Mind.open({ dataDir: ':memory:' });
    await addSpeechModules(mind, recognizer);
    const inputs = Array.from({ length: 12 }, (_, i) => input(i));
    const large = await Promise.all(
      inputs.map((i) => recognizer.transcribe(i.samples, { size: 'large', sampleRate: 8000 })),
    );
    // As if only the large size were right.
    const { router } = await mind.calibrate<SpokenInput, SpokenReading>(
      TRANSCRIBE,
      inputs,
      (_, output, i) => (output.text === large[i]!.final ? 1 : 0),
      { encoder: soundEncoder, k: 2, maxLoss: 0 },
    );
    expect(router.encoder).toBe(soundEncoder.id);
    const reply = await mind.ask<SpokenReading>(TRANSCRIBE, inputs[0]);
    expect(reply.trace.route.by).toBe('router');
  });

  it('silence is nobody’s word', async () => {
    const quiet = createRecognizer(recognizer.config, recognizer.state, executor);
    const empty = await listener.hear({ samples: new Float32Array(0), sampleRate: 8000 });
    expect(empty.output).toBeUndefined();
    expect(empty.trace.attempts.map((a) => a.note)).toContain('no words were heard');
    await quiet[Symbol.asyncDispose]();
  });

  it('live sound is heard by all sizes, piece by piece as at once', async () => {
    const { samples } = input(4);
    const live = await listener.open(8000);
    for (let at = 0; at < samples.length; at += 1111) await live.push(samples.subarray(at, at + 1111));
    const heard = await live.finish();
    expect(heard.map((h) => h.size)).toEqual(listener.costs.map((c) => c.size));
    for (const { size, words, ms, partial } of heard) {
      expect(words).toEqual((await recognizer.transcribe(samples, { size })).words);
      expect(partial).toBe('');
      expect(ms).toBeGreaterThan(0);
    }
  });

  it('features are finite and small, whatever the sound', () => {
    for (const samples of [
      new Float32Array(0),
      new Float32Array(9),
      new Float32Array(8000).fill(1),
      input(2).samples,
    ]) {
      for (const sampleRate of [8000, 48_000]) {
        const out = new Float32Array(soundEncoder.dim + 2);
        soundEncoder.embed({ samples, sampleRate }, out, 1);
        expect(out.every((x) => Math.abs(x) <= 4)).toBe(true);
        expect([out[0], out.at(-1)]).toEqual([0, 0]);
      }
    }
  });
});
