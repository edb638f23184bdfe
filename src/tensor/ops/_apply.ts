// How op functions reach the builder: operands may be tensors or numbers, and a number takes the dtype of the others.
import { CairnError } from '../../errors.ts';
import { allocate } from '../dtype.ts';
import type { Attrs, TensorType } from '../graph.ts';
import type { OnnxEmitter, OpRecord, OpSample, Value } from '../op.ts';
import type { GraphNode } from '../graph.ts';
import type { Rng } from '../rng.ts';
import { sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** A tensor, or a number that becomes a rank-0 constant. */
export type Operand = Tensor | number;

/** Adds a single-output node. */
export function apply(op: OpRecord, inputs: readonly [Tensor, ...Tensor[]], attrs: Attrs = {}): Tensor {
  return inputs[0].builder.apply(op, inputs, attrs)[0]!;
}

/** Adds a node and returns all its outputs. */
export function applyAll(op: OpRecord, inputs: readonly [Tensor, ...Tensor[]], attrs: Attrs = {}): Tensor[] {
  return inputs[0].builder.apply(op, inputs, attrs);
}

/** Turns numbers into constants of the dtype of the first tensor among the operands. */
export function lift(...operands: Operand[]): [Tensor, ...Tensor[]] {
  const like = operands.find((x) => typeof x !== 'number');
  if (like === undefined || typeof like === 'number') {
    throw new CairnError('no_tensor', `Expected at least one tensor, got the numbers ${operands.join(', ')}.`, {
      hint: 'Make one of them a constant with b.constant.',
    });
  }
  const tensors = operands.map((x) => (typeof x === 'number' ? like.builder.constant(x, [], like.dtype) : x));
  return [tensors[0]!, ...tensors.slice(1)];
}

/** A rank-0 constant of the dtype of `like`. */
export function scalarLike(like: Tensor, value: number): Tensor {
  return like.builder.constant(value, [], like.dtype);
}

/** Throws `dtype_mismatch` unless all inputs have one dtype out of `allowed`. */
export function checkDtypes(inputs: readonly TensorType[], allowed: readonly string[]): void {
  const first = inputs[0]!.dtype;
  const other = inputs.find((x) => x.dtype !== first);
  if (other) {
    throw new CairnError('dtype_mismatch', `Expected operands of one dtype, got ${first} and ${other.dtype}.`, {
      hint: 'Convert one of them with cast.',
    });
  }
  if (!allowed.includes(first)) {
    throw new CairnError('dtype_mismatch', `Expected ${allowed.join(', ')}, got ${first}.`, {
      hint: 'Convert it with cast.',
    });
  }
}

export const floats = ['f32', 'f64', 'f16'];
export const numbers = ['f32', 'f64', 'f16', 'i32', 'u32'];
export const anyDtype = ['f32', 'f64', 'f16', 'i32', 'u32', 'bool'];

/** Lowers to one ONNX node with the inputs as they are. */
export function lowerTo(opType: string): (emit: OnnxEmitter, node: GraphNode) => void {
  return (emit, node) =>
    emit.bind(
      node,
      emit.node(
        opType,
        node.inputs.map((p) => emit.name(p)),
      ),
    );
}

/** The cost rule of elementwise ops: `each` operations per output element. */
export function perElement(each: number): OpRecord['flops'] {
  return (_inputs, outputs) => each * sizeOf(outputs[0]!.shape);
}

/** Costs nothing but memory traffic. */
export const noFlops: OpRecord['flops'] = () => 0;

/** Random shapes with ranks 0 to `maxRank`, now and then with an axis of size 1 or 0. */
export function randomShape(rng: Rng, maxRank = 4, minRank = 0): number[] {
  const rank = minRank + rng.integer(maxRank - minRank + 1);
  return Array.from({ length: rank }, () => (rng.bernoulli(0.05) ? 0 : rng.bernoulli(0.25) ? 1 : 2 + rng.integer(3)));
}

/** `n` samples of a one-input op. */
export function unarySamples(range: { low?: number; high?: number }, minRank = 0): (rng: Rng) => OpSample[] {
  return (rng) => Array.from({ length: 6 }, () => ({ inputs: [{ shape: randomShape(rng, 4, minRank), ...range }] }));
}

/** A scratch value of the storage of `like`. */
export function scratch(like: Value, shape: readonly number[]): Value {
  const data = like.data instanceof Float32Array || like.data instanceof Float64Array ? like.data : allocate('f64', 0);
  const n = sizeOf(shape);
  return { data: data instanceof Float32Array ? new Float32Array(n) : new Float64Array(n), shape, dtype: like.dtype };
}
