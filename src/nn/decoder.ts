// Decoding with a cache of keys and values: feeds tokens in chunks of a few compiled lengths and returns the logits after
// the last one. When the context is full, the later half of the window is fed again, so the cache never exceeds it.
import { CairnError } from '../errors.ts';
import type { Feed, HostTensor, Program } from '../tensor/index.ts';
import { decodeProgram, type LanguageModel } from './lm.ts';

export interface Decoder extends AsyncDisposable {
  /** Tokens in the cache. */
  readonly length: number;
  /** Appends tokens; returns the logits `[vocab]` after the last one. */
  feed(ids: readonly number[]): Promise<Float32Array | Float64Array>;
  reset(): void;
  dispose(): Promise<void>;
}

/** Lengths of compiled chunks: a prompt of 100 tokens is 64 + 16 + 16 + 4. */
const CHUNKS = [64, 16, 4, 1];

/**
 * A decoder with an empty cache.
 * @example
 * await using decoder = createDecoder(model);
 * const logits = await decoder.feed([...model.tokenizer.encode('To be')]); // [vocab]
 */
export function createDecoder(model: LanguageModel): Decoder {
  const { config, executor, state } = model;
  const programs = new Map<number, Promise<Program>>();
  const programFor = (length: number): Promise<Program> => {
    let found = programs.get(length);
    if (!found) {
      found = executor.compile(decodeProgram(config, length), { state });
      programs.set(length, found);
    }
    return found;
  };
  const dtype = [...state.entries()][0]?.[1].dtype === 'f64' ? 'f64' : 'f32';
  const width = config.hidden_size / config.num_attention_heads;
  const emptyTensor = (): HostTensor => ({
    data: dtype === 'f64' ? new Float64Array(0) : new Float32Array(0),
    shape: [1, config.num_key_value_heads, 0, width],
    dtype,
  });
  const empty = (): Record<string, HostTensor> =>
    Object.fromEntries(
      Array.from({ length: config.num_hidden_layers }, (_, i) => [
        [`past.k.${i}`, emptyTensor()] as const,
        [`past.v.${i}`, emptyTensor()] as const,
      ]).flat(),
    );
  let cache = empty();
  let tokens: number[] = [];

  async function run(ids: readonly number[]): Promise<Float32Array | Float64Array> {
    const past = tokens.length;
    const n = ids.length;
    const program = await programFor(n);
    const feeds: Record<string, Feed> = {
      ids: Int32Array.from(ids),
      positions: Int32Array.from({ length: n }, (_, i) => past + i),
      ...cache,
    };
    if (n > 1 || config.sliding_window !== null)
      feeds['mask'] = chunkMask(n, past, config.sliding_window ?? Infinity, dtype);
    const out = await program.run(feeds);
    cache = Object.fromEntries(
      Object.entries(out)
        .filter(([name]) => name.startsWith('present.'))
        .map(([name, t]) => [name.replace('present.', 'past.'), t]),
    );
    tokens.push(...ids);
    return out['logits']!.data as Float32Array | Float64Array;
  }

  const self: Decoder = {
    get length() {
      return tokens.length;
    },
    async feed(ids) {
      if (ids.length === 0) throw new CairnError('empty_prompt', 'Expected at least one token, got none.');
      const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocab_size);
      if (bad !== undefined) {
        throw new CairnError('bad_token', `Expected token ids from 0 to ${config.vocab_size - 1}, got ${bad}.`);
      }
      const context = config.max_position_embeddings;
      let pending = [...ids];
      if (tokens.length + pending.length > context) {
        const half = Math.max(1, Math.floor(context / 2));
        const kept = Math.max(half, Math.min(pending.length, context));
        pending = [...tokens, ...pending].slice(-kept);
        self.reset();
      }
      let logits: Float32Array | Float64Array | undefined;
      for (let at = 0; at < pending.length;) {
        const n = CHUNKS.find((size) => size <= pending.length - at)!;
        logits = await run(pending.slice(at, at + n));
        at += n;
      }
      return logits!;
    },
    reset() {
      cache = empty();
      tokens = [];
    },
    async dispose() {
      for (const p of programs.values()) await (await p).dispose();
      programs.clear();
    },
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  return self;
}

/** Row i (position past + i) may look at columns up to its own, within the window; `[n, past + n]`. */
function chunkMask(n: number, past: number, window: number, dtype: 'f32' | 'f64'): HostTensor {
  const total = past + n;
  const data = dtype === 'f64' ? new Float64Array(n * total) : new Float32Array(n * total);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < total; j++) if (j > past + i || past + i - j >= window) data[i * total + j] = -1e9;
  }
  return { data, shape: [n, total], dtype };
}
