// Losses of a student that is shown k next tokens of a teacher (as in the Gemini 2.5 report, arXiv 2507.06261, which leaves the
// details open; these are ours). Both are divergences of the student's distribution from the teacher's, in nats, one a position.
import { gatherElements, log1mExp, logSoftmax, logSumExp, type Tensor } from '../../tensor/index.ts';

/** Tokens of the teacher: i32 `ids [..., k]`, log probabilities `logp [..., k]`. */
export interface SparseTarget {
  readonly ids: Tensor;
  readonly logp: Tensor;
}

/** Least mass that either tail is taken to have. */
const FLOOR = 1e-6;

/**
 * `sum_i p_i (log p_i - log q_i) + p_tail (log p_tail - log q_tail)`: all other tokens are one. Never above the divergence of
 * the whole distributions, and equal to it when k is the vocabulary.
 * @param logits of the student, `[..., V]`
 * @param temperature of both sides; the target's must have been taken at it
 * @returns `[...]`
 */
export function klTail(logits: Tensor, { ids, logp }: SparseTarget, temperature = 1): Tensor {
  const q = gatherElements(logSoftmax(scaled(logits, temperature), -1), ids); // [..., k]
  const p = logp.exp();
  const kept = p.mul(logp.sub(q)).sum(-1);
  const left = p.sum(-1).neg().add(1).max(0);
  // Cut where the tail has no mass to speak of: its logarithm has no slope there.
  const shown = logSumExp(q, -1).min(Math.log1p(-FLOOR));
  return kept.add(left.mul(left.max(FLOOR).log().sub(log1mExp(shown))));
}

/**
 * `sum_i p~_i (log p~_i - log q_i)` with the teacher's k probabilities scaled to sum 1 and q over all tokens. Of tokens that were
 * drawn (`drawSparse`) they sum to 1 as they are, and the expected gradient is that of the whole divergence.
 * @returns `[...]`
 */
export function klTopkRenorm(logits: Tensor, { ids, logp }: SparseTarget, temperature = 1): Tensor {
  const q = gatherElements(logSoftmax(scaled(logits, temperature), -1), ids);
  const renormed = logSoftmax(logp, -1);
  return renormed.exp().mul(renormed.sub(q)).sum(-1);
}

/** Divergence from a teacher of whom all log probabilities are known, `[..., V]` both. `[...]` */
export function klDense(logits: Tensor, logp: Tensor, temperature = 1): Tensor {
  return logp
    .exp()
    .mul(logp.sub(logSoftmax(scaled(logits, temperature), -1)))
    .sum(-1);
}

function scaled(logits: Tensor, temperature: number): Tensor {
  return temperature === 1 ? logits : logits.mul(1 / temperature);
}

export interface DistillSettings {
  /** Share of the loss on the text itself; the rest is the teacher's. Default 0.3. */
  readonly alpha?: number;
  /** Default `tail`, which is for the likeliest tokens; `renorm` for drawn ones. */
  readonly loss?: 'tail' | 'renorm';
  /** Tokens in a target. */
  readonly k: number;
  /** Temperature of the targets. */
  readonly temperature: number;
}

/** `alpha CE + (1 - alpha) T^2 KL` of a scalar cross entropy, and the mean divergence alone. */
export function distilled(
  crossEntropy: Tensor,
  logits: Tensor,
  target: SparseTarget,
  settings: DistillSettings,
): { objective: Tensor; divergence: Tensor } {
  const { alpha = 0.3, loss = 'tail', temperature } = settings;
  const divergence = (loss === 'tail' ? klTail : klTopkRenorm)(logits, target, temperature).mean();
  const weight = (1 - alpha) * temperature ** 2;
  return { objective: crossEntropy.mul(alpha).add(divergence.mul(weight)), divergence };
}
