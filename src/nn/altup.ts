// Alternating updates (Baykal et al. 2023, arXiv 2301.13310): a token is K streams of width d, a layer computes on one of
// them, the others are predicted and corrected with a few scalars. The wider representation costs hardly any time.
//   predict  xh_i = sum_k p[i,k] x_k      compute  y = F(x_j)      correct  x_i = xh_i + g[i] (y - xh_j)
import {
  concat,
  constant,
  customGradients,
  isSymbolic,
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
 * The K streams: in training, and where lengths are symbolic, K tensors `[B, T, d]`, whose sums are the faster way with
 * gradients; else one tensor `[K, B, T, d]`, which takes the fewest nodes.
 */
export type Streams = readonly Tensor[];

/** The stream that a layer computes on. */
export function activeStream(c: LmConfig, layer: number): number {
  return c.altup_schedule === 'same' ? 0 : layer % (c.altup_num_inputs ?? 1);
}

/**
 * AltUp with scalar coefficients, `prediction_coefs [K, K]` and `correction_coefs [K]` a layer, which begin as the identity
 * and ones: with equal streams the model then is the plain one. The whole form has an embedding and a head of K widths;
 * the recycled one copies a plain embedding and ends with the mean of the streams.
 */
export function altupStream(b: Builder, call: LmCall): Stream<Streams> {
  const { config: c } = call;
  const { hidden_size: d } = c;
  const streams = c.altup_num_inputs ?? 1;
  const recycled = c.altup_recycled ?? false;
  const packed = !call.training && !call.ids.shape.some(isSymbolic);
  const list = (xs: Streams): Streams =>
    packed ? split(xs[0]!, streams, 0).map((x) => x.reshape([...call.ids.shape, d])) : xs;
  const mean = (xs: Streams): Tensor =>
    list(xs)
      .reduce((sum, x) => sum.add(x))
      .mul(1 / streams);
  return {
    embedWidth: recycled ? d : streams * d,
    outWidth: recycled ? d : streams * d,
    open(embedded) {
      const xs = Array.from({ length: streams }, (_, i) =>
        recycled ? embedded : embedded.sliceAxis(-1, i * d, (i + 1) * d),
      );
      return packed ? [stack(xs)] : xs;
    },
    layer(xs, index, inner) {
      const j = activeStream(c, index);
      const active = packed ? xs[0]!.sliceAxis(0, j, j + 1).reshape([...call.ids.shape, d]) : xs[j]!;
      const y = inner(active);
      return b.scope('altup', () => {
        const p = b.param(b.path('prediction_coefs'), [streams, streams], identity, { decay: false });
        const g = b.param(b.path('correction_coefs'), [streams], constant(1), { decay: false });
        const w = mixing(p, g, j);
        if (packed) return [b.tap(b.path('hook_streams'), mixPacked(w, xs[0]!, y))];
        return mix(w, [...xs, y]);
      });
    },
    read: mean,
    close: (xs) => (recycled ? mean(xs) : concat(list(xs), -1)),
  };
}

const identity: Init = (_rng, [n = 0]) =>
  Float64Array.from({ length: n * n }, (_, k) => (Math.floor(k / n) === k % n ? 1 : 0));

/** Both steps as one matrix on `(x_1 .. x_K, y)`: `xh_i + g_i (y - xh_j) = sum_k (p[i,k] - g_i p[j,k]) x_k + g_i y`. `[K, K+1]` */
export function mixing(p: Tensor, g: Tensor, j: number): Tensor {
  const column = g.unsqueeze(-1);
  return concat([p.sub(column.mul(p.sliceAxis(0, j, j + 1))), column], 1);
}

/**
 * Row i of `w [n, m]` weighs the m tensors `zs` to tensor i of the result. The tensors are laid behind each other once, so that a
 * row, and each part of the gradient, is one pass over memory: the product of a vector and a matrix.
 */
export function mix(w: Tensor, zs: readonly Tensor[]): Tensor[] {
  const [n, m] = w.shape as [number, number];
  const { shape } = zs[0]!;
  const rowsOf = (v: Tensor, count: number): Tensor[] => split(v, count, 0);
  if (shape.some(isSymbolic)) {
    return rowsOf(w, n).map((row) =>
      rowsOf(row.reshape([m, 1]), m)
        .map((weight, k) => zs[k]!.mul(weight))
        .reduce((sum, x) => sum.add(x)),
    );
  }
  const behind = (xs: readonly Tensor[]): Tensor => concat(xs.map((x) => x.reshape([1, -1])));
  const [first, ...rest] = rowsOf(w, n) as [Tensor, ...Tensor[]];
  return customGradients(
    [w, ...zs],
    (_w, ...xs) => {
      const rows = behind(xs);
      const weighed = (row: Tensor): Tensor => row.matmul(rows).reshape(shape);
      return [weighed(first), ...rest.map(weighed)];
    },
    (_ys, gs, [v, ...xs]) => {
      const rows = behind(xs);
      const zero = gs.some((g) => !g) ? xs[0]!.mul(0) : undefined;
      const given = gs.map((g) => g ?? zero!);
      const cotangents = behind(given);
      return [
        concat(given.map((g) => g.reshape([1, -1]).matmul(rows, { transB: true }))),
        ...rowsOf(v!.transpose([1, 0]), m).map((column) => column.matmul(cotangents).reshape(shape)),
      ];
    },
  );
}

/** The same for streams `[K, B, T, d]` in one tensor: one small product. */
export function mixPacked(w: Tensor, xs: Tensor, y: Tensor): Tensor {
  const [streams] = w.shape as [number, number];
  const rows = concat([xs.reshape([streams, -1]), y.reshape([1, -1])], 0);
  return w.matmul(rows).reshape(xs.shape);
}
