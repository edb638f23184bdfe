// The workload that all engines share: a small GPT with its sizes, first weights and token batches, written to a folder
// that engines in other languages can read (JSON index, raw little-endian numbers).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from 'cairn/tensor';

/** Sizes of one case: pre-norm GPT with GELU MLP x4, learned positions and an untied head. */
export interface GptCase {
  readonly name: string;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly length: number;
  readonly batch: number;
  readonly vocab: number;
}

export const cases: Readonly<Record<'small' | 'big', GptCase>> = {
  small: { name: 'small', dim: 128, layers: 2, heads: 4, length: 64, batch: 32, vocab: 64 },
  big: { name: 'big', dim: 256, layers: 4, heads: 4, length: 128, batch: 16, vocab: 64 },
};

/** AdamW as every engine runs it. Matrices decay, vectors do not; no clipping. */
export const adam = { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 } as const;

/** Batches that are cycled through, and steps of warm-up whose losses must agree. */
export const BATCHES = 4;
export const WARMUP = 5;

export interface ParamShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Names and shapes of all parameters, in file order. Linear weights are `[in, out]`. */
export function paramShapes(c: GptCase): ParamShape[] {
  const d = c.dim;
  const block = (i: number): ParamShape[] =>
    [
      ['ln1.gain', [d]],
      ['ln1.bias', [d]],
      ['qkv.weight', [d, 3 * d]],
      ['qkv.bias', [3 * d]],
      ['out.weight', [d, d]],
      ['out.bias', [d]],
      ['ln2.gain', [d]],
      ['ln2.bias', [d]],
      ['up.weight', [d, 4 * d]],
      ['up.bias', [4 * d]],
      ['down.weight', [4 * d, d]],
      ['down.bias', [d]],
    ].map(([name, shape]) => ({ name: `blocks.${i}.${name as string}`, shape: shape as number[] }));
  return [
    { name: 'embed', shape: [c.vocab, d] },
    { name: 'position', shape: [c.length, d] },
    ...Array.from({ length: c.layers }, (_, i) => block(i)).flat(),
    { name: 'norm.gain', shape: [d] },
    { name: 'norm.bias', shape: [d] },
    { name: 'head', shape: [d, c.vocab] },
  ];
}

/** First weights: gains 1, biases 0, matrices normal with deviation 0.02. */
export function firstWeights(
  c: GptCase,
  seed: number,
): { name: string; shape: readonly number[]; data: Float32Array }[] {
  const rng = new Rng(seed).fork('weights');
  return paramShapes(c).map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((n, d) => n * d, 1));
    if (shape.length === 2) rng.fork(name).fillNormal(data, 0.02);
    else if (name.endsWith('gain')) data.fill(1);
    return { name, shape, data };
  });
}

/** Tokens `[BATCHES, 2, batch, length]`: inputs, then the next tokens. A noisy walk, so that there is something to learn. */
export function tokens(c: GptCase, seed: number): Int32Array {
  const rng = new Rng(seed).fork('tokens');
  const out = new Int32Array(BATCHES * 2 * c.batch * c.length);
  const half = c.batch * c.length;
  for (let b = 0; b < BATCHES; b++) {
    for (let row = 0; row < c.batch; row++) {
      let token = rng.integer(c.vocab);
      for (let t = 0; t <= c.length; t++) {
        const at = b * 2 * half + row * c.length + t;
        if (t < c.length) out[at] = token;
        if (t > 0) out[at + half - 1] = token;
        token = rng.bernoulli(0.8) ? (token * 5 + 3) % c.vocab : rng.integer(c.vocab);
      }
    }
  }
  return out;
}

export interface Workload {
  readonly case: GptCase;
  readonly adam: typeof adam;
  readonly batches: number;
  readonly warmup: number;
  readonly params: readonly ParamShape[];
}

/** Writes `workload.json`, `params.f32` and `tokens.i32` into `dir`. */
export function writeWorkload(dir: string, c: GptCase, seed: number, warmup = WARMUP): void {
  mkdirSync(dir, { recursive: true });
  const weights = firstWeights(c, seed);
  const workload: Workload = { case: c, adam, batches: BATCHES, warmup, params: paramShapes(c) };
  writeFileSync(join(dir, 'workload.json'), JSON.stringify(workload));
  writeFileSync(join(dir, 'params.f32'), Buffer.concat(weights.map((w) => Buffer.from(w.data.buffer))));
  writeFileSync(join(dir, 'tokens.i32'), Buffer.from(tokens(c, seed).buffer));
}

/** Reads what `writeWorkload` wrote. */
export function readWorkload(dir: string): Workload & {
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Inputs and labels of batch `i`, counted on and on. */
  readonly batch: (i: number) => { x: Int32Array; y: Int32Array };
} {
  const workload = JSON.parse(readFileSync(join(dir, 'workload.json'), 'utf8')) as Workload;
  const raw = readFileSync(join(dir, 'params.f32'));
  const all = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
  const rawTokens = readFileSync(join(dir, 'tokens.i32'));
  const ids = new Int32Array(rawTokens.buffer.slice(rawTokens.byteOffset, rawTokens.byteOffset + rawTokens.byteLength));
  const weights = new Map<string, Float32Array>();
  let at = 0;
  for (const { name, shape } of workload.params) {
    const size = shape.reduce((n, d) => n * d, 1);
    weights.set(name, all.slice(at, at + size));
    at += size;
  }
  const half = workload.case.batch * workload.case.length;
  const batch = (i: number): { x: Int32Array; y: Int32Array } => {
    const from = (i % workload.batches) * 2 * half;
    return { x: ids.slice(from, from + half), y: ids.slice(from + half, from + 2 * half) };
  };
  return { ...workload, weights, batch };
}
