// From confidence to probability: a rising step function fitted by pooling adjacent violators, with a little smoothing so that
// no step claims certainty. Errors of good models are rare; probabilities tell two ways to route apart long before counts do.
import { CairnError } from '../errors.ts';

/** Maps a confidence to the probability that the answer is right. */
export interface Isotonic {
  /** Lowest confidence of each step, ascending. */
  readonly from: Float64Array;
  /** Probability on each step, not falling. */
  readonly probability: Float64Array;
}

/**
 * @param confidence [n]
 * @param right [n] 1 right, 0 wrong, or a quality in between
 * @param least inputs per step at least; default 50
 * @example
 * probabilityOf(fitIsotonic([0.2, 0.4, 0.9, 0.95], [0, 0, 1, 1], 2), 0.93); // (2 + 0.5) / (2 + 1)
 */
export function fitIsotonic(confidence: ArrayLike<number>, right: ArrayLike<number>, least = 50): Isotonic {
  const n = confidence.length;
  if (n === 0 || right.length !== n) {
    throw new CairnError(
      'shape_mismatch',
      `Expected as many outcomes as confidences and at least one, got ${right.length} and ${n}.`,
    );
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => confidence[a]! - confidence[b]! || a - b);
  const blocks: { from: number; sum: number; n: number }[] = [];
  for (let at = 0; at < n;) {
    const block = { from: confidence[order[at]!]!, sum: 0, n: 0 };
    // Equal confidences stay together; a step has at least `least` inputs, and the rest of fewer joins the last one.
    while (at < n && (block.n < least || n - at < least || confidence[order[at]!] === confidence[order[at - 1]!])) {
      block.sum += right[order[at]!]!;
      block.n++;
      at++;
    }
    blocks.push(block);
    while (blocks.length > 1) {
      const [a, b] = [blocks.at(-2)!, blocks.at(-1)!];
      if (a.sum / a.n < b.sum / b.n) break;
      blocks.splice(-2, 2, { from: a.from, sum: a.sum + b.sum, n: a.n + b.n });
    }
  }
  const mean = blocks.reduce((s, b) => s + b.sum, 0) / n;
  const probability = Float64Array.from(blocks, (b) => (b.sum + mean) / (b.n + 1));
  // The added pseudo-input weighs more on short steps and could turn an order around.
  for (let i = 1; i < probability.length; i++) probability[i] = Math.max(probability[i]!, probability[i - 1]!);
  return { from: Float64Array.from(blocks, (b) => b.from), probability };
}

/** The probability on the step that a confidence falls on. */
export function probabilityOf(map: Isotonic, confidence: number): number {
  let low = 0;
  let high = map.from.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (map.from[middle]! <= confidence) low = middle;
    else high = middle - 1;
  }
  return map.probability[low]!;
}
