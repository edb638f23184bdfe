import { describe, expect, it } from 'vitest';
import { NO_AUGMENT, type SpeechSource } from '../../data/index.ts';
import { createReferenceExecutor, defineProgram, ModelState, Rng } from '../../tensor/index.ts';
import { asrConfig } from './config.ts';
import { drawExamples, SharedExamples, toFeeds } from './examples.ts';
import { asrLoss, trainAsr } from './train.ts';

const config = asrConfig({
  vocabulary: ['a', 'b'],
  hidden_size: 8,
  num_attention_heads: 2,
  intermediate_size: 8,
  conv_kernel: 3,
  joint_size: 4,
  embedding_size: 2,
  label_frames: 2,
  audio: { mels: 6, stack: 3 },
  asr_sizes: { small: { causal_layers: 2, noncausal_layers: 0 } },
});
const shape = { batch: 3, rows: 20, labels: 3 };
const source: SpeechSource = {
  sampleRate: 8000,
  draw(rng, seconds) {
    const samples = new Float32Array(Math.floor(Math.min(seconds, 0.6) * 8000));
    rng.fillNormal(samples, 0.1);
    return { samples, labels: [1, 2], ends: [0.2, 0.45] };
  },
};

describe('toFeeds', () => {
  it('opens windows of emission where words end, and nowhere else', () => {
    const examples = drawExamples(config, source, shape, NO_AUGMENT, new Rng(1));
    const feeds = toFeeds(config, shape, examples, { before: 0.06, after: 0.06 });
    const window = feeds['window'] as Float32Array; // [batch, 10 frames of 60 ms, 4]
    const open = (u: number): number[] =>
      Array.from({ length: 10 }, (_, t) => t).filter((t) => window[t * 4 + u] === 0);
    expect(open(0)).toEqual([2, 3, 4]);
    expect(open(1)).toEqual([6, 7, 8]);
    expect(open(2)).toHaveLength(10);
  });

  it('an emission window can only take alignments away', () => {
    const examples = drawExamples(config, source, shape, NO_AUGMENT, new Rng(2));
    const losses = [false, true].map(async (restricted) => {
      const def = defineProgram((b) => b.output('loss', asrLoss(b, config, shape, { restricted })));
      const program = await createReferenceExecutor().compile(def, { state: ModelState.init(def, new Rng(3)) });
      const within = restricted ? { before: 0.06, after: 0 } : false;
      return (await program.run(toFeeds(config, shape, examples, within)))['loss']!.data[0]!;
    });
    return Promise.all(losses).then(([free, restricted]) => {
      expect(restricted).toBeGreaterThan(free!);
      expect(restricted).toBeLessThan(1000);
    });
  });
});

describe('SharedExamples', () => {
  it('two runs side by side train as they would alone, and each step is drawn once', async () => {
    let draws = 0;
    const counted: SpeechSource = {
      ...source,
      draw(rng, seconds) {
        draws++;
        return source.draw(rng, seconds);
      },
    };
    const executor = createReferenceExecutor();
    const options = { config, source: counted, seed: 5, executor, batch: shape, length: { steps: 2 } };
    const alone = await trainAsr(options);
    const [once, share] = [draws, new SharedExamples(2)];
    draws = 0;
    const other = { ...config, funnel_layer: null };
    const [first] = await Promise.all([
      trainAsr({ ...options, share }),
      trainAsr({ ...options, config: other, share }),
    ]);
    expect(first!.state.get('encoder.input.weight').data).toEqual(alone.state.get('encoder.input.weight').data);
    // 200 for the statistics of each run.
    expect(draws - 400).toBe(once - 200);
  });
});
