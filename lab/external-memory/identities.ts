// What holds exactly: an untrained table changes nothing, a step touches only the rows that were read.
import { compileTrainStep, defineLmStep, lmFeeds, lmProgram, lmStepFeeds } from 'cairn/nn';
import { createReferenceExecutor, ModelState, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { configOf, SETTINGS } from '../char-models.ts';

export async function identities({ seed }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('identities');
  const split = { vocab: 30, head: new Int32Array(0), tail: new Int32Array(0) };
  const executor = createReferenceExecutor({ dtype: 'f32' });
  const ids = Int32Array.from({ length: 24 }, () => rng.integer(split.vocab));
  const logitsOf = async (settings: Parameters<typeof configOf>[2]): Promise<number[]> => {
    const config = configOf(split, 2, settings);
    const def = lmProgram(config, { batch: 1, length: ids.length });
    await using program = await executor.compile(def, { state: ModelState.init(def, rng.fork('weights')) });
    return Array.from((await program.run({ ids, ...lmFeeds(config, ids, 1) }))['logits']!.data);
  };
  const dense = await logitsOf({});
  let largest = 0;
  for (const memory of [
    { memory_lookup: 'ngram', memory_entries: 512 },
    { memory_lookup: 'token', memory_consume: 'concat' },
    { memory_lookup: 'lsh', memory_entries: 64, memory_consume: 'expert' },
    { memory_lookup: 'softmax', memory_entries: 32 },
    { memory_lookup: 'product', memory_entries: 64 },
  ] as const) {
    const tabled = await logitsOf(memory);
    largest = tabled.reduce((m, v, i) => Math.max(m, Math.abs(v - dense[i]!)), largest);
  }
  const touched = await rowsTouched(seed, ids, split);
  return {
    claims: [
      {
        id: 'fresh-table-is-dense',
        says: 'Before training, a model with tables of any kind gives the logits of the model without, bit for bit.',
        kind: 'identity',
        value: largest,
        target: '= 0',
        holds: largest === 0,
      },
      {
        id: 'rows-read-are-rows-trained',
        says: 'A training step changes the rows that its tokens hash to and no others.',
        kind: 'identity',
        value: touched.changed,
        baseline: touched.read,
        target: 'rows changed = rows read, and none else',
        holds: touched.changed === touched.read && touched.strangers === 0,
      },
    ],
    tables: [],
  };
}

async function rowsTouched(
  seed: number,
  ids: Int32Array,
  split: { vocab: number; head: Int32Array; tail: Int32Array },
): Promise<{ changed: number; read: number; strangers: number }> {
  const config = configOf(split, 1, { memory_lookup: 'ngram', memory_entries: 256 });
  const step = defineLmStep(config, { batch: 1, length: 23 }, SETTINGS);
  const state = ModelState.init(step, new Rng(seed).fork('touched'));
  await using program = await compileTrainStep(createReferenceExecutor({ dtype: 'f32' }), step, state, SETTINGS);
  const feeds = lmStepFeeds(config, 1, { x: ids.slice(0, 23), y: ids.slice(1) });
  await program.run({ ...feeds, lr: 0.01, c1: 0.1, c2: 0.05 });
  const read = new Set((feeds['memory.ngram'] as { data: Int32Array }).data);
  const table = state.get('blocks.0.memory.table');
  const changed = Array.from({ length: 256 }, (_, row) => row).filter((row) =>
    table.data.subarray(row * 64, (row + 1) * 64).some((v) => v !== 0),
  );
  return { changed: changed.length, read: read.size, strangers: changed.filter((row) => !read.has(row)).length };
}
