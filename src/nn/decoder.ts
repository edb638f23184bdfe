// Decoding with a cache: feeds tokens in chunks of a few compiled lengths and returns the logits after the last one. What
// the cache holds is the program's affair: inputs `past.<name>` and outputs `present.<name>`. Where a span sees only the
// last positions, its caches are cut to those. When the context is full, the later half of it is fed again.
import { CairnError } from '../errors.ts';
import {
  type Feed,
  type HostTensor,
  isSymbolic,
  type Program,
  type ProgramDef,
  sizeOf,
  symbolOf,
  typeOf,
} from '../tensor/index.ts';
import { decodeProgram, type LanguageModel } from './lm.ts';
import type { LmConfig } from './lm-config.ts';
import { anchorsOf, lmSpans, type Span, spanned } from './lm-call.ts';
import { lmFeeds } from './lm-inputs.ts';
import { softWidth } from './lm-soft-config.ts';
import { placesIn, softFeeds } from './soft/feeds.ts';
import { createGrowingCache, emptySlot } from './_growing-cache.ts';

export interface Decoder extends AsyncDisposable {
  /** Tokens in the cache. */
  readonly length: number;
  /**
   * Appends tokens; returns the logits `[vocab]` after the last one.
   * @param soft vectors for the places of pictures and sounds in `ids`, in order, `[places, softWidth]`
   */
  feed(ids: readonly number[], soft?: Float32Array): Promise<Float32Array | Float64Array>;
  reset(): void;
  dispose(): Promise<void>;
}

/** Where a decoder stood. */
export interface DecoderState {
  readonly tokens: readonly number[];
  /** Vectors of pictures and sounds among the tokens, in order. */
  readonly soft: Float32Array;
  readonly cache: Readonly<Record<string, HostTensor>>;
  readonly held: ReadonlyMap<string, number>;
}

/** A decoder that can go back: for beams, and for guesses that are checked. */
export interface RewindableDecoder extends Decoder {
  /** Appends tokens; returns the logits `[vocab]` after each of them. */
  feedAll(ids: readonly number[]): Promise<(Float32Array | Float64Array)[]>;
  /** What is needed to go on from here; copies no cache. */
  save(): DecoderState;
  restore(state: DecoderState): void;
  /**
   * Forgets all but the first `length` tokens.
   * @throws CairnError `bad_rewind` when there are fewer
   */
  rewind(length: number): Promise<void>;
}

export interface DecoderOptions {
  /**
   * The weights as they are now become part of the program for single tokens, which makes a token faster and the start slower.
   * Default false: they are read anew with each token, so that a decoder may live while the model trains.
   */
  readonly frozen?: boolean;
  /** Threads inside an operator for single tokens. Default: one where a second one gains nothing. */
  readonly threads?: number;
}

/** Multiplications of a token from which on a second thread pays. */
const WORK_FOR_TWO = 3e7;

/** Lengths of compiled chunks: a prompt of 100 tokens is 64 + 16 + 16 + 4. */
const CHUNKS = [64, 16, 4, 1];

/**
 * A decoder with an empty cache.
 * @example
 * await using decoder = createDecoder(model);
 * const logits = await decoder.feed([...model.tokenizer.encode('To be')]); // [vocab]
 */
export function createDecoder(model: LanguageModel, options: DecoderOptions = {}): RewindableDecoder {
  const { config, executor, state } = model;
  const { frozen = false } = options;
  const threads = options.threads ?? threadsForToken(config);
  const spans = lmSpans(config);
  const stride = config.altup_sequence_stride ?? 1;
  const programs = new Map<string, Promise<Compiled>>();
  const programFor = (length: number, phase: number, everyRow: boolean): Promise<Compiled> => {
    const key = `${length} ${phase} ${everyRow}`;
    let found = programs.get(key);
    if (!found) {
      const def = decodeProgram(config, length, { phase, everyRow, onlyFresh: true });
      const how = length === 1 ? { frozen, ...(threads === undefined ? {} : { threads }) } : {};
      found = executor.compile(def, { state, ...how }).then((program) => ({ program, layout: layoutOf(def) }));
      programs.set(key, found);
    }
    return found;
  };
  const dtype = [...state.entries()][0]?.[1].dtype === 'f64' ? 'f64' : 'f32';
  /** Inputs `past.<name>`; empty at the start of a sequence. */
  let cache: Record<string, HostTensor> = {};
  /** Positions in the caches of each span. */
  let held = new Map<string, number>();
  let tokens: number[] = [];
  let soft: Float32Array = new Float32Array(0);
  const width = softWidth(config);
  const memory = createGrowingCache();

  /** Logits `[vocab]` after the last token, or `[n, vocab]` after each. */
  async function run(
    ids: readonly number[],
    vectors: Float32Array,
    everyRow: boolean,
  ): Promise<Float32Array | Float64Array> {
    const past = tokens.length;
    const n = ids.length;
    const { program, layout } = await programFor(n, past % stride, everyRow && n > 1);
    const fresh = (span: Span): number => anchorsOf(past % (span.stride ?? 1), n, span.stride ?? 1).length;
    const input = Int32Array.from(ids);
    const feeds: Record<string, Feed> = {
      ids: input,
      positions: Int32Array.from({ length: n }, (_, i) => past + i),
      ...lmFeeds(config, input, 1, tokens),
      ...softFeeds(config, input, vectors),
    };
    for (const { name, shape } of layout.slots) feeds[name] = cache[name] ?? emptySlot(shape, dtype);
    for (const span of spans) {
      const name = spanned('mask', span);
      if (layout.inputs.has(name)) feeds[name] = chunkMask(fresh(span), held.get(span.name) ?? 0, span, dtype);
    }
    const out = await program.run(feeds);
    cache = { ...cache, ...memory.entriesAfter(layout.slots, feeds, out) };
    tokens = [...tokens, ...ids];
    soft = joined(soft, vectors);
    for (const span of spans) trim(span, layout, (held.get(span.name) ?? 0) + fresh(span));
    return out['logits']!.data as Float32Array | Float64Array;
  }

  /** Forgets positions that no later one sees, once there are as many of them as of the others: that copies little. */
  function trim(span: Span, layout: Layout, length: number): void {
    const needed = span.window === null ? Infinity : span.window - 1 + span.lag;
    const cut = length > 2 * needed ? length - needed : 0;
    held.set(span.name, length - cut);
    if (cut === 0) return;
    for (const { name, axis, symbol } of layout.slots) {
      if (symbol === spanned('past', span)) cache[name] = dropFirst(cache[name]!, axis, cut);
    }
  }

  async function feedPieces(
    ids: readonly number[],
    fresh: Float32Array | undefined,
    everyRow: boolean,
  ): Promise<(Float32Array | Float64Array)[]> {
    if (ids.length === 0) throw new CairnError('empty_prompt', 'Expected at least one token, got none.');
    const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocab_size);
    if (bad !== undefined) {
      throw new CairnError('bad_token', `Expected token ids from 0 to ${config.vocab_size - 1}, got ${bad}.`);
    }
    softFeeds(config, ids, fresh); // says so before anything changes when places and vectors do not match
    const context = config.max_position_embeddings;
    let pending = [...ids];
    let vectors: Float32Array = fresh ?? new Float32Array(0);
    if (tokens.length + pending.length > context) {
      const half = Math.max(1, Math.floor(context / 2));
      const kept = Math.max(half, Math.min(pending.length, context));
      pending = [...tokens, ...pending].slice(-kept);
      const all = joined(soft, vectors);
      vectors = all.slice(all.length - placesIn(config, pending) * width);
      self.reset();
    }
    const rows = [];
    for (let at = 0; at < pending.length;) {
      const n = tokens.length % stride === 0 ? CHUNKS.find((size) => size <= pending.length - at)! : 1;
      const piece = pending.slice(at, at + n);
      const own = placesIn(config, piece) * width;
      rows.push(await run(piece, vectors.slice(0, own), everyRow));
      vectors = vectors.slice(own);
      at += n;
    }
    return rows;
  }

  const self: RewindableDecoder = {
    get length() {
      return tokens.length;
    },
    async feed(ids, vectors) {
      const rows = await feedPieces(ids, vectors, false);
      return rows.at(-1)!;
    },
    async feedAll(ids) {
      const rows = await feedPieces(ids, undefined, true);
      const v = config.vocab_size;
      return rows.flatMap((row) => Array.from({ length: row.length / v }, (_, i) => row.slice(i * v, (i + 1) * v)));
    },
    save() {
      memory.protect(Object.values(cache));
      return { tokens, soft, cache, held: new Map(held) };
    },
    restore(saved) {
      tokens = [...saved.tokens];
      ({ soft } = saved);
      cache = { ...saved.cache };
      held = new Map(saved.held);
    },
    async rewind(length) {
      if (!Number.isInteger(length) || length < 0 || length > tokens.length) {
        throw new CairnError('bad_rewind', `Expected to go back to at most ${tokens.length} tokens, got ${length}.`);
      }
      const [compiled] = await Promise.all(programs.values());
      const cut = tokens.length - length;
      if (cut === 0) return;
      const kept = tokens.slice(0, length);
      const seen = soft.slice(0, placesIn(config, kept) * width);
      const whole = spans.every((s) => s.window === null && (s.stride ?? 1) === 1);
      if (!compiled || !whole || compiled.layout.slots.some((slot) => slot.symbol === undefined)) {
        // Windows and fixed states have forgotten what stood there: it is read again.
        self.reset();
        if (length > 0) await self.feed(kept, seen);
        return;
      }
      for (const { name, axis } of compiled.layout.slots) {
        cache = { ...cache, [name]: keepFirst(cache[name]!, axis, cache[name]!.shape[axis]! - cut) };
      }
      held = new Map([...held].map(([name, n]) => [name, n - cut]));
      tokens = kept;
      soft = seen;
    },
    reset() {
      for (const [name, t] of Object.entries(cache)) memory.give(name, t);
      cache = {};
      held = new Map();
      tokens = [];
      soft = new Float32Array(0);
    },
    async dispose() {
      for (const p of programs.values()) await (await p).program.dispose();
      programs.clear();
    },
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  return self;
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  if (b.length === 0) return a;
  const out = new Float32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

interface Compiled {
  readonly program: Program;
  readonly layout: Layout;
}

/** What a decode program reads: the names of its inputs, and its cache entries with the symbol of their length. */
export interface Layout {
  readonly inputs: ReadonlySet<string>;
  readonly slots: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly axis: number;
    readonly symbol: string | undefined;
  }[];
}

export function layoutOf({ graph }: ProgramDef): Layout {
  const slots = graph.inputs
    .filter(({ name }) => name.startsWith('past.'))
    .map(({ name, node }) => {
      const { shape } = typeOf(graph, { node, port: 0 });
      const axis = shape.findIndex(isSymbolic);
      return { name, shape, axis, symbol: axis < 0 ? undefined : graph.symbols[symbolOf(shape[axis]!).symbol] };
    });
  return { inputs: new Set(graph.inputs.map((x) => x.name)), slots };
}

/** One thread for tokens of few multiplications, which end before a second thread has started. */
function threadsForToken(c: LmConfig): number | undefined {
  const layer = 4 * c.hidden_size ** 2 + (c.mlp_gated ? 3 : 2) * c.hidden_size * c.intermediate_size;
  return c.num_hidden_layers * layer < WORK_FOR_TWO ? 1 : undefined;
}

/** Without the first `count` entries of an axis. */
function dropFirst(t: HostTensor, axis: number, count: number): HostTensor {
  const length = t.shape[axis]!;
  const inner = sizeOf(t.shape.slice(axis + 1));
  const outer = sizeOf(t.shape.slice(0, axis));
  const kept = (length - count) * inner;
  const data = t.data.slice(0, outer * kept);
  for (let o = 0; o < outer; o++) {
    const from = (o * length + count) * inner;
    data.set(t.data.subarray(from, from + kept), o * kept);
  }
  return { data, shape: t.shape.map((d, i) => (i === axis ? d - count : d)), dtype: t.dtype };
}

/** The first `count` entries of an axis. */
function keepFirst(t: HostTensor, axis: number, count: number): HostTensor {
  const length = t.shape[axis]!;
  const inner = sizeOf(t.shape.slice(axis + 1));
  const outer = sizeOf(t.shape.slice(0, axis));
  const data = t.data.slice(0, outer * count * inner);
  for (let o = 0; o < outer; o++) {
    data.set(t.data.subarray(o * length * inner, (o * length + count) * inner), o * count * inner);
  }
  return { data, shape: t.shape.map((d, i) => (i === axis ? count : d)), dtype: t.dtype };
}

/** Row i (position past + i) looks at the columns that the span shows; `[n, past + n]`. */
function chunkMask(n: number, past: number, span: Span, dtype: 'f32' | 'f64'): HostTensor {
  const total = past + n;
  const reach = span.lag + (span.window ?? Infinity);
  const data = dtype === 'f64' ? new Float64Array(n * total) : new Float32Array(n * total);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < total; j++) {
      const distance = past + i - j;
      if (distance < span.lag || distance >= reach) data[i * total + j] = -1e9;
    }
  }
  return { data, shape: [n, total], dtype };
}
