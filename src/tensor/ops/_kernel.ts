// Index arithmetic shared by the reference kernels. Plain and slow on purpose: this is the oracle of the fast executors.
import type { Value } from '../op.ts';
import type { Shape } from '../shape.ts';
import { sizeOf, stridesOf } from '../shape.ts';

/**
 * For every element of a row-major tensor of shape `shape`: the offset `sum_i index_i * strides_i`.
 * @param strides one per axis; 0 repeats
 */
export function offsets(shape: Shape, strides: readonly number[], base = 0): Int32Array {
  const n = sizeOf(shape);
  const out = new Int32Array(n);
  if (n === 0) return out;
  const index = new Int32Array(shape.length);
  let at = base;
  for (let k = 0; k < n; k++) {
    out[k] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      at += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      at -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Strides that read a tensor of shape `from` as if it were broadcast to `to`. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  const pad = to.length - from.length;
  return to.map((_, i) => (i < pad || from[i - pad] === 1 ? 0 : strides[i - pad]!));
}

/** Offsets into `from` for every element of the broadcast shape `to`. */
export function broadcastOffsets(from: Shape, to: Shape): Int32Array {
  return offsets(to, broadcastStrides(from, to));
}

/** `out[i] = f(a[i])`. */
export function map1(
  f: (x: number) => number,
): (inputs: readonly Value[], attrs: unknown, outputs: readonly Value[]) => void {
  return (inputs, _attrs, outputs) => {
    const [x, y] = [inputs[0]!.data, outputs[0]!.data];
    for (let i = 0; i < y.length; i++) y[i] = f(x[i]!);
  };
}

/** `out = f(a, b)` with broadcasting. */
export function map2(
  f: (a: number, b: number) => number,
): (inputs: readonly Value[], attrs: unknown, outputs: readonly Value[]) => void {
  return (inputs, _attrs, outputs) => {
    const [a, b, y] = [inputs[0]!, inputs[1]!, outputs[0]!];
    const ia = broadcastOffsets(a.shape, y.shape);
    const ib = broadcastOffsets(b.shape, y.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = f(a.data[ia[i]!]!, b.data[ib[i]!]!);
  };
}

/** A tensor seen as `[outer, axis, inner]` around one axis. */
export function around(shape: Shape, axis: number): { outer: number; length: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), length: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}
