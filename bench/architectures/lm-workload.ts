// The workload of a language model case: config, first weights by their names in memory, and token batches, written to a
// folder that engines in other languages can read (JSON, raw little-endian numbers).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineLmStep, type LmConfig } from 'cairn/nn';
import { ModelState, type ProgramDef, Rng } from 'cairn/tensor';

/** AdamW as every engine runs it: decay where a parameter says so, gradients clipped to a global norm. */
export const optimizer = { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 } as const;

export const BATCHES = 4;
export const WARMUP = 5;

export interface LmWorkload {
  readonly config: LmConfig;
  readonly batch: number;
  readonly length: number;
  readonly optimizer: typeof optimizer;
  readonly batches: number;
  readonly warmup: number;
  readonly params: readonly { readonly name: string; readonly shape: readonly number[]; readonly decay: boolean }[];
}

export function stepOf(config: LmConfig, batch: number, length: number): ProgramDef {
  return defineLmStep(config, { batch, length }, optimizer);
}

/** Writes `workload.json`, `params.f32` and `tokens.i32`. */
export function writeLmWorkload(dir: string, config: LmConfig, batch: number, length: number, seed: number): void {
  mkdirSync(dir, { recursive: true });
  const def = stepOf(config, batch, length);
  const state = ModelState.init(def, new Rng(seed).fork('weights'));
  const params = def.graph.params.filter((p) => p.trainable).map(({ name, shape, decay }) => ({ name, shape, decay }));
  const work: LmWorkload = { config, batch, length, optimizer, batches: BATCHES, warmup: WARMUP, params };
  writeFileSync(join(dir, 'workload.json'), JSON.stringify(work));
  const weights = params.map(({ name }) => Buffer.from(Float32Array.from(state.get(name).data).buffer));
  writeFileSync(join(dir, 'params.f32'), Buffer.concat(weights));
  writeFileSync(join(dir, 'tokens.i32'), Buffer.from(tokens(config.vocab_size, batch, length, seed).buffer));
}

/** Tokens `[BATCHES, 2, batch, length]`: inputs, then the next tokens. A noisy walk, so that there is something to learn. */
function tokens(vocabulary: number, batch: number, length: number, seed: number): Int32Array {
  const rng = new Rng(seed).fork('tokens');
  const out: number[] = [];
  for (let b = 0; b < BATCHES; b++) {
    const rows = Array.from({ length: batch }, () => {
      let token = rng.integer(vocabulary);
      return Array.from({ length: length + 1 }, () => {
        const now = token;
        token = rng.bernoulli(0.8) ? (token * 5 + 3) % vocabulary : rng.integer(vocabulary);
        return now;
      });
    });
    out.push(...rows.flatMap((row) => row.slice(0, -1)), ...rows.flatMap((row) => row.slice(1)));
  }
  return Int32Array.from(out);
}

/** Reads what `writeLmWorkload` wrote. */
export function readLmWorkload(dir: string): LmWorkload & {
  readonly state: ModelState;
  readonly at: (step: number) => { x: Int32Array; y: Int32Array };
} {
  const work = JSON.parse(readFileSync(join(dir, 'workload.json'), 'utf8')) as LmWorkload;
  const numbers = <T>(name: string, make: (buffer: ArrayBuffer) => T): T => {
    const raw = readFileSync(join(dir, name));
    return make(Uint8Array.from(raw).buffer);
  };
  const all = numbers('params.f32', (buffer) => new Float32Array(buffer));
  const ids = numbers('tokens.i32', (buffer) => new Int32Array(buffer));
  const state = new ModelState();
  let from = 0;
  for (const { name, shape } of work.params) {
    const size = shape.reduce((n, d) => n * d, 1);
    state.set(name, { data: all.slice(from, from + size), shape, dtype: 'f32' });
    from += size;
  }
  const half = work.batch * work.length;
  return {
    ...work,
    state,
    at: (step) => {
      const start = (step % work.batches) * 2 * half;
      return { x: ids.slice(start, start + half), y: ids.slice(start + half, start + 2 * half) };
    },
  };
}
