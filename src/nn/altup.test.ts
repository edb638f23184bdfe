// AltUp: exact identities, parameter counts, what a layer may see, and that decoding, gradients and files hold.
import { describe, expect, test } from 'vitest';
import { byteTokenizer } from '../data/index.ts';
import {
  checkGradients,
  concat,
  createReferenceExecutor,
  defineProgram,
  type HostTensor,
  ModelState,
  Rng,
  split,
  stack,
  type Tensor,
} from '../tensor/index.ts';
import { mix, mixing, mixPacked } from './altup.ts';
import { parameterCount } from './classifier.ts';
import { createDecoder } from './decoder.ts';
import { decodeProgram, type LanguageModel, lmLogits, lmProgram } from './lm.ts';
import { lmConfig, type LmConfig } from './lm-config.ts';

const base = {
  vocab_size: 11,
  hidden_size: 16,
  num_hidden_layers: 4,
  num_attention_heads: 2,
  max_position_embeddings: 32,
};
const executor = createReferenceExecutor({ dtype: 'f64' });
const ids = Int32Array.from({ length: 23 }, (_, i) => (i * 7 + (i >> 2)) % 11);

/** Weights by name, the same for every config; `shake` says which of them leave their first values. */
function stateOf(config: LmConfig, shake: (name: string) => boolean = () => true): ModelState {
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }, { dtype: 'f64' }), new Rng(7));
  for (const name of state.names().filter(shake)) {
    const t = state.get(name);
    const rng = new Rng(8).fork(name);
    state.set(name, { ...t, data: t.data.map((x) => x + 0.3 * rng.normal()) });
  }
  return state;
}

async function logitsOf(config: LmConfig, state: ModelState, input = ids, options = {}): Promise<HostTensor> {
  const def = lmProgram(config, { batch: 1, length: input.length }, { dtype: 'f64', ...options });
  await using program = await executor.compile(def, { state });
  return (await program.run({ ids: input }))['logits']!;
}

const gap = (a: HostTensor, b: HostTensor): number =>
  Math.max(...Array.from(a.data, (x, i) => Math.abs(x - b.data[i]!)));

describe('identities', () => {
  const dense = lmConfig(base);
  const plainState = stateOf(dense);

  test.each([2, 3, 4])('recycled with K = %i and first coefficients is the dense model', async (streams) => {
    for (const altup_schedule of ['alternating', 'same'] as const) {
      const config = lmConfig({ ...base, altup_num_inputs: streams, altup_recycled: true, altup_schedule });
      const state = stateOf(config, (name) => !name.includes('altup'));
      expect(gap(await logitsOf(config, state), await logitsOf(dense, plainState))).toBeLessThan(1e-12);
    }
  });

  test('K = 1 is the dense program itself; a stride of 1 too', () => {
    const programOf = (more: Partial<LmConfig>): unknown =>
      lmProgram(lmConfig({ ...base, ...more }), { batch: 1, length: 5 }).graph.nodes;
    expect(programOf({ altup_num_inputs: 1 })).toEqual(programOf({}));
    expect(programOf({ altup_sequence_stride: 1 })).toEqual(programOf({}));
  });

  test('a layer reads its own stream before prediction and correction, nothing else', async () => {
    const config = lmConfig({ ...base, altup_num_inputs: 2 });
    const state = stateOf(config);
    const input = async (stream: number): Promise<HostTensor> => {
      const patch = {
        'blocks.1.altup.hook_streams': (x: Tensor) =>
          concat([0, 1].map((i) => x.sliceAxis(0, i, i + 1).add(i === stream ? 1 : 0))),
      };
      const def = lmProgram(
        config,
        { batch: 1, length: 5 },
        { dtype: 'f64', capture: 'blocks.2.hook_resid_pre', ...(stream < 0 ? {} : { patch }) },
      );
      await using program = await executor.compile(def, { state });
      return (await program.run({ ids: ids.slice(0, 5) }))['blocks.2.hook_resid_pre']!;
    };
    const untouched = await input(-1);
    expect((await input(1)).data).toEqual(untouched.data); // layer 2 works on stream 0
    expect(gap(await input(0), untouched)).toBeCloseTo(1, 12);
  });

  test('one matrix gives prediction and correction as they are written', async () => {
    const [streams, j, size] = [3, 1, 4];
    const def = defineProgram(
      (b) => {
        const p = b.input('p', [streams, streams]);
        const g = b.input('g', [streams]);
        const xs = Array.from({ length: streams }, (_, i) => b.input(`x${i}`, [1, size]));
        const y = b.input('y', [1, size]);
        const w = mixing(p, g.unsqueeze(-1), [j]);
        const chunks = 2;
        const rows = split(w.reshape([1, streams, 1, streams + 1]), streams, 1);
        const turned = w.transpose([1, 0]).reshape([1, streams + 1, 1, streams]);
        const columns = turned.expand([chunks, streams + 1, 1, streams]);
        const cut = [...xs, y].map((x) => x.reshape([chunks, 1, 1, size / chunks]));
        mix({ rows, columns }, cut).forEach((x, i) => b.output(`out${i}`, x));
        b.output('packed', mixPacked(w, stack(xs), y));
      },
      { dtype: 'f64' },
    );
    const rng = new Rng(3);
    const random = (n: number): Float64Array => Float64Array.from({ length: n }, () => rng.normal());
    const [p, g, y] = [random(9), random(3), random(size)];
    const xs = Array.from({ length: streams }, () => random(size));
    const out = await (await executor.compile(def)).run({ p, g, y, x0: xs[0]!, x1: xs[1]!, x2: xs[2]! });
    for (let t = 0; t < size; t++) {
      const predicted = xs.map((_, i) => xs.reduce((sum, x, k) => sum + p[3 * i + k]! * x[t]!, 0));
      predicted.forEach((xh, i) => {
        const corrected = xh + g[i]! * (y[t]! - predicted[j]!);
        expect(out[`out${i}`]!.data[t]).toBeCloseTo(corrected, 12);
        expect(out['packed']!.data[i * size + t]).toBeCloseTo(corrected, 12);
      });
    }
  });
});

test.each([1, 2] as const)('derivatives of order %i of prediction and correction are those of differences', (order) => {
  for (const [streams, chunks] of [
    [2, 4],
    [3, 1],
  ] as const) {
    const rng = new Rng(5).fork(streams);
    const random = (...shape: number[]): HostTensor => ({
      data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal()),
      shape,
      dtype: 'f64',
    });
    const m = streams + 1;
    const tensors = Array.from({ length: m }, () => random(chunks, 1, 1, 3));
    const report = checkGradients(
      (p, g, ...zs) => {
        const w = mixing(p, g!, [1]);
        const rows = split(w.reshape([1, streams, 1, m]), streams, 1);
        const columns = w.transpose([1, 0]).reshape([1, m, 1, streams]).expand([chunks, m, 1, streams]);
        return concat(mix({ rows, columns }, zs), 0);
      },
      [random(streams, streams), random(streams, 1), ...tensors],
      { rng, order },
    );
    expect(report.failures).toEqual([]);
  }
});

test('parameters: recycled adds L (K^2 + K), the whole form the wider embedding, head and last gain', () => {
  const char64 = { vocab_size: 65, hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 4 };
  const count = (more: Partial<LmConfig>): number =>
    parameterCount(lmProgram(lmConfig({ ...char64, max_position_embeddings: 64, ...more }), { batch: 1, length: 1 }));
  expect(count({})).toBe(206_784);
  expect(count({ altup_num_inputs: 2 })).toBe(215_192);
  expect(count({ altup_num_inputs: 4 })).toBe(232_016);
  expect(count({ altup_num_inputs: 2, altup_recycled: true })).toBe(206_784 + 4 * 6);
  expect(count({ altup_sequence_stride: 2 })).toBe(206_784 + 2 * 3);
});

test('the cache is that of the dense model', () => {
  const slots = (more: Partial<LmConfig>): unknown => {
    const { inputs, nodes } = decodeProgram(lmConfig({ ...base, ...more }), 1).graph;
    return inputs.filter((x) => x.name.startsWith('past.')).map((x) => [x.name, nodes[x.node]!.outputs]);
  };
  expect(slots({ altup_num_inputs: 4 })).toEqual(slots({}));
});

describe.each([
  ['alternating', { altup_num_inputs: 2 }],
  ['same, three streams', { altup_num_inputs: 3, altup_schedule: 'same' }],
  ['recycled, tied', { altup_num_inputs: 2, altup_recycled: true, tie_word_embeddings: true }],
  ['whole, tied, learned positions', { altup_num_inputs: 2, tie_word_embeddings: true, position_embedding: 'learned' }],
  ['stride 2', { altup_sequence_stride: 2 }],
  ['stride 3, learned positions', { altup_sequence_stride: 3, position_embedding: 'learned' }],
] as [string, Partial<LmConfig>][])('%s', (_, more) => {
  const config = lmConfig({ ...base, ...more });
  const state = stateOf(config);

  test('a token changes no logits before it', async () => {
    const changed = ids.slice();
    changed[16] = (changed[16]! + 1) % 11;
    const [a, b] = [await logitsOf(config, state), await logitsOf(config, state, changed)];
    expect(a.data.slice(0, 16 * 11)).toEqual(b.data.slice(0, 16 * 11));
    expect(a.data.slice(16 * 11)).not.toEqual(b.data.slice(16 * 11));
  });

  test('decoding equals the full forward', async () => {
    const model: LanguageModel = {
      config,
      state: state.clone('f32'),
      executor,
      tokenizer: byteTokenizer(),
      generation: {},
    };
    const full = await lmLogits(model, ids);
    await using decoder = createDecoder(model);
    for (let at = 0; at < ids.length;) {
      const n = at === 0 ? 6 : at === 6 ? 5 : 1;
      const logits = await decoder.feed([...ids.subarray(at, at + n)]);
      at += n;
      const row = full.data.slice((at - 1) * 11, at * 11);
      expect(Math.max(...Array.from(logits, (x, i) => Math.abs(x - row[i]!)))).toBeLessThan(1e-6);
    }
  });
});

test('between anchors every token takes over the change of its anchor', async () => {
  const config = lmConfig({ ...base, num_hidden_layers: 3, altup_sequence_stride: 4 });
  const state = stateOf(config, (name) => !name.includes('altup'));
  const def = lmProgram(config, { batch: 1, length: 8 }, { dtype: 'f64', capture: /blocks\.[02]\.hook_resid_p/ });
  await using program = await executor.compile(def, { state });
  const out = await program.run({ ids: ids.slice(0, 8) });
  const [before, after] = [out['blocks.0.hook_resid_post']!.data, out['blocks.2.hook_resid_pre']!.data];
  for (let t = 0; t < 8; t++) {
    const anchor = t - (t % 4);
    for (let k = 0; k < 16; k++) {
      const change = (at: number): number => after[at * 16 + k]! - before[at * 16 + k]!;
      expect(change(t)).toBeCloseTo(change(anchor), 12);
    }
  }
});
