// One conformer block (Gulati et al. 2020) in two forms that share parameters: a whole utterance at once, and a piece of a stream
// with what earlier pieces left behind. Causal, or with a stated right context; the attention of one layer may halve the frame
// rate (funnel pooling, Dai et al. 2020). RMS norms instead of batch norm; no dropout.
import {
  attention,
  type Builder,
  concat,
  ones,
  onesLike,
  rmsNorm,
  rope,
  scaledNormal,
  normal,
  type Tensor,
} from '../../tensor/index.ts';

export interface BlockShape {
  readonly width: number;
  readonly heads: number;
  readonly hidden: number;
  readonly kernel: number;
  /** Frames of context on each side; right 0 and a causal convolution make a causal block. */
  readonly left: number;
  readonly right: number;
  readonly causal: boolean;
  /** Halves the frame rate. */
  readonly funnel: boolean;
  readonly eps: number;
  readonly theta: number;
}

/** Frames and which of them are real. */
export interface Frames {
  /** [batch, frames, width] */
  readonly x: Tensor;
  /** [batch, frames, 1], 1 or 0; undefined: all are. */
  readonly valid: Tensor | undefined;
}

/** What a piece of a stream reads from the pieces before it and leaves for those after it. */
export interface Carry {
  /** `before` as it was left, zero at first; `[1, frames, width]`. */
  read(name: string, frames: number, width: number): Tensor;
  write(name: string, after: Tensor): void;
}

/** Frames by which the output of a block lags behind its input in a stream. */
export function lagOf(shape: BlockShape): number {
  return shape.causal ? 0 : shape.right + (shape.kernel - 1) / 2;
}

/**
 * @param carry a stream's memory: frames then are the next piece of batch 1, and the output lags by `lagOf` frames, the first of
 *   them invalid. Undefined: the frames are whole utterances.
 */
export function conformerBlock(b: Builder, shape: BlockShape, input: Frames, carry?: Carry): Frames {
  const first = { x: input.x.add(feedForward(b, 'ffn1', shape, input.x)), valid: input.valid };
  const attended = b.scope('attn', () => attend(b, shape, first, carry));
  const convolved = b.scope('conv', () => convolve(b, shape, attended, carry));
  const x = convolved.x.add(feedForward(b, 'ffn2', shape, convolved.x));
  return { x: norm(b, 'norm', shape, x), valid: convolved.valid };
}

function norm(b: Builder, name: string, shape: BlockShape, x: Tensor): Tensor {
  return rmsNorm(x, b.param(b.path(`${name}.gain`), [shape.width], ones), shape.eps);
}

function project(b: Builder, name: string, x: Tensor, outputs: number, gain = 1): Tensor {
  const inputs = x.shape.at(-1)!;
  return x.matmul(b.param(b.path(`${name}.weight`), [inputs, outputs], scaledNormal(gain)));
}

/** Half of a feed-forward step. */
function feedForward(b: Builder, name: string, shape: BlockShape, x: Tensor): Tensor {
  return b.scope(name, () => {
    const h = project(b, 'up', norm(b, 'norm', shape, x), shape.hidden).silu();
    return project(b, 'down', h, shape.width, 0.5).mul(0.5);
  });
}

/** Attention with its residual; keys and values of earlier pieces are carried. */
function attend(b: Builder, shape: BlockShape, input: Frames, carry: Carry | undefined): Frames {
  const { width, heads, left, right, funnel, theta } = shape;
  const length = input.x.shape[1]!;
  const past = carry ? left + right : 0;
  const n = norm(b, 'norm', shape, input.x);
  const keep = (name: string, t: Tensor, frames: number): Tensor => {
    if (!carry || frames === 0) return t;
    const all = concat([carry.read(b.path(name), frames, t.shape[2]!), t], 1);
    carry.write(b.path(name), all.sliceAxis(1, all.shape[1]! - frames));
    return all;
  };
  const k = keep('k', project(b, 'k', n, width), past);
  const v = keep('v', project(b, 'v', n, width), past);
  const validKeys = input.valid && keep('valid', input.valid, past);
  // In a stream the queries are the frames whose right context is complete.
  const own = keep('x', input.x, carry ? right : 0).sliceAxis(1, 0, length);
  const ownValid = carry && validKeys ? validKeys.sliceAxis(1, left, left + length) : input.valid;
  const queries = funnel ? pool(own, ownValid) : { x: own, valid: ownValid };
  const q = project(b, 'q', norm(b, 'norm', shape, queries.x), width);

  const count = queries.x.shape[1]!;
  const offset = carry ? left : 0;
  const queryAt = Array.from({ length: count }, (_, i) => offset + (funnel ? 2 * i + 1 : i));
  const keys = k.shape[1]!;
  const band = b.once(`band|${count}|${keys}|${offset}|${left}|${right}|${funnel}|${b.dtype}`, () => {
    const data = new Float64Array(count * keys);
    for (const [i, t] of queryAt.entries()) {
      for (let j = 0; j < keys; j++) data[i * keys + j] = j >= t - left && j <= t + right ? 0 : -1e9;
    }
    return b.constant(data, [count, keys], b.dtype);
  });
  // Frames after the end are visible to nobody but through a right context or a pooled pair.
  const masked = validKeys && (carry || right > 0 || funnel);
  const mask = masked ? band.add(validKeys.sub(1).mul(1e9).reshape([validKeys.shape[0]!, 1, 1, keys])) : band;
  const split = (t: Tensor, at: readonly number[] | undefined): Tensor => {
    const byHead = t.reshape([t.shape[0]!, t.shape[1]!, heads, width / heads]).transpose([0, 2, 1, 3]);
    if (!at) return byHead;
    return rope(byHead, { theta, positions: b.constant(Int32Array.from(at), [at.length], 'i32') });
  };
  const keyAt = Array.from({ length: keys }, (_, j) => j);
  const z = attention(split(q, queryAt), split(k, keyAt), split(v, undefined), { mask });
  const joined = z.transpose([0, 2, 1, 3]).reshape(queries.x.shape);
  return { x: queries.x.add(project(b, 'o', joined, width, 0.5)), valid: queries.valid };
}

/** Mean of two neighbours, of the real one where only one is. [batch, frames, width] -> [batch, frames / 2, width] */
export function pool(x: Tensor, valid: Tensor | undefined): Frames {
  const [batch, frames, width] = x.shape as [number, number, number];
  const pairs = (t: Tensor): Tensor => t.reshape([batch, frames / 2, 2, t.shape[2]!]).sum(2);
  if (!valid) return { x: pairs(x).mul(0.5), valid: undefined };
  const count = pairs(valid);
  const some = count.min(1);
  const total = x.reshape([batch, frames / 2, 2, width]).mul(valid.reshape([batch, frames / 2, 2, 1]));
  return { x: total.sum(2).div(count.max(1)), valid: some };
}

/** The convolution module with its residual. Frames that are not real count as zeros, as do those beyond the ends. */
function convolve(b: Builder, shape: BlockShape, input: Frames, carry: Carry | undefined): Frames {
  const { width, kernel, causal } = shape;
  const length = input.x.shape[1]!;
  const lag = causal ? 0 : (kernel - 1) / 2;
  const gates = project(b, 'in', norm(b, 'norm', shape, input.x), 2 * width);
  const glu = gates.sliceAxis(-1, 0, width).mul(gates.sliceAxis(-1, width).sigmoid());
  const g = input.valid ? glu.mul(input.valid) : glu;
  const padded = carry
    ? concat([carry.read(b.path('g'), kernel - 1, width), g], 1)
    : g.pad([0, causal ? kernel - 1 : lag, 0], [0, lag, 0]);
  carry?.write(b.path('g'), padded.sliceAxis(1, length));
  const depthwise = b.param(b.path('depthwise.weight'), [kernel, width], normal(1 / Math.sqrt(kernel)));
  let y = padded.sliceAxis(1, 0, length).mul(depthwise.sliceAxis(0, 0, 1));
  for (let j = 1; j < kernel; j++) {
    y = y.add(padded.sliceAxis(1, j, j + length).mul(depthwise.sliceAxis(0, j, j + 1)));
  }
  const h = rmsNorm(y, b.param(b.path('mid.gain'), [width], ones), shape.eps).silu();
  const delayed = (name: string, t: Tensor): Tensor => {
    if (!carry || lag === 0) return t;
    const all = concat([carry.read(b.path(name), lag, t.shape[2]!), t], 1);
    carry.write(b.path(name), all.sliceAxis(1, length));
    return all.sliceAxis(1, 0, length);
  };
  const out = project(b, 'out', h, width, 0.5);
  return { x: delayed('x', input.x).add(out), valid: input.valid && delayed('valid', input.valid) };
}

/** Frames that count all as real. */
export function allValid(x: Tensor): Tensor {
  return onesLike(x.sliceAxis(2, 0, 1));
}
