import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createReferenceExecutor,
  defineProgram,
  type HostTensor,
  interpret,
  ModelState,
  Rng,
} from '../../tensor/index.ts';
import { type AsrConfig, asrConfig, type AsrSize, lookAhead, sizesOf } from './config.ts';
import { allValid, pool } from './conformer.ts';
import { encode } from './encoder.ts';
import { compileStreamEncoder } from './encoder-stream.ts';
import { encoderProjection } from './hat.ts';
import { extractSize } from './model.ts';
import { asrLoss } from './train.ts';

const tiny = (changes: Partial<AsrConfig> = {}): AsrConfig =>
  asrConfig({
    hidden_size: 8,
    num_attention_heads: 2,
    intermediate_size: 12,
    conv_kernel: 5,
    left_context: 6,
    asr_right_context: 2,
    joint_size: 6,
    embedding_size: 3,
    ...changes,
    vocabulary: ['a', 'b'],
    audio: { mels: 4, stack: 2 },
  });

function weights(config: AsrConfig, seed = 1): ModelState {
  const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
  return ModelState.init(def, new Rng(seed));
}

/** Joint frames of whole utterances `[batch, frames, joint]`, by size. */
function whole(
  config: AsrConfig,
  state: ModelState,
  features: Float32Array,
  shape: readonly [batch: number, rows: number],
  valid?: Float32Array,
): Record<string, HostTensor> {
  const def = defineProgram((b) => {
    const x = b.input('x', [...shape, 8]);
    const real = valid && b.input('valid', [...shape, 1]);
    const sizes = sizesOf(config);
    const encoded = encode(b, config, x, real, sizes);
    for (const size of sizes) b.output(size, encoderProjection(b, config, size, encoded[size].x));
  });
  return interpret(def, { x: features, ...(valid ? { valid } : {}) }, state).outputs;
}

function random(rows: number, seed = 2): Float32Array {
  const x = new Float32Array(rows * 8);
  new Rng(seed).fillNormal(x);
  return x;
}

/** Joint frames of a stream fed in the given pieces. */
async function streamed(
  config: AsrConfig,
  state: ModelState,
  features: Float32Array,
  cuts: readonly number[],
): Promise<Partial<Record<AsrSize, number[]>>> {
  await using encoder = await compileStreamEncoder(config, sizesOf(config), createReferenceExecutor(), state);
  const stream = encoder.open();
  const out: Partial<Record<AsrSize, number[]>> = {};
  const add = (frames: Partial<Record<AsrSize, Float32Array[]>>): void => {
    for (const size of sizesOf(config)) (out[size] ??= []).push(...(frames[size] ?? []).flatMap((f) => Array.from(f)));
  };
  for (let at = 0, i = 0; at < features.length; i++) {
    const n = cuts[i % cuts.length]! * 8;
    add(await stream.push(features.subarray(at, at + n)));
    at += n;
  }
  add(await stream.flush());
  return out;
}

const shapes: Record<string, Partial<AsrConfig>> = {
  'funnel in the second layer': { funnel_layer: 1 },
  'no funnel': { funnel_layer: null },
  'funnel in the first layer, wide look-ahead': { funnel_layer: 0, asr_right_context: 5, conv_kernel: 7 },
};

describe('cascaded encoder', () => {
  for (const [name, changes] of Object.entries(shapes)) {
    it(`${name}: a stream equals the whole utterance for every size, and its cutting does not show`, async () => {
      const config = tiny(changes);
      const state = weights(config);
      for (const rows of [1, 7, 24, 41]) {
        const features = random(rows, rows);
        const expected = whole(config, state, features, [1, rows]);
        const once = await streamed(config, state, features, [rows]);
        expect(await streamed(config, state, features, [3, 1, 5])).toEqual(once);
        for (const size of sizesOf(config)) {
          expect(once[size], `${size} of ${rows} rows`).toHaveLength(expected[size]!.data.length);
          const worst = once[size]!.reduce((m, x, i) => Math.max(m, Math.abs(x - expected[size]!.data[i]!)), 0);
          expect(worst).toBeLessThan(1e-5);
        }
      }
    });

    it(`${name}: sees exactly its look-ahead`, () => {
      const config = tiny(changes);
      const state = weights(config);
      const rows = 60;
      const rate = config.funnel_layer === null ? 1 : 2;
      const features = random(rows);
      const before = whole(config, state, features, [1, rows]);
      for (const size of sizesOf(config)) {
        const ahead = lookAhead(config, size);
        const frame = 8;
        const differs = (row: number): boolean => {
          const changed = features.slice();
          for (let k = 0; k < 8; k++) changed[row * 8 + k]! += 1;
          const after = whole(config, state, changed, [1, rows])[size]!.data;
          return Array.from({ length: 6 }, (_, k) => frame * 6 + k).some((i) => after[i] !== before[size]!.data[i]);
        };
        expect(differs((frame + ahead + 1) * rate)).toBe(false);
        expect(differs((frame + ahead + 1) * rate - 1)).toBe(true);
      }
    });
  }

  it('rows that do not count change nothing, whatever they hold', () => {
    const config = tiny();
    const state = weights(config);
    const [rows, real] = [30, 21];
    const features = random(rows);
    const valid = new Float32Array(rows).fill(1, 0, real);
    const padded = whole(config, state, features, [1, rows], valid);
    const alone = whole(config, state, features.slice(0, real * 8), [1, real]);
    for (const size of sizesOf(config)) {
      const n = alone[size]!.data.length;
      const worst = Array.from({ length: n }, (_, i) => Math.abs(padded[size]!.data[i]! - alone[size]!.data[i]!));
      expect(Math.max(...worst)).toBeLessThan(1e-5);
    }
  });

  it('an extracted size gives the same bits as the full model', async () => {
    const config = tiny();
    const state = weights(config);
    const features = random(25);
    const full = await streamed(config, state, features, [25]);
    for (const size of sizesOf(config)) {
      const part = extractSize({ config, state }, size);
      expect((await streamed(part.config, part.state, features, [4]))[size]).toEqual(full[size]);
      expect(part.state.names().length).toBeLessThan(state.names().length);
      expect(sizesOf(part.config)).toEqual([size]);
    }
    expect(() => extractSize(extractSize({ config, state }, 'small'), 'large')).toThrow(
      'Expected one of small, got size large.',
    );
  });

  it('pooling halves the length, keeps a constant and counts only what is real', () => {
    const run = (x: Float32Array, valid?: Float32Array): HostTensor => {
      const def = defineProgram((b) => {
        const t = b.input('x', [1, x.length, 1]);
        b.output('y', pool(t, valid ? b.constant(valid, [1, x.length, 1]) : allValid(t)).x);
      });
      return interpret(def, { x }, new ModelState()).outputs['y']!;
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.float({ min: -3, max: 3, noNaN: true }), (pairs, value) => {
        const y = run(new Float32Array(2 * pairs).fill(value));
        expect(y.shape).toEqual([1, pairs, 1]);
        y.data.forEach((v) => expect(v).toBeCloseTo(value, 5));
      }),
      { numRuns: 20 },
    );
    expect(Array.from(run(Float32Array.of(1, 3, 5, 100), Float32Array.of(1, 1, 1, 0)).data)).toEqual([2, 5]);
  });

  it('contradictions in a config name the key', () => {
    const wrong =
      (changes: Partial<AsrConfig>): (() => unknown) =>
      () =>
        tiny(changes);
    expect(wrong({ num_attention_heads: 3 })).toThrow('Expected key `num_attention_heads` of config.json to divide');
    expect(wrong({ conv_kernel: 4 })).toThrow('Expected key `conv_kernel` of config.json to be odd, got 4.');
    expect(wrong({ funnel_layer: 3 })).toThrow(
      '`funnel_layer` of config.json to lie within the causal layers of small',
    );
    expect(wrong({ asr_sizes: {} })).toThrow('`asr_sizes` of config.json to name at least one size');
    const flat = { causal_layers: 2, noncausal_layers: 0 };
    expect(wrong({ asr_sizes: { small: flat, large: flat } })).toThrow('`asr_sizes.large` of config.json to be deeper');
  });
});
