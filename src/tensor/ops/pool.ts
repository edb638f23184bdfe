// Pooling over one or two spatial axes, channels first. maxPool is an op that keeps the winners' positions, so its
// gradient is one scatter; avgPool is a composite.
import { CairnError } from '../../errors.ts';
import type { Attrs, GraphNode, TensorType } from '../graph.ts';
import type { OnnxEmitter, OpRecord } from '../op.ts';
import { shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { applyAll, checkDtypes } from './_apply.ts';
import { scatterElementsAdd } from './indexing.ts';
import { customGradient } from './tape.ts';

export interface PoolOptions {
  /** Length of the window per spatial axis, or one for all. */
  readonly window: number | readonly number[];
  /** Default: the window. */
  readonly stride?: number | readonly number[];
}

const list = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

function pooledShape(x: TensorType, attrs: Attrs): number[] {
  const [window, stride] = [list(attrs, 'window'), list(attrs, 'stride')];
  const spatial = x.shape.slice(2);
  const bad =
    window.length !== spatial.length || spatial.some((n, i) => window[i]! > n || window[i]! < 1 || stride[i]! < 1);
  if (x.shape.length < 3 || x.shape.length > 4 || bad) {
    throw new CairnError(
      'shape_mismatch',
      `Expected [batch, channels, ...] with one or two spatial axes no shorter than the window [${window.join(',')}], got ${shapeText(x.shape)}.`,
    );
  }
  return [...x.shape.slice(0, 2), ...spatial.map((n, i) => Math.floor((n - window[i]!) / stride[i]!) + 1)];
}

/** Outputs: the largest value of each window and its flat index in x (i32); the first on ties. */
export const maxPoolOp: OpRecord = {
  name: 'maxPool',
  infer(inputs, attrs) {
    checkDtypes(inputs, ['f32', 'f64']);
    const shape = pooledShape(inputs[0]!, attrs);
    return [
      { shape, dtype: inputs[0]!.dtype },
      { shape, dtype: 'i32' },
    ];
  },
  vjp(c) {
    const [x, g, indices] = [c.inputs[0]!, c.cotangents[0], c.outputs[1]!];
    if (!g) return [];
    const flat = x.builder.constant(0, [], x.dtype).expand([sizeOf(x.shape)]);
    return [scatterElementsAdd(flat, indices.reshape([-1]), g.reshape([-1]), 0).reshape(x.shape)];
  },
  reference([x], attrs, [y, indices]) {
    const [h, w] = x!.shape.length === 3 ? [1, x!.shape[2]!] : [x!.shape[2]!, x!.shape[3]!];
    const [oh, ow] = x!.shape.length === 3 ? [1, y!.shape[2]!] : [y!.shape[2]!, y!.shape[3]!];
    const [kh, kw] = [list(attrs, 'window').at(-2) ?? 1, list(attrs, 'window').at(-1)!];
    const [sh, sw] = [list(attrs, 'stride').at(-2) ?? 1, list(attrs, 'stride').at(-1)!];
    for (let to = 0; to < y!.data.length; to++) {
      const plane = Math.floor(to / (oh * ow)) * h * w;
      const [top, left] = [(Math.floor(to / ow) % oh) * sh, (to % ow) * sw];
      let best = plane + top * w + left;
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const at = plane + (top + i) * w + left + j;
          if (x!.data[at]! > x!.data[best]!) best = at;
        }
      }
      y!.data[to] = x!.data[best]!;
      indices!.data[to] = best;
    }
  },
  onnx(emit, node) {
    const attrs = { kernel_shape: list(node.attrs, 'window'), strides: list(node.attrs, 'stride') };
    const wanted = emit.used(node, 1);
    if (wanted && emit.target === 'webgpu') {
      emit.bind(node, poolBySlices(emit, node));
      return;
    }
    const [y, wide] = emit.node('MaxPool', [emit.name(node.inputs[0]!)], attrs, wanted ? 2 : 1);
    emit.bind(node, [y!, wanted ? emit.node('Cast', [wide!], { to: 6 })[0]! : '']);
  },
  flops: (_inputs, [y], attrs) => sizeOf(y!.shape) * sizeOf(list(attrs, 'window')),
  samples: (rng) =>
    Array.from({ length: 4 }, (_, i) => {
      const spatial = Array.from({ length: 1 + (i % 2) }, () => 3 + rng.integer(3));
      const shape = [1 + rng.integer(2), 1 + rng.integer(2), ...spatial];
      const data = Array.from(rng.permutation(sizeOf(shape)), (v) => v / 8);
      return {
        inputs: [{ shape, data }],
        attrs: { window: spatial.map(() => 2), stride: spatial.map(() => 1 + rng.integer(2)) },
      };
    }),
};

/** Largest values and their positions without an operator for both: a slice per tap, stacked on a last axis. */
function poolBySlices(emit: OnnxEmitter, node: GraphNode): string[] {
  const x = emit.name(node.inputs[0]!);
  const size = emit.type(node.inputs[0]!).shape;
  const [window, stride] = [list(node.attrs, 'window'), list(node.attrs, 'stride')];
  const shape = node.outputs[0]!.shape;
  const axes = emit.i64(window.map((_, i) => i + 2));
  const taps = offsetsOf(window);
  const columns = taps.map((at) => {
    const ends = at.map((o, i) => o + (shape[i + 2]! - 1) * stride[i]! + 1);
    const [cut] = emit.node('Slice', [x, emit.i64(at), emit.i64(ends), axes, emit.i64(stride)]);
    return emit.node('Reshape', [cut!, emit.i64([...shape, 1])])[0]!;
  });
  const [stack] = emit.node('Concat', columns, { axis: shape.length });
  const [best] = emit.node('ReduceMax', [stack!, emit.i64([shape.length])], { keepdims: 0 });
  const [tap] = emit.node('ArgMax', [stack!], { axis: shape.length, keepdims: 0 });
  const width = size.at(-1)!;
  const flat = (at: readonly number[]): number => (at.at(-2) ?? 0) * width + at.at(-1)!;
  const [step] = emit.node('Gather', [emit.tensor(Int32Array.from(taps, flat), [taps.length], 'i32'), tap!]);
  const plane = sizeOf(size.slice(2));
  const outputs = offsetsOf(shape.slice(2)).map((to) => flat(to.map((t, i) => t * stride[i]!)));
  const starts = Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
    return Math.floor(i / outputs.length) * plane + outputs[i % outputs.length]!;
  });
  return [best!, emit.node('Add', [step!, emit.tensor(starts, shape, 'i32')])[0]!];
}

function perAxis(x: Tensor, options: PoolOptions): { window: number[]; stride: number[] } {
  const axes = x.rank - 2;
  const each = (v: number | readonly number[]): number[] =>
    typeof v === 'number' ? Array.from({ length: axes }, () => v) : [...v];
  return { window: each(options.window), stride: each(options.stride ?? options.window) };
}

/** Largest value of each window. x `[batch, channels, length]` or `[batch, channels, height, width]`. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  return applyAll(maxPoolOp, [x], perAxis(x, options))[0]!;
}

/** Mean of each window; windows must tile the axes or step by `stride`. */
export function avgPool(x: Tensor, options: PoolOptions): Tensor {
  const { window, stride } = perAxis(x, options);
  const shape = pooledShape(x, { window, stride });
  const tiles = window.every((k, i) => k === stride[i] && x.shape[i + 2]! % k === 0);
  if (tiles) {
    return customGradient(
      [x],
      (x) => {
        const open = x.reshape([...x.shape.slice(0, 2), ...window.flatMap((k, i) => [shape[i + 2]!, k])]);
        return open.mean(window.map((_, i) => 3 + 2 * i));
      },
      (_y, g) => [repeatTiles(g, window, 1 / sizeOf(window))],
    );
  }
  const taps = offsetsOf(window).map((at) =>
    x.slice(
      [0, 0, ...at],
      [...x.shape.slice(0, 2), ...at.map((o, i) => o + (shape[i + 2]! - 1) * stride[i]! + 1)],
      [1, 1, ...stride],
    ),
  );
  return taps.reduce((total, t) => total.add(t)).mul(1 / taps.length);
}

/**
 * Every value `window` times along the spatial axes, times `scale`. The last axis goes through a product with a 0/1
 * matrix: runtimes copy runs of two numbers slowly.
 */
function repeatTiles(g: Tensor, window: readonly number[], scale: number): Tensor {
  const [n, k] = [g.shape.at(-1)!, window.at(-1)!];
  const spread = Float64Array.from({ length: n * n * k }, (_, i) =>
    Math.floor((i % (n * k)) / k) === Math.floor(i / (n * k)) ? scale : 0,
  );
  const wide = g.matmul(g.builder.constant(spread, [n, n * k], g.dtype));
  const rows = window.length === 2 ? window[0]! : 1;
  const [lead, h] = [g.shape.slice(0, -2), g.shape.at(-2)!];
  if (rows === 1) return wide;
  return wide
    .reshape([...lead, h, 1, n * k])
    .expand([...lead, h, rows, n * k])
    .reshape([...lead, h * rows, n * k]);
}

/** All positions inside a window. */
function offsetsOf(window: readonly number[]): number[][] {
  return window.reduce<number[][]>(
    (all, k) => all.flatMap((at) => Array.from({ length: k }, (_, i) => [...at, i])),
    [[]],
  );
}

/** Mean over all spatial axes: `[batch, channels, ...] -> [batch, channels]`. */
export function globalAvgPool(x: Tensor): Tensor {
  return x.mean(x.shape.slice(2).map((_, i) => i + 2));
}
