// Several prompts at a time in one program: shorter prompts are padded on the left, the padding is hidden by masks. Relative
// positions make the padding invisible to the model, so every row comes out as it would alone (up to rounding).
import { CairnError } from '../errors.ts';
import {
  addToDim,
  defineProgram,
  type Feed,
  type HostTensor,
  type Program,
  type ProgramDef,
  Rng,
  type Tensor,
} from '../tensor/index.ts';
import { createGrowingCache, emptySlot, outputEntry } from './_growing-cache.ts';
import { layoutOf } from './decoder.ts';
import { promptIds } from './generate.ts';
import { type Frame, lmSpans, type Span, spanned } from './lm-call.ts';
import { type LmConfig, stackCount } from './lm-config.ts';
import { lmFeeds, lmInputs } from './lm-inputs.ts';
import type { LanguageModel } from './lm.ts';
import { checkSampling, distribution, drawToken, type SamplingOptions } from './sampling.ts';
import { transformerForward } from './transformer.ts';

export interface GenerateBatchOptions extends SamplingOptions {
  /** Default 200. */
  readonly maxTokens?: number;
  /** One seed a prompt; default: the number of the prompt. */
  readonly seeds?: readonly (number | string)[];
  readonly eosTokenIds?: readonly number[];
  readonly signal?: AbortSignal;
}

export interface BatchResult {
  readonly tokens: readonly number[];
  readonly text: string;
  readonly reason: 'eos' | 'length' | 'aborted';
}

/**
 * Continues several prompts at once, each as `generate` would with its seed.
 * @throws CairnError `bad_batch` for models whose positions are not relative or that keep more than keys and values;
 * `context_exceeded` when the longest prompt and its tokens do not fit; `bad_sampling`, `empty_prompt`
 * @example
 * const results = await generateBatch(model, ['To be', 'Once upon a time'], { maxTokens: 50, temperature: 0.8 });
 */
export async function generateBatch(
  model: LanguageModel,
  prompts: readonly (string | readonly number[])[],
  options: GenerateBatchOptions = {},
): Promise<BatchResult[]> {
  const settings = { ...model.generation, ...options };
  checkSampling(settings);
  const { config, executor, state } = model;
  const { maxTokens = 200, eosTokenIds = [], seeds, signal } = settings;
  if (prompts.length === 0) return [];
  const reason = whyNotBatched(config);
  if (reason !== undefined)
    throw new CairnError('bad_batch', `Expected a model that takes batches, got one where ${reason}.`);
  if (seeds && seeds.length !== prompts.length) {
    throw new CairnError('bad_batch', `Expected ${prompts.length} seeds, got ${seeds.length}.`);
  }
  const rows = prompts.map((prompt) => promptIds(model, prompt));
  const longest = Math.max(...rows.map((r) => r.length));
  if (longest + maxTokens > config.max_position_embeddings) {
    throw new CairnError(
      'context_exceeded',
      `Expected at most ${config.max_position_embeddings} tokens, got ${longest} and ${maxTokens} more.`,
      { hint: 'Ask for fewer tokens, or generate prompt by prompt.' },
    );
  }
  const pads = rows.map((r) => longest - r.length);
  const starts = rows.map((r) => r.length);
  const rngs = rows.map((_, i) => new Rng(seeds?.[i] ?? i).fork('generate'));
  const ends: (BatchResult['reason'] | undefined)[] = rows.map(() => undefined);
  const cache: Record<string, HostTensor> = {};
  const memory = createGrowingCache();
  let past = 0;
  let fresh = rows.map((r) => [...r]);
  let compiled: { length: number; def: ProgramDef; program: Program } | undefined;
  try {
    for (let made = 0; made < maxTokens && ends.includes(undefined); made++) {
      if (signal?.aborted) break;
      const length = made === 0 ? longest : 1;
      if (compiled?.length !== length) {
        await compiled?.program.dispose();
        const def = batchProgram(config, rows.length, length);
        compiled = { length, def, program: await executor.compile(def, { state }) };
      }
      const feeds = batchFeeds(config, { rows, fresh, pads, past, length });
      const { slots } = layoutOf(compiled.def);
      for (const { name, shape } of slots) feeds[name] = cache[name] ?? emptySlot(shape, 'f32');
      const out = await compiled.program.run(feeds);
      Object.assign(cache, memory.entriesAfter(slots, feeds, out));
      past += length;
      fresh = rows.map((row, i) => {
        if (ends[i]) return [0];
        const own = out['logits']!.data.subarray(i * config.vocab_size, (i + 1) * config.vocab_size);
        const token = drawToken(distribution(own, settings, row), rngs[i]!);
        if (eosTokenIds.includes(token)) ends[i] = 'eos';
        else row.push(token);
        return [token];
      });
    }
  } finally {
    await compiled?.program.dispose();
  }
  return rows.map((row, i) => {
    const tokens = row.slice(starts[i]);
    const whole = tokens.length === maxTokens ? 'length' : 'aborted';
    return { tokens, text: model.tokenizer.decode(tokens), reason: ends[i] ?? whole };
  });
}

function whyNotBatched(c: LmConfig): string | undefined {
  if (c.position_embedding !== 'rope') return `positions are absolute (position_embedding ${c.position_embedding})`;
  if (stackCount(c) > 1) return 'stacks look at each other (stag_num_stacks)';
  if ((c.altup_sequence_stride ?? 1) > 1) return 'layers run on every k-th position only (altup_sequence_stride)';
  return undefined;
}

/** `ids [batch, length]` after a cache; masks `[batch, 1, length, past + length]`. */
function batchProgram(config: LmConfig, batch: number, length: number): ProgramDef {
  return defineProgram((b) => {
    const kept = new Map<string, Tensor>();
    const pasts = new Map<string, Tensor>();
    const masks = new Map<string, Tensor>();
    const frame: Frame = {
      positions: b.input('positions', [length], 'i32'),
      mask(span) {
        const name = spanned('mask', span);
        const shape = [batch, 1, length, addToDim(b.symbol(spanned('past', span)), length)];
        const found = masks.get(name) ?? b.input(name, shape);
        masks.set(name, found);
        return found;
      },
      past(name, shape, span) {
        const past = b.input(
          `past.${name}`,
          shape.map((d) => (d === -1 && span ? b.symbol(spanned('past', span)) : d)),
        );
        pasts.set(name, past);
        return past;
      },
      keep: (name, value) => void kept.set(name, value),
    };
    b.output(
      'logits',
      transformerForward(b, config, b.input('ids', [batch, length], 'i32'), { frame, lastOnly: true }),
    );
    for (const [name, value] of kept) outputEntry(b, name, pasts.get(name), value);
  });
}

interface Turn {
  readonly rows: readonly (readonly number[])[];
  readonly fresh: readonly (readonly number[])[];
  readonly pads: readonly number[];
  readonly past: number;
  readonly length: number;
}

function batchFeeds(config: LmConfig, { rows, fresh, pads, past, length }: Turn): Record<string, Feed> {
  const batch = rows.length;
  const ids = new Int32Array(batch * length);
  fresh.forEach((own, i) => ids.set(own, (i + 1) * length - own.length));
  const feeds: Record<string, Feed> = {
    ids,
    positions: Int32Array.from({ length }, (_, i) => past + i),
  };
  for (const span of lmSpans(config)) feeds[spanned('mask', span)] = paddedMask(pads, past, length, span);
  for (const { name, trailing, dtype } of lmInputs(config)) {
    const size = trailing.reduce((n, d) => n * d, 1);
    const data = dtype === 'i32' ? new Int32Array(ids.length * size) : new Float32Array(ids.length * size);
    fresh.forEach((own, i) => {
      const before = rows[i]!.slice(0, past === 0 ? 0 : -own.length);
      const values = lmFeeds(config, Int32Array.from(own), 1, before)[name]!.data;
      data.set(values as Int32Array, ((i + 1) * length - own.length) * size);
    });
    feeds[name] = { data, shape: [batch, length, ...trailing], dtype };
  }
  return feeds;
}

/** Hides what the span hides, and the padding. */
function paddedMask(pads: readonly number[], past: number, length: number, { window, lag }: Span): HostTensor {
  const total = past + length;
  const data = new Float32Array(pads.length * length * total);
  pads.forEach((pad, r) => {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < total; j++) {
        const distance = past + i - j;
        const seen = j >= pad && distance >= lag && distance < lag + (window ?? Infinity);
        if (!seen) data[(r * length + i) * total + j] = -1e9;
      }
    }
  });
  return { data, shape: [pads.length, 1, length, total], dtype: 'f32' };
}
