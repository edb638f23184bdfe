// A lazy tensor: a shape, a dtype and a place in a graph. It never holds numbers; run the program to get those.
import { CairnError } from '../errors.ts';
import type { Builder } from './builder.ts';
import type { Dtype } from './dtype.ts';
import type { Port, TensorType } from './graph.ts';
import type { Operand } from './ops/_apply.ts';
import * as activation from './ops/activation.ts';
import * as element from './ops/elementwise.ts';
import * as indexing from './ops/indexing.ts';
import { matmul, type MatmulOptions } from './ops/matmul.ts';
import { softmax } from './ops/norm.ts';
import * as reduce from './ops/reduce.ts';
import * as shaping from './ops/reshape.ts';
import * as cutting from './ops/slice.ts';
import { stopGradient } from './ops/tape.ts';
import type { Shape } from './shape.ts';
import { shapeText } from './shape.ts';

/**
 * A node of a graph under construction, with the usual ops as chainable methods. Everything else is a function.
 *
 * @example
 * const y = x.matmul(w).add(b).gelu(); // [batch, hidden]
 */
export class Tensor {
  readonly builder: Builder;
  readonly port: Port;
  readonly shape: Shape;
  readonly dtype: Dtype;

  constructor(builder: Builder, port: Port, type: TensorType) {
    this.builder = builder;
    this.port = port;
    this.shape = type.shape;
    this.dtype = type.dtype;
  }

  get rank(): number {
    return this.shape.length;
  }

  add(b: Operand): Tensor {
    return element.add(this, b);
  }
  sub(b: Operand): Tensor {
    return element.sub(this, b);
  }
  mul(b: Operand): Tensor {
    return element.mul(this, b);
  }
  div(b: Operand): Tensor {
    return element.div(this, b);
  }
  pow(b: Operand): Tensor {
    return element.pow(this, b);
  }
  max(b: Operand): Tensor {
    return element.max(this, b);
  }
  min(b: Operand): Tensor {
    return element.min(this, b);
  }
  mod(b: Operand): Tensor {
    return element.mod(this, b);
  }
  eq(b: Operand): Tensor {
    return element.eq(this, b);
  }
  lt(b: Operand): Tensor {
    return element.lt(this, b);
  }
  le(b: Operand): Tensor {
    return element.le(this, b);
  }
  gt(b: Operand): Tensor {
    return element.gt(this, b);
  }
  ge(b: Operand): Tensor {
    return element.ge(this, b);
  }
  and(b: Tensor): Tensor {
    return element.and(this, b);
  }
  or(b: Tensor): Tensor {
    return element.or(this, b);
  }
  not(): Tensor {
    return element.not(this);
  }
  /** This as a condition: `a` where true, else `b`. */
  where(a: Operand, b: Operand): Tensor {
    return element.where(this, a, b);
  }
  neg(): Tensor {
    return element.neg(this);
  }
  exp(): Tensor {
    return element.exp(this);
  }
  log(): Tensor {
    return element.log(this);
  }
  sqrt(): Tensor {
    return element.sqrt(this);
  }
  tanh(): Tensor {
    return element.tanh(this);
  }
  sigmoid(): Tensor {
    return element.sigmoid(this);
  }
  sin(): Tensor {
    return element.sin(this);
  }
  cos(): Tensor {
    return element.cos(this);
  }
  abs(): Tensor {
    return element.abs(this);
  }
  sign(): Tensor {
    return element.sign(this);
  }
  floor(): Tensor {
    return element.floor(this);
  }
  cast(to: Dtype): Tensor {
    return element.cast(this, to);
  }
  relu(): Tensor {
    return activation.relu(this);
  }
  gelu(): Tensor {
    return activation.gelu(this);
  }
  silu(): Tensor {
    return activation.silu(this);
  }
  softmax(axis = -1): Tensor {
    return softmax(this, axis);
  }
  sum(axes?: number | readonly number[], keepDims = false): Tensor {
    return reduce.sum(this, axes, keepDims);
  }
  mean(axes?: number | readonly number[], keepDims = false): Tensor {
    return reduce.mean(this, axes, keepDims);
  }
  amax(axes?: number | readonly number[], keepDims = false): Tensor {
    return reduce.amax(this, axes, keepDims);
  }
  cumsum(axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Tensor {
    return reduce.cumsum(this, axis, options);
  }
  matmul(b: Tensor, options: MatmulOptions = {}): Tensor {
    return matmul(this, b, options);
  }
  reshape(shape: readonly number[]): Tensor {
    return shaping.reshape(this, shape);
  }
  transpose(perm?: readonly number[]): Tensor {
    return shaping.transpose(this, perm);
  }
  swapAxes(a = -1, b = -2): Tensor {
    return shaping.swapAxes(this, a, b);
  }
  expand(shape: readonly number[]): Tensor {
    return shaping.expand(this, shape);
  }
  slice(starts: readonly number[], ends?: readonly number[], steps?: readonly number[]): Tensor {
    return cutting.slice(this, starts, ends, steps);
  }
  /** One axis from `start` to before `end`. */
  sliceAxis(axis: number, start: number, end?: number, step = 1): Tensor {
    return cutting.sliceAxis(this, axis, start, end, step);
  }
  pad(lo: readonly number[], hi: readonly number[], value = 0): Tensor {
    return cutting.pad(this, lo, hi, value);
  }
  unsqueeze(axis: number): Tensor {
    return shaping.unsqueeze(this, axis);
  }
  squeeze(axis?: number): Tensor {
    return shaping.squeeze(this, axis);
  }
  gather(idx: Tensor, axis = 0): Tensor {
    return indexing.gather(this, idx, axis);
  }
  gatherElements(idx: Tensor, axis = -1): Tensor {
    return indexing.gatherElements(this, idx, axis);
  }
  stopGradient(): Tensor {
    return stopGradient(this);
  }

  /** Always throws: a graph tensor has no numbers. */
  get data(): never {
    throw notFetched();
  }

  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    throw notFetched();
  }

  toString(): string {
    return `Tensor ${this.dtype}${shapeText(this.shape)}`;
  }
}

function notFetched(): CairnError {
  return new CairnError(
    'not_fetched',
    'Expected a fetched output, got a graph tensor. Name it in `outputs` and run the program.',
    {
      hint: 'Use b.output(name, t) and read the result of program.run.',
    },
  );
}
