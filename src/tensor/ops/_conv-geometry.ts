// The geometry shared by the kernels, gradients and lowerings of convolutions.
import type { Attrs } from '../graph.ts';

/** Geometry of a convolution, one entry per spatial axis. */
export interface ConvGeometry {
  readonly stride: readonly number[];
  readonly padLo: readonly number[];
  readonly padHi: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** The geometry stored in a node. */
export function geometryOf(attrs: Attrs): ConvGeometry {
  const list = (key: string): readonly number[] => attrs[key] as readonly number[];
  return {
    stride: list('stride'),
    padLo: list('padLo'),
    padHi: list('padHi'),
    dilation: list('dilation'),
    groups: attrs['groups'] as number,
  };
}

/** All index tuples of a kernel, row by row. */
export function kernelOffsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (all, k) => all.flatMap((at) => Array.from({ length: k }, (_, i) => [...at, i])),
    [[]],
  );
}
