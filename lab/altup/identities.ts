// What holds exactly: with first coefficients the recycled model is the dense one, and a model costs the parameters and the
// cache that the paper says.
import { decodeProgram, lmLogits, type LmConfig, lmProgram, parameterCount } from 'cairn/nn';
import { byteTokenizer } from 'cairn/data';
import { createReferenceExecutor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { CONTEXT, model } from './models.ts';

const VOCABULARY = 65;
const STREAMS = [2, 3, 4];

export async function identities({ seed }: LabOptions): Promise<Part> {
  const executor = createReferenceExecutor({ dtype: 'f64' });
  const rng = new Rng(seed).fork('identities');
  const dense = model(VOCABULARY);
  const ids = Int32Array.from({ length: 24 }, () => rng.integer(VOCABULARY));
  const logits = async (config: LmConfig): Promise<ArrayLike<number>> => {
    const def = lmProgram(config, { batch: 1, length: 1 });
    const state = ModelState.init(def, rng.fork('weights'));
    for (const name of state.names().filter((n) => !n.includes('altup'))) {
      const t = state.get(name);
      const noise = rng.fork(name);
      state.set(name, { ...t, data: t.data.map((x) => x + 0.1 * noise.normal()) });
    }
    const at = { config, state, executor, tokenizer: byteTokenizer(), generation: {} };
    return (await lmLogits(at, ids)).data;
  };
  const expected = await logits(dense);
  let gap = 0;
  for (const streams of STREAMS) {
    const got = await logits(model(VOCABULARY, { altup_num_inputs: streams, altup_recycled: true }));
    for (let i = 0; i < expected.length; i++) gap = Math.max(gap, Math.abs(got[i]! - expected[i]!));
  }
  const count = (more: Partial<LmConfig>): number =>
    parameterCount(lmProgram(model(VOCABULARY, more), { batch: 1, length: 1 }));
  const extra = count({ altup_num_inputs: 2 }) - count({});
  const { hidden_size: d, num_hidden_layers: layers } = dense;
  const wanted = 2 * VOCABULARY * d + d + layers * 6;
  const cacheOf = (more: Partial<LmConfig>): string =>
    JSON.stringify(
      decodeProgram(model(VOCABULARY, more), 1)
        .graph.inputs.map((x) => x.name)
        .filter((name) => name.startsWith('past.')),
    );
  return {
    claims: [
      {
        id: 'altup-identity',
        says: `With first coefficients, recycled AltUp of ${STREAMS.join(', ')} streams gives the logits of the dense model.`,
        kind: 'identity',
        value: gap,
        target: 'largest difference <= 1e-6',
        holds: gap <= 1e-6,
      },
      {
        id: 'altup-parameters',
        says: 'Two streams add an embedding and a head of the same size, one gain and six numbers a layer; the cache stays.',
        kind: 'identity',
        value: extra,
        baseline: wanted,
        target: 'equal, and the same cache entries',
        holds: extra === wanted && cacheOf({ altup_num_inputs: 2 }) === cacheOf({}),
      },
    ],
    tables: [
      {
        title: `Parameters at width ${d}, ${layers} layers, ${VOCABULARY} characters, context ${CONTEXT}`,
        columns: ['model', 'parameters'],
        rows: [
          ['dense', count({})],
          ['recycled, 2 streams', count({ altup_num_inputs: 2, altup_recycled: true })],
          ['2 streams', count({ altup_num_inputs: 2 })],
          ['4 streams', count({ altup_num_inputs: 4 })],
          ['dense, width 96', count({ hidden_size: 96 })],
        ],
      },
    ],
  };
}
