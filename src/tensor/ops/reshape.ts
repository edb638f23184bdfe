// Shape ops that keep or repeat all numbers: reshape, transpose, expand. They compute nothing.
import { CairnError } from '../../errors.ts';
import type { Attrs } from '../graph.ts';
import type { OpRecord } from '../op.ts';
import {
  broadcastShapes,
  isSymbolic,
  normalizeAxis,
  reshapeTarget,
  sameShape,
  type Shape,
  shapeText,
  sizeOf,
  stridesOf,
} from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, noFlops, randomShape } from './_apply.ts';
import { broadcastOffsets, offsets } from './_kernel.ts';
import { unbroadcast } from './elementwise.ts';

const list = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

export const reshapeOp: OpRecord = {
  name: 'reshape',
  infer: ([x], attrs) => [{ shape: reshapeTarget(x!.shape, list(attrs, 'shape')), dtype: x!.dtype }],
  vjp: (c) => [reshape(c.cotangents[0]!, c.inputs[0]!.shape)],
  reference: ([x], _attrs, [y]) => y!.data.set(x!.data),
  onnx(emit, node) {
    const from = emit.type(node.inputs[0]!).shape;
    // ONNX infers one dimension from -1 and copies a dimension of the input for 0.
    const to = list(node.attrs, 'shape').map((d, i) => (!isSymbolic(d) ? d : d === from[i] ? 0 : -1));
    if (to.filter((d) => d === -1).length > 1) {
      throw new CairnError(
        'symbolic_reshape',
        `Expected at most one moved symbolic dimension, got ${shapeText(list(node.attrs, 'shape'))}.`,
      );
    }
    const zeroSize = to.some((d, i) => d === 0 && !isSymbolic(list(node.attrs, 'shape')[i]!));
    emit.bind(node, emit.node('Reshape', [emit.name(node.inputs[0]!), emit.i64(to)], zeroSize ? { allowzero: 1 } : {}));
  },
  flops: noFlops,
  bytes: () => 0,
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng);
      return { inputs: [{ shape }], attrs: { shape: rng.bernoulli() ? [sizeOf(shape)] : [1, ...shape] } };
    }),
};

export const transposeOp: OpRecord = {
  name: 'transpose',
  infer: ([x], attrs) => [{ shape: list(attrs, 'perm').map((i) => x!.shape[i]!), dtype: x!.dtype }],
  vjp(c) {
    const perm = list(c.attrs, 'perm');
    return [
      transpose(
        c.cotangents[0]!,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ];
  },
  reference([x], attrs, [y]) {
    const strides = stridesOf(x!.shape);
    const from = offsets(
      y!.shape,
      list(attrs, 'perm').map((i) => strides[i]!),
    );
    for (let i = 0; i < from.length; i++) y!.data[i] = x!.data[from[i]!]!;
  },
  onnx(emit, node) {
    emit.bind(node, emit.node('Transpose', [emit.name(node.inputs[0]!)], { perm: list(node.attrs, 'perm') }));
  },
  flops: noFlops,
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng, 4, 1);
      return { inputs: [{ shape }], attrs: { perm: Array.from(rng.permutation(shape.length)) } };
    }),
};

export const expandOp: OpRecord = {
  name: 'expand',
  infer([x], attrs) {
    const shape = list(attrs, 'shape');
    if (!sameShape(broadcastShapes(x!.shape, shape), shape)) {
      throw new CairnError(
        'shape_mismatch',
        `Expected a shape that ${shapeText(x!.shape)} expands to, got ${shapeText(shape)}.`,
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  vjp: (c) => [unbroadcast(c.cotangents[0]!, c.inputs[0]!)],
  reference([x], _attrs, [y]) {
    const from = broadcastOffsets(x!.shape, y!.shape);
    for (let i = 0; i < from.length; i++) y!.data[i] = x!.data[from[i]!]!;
  },
  onnx(emit, node) {
    const shape = list(node.attrs, 'shape');
    const from = emit.type(node.inputs[0]!).shape;
    // Expand broadcasts both ways, so 1 keeps a symbolic dimension that the input already has.
    const to = shape.map((d, i) => (isSymbolic(d) && from[from.length - shape.length + i] === d ? 1 : d));
    if (to.some(isSymbolic)) {
      throw new CairnError('symbolic_expand', `Expected concrete dimensions to expand to, got ${shapeText(shape)}.`, {
        hint: 'Broadcast against a tensor that has the symbolic dimension instead.',
      });
    }
    emit.bind(node, emit.node('Expand', [emit.name(node.inputs[0]!), emit.i64(to)]));
  },
  flops: noFlops,
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng, 3);
      const from = shape.map((d) => (rng.bernoulli(0.4) ? 1 : d)).slice(rng.integer(shape.length + 1));
      return { inputs: [{ shape: from }], attrs: { shape } };
    }),
};

/** The same numbers in another shape; one -1 is inferred. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const node = x.builder.nodes()[x.port.node]!;
  const source = node.op === 'reshape' ? x.builder.at(node.inputs[0]!) : x;
  if (shape.includes(-1) || sizeOf(shape) !== sizeOf(source.shape)) {
    const to = inferred(x, shape);
    return to === undefined ? apply(reshapeOp, [x], { shape: [...shape] }) : reshape(x, to);
  }
  if (sameShape(source.shape, shape)) return source;
  return apply(reshapeOp, [source], { shape: [...shape] });
}

/** The target without -1, or undefined when it does not fit (the op then reports it with its scope). */
function inferred(x: Tensor, shape: readonly number[]): readonly number[] | undefined {
  if (!shape.includes(-1)) return undefined;
  try {
    return reshapeTarget(x.shape, shape);
  } catch {
    return undefined;
  }
}

/** Whether only axes of length one change their place, so that the numbers stay where they are. */
function movesOnes(shape: Shape, perm: readonly number[]): boolean {
  const long = perm.filter((a) => shape[a] !== 1);
  return !shape.some(isSymbolic) && long.every((a, i) => i === 0 || a > long[i - 1]!);
}

/** Permutes axes; without `perm` reverses them. */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  const rank = x.shape.length;
  const p = (perm ?? x.shape.map((_, i) => rank - 1 - i)).map((a) => normalizeAxis(a, rank));
  if (p.length !== rank || new Set(p).size !== rank) {
    throw new CairnError('bad_axis', `Expected a permutation of ${rank} axes, got [${p.join(',')}].`);
  }
  if (p.every((a, i) => a === i)) return x;
  if (movesOnes(x.shape, p)) {
    return reshape(
      x,
      p.map((a) => x.shape[a]!),
    );
  }
  const node = x.builder.nodes()[x.port.node]!;
  if (node.op !== 'transpose') return apply(transposeOp, [x], { perm: p });
  const inner = list(node.attrs, 'perm');
  return transpose(
    x.builder.at(node.inputs[0]!),
    p.map((a) => inner[a]!),
  );
}

/** Swaps two axes, by default the last two. */
export function swapAxes(x: Tensor, a = -1, b = -2): Tensor {
  const rank = x.shape.length;
  const [i, j] = [normalizeAxis(a, rank), normalizeAxis(b, rank)];
  return transpose(
    x,
    x.shape.map((_, k) => (k === i ? j : k === j ? i : k)),
  );
}

/** Repeats axes of size 1 (and adds leading axes) to reach `shape`. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : apply(expandOp, [x], { shape: [...shape] });
}

/** Adds an axis of size 1 at position `axis` of the result. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const a = normalizeAxis(axis, x.shape.length + 1);
  return reshape(x, [...x.shape.slice(0, a), 1, ...x.shape.slice(a)]);
}

/** Drops axes of size 1: the given ones, or all. */
export function squeeze(x: Tensor, axis?: number): Tensor {
  if (axis === undefined)
    return reshape(
      x,
      x.shape.filter((d) => d !== 1),
    );
  const a = normalizeAxis(axis, x.shape.length);
  if (x.shape[a] !== 1)
    throw new CairnError('shape_mismatch', `Expected size 1 at axis ${a}, got ${shapeText(x.shape)}.`);
  return reshape(
    x,
    x.shape.filter((_, i) => i !== a),
  );
}
