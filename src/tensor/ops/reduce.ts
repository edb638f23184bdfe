// Reductions: sum, largest value, running sum. Means and logSumExp are composites of these.
import { CairnError } from '../../errors.ts';
import type { Attrs, GraphNode } from '../graph.ts';
import type { OnnxEmitter, OpRecord, OpSample, Value } from '../op.ts';
import type { Rng } from '../rng.ts';
import { isSymbolic, normalizeAxes, normalizeAxis, reducedShape, sizeOf, stridesOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, checkDtypes, numbers, randomShape } from './_apply.ts';
import { around, offsets } from './_kernel.ts';

const axesOf = (attrs: Attrs): readonly number[] => attrs['axes'] as readonly number[];
const keepOf = (attrs: Attrs): boolean => attrs['keepDims'] === true;

/** For every input element the offset of the output element it is reduced into. */
function targets(x: Value, axes: readonly number[]): Int32Array {
  const kept = stridesOf(reducedShape(x.shape, axes, true));
  return offsets(
    x.shape,
    kept.map((s, i) => (axes.includes(i) ? 0 : s)),
  );
}

function reduceSamples(low: number, high: number, nonEmpty: boolean): (rng: Rng) => OpSample[] {
  return (rng) =>
    Array.from({ length: 8 }, () => {
      const shape = randomShape(rng, 4, 1).map((d) => (nonEmpty ? Math.max(1, d) : d));
      const axes = shape.map((_, i) => i).filter(() => rng.bernoulli(0.5));
      if (axes.length === 0) axes.push(shape.length - 1);
      const attrs = { axes, keepDims: rng.bernoulli() };
      // Distinct values keep the largest one away from ties.
      const data = Array.from(
        rng.permutation(sizeOf(shape)),
        (k) => low + ((high - low) * k) / Math.max(1, sizeOf(shape)),
      );
      return { inputs: [{ shape, data }], attrs };
    });
}

/**
 * The sums of the columns of a long matrix, as a product with a row of ones: ONNX Runtime's ReduceSum over leading axes
 * takes two to three times as long. Undefined when the node is something else.
 */
function columnSums(emit: OnnxEmitter, node: GraphNode): string | undefined {
  const { shape, dtype } = emit.type(node.inputs[0]!);
  const axes = axesOf(node.attrs);
  const leading = axes.length > 0 && axes.length < shape.length && axes.every((a, i) => a === i);
  if (!leading || emit.target !== 'train' || (dtype !== 'f32' && dtype !== 'f64') || shape.some(isSymbolic)) return;
  const rows = sizeOf(shape.slice(0, axes.length));
  const columns = sizeOf(shape.slice(axes.length));
  if (rows < 256 || columns < 16) return;
  const x = emit.name(node.inputs[0]!);
  const flat = shape.length === 2 ? x : emit.node('Reshape', [x, emit.i64([rows, columns])])[0]!;
  const ones = emit.node('Expand', [emit.scalar(1, dtype), emit.i64([1, rows])])[0]!;
  return emit.node('Reshape', [emit.node('MatMul', [ones, flat])[0]!, emit.i64(node.outputs[0]!.shape)])[0]!;
}

function lowerReduce(opType: string): (emit: OnnxEmitter, node: GraphNode) => void {
  return (emit, node) => {
    const sums = opType === 'ReduceSum' ? columnSums(emit, node) : undefined;
    if (sums !== undefined) {
      emit.bind(node, [sums]);
      return;
    }
    const x = emit.name(node.inputs[0]!);
    const keepdims = keepOf(node.attrs) ? 1 : 0;
    const axes = axesOf(node.attrs);
    const old = emit.opset < 18 && opType !== 'ReduceSum';
    emit.bind(
      node,
      old ? emit.node(opType, [x], { keepdims, axes }) : emit.node(opType, [x, emit.i64(axes)], { keepdims }),
    );
  };
}

function reduceOp(name: string, opType: string): Pick<OpRecord, 'name' | 'infer' | 'onnx' | 'flops'> {
  return {
    name,
    infer(inputs, attrs) {
      checkDtypes(inputs, numbers);
      const [x] = inputs;
      const axes = axesOf(attrs);
      if (name === 'amax' && axes.some((a) => x!.shape[a] === 0)) {
        throw new CairnError(
          'empty_reduction',
          'Expected at least one element to take the largest of, got an empty axis.',
        );
      }
      return [{ shape: reducedShape(x!.shape, axes, keepOf(attrs)), dtype: x!.dtype }];
    },
    onnx: lowerReduce(opType),
    flops: ([x]) => sizeOf(x!.shape),
  };
}

/** The gradient of a reduction with its axes kept as size 1. */
function kept(g: Tensor, x: Tensor, attrs: Attrs): Tensor {
  return keepOf(attrs) ? g : g.reshape(reducedShape(x.shape, axesOf(attrs), true));
}

export const sumOp: OpRecord = {
  ...reduceOp('sum', 'ReduceSum'),
  vjp: (c) => [kept(c.cotangents[0]!, c.inputs[0]!, c.attrs).expand(c.inputs[0]!.shape)],
  reference([x], attrs, [y]) {
    const to = targets(x!, axesOf(attrs));
    const total = new Float64Array(y!.data.length);
    for (let i = 0; i < to.length; i++) total[to[i]!]! += x!.data[i]!;
    y!.data.set(total);
  },
  samples: reduceSamples(-1, 1, false),
};

export const amaxOp: OpRecord = {
  ...reduceOp('amax', 'ReduceMax'),
  vjp(c) {
    const x = c.inputs[0]!;
    const mask = x.eq(kept(c.outputs[0]!, x, c.attrs)).cast(x.dtype);
    const ties = sum(mask, axesOf(c.attrs), true);
    return [kept(c.cotangents[0]!, x, c.attrs).div(ties).mul(mask)];
  },
  reference([x], attrs, [y]) {
    const to = targets(x!, axesOf(attrs));
    const best = new Float64Array(y!.data.length).fill(-Infinity);
    for (let i = 0; i < to.length; i++) best[to[i]!] = Math.max(best[to[i]!]!, x!.data[i]!);
    y!.data.set(best);
  },
  samples: reduceSamples(-1, 1, true),
};

export const cumsumOp: OpRecord = {
  name: 'cumsum',
  infer(inputs) {
    checkDtypes(inputs, ['f32', 'f64', 'i32']);
    return [inputs[0]!];
  },
  vjp(c) {
    const { axis, exclusive, reverse } = c.attrs;
    return [apply(cumsumOp, [c.cotangents[0]!], { axis: axis!, exclusive: exclusive!, reverse: reverse !== true })];
  },
  reference([x], attrs, [y]) {
    const { outer, length, inner } = around(x!.shape, attrs['axis'] as number);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let total = 0;
        for (let k = 0; k < length; k++) {
          const at = (o * length + (attrs['reverse'] === true ? length - 1 - k : k)) * inner + i;
          if (attrs['exclusive'] === true) y!.data[at] = total;
          total += x!.data[at]!;
          if (attrs['exclusive'] !== true) y!.data[at] = total;
        }
      }
    }
  },
  onnx(emit, node) {
    const axis = emit.scalar(node.attrs['axis'] as number, 'i32');
    const flags = {
      exclusive: node.attrs['exclusive'] === true ? 1 : 0,
      reverse: node.attrs['reverse'] === true ? 1 : 0,
    };
    emit.bind(node, emit.node('CumSum', [emit.name(node.inputs[0]!), axis], flags));
  },
  flops: ([x]) => sizeOf(x!.shape),
  samples: (rng) =>
    Array.from({ length: 6 }, () => {
      const shape = randomShape(rng, 3, 1);
      return {
        inputs: [{ shape }],
        attrs: { axis: rng.integer(shape.length), exclusive: rng.bernoulli(), reverse: rng.bernoulli() },
      };
    }),
};

/**
 * Sum over `axes` (all by default).
 * @param keepDims keeps reduced axes with size 1
 */
export function sum(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normalizeAxes(axes, x.shape.length);
  return list.length === 0 ? x : apply(sumOp, [x], { axes: list, keepDims });
}

/** Largest value over `axes` (all by default); ties share the gradient. */
export function amax(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normalizeAxes(axes, x.shape.length);
  return list.length === 0 ? x : apply(amaxOp, [x], { axes: list, keepDims });
}

/** Mean over `axes` (all by default). */
export function mean(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normalizeAxes(axes, x.shape.length);
  const n = sizeOf(list.map((a) => x.shape[a]!));
  return n === 1 ? sum(x, list, keepDims) : sum(x, list, keepDims).mul(1 / n);
}

/** Running sum along `axis`; `exclusive` leaves the own element out, `reverse` runs from the end. */
export function cumsum(x: Tensor, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  return apply(cumsumOp, [x], { axis: a, exclusive: options.exclusive ?? false, reverse: options.reverse ?? false });
}
