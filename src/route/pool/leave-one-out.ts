// Predictions for the labelled prompts themselves, each as if it had not been labelled. Exact, without refitting: a prompt's
// own share is taken out of the sums of the `soft` or `shrunk` estimator and of the mean, or of the regression of `joint`.
import { jointLeaveOneOut } from '../joint-psi.ts';
import { oneHot, shrink } from '../psi.ts';
import type { ArmRecord, EstimateOptions, Labelled } from './arm.ts';

/**
 * gamma [N] of one arm on the labelled prompts, NaN where it was not asked.
 * @example
 * // one kind: the mean of all other prompts
 */
export function leaveOneOut(arm: ArmRecord, labelled: Labelled, options: EstimateOptions): Float64Array {
  const n = labelled.count;
  const out = new Float64Array(n);
  if (options.estimator === 'joint') {
    for (const { k, phi, factors } of labelled.phis) {
      const gamma = jointLeaveOneOut(phi, k, arm.error, options.n0, arm.weight, factors);
      for (let j = 0; j < n; j++) out[j] = out[j]! + gamma[j]! / labelled.phis.length;
    }
    return out;
  }
  const weightOf = (j: number): number => arm.weight?.[j] ?? 1;
  let total = 0;
  let count = 0;
  for (let j = 0; j < n; j++) {
    const e = arm.error[j]!;
    if (Number.isNaN(e)) continue;
    total += weightOf(j) * e;
    count += weightOf(j);
  }
  const n0 = options.estimator === 'paper' ? 0 : options.n0;
  for (const { k, phi: soft } of labelled.phis) {
    const phi = options.estimator === 'soft' ? soft : oneHot(soft, k);
    const sum = new Float64Array(k);
    const mass = new Float64Array(k);
    for (let j = 0; j < n; j++) {
      const e = arm.error[j]!;
      if (Number.isNaN(e)) continue;
      for (let c = 0; c < k; c++) {
        const w = weightOf(j) * phi[j * k + c]!;
        sum[c] = sum[c]! + w * e;
        mass[c] = mass[c]! + w;
      }
    }
    for (let j = 0; j < n; j++) {
      const e = arm.error[j]!;
      const asked = !Number.isNaN(e);
      const own = asked ? weightOf(j) : 0;
      const others = count - own;
      const mean = others > 1e-9 ? (total - (asked ? own * e : 0)) / others : 0.5;
      let gamma = 0;
      for (let c = 0; c < k; c++) {
        const w = phi[j * k + c]!;
        if (w === 0) continue;
        const left = mass[c]! - own * w;
        // What rounding leaves of an emptied kind is not evidence.
        const psi = left > 1e-9 ? shrink(sum[c]! - (asked ? own * w * e : 0), left, mean, n0) : mean;
        gamma += w * psi;
      }
      out[j] = out[j]! + gamma / labelled.phis.length;
    }
  }
  return out;
}
