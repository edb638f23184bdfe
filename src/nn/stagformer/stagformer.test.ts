import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteTokenizer } from '../../data/index.ts';
import {
  createOrtExecutor,
  createReferenceExecutor,
  defineProgram,
  type Executor,
  grad,
  ModelState,
  Rng,
} from '../../tensor/index.ts';
import { parameterCount } from '../classifier.ts';
import { parseConfig } from '../config.ts';
import { createDecoder } from '../decoder.ts';
import { decodeProgram, type LanguageModel, lmLogits, lmProgram } from '../lm.ts';
import { lmConfig, type LmConfig } from '../lm-config.ts';
import { defineLmStep } from '../lm-step.ts';
import { transformerForward } from '../transformer.ts';

const base = {
  vocab_size: 11,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
};
const variants: [string, LmConfig][] = [
  ['separate', lmConfig({ ...base, stag_num_stacks: 2 })],
  ['shared', lmConfig({ ...base, stag_num_stacks: 2, stag_shared: true })],
  ['window 1', lmConfig({ ...base, stag_num_stacks: 2, stag_cross_window: 1 })],
  [
    'window 3, shared, combined',
    lmConfig({ ...base, stag_num_stacks: 2, stag_shared: true, stag_cross_window: 3, stag_combine: true }),
  ],
  ['three stacks', lmConfig({ ...base, stag_num_stacks: 3, stag_combine: true, qk_norm: true })],
  ['no stagger', lmConfig({ ...base, stag_num_stacks: 2, stag_stagger: 0 })],
  ['no stagger, window 1', lmConfig({ ...base, stag_num_stacks: 2, stag_stagger: 0, stag_cross_window: 1 })],
  [
    'sliding window, grouped heads',
    lmConfig({ ...base, stag_num_stacks: 2, sliding_window: 5, num_key_value_heads: 2, stag_cross_window: 4 }),
  ],
  ['learned positions', lmConfig({ ...base, stag_num_stacks: 2, position_embedding: 'learned' })],
  [
    'two spans',
    lmConfig({ ...base, stag_num_stacks: 2, sliding_window: 3, sliding_window_pattern: 2, stag_shared: true }),
  ],
];
const staggered = variants.filter(([, c]) => c.stag_stagger !== 0);
const ids = Int32Array.from({ length: 17 }, (_, i) => (i * 7 + (i >> 2)) % 11);

function model(config: LmConfig, executor: Executor, dtype: 'f32' | 'f64' = 'f64', noise = 0.3): LanguageModel {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }, { dtype }), new Rng(7));
  const rng = new Rng(8);
  for (const name of state.names()) {
    const t = state.get(name);
    state.set(name, { ...t, data: t.data.map((x) => x + noise * rng.normal()) });
  }
  return { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
}

async function logitsF64(m: LanguageModel, input: Int32Array): Promise<number[]> {
  const def = lmProgram(m.config, { batch: 1, length: input.length }, { dtype: 'f64' });
  await using program = await m.executor.compile(def, { state: m.state });
  return [...(await program.run({ ids: input }))['logits']!.data];
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

test.each(staggered)('%s: logits of i do not depend on stack 0 at i, but on stack 0 at i - 1', async (_, config) => {
  // With a combination, the head reads stack 0 at i itself: there the state of the last stack is asked.
  const hooks = [`stacks.0.hook_out`, `stacks.${config.stag_num_stacks! - 1}.hook_out`] as const;
  const m = model(config, createReferenceExecutor({ dtype: 'f64' }));
  const position = 6;
  const patched = async (at: number): Promise<number[]> => {
    const def = defineProgram(
      (b) => {
        transformerForward(b, config, b.input('ids', [1, 10], 'i32'));
      },
      {
        dtype: 'f64',
        capture: [hooks[1]],
        patch: {
          [hooks[0]]: (x, { builder }) => {
            const shift = new Float64Array(10 * 16);
            if (at >= 0) shift.fill(0.5, at * 16, at * 16 + 8);
            return x.add(builder.constant(shift, [1, 10, 16], 'f64'));
          },
        },
      },
    );
    await using program = await m.executor.compile(def, { state: m.state });
    return [...(await program.run({ ids: ids.slice(0, 10) }))[hooks[1]]!.data];
  };
  const plain = await patched(-1);
  const moved = await patched(position);
  const changed = Array.from({ length: 10 }, (_x, i) =>
    gap(plain.slice(i * 16, i * 16 + 16), moved.slice(i * 16, i * 16 + 16)),
  );
  expect(changed.slice(0, position + 1)).toEqual(Array.from({ length: position + 1 }, () => 0));
  expect(changed[position + config.stag_num_stacks! - 1]).toBeGreaterThan(1e-3);
});

test.each(variants)('%s: a token changes no logits before it', async (_, config) => {
  const m = model(config, createReferenceExecutor({ dtype: 'f64' }));
  const changed = ids.slice();
  changed[11] = (changed[11]! + 1) % 11;
  const [a, b] = [await logitsF64(m, ids), await logitsF64(m, changed)];
  expect(a.slice(0, 11 * 11)).toEqual(b.slice(0, 11 * 11));
  expect(gap(a.slice(11 * 11), b.slice(11 * 11))).toBeGreaterThan(1e-3);
});

test.each(variants)('%s: decoding with caches gives the logits of the full forward', async (_, config) => {
  await using ort = await createOrtExecutor({ threads: 1 });
  for (const [executor, limit] of [
    [createReferenceExecutor({ dtype: 'f64' }), 1e-6],
    [ort, 2e-5],
  ] as const) {
    const m = model(config, executor, 'f32');
    const full = await lmLogits(m, ids);
    await using decoder = createDecoder(m);
    let logits = await decoder.feed([...ids.subarray(0, 5)]);
    for (let i = 4; i < ids.length; i++) {
      if (i > 4) logits = await decoder.feed([ids[i]!]);
      expect(gap(logits, full.data.slice(i * 11, (i + 1) * 11))).toBeLessThan(limit);
    }
  }
});

test('a new model is its last stack alone: with shared weights, the dense model of one stack', async () => {
  const executor = createReferenceExecutor({ dtype: 'f64' });
  const dense = model(lmConfig(base), executor);
  for (const config of [
    { stag_shared: true },
    { stag_shared: true, stag_cross_window: 1 },
    { stag_combine: true, stag_shared: true, stag_num_stacks: 3 },
  ]) {
    const m = model(lmConfig({ ...base, stag_num_stacks: 2, ...config }), executor, 'f64', 0);
    for (const [name, t] of dense.state.entries()) m.state.set(name, t);
    expect(gap(await logitsF64(dense, ids), await logitsF64(m, ids))).toBe(0);
  }
});

test('parameters: the dense model, and per layer of a later stack four matrices and two gains', () => {
  const size = (settings: Partial<LmConfig>): number =>
    parameterCount(
      lmProgram(lmConfig({ ...base, vocab_size: 65, hidden_size: 64, ...settings }), { batch: 1, length: 1 }),
    );
  expect(size({})).toBe(107_584);
  expect(size({ num_hidden_layers: 4 })).toBe(206_784);
  expect(size({ stag_num_stacks: 2, stag_shared: true })).toBe(140_608);
  expect(size({ stag_num_stacks: 2 })).toBe(239_808);
  // One key needs neither queries nor keys.
  expect(size({ stag_num_stacks: 2, stag_cross_window: 1 })).toBe(206_784 + 2 * (2 * 64 * 64 + 64));
  expect(size({ stag_num_stacks: 3, stag_combine: true, stag_shared: true })).toBe(
    107_584 + 4 * (4 * 64 * 64 + 128) + 3,
  );
});

test('a cross window of one keeps a state that does not grow', async () => {
  const config = lmConfig({ ...base, stag_num_stacks: 2, stag_cross_window: 1, sliding_window: 4 });
  const def = decodeProgram(config, 1);
  const inputs = def.graph.inputs.map((x) => x.name).filter((n) => n.includes('cross'));
  expect(inputs.toSorted()).toEqual(['mask.cross', 'past.stack1.cross.v.0', 'past.stack1.cross.v.1']);
  await using executor = await createOrtExecutor({ threads: 1 });
  const longest: Record<string, number> = {};
  const m = model(
    config,
    {
      ...executor,
      id: 'watched',
      dispose: async () => undefined,
      compile: async (d, o) => {
        const program = await executor.compile(d, o);
        return {
          stats: () => program.stats(),
          dispose: () => program.dispose(),
          [Symbol.asyncDispose]: () => program.dispose(),
          run: (feeds) => {
            for (const [name, feed] of Object.entries(feeds)) {
              if (typeof feed === 'object' && 'shape' in feed && name.includes('cross.v'))
                longest[name] = Math.max(longest[name] ?? 0, feed.shape[2]!);
            }
            return program.run(feeds);
          },
        };
      },
    },
    'f32',
  );
  await using decoder = createDecoder(m);
  for (let i = 0; i < 30; i++) await decoder.feed([i % 11]);
  expect(Math.max(...Object.values(longest))).toBeLessThanOrEqual(2);
});

test('gradients match finite differences, the combination and shared weights included', async () => {
  for (const [, wide] of variants) {
    const config = { ...wide, num_hidden_layers: wide.sliding_window_pattern ?? 1 };
    const m = model(config, createReferenceExecutor({ dtype: 'f64' }));
    const def = defineProgram(
      (b) => {
        const logits = transformerForward(b, config, b.input('x', [2, 6], 'i32'));
        const loss = logits
          .tanh()
          .mul(
            b.constant(
              Float64Array.from({ length: 11 }, (_, i) => i - 4),
              [11],
              'f64',
            ),
          )
          .sum();
        b.output('loss', loss);
        const wrt = b.trainable();
        grad(
          loss,
          wrt.map((p) => p.tensor),
        ).forEach((g, i) => b.output(`grad of ${wrt[i]!.spec.name}`, g));
      },
      { dtype: 'f64' },
    );
    const feeds = { x: ids.slice(0, 12) };
    await using program = await m.executor.compile(def, { state: m.state });
    const out = await program.run(feeds);
    const rng = new Rng(5);
    const eps = 1e-6;
    for (const { name } of def.graph.params.filter((p) => /cross|combine|attn\.q\.|mlp.in.weight/.test(p.name))) {
      const t = m.state.get(name);
      const direction = Float64Array.from(t.data, () => rng.normal());
      const lossAt = async (h: number): Promise<number> => {
        m.state.set(name, { ...t, data: Float64Array.from(t.data, (x, i) => x + h * direction[i]!) });
        return (await program.run(feeds))['loss']!.data[0]!;
      };
      const numeric = ((await lossAt(eps)) - (await lossAt(-eps))) / (2 * eps);
      m.state.set(name, t);
      const analytic = Array.from(out[`grad of ${name}`]!.data).reduce((s, g, i) => s + g * direction[i]!, 0);
      expect(Math.abs(analytic - numeric), name).toBeLessThan(1e-6 + 2e-5 * Math.abs(numeric));
    }
  }
});

test('random configs build a training step, and decoding agrees', async () => {
  const executor = createReferenceExecutor({ dtype: 'f64' });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        stag_num_stacks: fc.integer({ min: 2, max: 4 }),
        stag_shared: fc.boolean(),
        stag_cross_window: fc.option(fc.integer({ min: 1, max: 6 })),
        stag_stagger: fc.constantFrom(0 as const, 1 as const),
        stag_combine: fc.boolean(),
        num_hidden_layers: fc.integer({ min: 1, max: 2 }),
      }),
      async (settings) => {
        const config = parseConfig(
          lmConfig({ ...base, hidden_size: 8, num_attention_heads: 2, ...settings }),
        ) as LmConfig;
        const step = defineLmStep(
          config,
          { batch: 2, length: 5 },
          { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
        );
        expect(step.graph.updates.length).toBe(3 * lmProgram(config, { batch: 1, length: 1 }).graph.params.length);
        const m = model(config, executor, 'f32');
        const full = await lmLogits(m, ids.slice(0, 9));
        await using decoder = createDecoder(m);
        await decoder.feed([...ids.subarray(0, 8)]);
        expect(gap(await decoder.feed([ids[8]!]), full.data.slice(8 * 11))).toBeLessThan(1e-6);
      },
    ),
    { numRuns: 12 },
  );
});

test.each([
  [{ stag_shared: true }, 'stag_num_stacks', 'be at least 2 where stag_shared is given'],
  [
    { stag_num_stacks: 2, altup_sequence_stride: 2, num_hidden_layers: 4 },
    'altup_sequence_stride',
    'be absent or 1 where stag_num_stacks',
  ],
  [{ stag_num_stacks: 1, stag_cross_window: 2 }, 'stag_num_stacks', 'be at least 2 where stag_cross_window is given'],
] as [Partial<LmConfig>, string, string][])('a contradiction is named: %o', (settings, key, message) => {
  expect(() => parseConfig(lmConfig({ ...base, ...settings }))).toThrow(`key \`${key}\` of config.json to ${message}`);
});
