// The seam between the frame of a language model and the blocks it is made of. A block is a function of (builder, call,
// input); the call tells it everything else, and tells the frame what the block needs:
//   call.input(name)       numbers that the host computes from the ids; declared in lm-inputs.ts, fed by everybody
//   call.past / call.keep  tensors that decoding carries from call to call, by name; `past` is undefined when not decoding
//   call.mask(span)        which earlier positions may be looked at; spans are declared in `lmSpans`
//   call.addLoss           a weighted scalar that training adds to its objective and logs as `aux.<name>`
// A block says in lm-config.ts which keys switch it on and in weight-names.ts how its weights are called on disk. Tables of
// which a step touches few rows carry the tag `rows` and are read with `gather` only; see tensor/row-optim.ts. An inner
// layer is hooked in at layer.ts (attention, MLP, what is added), an MLP at feed-forward.ts, a residual stream at stream.ts.
import { CairnError } from '../errors.ts';
import { addToDim, type Builder, isSymbolic, type Tensor } from '../tensor/index.ts';
import { outputEntry } from './_growing-cache.ts';
import { type LmConfig, seesAll, stackCount } from './lm-config.ts';
import { lmInputs, SOFT_INPUT } from './lm-inputs.ts';

/**
 * A rule of sight: position i sees positions j with `lag <= i - j < lag + window`. Its cache has a length of its own,
 * the symbol `past` (or `past.<name>`), and its mask is the input `mask` (or `mask.<name>`).
 */
export interface Span {
  /** Empty for the span of most layers. */
  readonly name: string;
  /** null: no limit. */
  readonly window: number | null;
  readonly lag: number;
  /** Only every n-th position takes part, and windows count those. Default 1. */
  readonly stride?: number;
}

/** Every span of a model. The decoder cuts caches and makes masks by this list. */
export function lmSpans(c: LmConfig): readonly Span[] {
  const cross = stackCount(c) > 1 ? [crossSpan(c)] : [];
  const stride = c.altup_sequence_stride ?? 1;
  if (stride > 1) {
    return [
      { name: '', window: c.sliding_window, lag: 0 },
      { name: 'anchor', window: null, lag: 0, stride },
    ];
  }
  if (c.sliding_window === null || c.sliding_window_pattern === undefined) {
    return [{ name: '', window: c.sliding_window, lag: 0 }, ...cross];
  }
  return [{ name: '', window: null, lag: 0 }, { name: 'local', window: c.sliding_window, lag: 0 }, ...cross];
}

/** Which positions of the stack before a stack sees: from `stag_stagger` positions back on. */
export function crossSpan(c: LmConfig): Span {
  return { name: 'cross', window: c.stag_cross_window ?? null, lag: c.stag_stagger ?? 1 };
}

/** The span by which a layer attends to the positions before it. */
export function spanOfLayer(c: LmConfig, layer: number): Span {
  const spans = lmSpans(c);
  const named = (name: string): Span | undefined => spans.find((s) => s.name === name);
  if (isStrided(c, layer)) return named('anchor')!;
  return (seesAll(c, layer) ? undefined : named('local')) ?? spans[0]!;
}

/** Whether a layer computes on every k-th position only: all but the first and the last, when there is a stride. */
export function isStrided(c: LmConfig, layer: number): boolean {
  return (c.altup_sequence_stride ?? 1) > 1 && layer > 0 && layer < c.num_hidden_layers - 1;
}

/** Indices of the anchors among `length` new positions, the first of which is `phase` after an anchor. */
export function anchorsOf(phase: number, length: number, stride: number): number[] {
  return Array.from({ length }, (_, i) => i).filter((i) => (phase + i) % stride === 0);
}

/** `mask` or `mask.local`; `past` or `past.local`. */
export function spanned(kind: 'mask' | 'past', span: Span): string {
  return span.name === '' ? kind : `${kind}.${span.name}`;
}

/** A loss beside the one on the next token. */
export interface AuxiliaryLoss {
  readonly name: string;
  /** Rank 0. */
  readonly value: Tensor;
  readonly weight: number;
}

/** Where the tokens of a call stand: a whole sequence from its start, or new tokens after cached ones. */
export interface Frame {
  /** i32 `[T]`, counted from the start of the sequence. */
  readonly positions: Tensor;
  /** First position modulo `altup_sequence_stride`. Default 0. */
  readonly phase?: number;
  /** @param length number of new positions that take part; default: all of the call */
  mask(span: Span, length?: number): Tensor | undefined;
  past?(name: string, shape: readonly number[], span?: Span): Tensor | undefined;
  keep?(name: string, value: Tensor): void;
}

export interface ForwardOptions {
  /** Default: a whole sequence of fixed length. */
  readonly frame?: Frame;
  /** Computes norms in separate ops, so that `hook_scale` can be patched. */
  readonly splitNorms?: boolean;
  /** Adds `attn.hook_result` per head. */
  readonly headResults?: boolean;
  /** Only the logits of the last position are computed, `[B, 1, V]`. */
  readonly lastOnly?: boolean;
  /** Blocks that act differently in training (capacities, noise) do so. */
  readonly training?: boolean;
  /** Vectors `[B, T, softWidth]` for the places of pictures and sounds, computed in this graph instead of fed. */
  readonly soft?: Tensor;
  /** Receives the auxiliary losses. */
  readonly losses?: AuxiliaryLoss[];
}

/** What a block is told. See the head of this file. */
export interface LmCall {
  readonly config: LmConfig;
  /** i32 `[B, T]` */
  readonly ids: Tensor;
  /** i32 `[T]` */
  readonly positions: Tensor;
  /** First position modulo `altup_sequence_stride`. */
  readonly phase: number;
  readonly training: boolean;
  readonly splitNorms: boolean;
  readonly headResults: boolean;
  /** Results that later layers take over, by name: keys and values that are shared, for example. */
  readonly shared: Map<string, Tensor>;
  /** Additive mask `[T, S]`, -1e9 where hidden; undefined where nothing is. `length` stands for T where few take part. */
  mask(span: Span, length?: number): Tensor | undefined;
  /** A host-computed input `[B, T, ...]` of `lmInputs`. */
  input(name: string): Tensor;
  /**
   * The tensor that the call before kept as `name`; undefined when not decoding. In `shape`, -1 stands for the length of
   * the span's cache; without a span the shape is fixed and the first call gets zeros.
   */
  past(name: string, shape: readonly number[], span?: Span): Tensor | undefined;
  /** What the next call gets as `past(name)`: the past with the new positions appended, or a fixed shape. */
  keep(name: string, value: Tensor): void;
  addLoss(name: string, value: Tensor, weight: number): void;
}

/** The call of one forward pass. */
export function createCall(b: Builder, config: LmConfig, ids: Tensor, options: ForwardOptions): LmCall {
  const [batch, length] = ids.shape as [number, number];
  const frame = options.frame ?? wholeSequence(b, length);
  const inputs = new Map<string, Tensor>(options.soft ? [[SOFT_INPUT, options.soft]] : []);
  return {
    config,
    ids,
    positions: frame.positions,
    phase: frame.phase ?? 0,
    training: options.training ?? false,
    splitNorms: options.splitNorms ?? false,
    headResults: options.headResults ?? false,
    shared: new Map(),
    mask: (span, n) => frame.mask(span, n),
    input(name) {
      let found = inputs.get(name);
      if (!found) {
        const declared = lmInputs(config).find((x) => x.name === name);
        if (!declared) throw new CairnError('unknown_input', `Expected an input of lmInputs, got \`${name}\`.`);
        const fed = b.input(name, [batch, length, ...declared.trailing], declared.dtype);
        found = declared.dtype === 'f32' && b.dtype === 'f64' ? fed.cast('f64') : fed;
        inputs.set(name, found);
      }
      return found;
    },
    past: (name, shape, span) => frame.past?.(name, shape, span),
    keep: (name, value) => frame.keep?.(name, value),
    addLoss: (name, value, weight) => options.losses?.push({ name, value, weight }),
  };
}

/** Positions 0 to length - 1. */
function wholeSequence(b: Builder, length: number): Frame {
  return {
    positions: b.constant(Int32Array.from({ length }, (_, i) => i)),
    mask: (span, n = length) => (isSymbolic(n) || (n === 1 && span.lag === 0) ? undefined : spanMask(b, n, span)),
  };
}

function spanMask(b: Builder, length: number, { window, lag }: Span): Tensor {
  const reach = lag + (window ?? Infinity);
  return b.once(`spanMask|${length}|${reach}|${lag}`, () => {
    const data = new Float64Array(length * length);
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) data[i * length + j] = i - j >= lag && i - j < reach ? 0 : -1e9;
    }
    return b.constant(data, [length, length], b.dtype);
  });
}

/** -1e9 where a span hides a key from a query, else 0, for positions that are known only when the program runs. `[T, S]` */
export function sightMask(queries: Tensor, keys: Tensor, { window, lag }: Span): Tensor {
  const row = (t: Tensor, shape: readonly number[]): Tensor => t.cast('f32').reshape(shape);
  const ahead = row(keys, [1, keys.shape[0]!]).sub(row(queries, [queries.shape[0]!, 1]));
  const late = ahead.gt(-lag);
  const all = window === null ? late : late.or(ahead.lt(1 - window - lag));
  return all.cast('f32').mul(-1e9);
}

export interface DecodeFrameOptions extends Pick<Frame, 'phase'> {
  /** Entries that grow are returned as `fresh.<name>`, the new positions only. */
  readonly onlyFresh?: boolean;
}

/**
 * New tokens after cached ones. Declares `positions [T]`, `past.<name>` with symbolic lengths and masks `[T, past + T]`
 * as inputs; `finish` returns what was kept as outputs `present.<name>`.
 */
export function decodeFrame(
  b: Builder,
  config: LmConfig,
  length: number,
  { phase = 0, onlyFresh = false }: DecodeFrameOptions = {},
): Frame & { finish(): void } {
  const kept = new Map<string, Tensor>();
  const pasts = new Map<string, Tensor>();
  const masks = new Map<string, Tensor>();
  const known = (span: Span): Span => {
    if (lmSpans(config).some((s) => s.name === span.name)) return span;
    throw new CairnError('unknown_span', `Expected a span of lmSpans, got \`${span.name}\`.`);
  };
  const lengthOf = (span: Span): number => b.symbol(spanned('past', known(span)));
  return {
    positions: b.input('positions', [length], 'i32'),
    phase,
    mask(span, n = length) {
      if (n === 1 && span.window === null && span.lag === 0) return undefined;
      const name = spanned('mask', span);
      const found = masks.get(name) ?? b.input(name, [n, addToDim(lengthOf(span), n)]);
      masks.set(name, found);
      return found;
    },
    past(name, shape, span) {
      const past = b.input(
        `past.${name}`,
        shape.map((d) => (d === -1 && span ? lengthOf(span) : d)),
      );
      pasts.set(name, past);
      return past;
    },
    keep(name, value) {
      if (kept.has(name)) throw new CairnError('duplicate_name', `Expected one tensor kept as \`${name}\`, got two.`);
      kept.set(name, value);
    },
    finish() {
      for (const [name, value] of kept) {
        if (onlyFresh) outputEntry(b, name, pasts.get(name), value);
        else b.output(`present.${name}`, value);
      }
    },
  };
}
