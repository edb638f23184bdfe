// Losses and their stable building blocks: logSumExp, logSoftmax, cross entropy. All composites; cross entropy has a
// hand-written gradient (softmax minus one-hot) that makes one pass over the logits.
import { CairnError } from '../../errors.ts';
import { normalizeAxis, sameShape, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { tril } from './constants.ts';
import { scatterElementsAdd } from './indexing.ts';
import { customGradient } from './tape.ts';

/** `exp(x - max)`, its sum and the max along an axis (kept): what softmax and its logarithm share. */
function shifted(x: Tensor, axis: number): { top: Tensor; e: Tensor; total: Tensor } {
  const top = x.amax(axis, true).stopGradient();
  const e = x.sub(top).exp();
  return { top, e, total: e.sum(axis, true) };
}

/** `log(sum(exp(x)))` along `axis` without overflow. */
export function logSumExp(x: Tensor, axis = -1, keepDims = false): Tensor {
  const a = normalizeAxis(axis, x.rank);
  const { top, total } = shifted(x, a);
  const y = top.add(total.log());
  return keepDims ? y : y.reshape(x.shape.filter((_, i) => i !== a));
}

/** `log(softmax(x))` along `axis`. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const a = normalizeAxis(axis, x.rank);
  return customGradient(
    [x],
    (x) => {
      const { top, total } = shifted(x, a);
      return x.sub(top).sub(total.log());
    },
    (_y, g, x) => {
      const { e, total } = shifted(x, a);
      return [g.sub(e.mul(g.sum(a, true).div(total)))];
    },
  );
}

/** Running logSumExp along the last axis, pairwise `[..., n, n]`: for short axes. */
export function logCumSumExp(x: Tensor): Tensor {
  const n = x.shape.at(-1)!;
  const later = tril(x.builder, n, n, 0, x.dtype).sub(1).mul(1e9);
  return logSumExp(x.unsqueeze(x.rank - 1).add(later), -1);
}

/** `log(1 - exp(x))` for `x < 0` without cancellation (Maechler 2012). */
export function log1mExp(x: Tensor): Tensor {
  // Near 0: log(-expm1(x)) with expm1(x) = tanh(x/2) (exp(x) + 1); elsewhere log1p(-exp(x)) is safe as it is.
  const half = x.mul(0.5);
  const near = half.tanh().mul(x.exp().add(1)).neg();
  const far = x.exp().neg().add(1);
  return x.gt(-Math.LN2).where(near, far).log();
}

export interface CrossEntropyOptions {
  /** `mean` (default) and `sum` give a scalar, `none` one loss per label. */
  readonly reduction?: 'mean' | 'sum' | 'none';
  /** One weight per label; the mean is then the weighted mean. Weight 0 ignores a label. */
  readonly weights?: Tensor;
  /** Share of the target that is spread evenly over all classes (Szegedy et al. 2016). Default 0. */
  readonly smoothing?: number;
}

/**
 * Cross entropy of integer labels in nats.
 * @param logits `[..., classes]`
 * @param labels `[...]` i32
 * @throws CairnError `shape_mismatch`
 * @example const loss = crossEntropy(logits, y); // rank 0
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const classes = logits.shape.at(-1) ?? 0;
  if (!sameShape(logits.shape.slice(0, -1), labels.shape) || logits.rank === 0) {
    throw new CairnError(
      'shape_mismatch',
      `Expected logits [..., classes] and labels [...], got ${shapeText(logits.shape)} and ${shapeText(labels.shape)}.`,
    );
  }
  const n = sizeOf(labels.shape);
  const rows = logits.reshape([n, classes]);
  const idx = labels.reshape([n, 1]);
  const each = crossEntropyRows(rows, idx, options.smoothing ?? 0);
  const { weights, reduction = 'mean' } = options;
  const losses = weights ? each.mul(weights.reshape([n])) : each;
  if (reduction === 'none') return losses.reshape(labels.shape);
  const total = losses.sum();
  if (reduction === 'sum') return total;
  return weights ? total.div(weights.sum()) : total.mul(1 / Math.max(1, n));
}

/** rows `[n, classes]`, idx `[n, 1]` -> `[n]`. */
function crossEntropyRows(rows: Tensor, idx: Tensor, smoothing: number): Tensor {
  const [n, classes] = rows.shape as [number, number];
  const even = smoothing / classes;
  return customGradient(
    [rows],
    (x) => {
      const { top, total } = shifted(x, 1);
      const picked = x.gatherElements(idx, 1).mul(1 - smoothing);
      const target = smoothing === 0 ? picked : picked.add(x.sum(1, true).mul(even));
      return total.log().add(top.sub(target)).reshape([n]);
    },
    (_y, g, x) => {
      const { e, total } = shifted(x, 1);
      const column = g.reshape([n, 1]);
      const soft = e.mul(column.div(total));
      const base = smoothing === 0 ? soft : soft.sub(column.mul(even));
      return [scatterElementsAdd(base, idx, column.mul(smoothing - 1), 1)];
    },
  );
}

/** Binary cross entropy of logits and targets in 0..1, elementwise, in nats. */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  // max(x, 0) - x t + log(1 + exp(-|x|))
  return logits.max(0).sub(logits.mul(targets)).add(logits.abs().neg().exp().add(1).log());
}
