// Temperature scaling: one number that makes the confidence of a classifier honest, fitted on held-out examples. It
// changes no decision. Source: Guo et al., "On Calibration of Modern Neural Networks" (2017).
import { argmax, softmax } from './sampling.ts';

/** Mean negative log likelihood (nats) of `labels [n]` under softmax(logits `[n, classes]` / temperature). */
export function negativeLogLikelihood(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  temperature = 1,
): number {
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    let top = -Infinity;
    for (let c = 0; c < classes; c++) top = Math.max(top, logits[i * classes + c]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp((logits[i * classes + c]! - top) / temperature);
    total += Math.log(sum) - (logits[i * classes + labels[i]!]! - top) / temperature;
  }
  return total / labels.length;
}

/**
 * The temperature from 0.05 to 20 with the smallest negative log likelihood (convex in 1/temperature: golden section).
 * @example
 * fitTemperature([2, 0, 0, 2], [0, 0], 2); // 20: half of these confident rows are wrong
 */
export function fitTemperature(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  const loss = (u: number): number => negativeLogLikelihood(logits, labels, classes, 1 / u);
  const ratio = (Math.sqrt(5) - 1) / 2;
  let low = 0.05;
  let high = 20;
  let a = high - ratio * (high - low);
  let b = low + ratio * (high - low);
  let fa = loss(a);
  let fb = loss(b);
  while (high - low > 1e-4) {
    if (fa <= fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - ratio * (high - low);
      fa = loss(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + ratio * (high - low);
      fb = loss(b);
    }
  }
  return 1 / ((low + high) / 2);
}

export interface Calibration {
  readonly accuracy: number;
  /** Mean negative log likelihood, nats. */
  readonly loss: number;
  /** Expected calibration error over 15 equal bins of confidence. */
  readonly calibrationError: number;
}

/** Accuracy, loss and calibration error of logits `[n, classes]` at a temperature. */
export function measureCalibration(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  temperature = 1,
): Calibration {
  const bins = Array.from({ length: 15 }, () => ({ n: 0, right: 0, confidence: 0 }));
  let right = 0;
  const row = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    for (let c = 0; c < classes; c++) row[c] = logits[i * classes + c]!;
    const p = softmax(row, temperature);
    const best = argmax(p);
    const hit = best === labels[i] ? 1 : 0;
    right += hit;
    const bin = bins[Math.min(14, Math.floor(p[best]! * 15))]!;
    bin.n++;
    bin.right += hit;
    bin.confidence += p[best]!;
  }
  const n = labels.length;
  return {
    accuracy: right / n,
    loss: negativeLogLikelihood(logits, labels, classes, temperature),
    calibrationError: bins.reduce((s, b) => s + Math.abs(b.right - b.confidence), 0) / n,
  };
}
