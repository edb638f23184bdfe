// What an op is: one record with its shape rule, its gradient, its reference kernel, its ONNX lowering, its cost and its
// random samples for the conformance suite. Adding an op means writing one record and listing it in `ops/table.ts`.
import type { Dtype, TypedArray } from './dtype.ts';
import type { Attrs, GraphNode, Port, TensorType } from './graph.ts';
import type { Rng } from './rng.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** A value while the reference executor runs. `data` may be wider than `dtype` (f64 arithmetic for f32 graphs). */
export interface Value {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** What a gradient rule sees. */
export interface VjpContext {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attrs: Attrs;
  /** One per output port; undefined where nothing arrived (zero). At least one is defined. */
  readonly cotangents: readonly (Tensor | undefined)[];
  /** True when the gradient with respect to input `i` is wanted. */
  needs(i: number): boolean;
}

/** An ONNX attribute: a number is an int, `{ float }` a float, a list ints. */
export type OnnxAttr = number | string | { readonly float: number } | readonly number[];

/**
 * Whom a graph is written for: `train` may use ONNX Runtime's own domain `com.microsoft`; `webgpu` too, but none of the operators
 * that its WebGPU kernels get wrong; `export` only the standard domain.
 */
export type OnnxTarget = 'train' | 'webgpu' | 'export';

/** What a lowering writes to. All names are ONNX value names; the emitter makes them unique (prefix `%`). */
export interface OnnxEmitter {
  readonly target: OnnxTarget;
  readonly opset: number;
  /** Value name of a port. */
  name(port: Port): string;
  /** Shape and dtype of a port. */
  type(port: Port): TensorType;
  /** True when output `port` of `node` is read by anything. */
  used(node: GraphNode, port: number): boolean;
  /** Adds a node and returns the names of its outputs; an empty input name is an absent optional input. */
  node(
    opType: string,
    inputs: readonly string[],
    attrs?: Readonly<Record<string, OnnxAttr>>,
    outputs?: number,
    domain?: string,
  ): string[];
  /** A rank-1 i64 initializer. */
  i64(values: readonly number[]): string;
  /** A rank-0 initializer. */
  scalar(value: number, dtype: Dtype): string;
  /** An initializer. */
  tensor(data: TypedArray, shape: Shape, dtype: Dtype): string;
  /** Says which value names are the outputs of `node`; an alias of an input is allowed. `''` for an unused output. */
  bind(node: GraphNode, outputs: readonly string[]): void;
}

/** One random use of an op, for the conformance suite. */
export interface OpSample {
  readonly inputs: readonly SampleInput[];
  readonly attrs?: Attrs;
  /** Checks gradients at this sample (default true when the op has a gradient). */
  readonly gradient?: boolean;
}

export interface SampleInput {
  readonly shape: Shape;
  /** Default: the float type under test. */
  readonly dtype?: Dtype;
  /** Uniform range of floats and integers (integers: low to high - 1). Default -1 to 1. */
  readonly low?: number;
  readonly high?: number;
  /** Exact values instead of random ones. */
  readonly data?: readonly number[];
}

export interface OpRecord {
  readonly name: string;
  /** Types of the outputs; throws `CairnError` on a misuse. */
  infer(inputs: readonly TensorType[], attrs: Attrs): readonly TensorType[];
  /** Cotangents of the inputs, written in ops; undefined entries mean no gradient. Absent: no gradient at all. */
  readonly vjp?: (context: VjpContext) => readonly (Tensor | undefined)[];
  /** Computes outputs, which are allocated and zeroed. Shapes are concrete. */
  reference(inputs: readonly Value[], attrs: Attrs, outputs: readonly Value[]): void;
  /** Writes ONNX nodes and binds the outputs. */
  onnx(emit: OnnxEmitter, node: GraphNode): void;
  /** Floating-point operations of one run. */
  flops(inputs: readonly TensorType[], outputs: readonly TensorType[], attrs: Attrs): number;
  /** Bytes of outputs it writes; 0 for aliases (reshape). Default: the size of the outputs. */
  readonly bytes?: (inputs: readonly TensorType[], outputs: readonly TensorType[], attrs: Attrs) => number;
  /** Samples for the conformance suite, for arithmetic in `dtype`. */
  readonly samples?: (rng: Rng, dtype: 'f32' | 'f64') => readonly OpSample[];
}
