// Alternating updates (Baykal et al. 2023, arXiv 2301.13310): a token is K streams of width d, a layer computes on one of
// them, the others are predicted and corrected with a few scalars. The wider representation costs hardly any time.
//   predict  xh_i = sum_k p[i,k] x_k      compute  y = F(x_j)      correct  x_i = xh_i + g[i] (y - xh_j)
import {
  concat,
  constant,
  customGradients,
  gather,
  isSymbolic,
  sizeOf,
  split,
  stack,
  type Builder,
  type Init,
  type Tensor,
} from '../tensor/index.ts';
import type { LmCall } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import type { Stream } from './stream.ts';

/**
 * The K streams: in training K tensors `[chunks, 1, B T d / chunks]`, which is the faster way with gradients; where lengths are
 * symbolic K tensors `[B, T, d]`; else one tensor `[K, B, T, d]`, which takes the fewest nodes.
 */
export type Streams = readonly Tensor[];

/** The stream that a layer computes on. */
export function activeStream(c: LmConfig, layer: number): number {
  return c.altup_schedule === 'same' ? 0 : layer % (c.altup_num_inputs ?? 1);
}

/** Streams are cut into pieces: a batch of products of a vector and a matrix is what threads share best. */
const CHUNKS = 4;

/**
 * AltUp with scalar coefficients, `prediction_coefs [L K K]` and `correction_coefs [L K]` for all layers (as vectors, which
 * the optimiser joins with others), which begin as identities and ones: with equal streams the model then is the plain one. The whole form has an embedding and a head of K widths;
 * the recycled one copies a plain embedding and ends with the mean of the streams.
 */
export function altupStream(b: Builder, call: LmCall): Stream<Streams> {
  const { config: c } = call;
  const { hidden_size: d } = c;
  const streams = c.altup_num_inputs ?? 1;
  const recycled = c.altup_recycled ?? false;
  const symbolic = call.ids.shape.some(isSymbolic);
  const packed = !call.training && !symbolic;
  const whole = (x: Tensor): Tensor => (symbolic ? x : x.reshape([...call.ids.shape, d]));
  const list = (xs: Streams): Streams => (packed ? split(xs[0]!, streams, 0) : xs).map(whole);
  const mean = (xs: Streams): Tensor =>
    list(xs)
      .reduce((sum, x) => sum.add(x))
      .mul(1 / streams);
  return {
    embedWidth: recycled ? d : streams * d,
    outWidth: recycled ? d : streams * d,
    open(embedded) {
      const part = recycled ? () => embedded : call.training ? columnsOf(embedded) : sliceOf(embedded);
      const xs = Array.from({ length: streams }, (_, i) => part(i * d, (i + 1) * d));
      if (packed) return [stack(xs)];
      return symbolic ? xs : xs.map(flat);
    },
    layer(xs, index, inner) {
      const j = activeStream(c, index);
      const active = whole(packed ? xs[0]!.sliceAxis(0, j, j + 1) : xs[j]!);
      const stack = b.currentScope.replace(/blocks\.\d+$/, '');
      const y = inner(active);
      return b.scope('altup', () => {
        const w = weightsOf(b, c, stack);
        if (packed) return [b.tap(b.path('hook_streams'), mixPacked(w.layer(index), xs[0]!, y))];
        return mix(w.vectors(index, symbolic ? 1 : xs[0]!.shape[0]!), [...xs, symbolic ? y : flat(y)]);
      });
    },
    read: mean,
    close: (xs) => (recycled ? mean(xs) : concat(list(xs), -1)),
  };
}

const sliceOf =
  (x: Tensor) =>
  (from: number, to: number): Tensor =>
    x.sliceAxis(-1, from, to);

/** Columns of rows that were read from a table: read from columns of the table, when that is the smaller one to cut. */
function columnsOf(x: Tensor): (from: number, to: number) => Tensor {
  const b = x.builder;
  const { op, inputs, attrs } = b.nodes()[x.port.node]!;
  if (op !== 'gather' || attrs['axis'] !== 0) return sliceOf(x);
  const [table, index] = inputs.map((port) => b.at(port)) as [Tensor, Tensor];
  const columns = sliceOf(table);
  return table.shape[0]! > sizeOf(index.shape) ? sliceOf(x) : (from, to) => gather(columns(from, to), index);
}

/** Matrices `[n, n]`, one after another. */
const identities =
  (n: number): Init =>
  (_rng, [length = 0]) =>
    Float64Array.from({ length }, (_, k) => (Math.floor(k / n) % n === k % n ? 1 : 0));

/** In pieces, `[chunks, 1, 1, n / chunks]`. */
function flat(x: Tensor): Tensor {
  const size = sizeOf(x.shape);
  const chunks = size % CHUNKS === 0 ? CHUNKS : 1;
  return x.reshape([chunks, 1, 1, size / chunks]);
}

/** What the layers of one stack weigh streams with. */
interface StackWeights {
  /** `[K, K+1]` */
  layer(index: number): Tensor;
  /** @param chunks pieces that streams are cut into */
  vectors(index: number, chunks: number): Mixing;
}

/** The coefficients of all layers at once, since at this size the number of nodes counts. */
function weightsOf(b: Builder, c: LmConfig, stack: string): StackWeights {
  const layers = c.num_hidden_layers;
  const streams = c.altup_num_inputs ?? 1;
  const m = streams + 1;
  const w = b.once(`altup|${stack}`, () => {
    const rows = layers * streams;
    const p = b.param(`${stack}altup.prediction_coefs`, [rows * streams], identities(streams), { decay: false });
    const g = b.param(`${stack}altup.correction_coefs`, [rows], constant(1), { decay: false });
    const active = Array.from({ length: layers }, (_, i) => activeStream(c, i));
    return mixing(p.reshape([rows, streams]), g.reshape([rows, 1]), active);
  });
  return {
    layer: (i) => w.sliceAxis(0, i * streams, (i + 1) * streams),
    vectors(i, chunks) {
      const rows = w.reshape([1, layers * streams, 1, m]);
      const columns = w
        .reshape([layers, streams, m])
        .transpose([0, 2, 1])
        .reshape([1, layers * m, 1, streams])
        .expand([chunks, layers * m, 1, streams]);
      return {
        rows: split(rows, layers * streams, 1).slice(i * streams, (i + 1) * streams),
        columns: split(columns, layers, 1)[i]!,
      };
    },
  };
}

/**
 * Both steps as one matrix on `(x_1 .. x_K, y)`: `xh_i + g_i (y - xh_j) = sum_k (p[i,k] - g_i p[j,k]) x_k + g_i y`, for
 * layers below each other.
 * @param p `[L K, K]`
 * @param g `[L K, 1]`
 * @param active j of each layer
 * @returns `[L K, K+1]`
 */
export function mixing(p: Tensor, g: Tensor, active: readonly number[]): Tensor {
  const [rows, streams] = p.shape as [number, number];
  const choice = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const layer = Math.floor(i / streams);
    choice[i * rows + layer * streams + active[layer]!] = 1;
  }
  const predicted = p.builder.constant(choice, [rows, rows], p.dtype).matmul(p); // row j of each layer, K times
  return concat([p.sub(g.mul(predicted)), g], 1);
}

/** A matrix as its K rows `[1, 1, 1, m]` and as its m columns `[chunks, m, 1, K]`, all chunks alike. */
export interface Mixing {
  readonly rows: readonly Tensor[];
  readonly columns: Tensor;
}

/**
 * Row i weighs the m tensors `zs [chunks, 1, 1, n]` to tensor i of the result. They are laid below each other once, so that a
 * row, and each part of the gradient, is one pass over memory: the product of a vector and a matrix. The gradient of the
 * matrix goes to its columns. Tensors of symbolic shape are summed.
 */
export function mix({ rows, columns }: Mixing, zs: readonly Tensor[]): Tensor[] {
  if (zs[0]!.shape.some(isSymbolic)) {
    return rows.map((row) => {
      const weights = row.reshape([-1]);
      return zs.map((z, k) => z.mul(weights.sliceAxis(0, k, k + 1))).reduce((sum, x) => sum.add(x));
    });
  }
  return customGradients(
    [columns, ...zs],
    () => {
      const below = concat(zs, 2);
      return rows.map((row) => row.matmul(below)) as [Tensor, ...Tensor[]];
    },
    (_results, gs, [weights, ...xs]) => {
      const m = xs.length;
      const [chunks, , , n] = xs[0]!.shape as [number, number, number, number];
      const zero = gs.every((g) => g) ? undefined : xs[0]!.mul(0);
      const cotangents = concat(
        gs.map((g) => g ?? zero!),
        2,
      ); // [chunks, 1, K, n]
      // A batch of products of a vector and a matrix, which threads share.
      const slopes = concat(xs, 2).reshape([chunks, m, 1, n]).matmul(cotangents, { transB: true });
      return [slopes, ...split(weights!, m, 1).map((column) => column.matmul(cotangents))];
    },
  );
}

/** The same for streams `[K, B, T, d]` in one tensor: one small product. */
export function mixPacked(w: Tensor, xs: Tensor, y: Tensor): Tensor {
  const [streams] = w.shape as [number, number];
  const rows = concat([xs.reshape([streams, -1]), y.reshape([1, -1])], 0);
  return w.matmul(rows).reshape(xs.shape);
}
