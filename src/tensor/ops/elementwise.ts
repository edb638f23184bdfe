// Unary, binary and logic ops. All broadcast as NumPy does; binary ops accept numbers. Op files call the ops of other
// families through the methods of Tensor, so that no two of them import each other.
import { CairnError } from '../../errors.ts';
import type { Dtype } from '../dtype.ts';
import { isFloat, toHalf, fromHalf } from '../dtype.ts';
import type { Attrs } from '../graph.ts';
import type { OpRecord, OpSample, VjpContext } from '../op.ts';
import type { Rng } from '../rng.ts';
import { broadcastShapes, sameShape, unbroadcastAxes } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import {
  anyDtype,
  apply,
  checkDtypes,
  floats,
  lift,
  lowerTo,
  noFlops,
  numbers,
  type Operand,
  perElement,
  randomShape,
  scalarLike,
  unarySamples,
} from './_apply.ts';
import { broadcastOffsets, map1, map2 } from './_kernel.ts';

/** Sums a gradient down to the shape of an operand that was broadcast. Identity when nothing was. */
export function unbroadcast(g: Tensor, like: { readonly shape: readonly number[] }): Tensor {
  const axes = unbroadcastAxes(g.shape, like.shape);
  const reduced = axes.length === 0 ? g : g.sum(axes, true);
  return reduced.shape.length === like.shape.length ? reduced : reduced.reshape(like.shape);
}

function unaryOp(
  name: string,
  onnxOp: string,
  f: (x: number) => number,
  vjp: ((c: VjpContext, g: Tensor) => Tensor) | undefined,
  options: { allowed?: string[]; cost?: number; low?: number; high?: number } = {},
): OpRecord {
  return {
    name,
    infer(inputs) {
      checkDtypes(inputs, options.allowed ?? floats);
      return [inputs[0]!];
    },
    ...(vjp === undefined ? {} : { vjp: (c: VjpContext) => [vjp(c, c.cotangents[0]!)] }),
    reference: map1(f),
    onnx: lowerTo(onnxOp),
    flops: perElement(options.cost ?? 1),
    samples: unarySamples({ low: options.low ?? -2, high: options.high ?? 2 }),
  };
}

const x0 = (c: VjpContext): Tensor => c.inputs[0]!;
const y0 = (c: VjpContext): Tensor => c.outputs[0]!;
const signed = [...floats, 'i32'];

export const negOp = unaryOp(
  'neg',
  'Neg',
  (x) => -x,
  (_c, g) => neg(g),
  { allowed: signed },
);
export const expOp = unaryOp('exp', 'Exp', Math.exp, (c, g) => mul(g, y0(c)), { cost: 8 });
export const logOp = unaryOp('log', 'Log', Math.log, (c, g) => div(g, x0(c)), { cost: 8, low: 0.3, high: 3 });
export const sqrtOp = unaryOp('sqrt', 'Sqrt', Math.sqrt, (c, g) => div(g, mul(y0(c), 2)), {
  cost: 4,
  low: 0.3,
  high: 3,
});
export const tanhOp = unaryOp('tanh', 'Tanh', Math.tanh, (c, g) => mul(g, sub(1, mul(y0(c), y0(c)))), { cost: 10 });
export const sigmoidOp = unaryOp(
  'sigmoid',
  'Sigmoid',
  (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  (c, g) => mul(g, mul(y0(c), sub(1, y0(c)))),
  { cost: 10 },
);
export const sinOp = unaryOp('sin', 'Sin', Math.sin, (c, g) => mul(g, cos(x0(c))), { cost: 10 });
export const cosOp = unaryOp('cos', 'Cos', Math.cos, (c, g) => neg(mul(g, sin(x0(c)))), { cost: 10 });
export const absOp = unaryOp('abs', 'Abs', Math.abs, (c, g) => mul(g, sign(x0(c))), { allowed: signed, low: 0.2 });
export const signOp = unaryOp('sign', 'Sign', Math.sign, undefined, { allowed: signed });
export const floorOp = unaryOp('floor', 'Floor', Math.floor, undefined);

/** A binary operator; on WebGPU its inputs are widened first where the kernel broadcasts wrongly (Pow, and all that give bools). */
function lowerBroadcast(opType: string): OpRecord['onnx'] {
  return (emit, node) => {
    const { shape, dtype } = node.outputs[0]!;
    const widen = emit.target === 'webgpu' && (opType === 'Pow' || dtype === 'bool');
    const inputs = node.inputs.map((p) => {
      const name = emit.name(p);
      return widen && !sameShape(emit.type(p).shape, shape) ? emit.node('Expand', [name, emit.i64(shape)])[0]! : name;
    });
    emit.bind(node, emit.node(opType, inputs));
  };
}

function binaryOp(
  name: string,
  onnxOp: string,
  f: (a: number, b: number) => number,
  vjp: ((c: VjpContext, g: Tensor) => [() => Tensor, () => Tensor]) | undefined,
  options: { allowed?: string[]; result?: Dtype; ranges?: [number, number, number, number]; integer?: boolean } = {},
): OpRecord {
  const [aLow, aHigh, bLow, bHigh] = options.ranges ?? [-2, 2, -2, 2];
  return {
    name,
    infer(inputs) {
      checkDtypes(inputs, options.allowed ?? numbers);
      const shape = broadcastShapes(inputs[0]!.shape, inputs[1]!.shape);
      return [{ shape, dtype: options.result ?? inputs[0]!.dtype }];
    },
    ...(vjp === undefined
      ? {}
      : {
          vjp: (c: VjpContext) => {
            const parts = vjp(c, c.cotangents[0]!);
            return parts.map((part, i) => (c.needs(i) ? unbroadcast(part(), c.inputs[i]!) : undefined));
          },
        }),
    reference: map2(f),
    onnx: lowerBroadcast(onnxOp),
    flops: perElement(1),
    samples: (rng) =>
      Array.from({ length: 8 }, (_, k) => {
        const [a, b] = broadcastPair(rng);
        const dtype = options.integer === true && k === 7 ? { dtype: 'i32' as const } : {};
        const scale = dtype.dtype ? 9 : 1;
        return {
          inputs: [
            { shape: a, low: aLow * scale, high: aHigh * scale, ...dtype },
            { shape: b, low: Math.max(bLow, dtype.dtype ? 1 : bLow) * scale, high: bHigh * scale, ...dtype },
          ],
        };
      }),
  };
}

/** Two random shapes that broadcast against each other. */
export function broadcastPair(rng: Rng): [number[], number[]] {
  const full = randomShape(rng, 4);
  const thin = (): number[] => full.map((d) => (rng.bernoulli(0.3) ? 1 : d)).slice(rng.integer(full.length + 1));
  return rng.bernoulli(0.3) ? [full, [...full]] : rng.bernoulli(0.5) ? [full, thin()] : [thin(), full];
}

export const addOp = binaryOp(
  'add',
  'Add',
  (a, b) => a + b,
  (_c, g) => [() => g, () => g],
  { integer: true },
);
export const subOp = binaryOp(
  'sub',
  'Sub',
  (a, b) => a - b,
  (_c, g) => [() => g, () => neg(g)],
  { integer: true },
);
export const mulOp = binaryOp(
  'mul',
  'Mul',
  (a, b) => a * b,
  (c, g) => [() => mul(g, c.inputs[1]!), () => mul(g, c.inputs[0]!)],
  { integer: true },
);
export const divOp: OpRecord = {
  ...binaryOp(
    'div',
    'Div',
    (a, b) => a / b,
    (c, g) => [() => div(g, c.inputs[1]!), () => neg(div(mul(g, y0(c)), c.inputs[1]!))],
    { ranges: [-2, 2, 0.5, 2], integer: true },
  ),
  reference(inputs, attrs, outputs) {
    const whole = !isFloat(outputs[0]!.dtype);
    map2(whole ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(inputs, attrs, outputs);
  },
};
export const powOp = binaryOp(
  'pow',
  'Pow',
  (a, b) => a ** b,
  (c, g) => [
    () => mul(g, mul(c.inputs[1]!, pow(c.inputs[0]!, sub(c.inputs[1]!, 1)))),
    () => mul(mul(g, y0(c)), log(c.inputs[0]!)),
  ],
  { allowed: floats, ranges: [0.5, 2, -2, 2] },
);

/** The share of the gradient that goes to the operand that wins; ties give half to each. */
function winnerShare(g: Tensor, winner: Tensor, loser: Tensor): Tensor {
  return where(lt(loser, winner), g, where(lt(winner, loser), scalarLike(g, 0), mul(g, 0.5)));
}
export const maxOp = binaryOp(
  'max',
  'Max',
  Math.max,
  (c, g) => [() => winnerShare(g, c.inputs[0]!, c.inputs[1]!), () => winnerShare(g, c.inputs[1]!, c.inputs[0]!)],
  { integer: true },
);
export const minOp = binaryOp(
  'min',
  'Min',
  Math.min,
  (c, g) => [
    () => winnerShare(g, neg(c.inputs[0]!), neg(c.inputs[1]!)),
    () => winnerShare(g, neg(c.inputs[1]!), neg(c.inputs[0]!)),
  ],
  { integer: true },
);
export const modOp: OpRecord = {
  ...binaryOp(
    'mod',
    'Mod',
    (a, b) => a - b * Math.floor(a / b),
    (c, g) => [() => g, () => neg(mul(g, floor(div(c.inputs[0]!, c.inputs[1]!))))],
    { ranges: [0.1, 0.9, 1, 2], integer: true },
  ),
  onnx(emit, node) {
    const [a, b] = node.inputs.map((p) => emit.name(p)) as [string, string];
    if (!isFloat(node.outputs[0]!.dtype)) {
      emit.bind(node, emit.node('Mod', [a, b]));
      return;
    }
    const quotient = emit.node('Floor', emit.node('Div', [a, b]));
    const product = emit.node('Mul', [b, quotient[0]!]);
    emit.bind(node, emit.node('Sub', [a, product[0]!]));
  },
};

const toBool = { result: 'bool' as const };
export const eqOp = binaryOp('eq', 'Equal', (a, b) => (a === b ? 1 : 0), undefined, {
  allowed: anyDtype,
  ...toBool,
  integer: true,
});
export const ltOp = binaryOp('lt', 'Less', (a, b) => (a < b ? 1 : 0), undefined, { ...toBool, integer: true });

function logicSamples(count: number): (rng: Rng) => OpSample[] {
  return (rng) =>
    Array.from({ length: 4 }, () => {
      const pair = broadcastPair(rng);
      return { inputs: pair.slice(0, count).map((shape) => ({ shape, dtype: 'bool' as const, low: 0, high: 2 })) };
    });
}
export const andOp: OpRecord = {
  ...binaryOp('and', 'And', (a, b) => a & b, undefined, { allowed: ['bool'] }),
  samples: logicSamples(2),
};
export const orOp: OpRecord = {
  ...binaryOp('or', 'Or', (a, b) => a | b, undefined, { allowed: ['bool'] }),
  samples: logicSamples(2),
};
export const notOp: OpRecord = {
  ...unaryOp('not', 'Not', (x) => 1 - x, undefined, { allowed: ['bool'] }),
  samples: logicSamples(1),
};

export const whereOp: OpRecord = {
  name: 'where',
  infer([c, a, b]) {
    checkDtypes([a!, b!], anyDtype);
    if (c!.dtype !== 'bool') {
      throw new CairnError('dtype_mismatch', `Expected a bool condition, got ${c!.dtype}.`, {
        hint: 'Compare with eq or lt first.',
      });
    }
    return [{ shape: broadcastShapes(c!.shape, broadcastShapes(a!.shape, b!.shape)), dtype: a!.dtype }];
  },
  vjp(c) {
    const [condition, a, b] = [c.inputs[0]!, c.inputs[1]!, c.inputs[2]!];
    const g = c.cotangents[0]!;
    const zero = scalarLike(g, 0);
    return [
      undefined,
      c.needs(1) ? unbroadcast(where(condition, g, zero), a) : undefined,
      c.needs(2) ? unbroadcast(where(condition, zero, g), b) : undefined,
    ];
  },
  reference([c, a, b], _attrs, [y]) {
    const [ic, ia, ib] = [c!, a!, b!].map((v) => broadcastOffsets(v.shape, y!.shape)) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = c!.data[ic[i]!]! ? a!.data[ia[i]!]! : b!.data[ib[i]!]!;
  },
  onnx: lowerTo('Where'),
  flops: perElement(1),
  samples: (rng) =>
    Array.from({ length: 6 }, () => {
      const [a, b] = broadcastPair(rng);
      const full = broadcastShapes(a, b);
      return { inputs: [{ shape: full, dtype: 'bool' as const, low: 0, high: 2 }, { shape: a }, { shape: b }] };
    }),
};

const castTo = (attrs: Attrs): Dtype => attrs['to'] as Dtype;
const onnxTypes: Readonly<Record<Dtype, number>> = { f32: 1, f64: 11, f16: 10, i32: 6, u32: 12, bool: 9 };

export const castOp: OpRecord = {
  name: 'cast',
  infer: ([x], attrs) => [{ shape: x!.shape, dtype: castTo(attrs) }],
  vjp(c) {
    const from = c.inputs[0]!.dtype;
    return isFloat(from) && isFloat(castTo(c.attrs)) ? [cast(c.cotangents[0]!, from)] : [];
  },
  reference([x], attrs, [y]) {
    const to = castTo(attrs);
    for (let i = 0; i < y!.data.length; i++) {
      const v = x!.data[i]!;
      if (to === 'bool') y!.data[i] = v === 0 ? 0 : 1;
      else y!.data[i] = to === 'f16' ? fromHalf(toHalf(v)) : isFloat(to) ? v : Math.trunc(v);
    }
  },
  onnx(emit, node) {
    emit.bind(node, emit.node('Cast', [emit.name(node.inputs[0]!)], { to: onnxTypes[castTo(node.attrs)] }));
  },
  flops: noFlops,
  samples: (rng, dtype) => [
    { inputs: [{ shape: randomShape(rng), low: -9, high: 9 }], attrs: { to: 'i32' }, gradient: false },
    { inputs: [{ shape: randomShape(rng), dtype: 'i32', low: -9, high: 9 }], attrs: { to: dtype }, gradient: false },
    { inputs: [{ shape: randomShape(rng), dtype: 'bool', low: 0, high: 2 }], attrs: { to: dtype }, gradient: false },
    { inputs: [{ shape: randomShape(rng), dtype: 'i32', low: -1, high: 2 }], attrs: { to: 'bool' }, gradient: false },
    { inputs: [{ shape: randomShape(rng) }], attrs: { to: dtype } },
  ],
};

/** Converts to another dtype; floats to integers truncate towards zero. Identity when it is that dtype already. */
export function cast(x: Tensor, to: Dtype): Tensor {
  return x.dtype === to ? x : apply(castOp, [x], { to });
}

const unary =
  (op: OpRecord) =>
  (x: Tensor): Tensor =>
    apply(op, [x]);
const binary =
  (op: OpRecord) =>
  (a: Operand, b: Operand): Tensor =>
    apply(op, lift(a, b));

/** `-x`. */
export const neg = unary(negOp);
/** `e ** x`. */
export const exp = unary(expOp);
/** Natural logarithm. */
export const log = unary(logOp);
/** Square root. */
export const sqrt = unary(sqrtOp);
/** Hyperbolic tangent. */
export const tanh = unary(tanhOp);
/** `1 / (1 + exp(-x))`, safe at both ends. */
export const sigmoid = unary(sigmoidOp);
/** Sine of radians. */
export const sin = unary(sinOp);
/** Cosine of radians. */
export const cos = unary(cosOp);
/** Absolute value; gradient 0 at 0. */
export const abs = unary(absOp);
/** -1, 0 or 1; no gradient. */
export const sign = unary(signOp);
/** Largest integer not above x; no gradient. */
export const floor = unary(floorOp);
/** Logical not of a bool tensor. */
export const not = unary(notOp);
/** Sum, broadcast. */
export const add = binary(addOp);
/** Difference, broadcast. */
export const sub = binary(subOp);
/** Product, broadcast. */
export const mul = binary(mulOp);
/** Quotient; integers truncate towards zero. */
export const div = binary(divOp);
/** `a ** b`. The gradient of the exponent is undefined for `a <= 0`. */
export const pow = binary(powOp);
/** Elementwise maximum; on ties each operand gets half the gradient. */
export const max = binary(maxOp);
/** Elementwise minimum; on ties each operand gets half the gradient. */
export const min = binary(minOp);
/** Remainder with the sign of the divisor: -7 mod 3 = 2. */
export const mod = binary(modOp);
/** `a == b` as bool. */
export const eq = binary(eqOp);
/** `a < b` as bool. */
export const lt = binary(ltOp);
/** Logical and of bool tensors. */
export const and = binary(andOp);
/** Logical or of bool tensors. */
export const or = binary(orOp);
/** `a <= b` as bool (`not (b < a)`). */
export const le = (a: Operand, b: Operand): Tensor => not(lt(b, a));
/** `a > b` as bool. */
export const gt = (a: Operand, b: Operand): Tensor => lt(b, a);
/** `a >= b` as bool (`not (a < b)`). */
export const ge = (a: Operand, b: Operand): Tensor => not(lt(a, b));

/** `condition ? a : b` elementwise, all three broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (typeof a === 'number' && typeof b === 'number') {
    const k = condition.builder;
    return apply(whereOp, [condition, k.constant(a), k.constant(b)]);
  }
  const [x, y] = lift(a, b) as [Tensor, Tensor];
  return apply(whereOp, [condition, x, y]);
}
