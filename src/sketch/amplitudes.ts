// How strongly each object of a structure arrives in the event sketch. Every decoder and every error bar needs these two
// numbers; measured amplitudes agree with them within a few percent.
import type { Structure } from './structure.ts';

/** Effective weight, amplitudes and depth of every object. */
export interface Amplitudes {
  /** ‖A e_j‖ of an attribute column, before the exponent. */
  readonly column: Float64Array;
  /** Coefficient that survives unrotated, before the exponent. */
  readonly plain: Float64Array;
  /** Least depth, 1 for outputs. */
  readonly depth: Int32Array;
  /** Sum over paths of the products of weights. */
  readonly weight: Float64Array;
}

/**
 * Amplitudes by one sweep from the outputs: one path of weight w and depth h gives column w·2^-(5h+2)/2 and plain
 * w·2^-(4h+1); several paths to a shared object add in squares (column) and linearly (plain). With signatures both
 * shrink by 2/3.
 */
export function amplitudes(structure: Structure, signatures = false): Amplitudes {
  const n = structure.objects.length;
  const power = new Float64Array(n);
  const plain = new Float64Array(n);
  const weight = new Float64Array(n);
  const depth = new Int32Array(n);
  for (const { object, weight: w } of structure.outputs) {
    power[object] = power[object]! + w * w * 2 ** -7;
    plain[object] = plain[object]! + w * 2 ** -5;
    weight[object] = weight[object]! + w;
    depth[object] = 1;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (const { object, weight: w } of structure.objects[i]!.inputs) {
      power[object] = power[object]! + power[i]! * w * w * 2 ** -5;
      plain[object] = plain[object]! + plain[i]! * w * 2 ** -4;
      weight[object] = weight[object]! + weight[i]! * w;
      depth[object] = depth[object] === 0 ? depth[i]! + 1 : Math.min(depth[object]!, depth[i]! + 1);
    }
  }
  const share = signatures ? 2 / 3 : 1;
  return { column: power.map((p) => Math.sqrt(p) * share), plain: plain.map((p) => p * share), depth, weight };
}
