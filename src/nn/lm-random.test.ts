// Random legal configs, every block in any company: gradients are those of finite differences, decoding from the cache and
// the exported files give the logits of the full forward pass, and a saved model is the same model.
import * as fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charTokenizer } from '../data/index.ts';
import { createReferenceExecutor, defineProgram, grad, ModelState, Rng } from '../tensor/index.ts';
import { createBareDecoder } from './_bare-decoder.ts';
import { parseConfig } from './config.ts';
import { createDecoder } from './decoder.ts';
import { exportModelDir } from './export-model.ts';
import { type LanguageModel, lmLogits, loadLm, saveLm, weightPrograms } from './lm.ts';
import { lmSpans } from './lm-call.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { softWidth } from './lm-soft-config.ts';
import { lmObjective, lmStepFeeds } from './lm-step.ts';
import { placesIn, softFeeds } from './soft/index.ts';

const VOCABULARY = 9;
const maybe = (arb: fc.Arbitrary<Partial<LmConfig>>): fc.Arbitrary<Partial<LmConfig>> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: arb });
const one = (...choices: Partial<LmConfig>[]): fc.Arbitrary<Partial<LmConfig>> => fc.constantFrom(...choices);

/** Settings of every block; combinations that contradict each other are filtered out by the rules of config.json. */
const configs = fc
  .tuple(
    one({}, { num_key_value_heads: 1 }, { qk_norm: true, v_norm: true }, { position_embedding: 'learned' }),
    one({}, { mlp_gated: true, hidden_act: 'silu', mlp_bias: false }, { tie_word_embeddings: true }),
    maybe(
      one(
        { altup_num_inputs: 2 },
        { altup_num_inputs: 3, altup_schedule: 'same', altup_recycled: true },
        { altup_num_inputs: 2, altup_coefficients: 'dynamic', hidden_size_per_layer_input: 2 },
        { altup_sequence_stride: 2 },
      ),
    ),
    maybe(
      one(
        { memory_lookup: 'ngram', memory_entries: 16, memory_ngram: 2 },
        { memory_lookup: 'token', memory_layers: [1], memory_consume: 'concat' },
        { memory_lookup: 'ngram', memory_entries: 16, memory_consume: 'expert', memory_rank: 2 },
        { memory_lookup: 'ngram', memory_entries: 16, memory_ngram: 3, memory_reads: 4, memory_combine: 'concat' },
        { memory_lookup: 'product', memory_entries: 16, memory_reads: 2 },
      ),
    ),
    maybe(one({ moe_num_experts: 2 }, { moe_num_experts: 3, moe_top_k: 2, moe_shared_expert: true })),
    maybe(one({ stag_num_stacks: 2, stag_cross_window: 1 }, { stag_num_stacks: 2, stag_shared: true })),
    maybe(one({ sliding_window: 2 }, { sliding_window: 2, sliding_window_pattern: 2 }, { num_kv_shared_layers: 1 })),
    maybe(one({ image_token_id: 7, image_size: 4, image_patch_size: 2 })),
    maybe(one({ laurel_rank: 2 }, { post_norms: true }, { final_logit_softcapping: 4, embed_scale: 2 })),
  )
  .map((parts) =>
    lmConfig({
      vocab_size: VOCABULARY,
      hidden_size: 8,
      num_hidden_layers: 3,
      num_attention_heads: 2,
      intermediate_size: 8,
      max_position_embeddings: 16,
      ...(Object.assign({}, ...parts) as Partial<LmConfig>),
    }),
  )
  .filter((config) => {
    try {
      return parseConfig(config) !== undefined;
    } catch {
      return false;
    }
  });

const executor = createReferenceExecutor({ dtype: 'f64' });

/** Weights that make every part matter, and no router undecided. */
function shaken(config: LmConfig, seed: number, dtype: 'f32' | 'f64'): ModelState {
  const state = new ModelState();
  for (const def of weightPrograms(config, { dtype })) state.ensure(def, new Rng(seed));
  for (const name of state.names()) {
    const t = state.get(name);
    const rng = new Rng(seed).fork(`shake ${name}`);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.2 * rng.normal()) });
  }
  return state;
}

/** More of them on demand: the configs are fresh ones in every run. */
const draws = { numRuns: Number(process.env['CAIRN_DRAWS'] ?? 4) };
/** Characters and all bytes. */
const tokenizer = charTokenizer('abcdefghi');

/** A place without a picture is a vector of zeros, whose magnitude the streams take. */
const blank = lmConfig({
  vocab_size: VOCABULARY,
  hidden_size: 8,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 16,
  mlp_gated: true,
  hidden_act: 'silu',
  mlp_bias: false,
  altup_num_inputs: 2,
  altup_coefficients: 'dynamic',
  hidden_size_per_layer_input: 2,
  moe_num_experts: 2,
  image_token_id: 7,
  image_size: 4,
  image_patch_size: 2,
  laurel_rank: 2,
});

test('gradients are those of finite differences, auxiliary losses included', async () => {
  await fc.assert(
    fc.asyncProperty(configs, fc.integer({ min: 0, max: 1e6 }), async (config, seed) => {
      const shape = { batch: 2, length: 5 };
      const def = defineProgram(
        (b) => {
          const loss = lmObjective(b, config, shape);
          b.output('loss', loss);
          const wrt = b.trainable();
          const gradients = grad(
            loss,
            wrt.map((p) => p.tensor),
          );
          gradients.forEach((g, i) => b.output(`d ${wrt[i]!.spec.name}`, g));
        },
        { dtype: 'f64' },
      );
      const state = shaken(config, seed, 'f64');
      state.ensure(def, new Rng(seed));
      const rng = new Rng(seed).fork('feeds');
      const ids = (): Int32Array => Int32Array.from({ length: 10 }, () => rng.integer(VOCABULARY));
      const feeds = lmStepFeeds(config, 2, { x: ids(), y: ids() });
      await using program = await executor.compile(def, { state });
      const out = await program.run(feeds);
      // One direction through all weights at once, for two step sizes: kinks of routers and clips may hit one of them.
      const names = def.graph.params.filter((p) => p.trainable).map((p) => p.name);
      const before = new Map(names.map((name) => [name, state.get(name)]));
      const along = new Map(names.map((name) => [name, before.get(name)!.data.map(() => rng.normal())]));
      const analytic = names.reduce((sum, name) => sum + dot(out[`d ${name}`]!.data, along.get(name)!), 0);
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
      expect(Math.min(...errors)).toBeLessThan(1e-6);
    }),
    { ...draws, examples: [[blank, 326_643]] },
  );
});

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'random-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('from the cache, after saving and loading, and exported, the logits are the same', async () => {
  await fc.assert(
    fc.asyncProperty(configs, fc.integer({ min: 0, max: 1e6 }), async (drawn, seed) => {
      const config = { ...drawn, vocab_size: tokenizer.vocabSize };
      const state = shaken(config, seed, 'f32');
      const written: LanguageModel = { config, state, executor, tokenizer, generation: {} };
      await saveLm(dir, written);
      const model = await loadLm(dir, executor);
      const rng = new Rng(seed).fork('ids');
      const ids = Int32Array.from({ length: 16 }, () => rng.integer(VOCABULARY));
      const width = softWidth(config);
      const soft = Float32Array.from({ length: placesIn(config, ids) * width }, () => rng.normal());
      const vectors = (from: number, to: number): Float32Array =>
        soft.subarray(...[from, to].map((t) => placesIn(config, ids.subarray(0, t)) * width));
      const full = await lmLogits(written, ids, soft);
      expect((await lmLogits(model, ids, soft)).data).toEqual(full.data);
      const gapAt = (t: number, row: ArrayLike<number>): number =>
        Math.max(...Array.from(row, (x, v) => Math.abs(x - full.data[t * tokenizer.vocabSize + v]!)));
      await using decoder = createDecoder(model);
      for (let at = 0; at < ids.length;) {
        const n = at === 0 ? 6 : 1;
        const logits = await decoder.feed([...ids.subarray(at, at + n)], vectors(at, at + n));
        at += n;
        expect(gapAt(at - 1, logits)).toBeLessThan(1e-5);
      }
      const files = await exportModelDir(dir);
      await using bare = await createBareDecoder(config, files, lmSpans(config));
      for (const [t, id] of ids.entries()) expect(gapAt(t, await bare.step(id, vectors(t, t + 1)))).toBeLessThan(2e-4);
      const whole = files.find((m) => m.name === 'model.onnx')!;
      const session = await ort.InferenceSession.create(whole.bytes);
      const feeds = Object.fromEntries(
        Object.entries({ ...lmFeeds(config, ids, 1), ...softFeeds(config, ids, soft) }).map(([name, t]) => [
          name,
          new ort.Tensor(t.dtype === 'i32' ? 'int32' : 'float32', t.data as Int32Array, t.shape),
        ]),
      );
      const { logits } = await session.run({ ids: new ort.Tensor('int32', ids, [1, 16]), ...feeds });
      const data = logits!.data as Float32Array;
      for (let t = 0; t < 16; t++)
        expect(gapAt(t, data.subarray(t * tokenizer.vocabSize, (t + 1) * tokenizer.vocabSize))).toBeLessThan(2e-4);
      await session.release();
    }),
    draws,
  );
});
