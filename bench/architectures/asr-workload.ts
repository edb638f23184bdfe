// The workload of a conformer case: config, first weights by their names in memory, and batches of features with labels, written to a
// folder that engines in other languages can read (JSON, raw little-endian numbers).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AsrBatch, type AsrConfig, asrOptimizer, asrTrainStep } from 'cairn/nn';
import { ModelState, Rng } from 'cairn/tensor';
import { BATCHES, WARMUP } from './lm-workload.ts';

export interface AsrWorkload {
  readonly config: AsrConfig;
  readonly shape: AsrBatch;
  readonly optimizer: typeof asrOptimizer & { readonly lr: number };
  readonly batches: number;
  readonly warmup: number;
  readonly params: readonly { readonly name: string; readonly shape: readonly number[]; readonly decay: boolean }[];
}

/** What one step is fed, `valid` and all indices included. */
export interface AsrFeeds {
  readonly features: Float32Array;
  readonly valid: Float32Array;
  readonly context: Int32Array;
  readonly next: Int32Array;
  readonly pick: Int32Array;
}

const LR = 1e-3;

/** Writes `workload.json`, `params.f32` and `feeds.bin`: for each batch features, valid, context, next and pick. */
export function writeAsrWorkload(dir: string, config: AsrConfig, shape: AsrBatch, seed: number): void {
  mkdirSync(dir, { recursive: true });
  const def = asrTrainStep(config, shape);
  const state = ModelState.init(def, new Rng(seed).fork('weights'));
  const params = def.graph.params.filter((p) => p.trainable).map(({ name, shape, decay }) => ({ name, shape, decay }));
  const work: AsrWorkload = {
    config,
    shape,
    optimizer: { ...asrOptimizer, lr: LR },
    batches: BATCHES,
    warmup: WARMUP,
    params,
  };
  writeFileSync(join(dir, 'workload.json'), JSON.stringify(work));
  const weights = params.map(({ name }) => Buffer.from(Float32Array.from(state.get(name).data).buffer));
  writeFileSync(join(dir, 'params.f32'), Buffer.concat(weights));
  const rng = new Rng(seed).fork('batches');
  const parts: Buffer[] = [];
  for (let i = 0; i < BATCHES; i++) {
    for (const part of Object.values(drawFeeds(config, shape, rng.fork(i))) as (Float32Array | Int32Array)[]) {
      parts.push(Buffer.from(part.buffer));
    }
  }
  writeFileSync(join(dir, 'feeds.bin'), Buffer.concat(parts));
}

/** Random features whose means say which label is next: something to learn, of lengths between half and whole. */
function drawFeeds(config: AsrConfig, { batch, rows, labels }: AsrBatch, rng: Rng): AsrFeeds {
  const width = config.audio.mels * config.audio.stack;
  const columns = labels + 1;
  const features = new Float32Array(batch * rows * width);
  rng.fillNormal(features);
  const valid = new Float32Array(batch * rows);
  const context = new Int32Array(batch * columns * 2);
  const next = new Int32Array(batch * columns);
  const pick = new Int32Array(batch);
  for (let i = 0; i < batch; i++) {
    const real = Math.ceil(rows / 2) + rng.integer(Math.floor(rows / 2) + 1);
    valid.fill(1, i * rows, i * rows + real);
    const said = Array.from({ length: 1 + rng.integer(labels) }, () => 1 + rng.integer(config.vocabulary.length));
    for (let t = 0; t < real; t++) {
      features[(i * rows + t) * width + said[Math.floor((t * said.length) / real)]!]! += 2;
    }
    for (let u = 0; u < columns; u++) {
      context[(i * columns + u) * 2] = said[u - 1] ?? 0;
      context[(i * columns + u) * 2 + 1] = said[u - 2] ?? 0;
      next[i * columns + u] = said[u] ?? 0;
    }
    const frames = config.funnel_layer === null ? real : Math.ceil(real / 2);
    pick[i] = (frames - 1) * columns + said.length;
  }
  return { features, valid, context, next, pick };
}

/** Reads what `writeAsrWorkload` wrote. */
export function readAsrWorkload(dir: string): AsrWorkload & {
  readonly state: ModelState;
  readonly at: (step: number) => AsrFeeds;
} {
  const work = JSON.parse(readFileSync(join(dir, 'workload.json'), 'utf8')) as AsrWorkload;
  const { batch, rows, labels } = work.shape;
  const raw = (name: string): ArrayBuffer => Uint8Array.from(readFileSync(join(dir, name))).buffer;
  const all = new Float32Array(raw('params.f32'));
  const state = new ModelState();
  let from = 0;
  for (const { name, shape } of work.params) {
    const size = shape.reduce((n, d) => n * d, 1);
    state.set(name, { data: all.slice(from, from + size), shape, dtype: 'f32' });
    from += size;
  }
  const bytes = raw('feeds.bin');
  const sizes = [
    batch * rows * work.config.audio.mels * work.config.audio.stack,
    batch * rows,
    batch * (labels + 1) * 2,
    batch * (labels + 1),
    batch,
  ];
  const perBatch = sizes.reduce((n, size) => n + size, 0);
  const batches = Array.from({ length: work.batches }, (_, i): AsrFeeds => {
    const start = (k: number): number => 4 * (i * perBatch + sizes.slice(0, k).reduce((n, size) => n + size, 0));
    const floats = (k: number): Float32Array => new Float32Array(bytes, start(k), sizes[k]);
    const ints = (k: number): Int32Array => new Int32Array(bytes, start(k), sizes[k]);
    return { features: floats(0), valid: floats(1), context: ints(2), next: ints(3), pick: ints(4) };
  });
  return { ...work, state, at: (step) => batches[step % batches.length]! };
}
