// The error function, which ONNX Runtime has in f32 only: f64 graphs get a power series, exact to 1e-15.
import type { OnnxEmitter, OpRecord } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { apply, checkDtypes, floats, lowerTo, perElement, unarySamples } from './_apply.ts';
import { map1 } from './_kernel.ts';

const LIMIT = 6; // erf(6) rounds to 1
const TERMS = 130;
const FACTOR = 1.1283791670955126; // 2 / sqrt(pi)

/** The error function of one number: erf(x) = 2/sqrt(pi) x exp(-x^2) (1 + z/3 (1 + z/5 (1 + z/7 ...))) with z = 2 x^2: all terms positive. */
export function erfOf(x: number): number {
  const c = Math.max(-LIMIT, Math.min(LIMIT, x));
  const z = 2 * c * c;
  let sum = 1;
  for (let k = TERMS; k >= 1; k--) sum = 1 + (z / (2 * k + 1)) * sum;
  return FACTOR * c * Math.exp(-c * c) * sum;
}

function lowerSeries(emit: OnnxEmitter, x: string): string[] {
  const number = (v: number): string => emit.scalar(v, 'f64');
  const op = (name: string, ...inputs: string[]): string => emit.node(name, inputs)[0]!;
  const one = number(1);
  const c = op('Min', op('Max', x, number(-LIMIT)), number(LIMIT));
  const square = op('Mul', c, c);
  const z = op('Mul', square, number(2));
  let sum = op('Add', op('Mul', z, number(1 / (2 * TERMS + 1))), one);
  for (let k = TERMS - 1; k >= 1; k--) sum = op('Add', op('Mul', op('Mul', z, number(1 / (2 * k + 1))), sum), one);
  const bell = op('Mul', op('Mul', c, number(FACTOR)), op('Exp', op('Neg', square)));
  return [op('Mul', bell, sum)];
}

export const erfOp: OpRecord = {
  name: 'erf',
  infer(inputs) {
    checkDtypes(inputs, floats);
    return [inputs[0]!];
  },
  vjp(c) {
    const x = c.inputs[0]!;
    return [c.cotangents[0]!.mul(x.mul(x).neg().exp().mul(FACTOR))];
  },
  reference: map1(erfOf),
  onnx(emit, node) {
    if (node.outputs[0]!.dtype === 'f64') emit.bind(node, lowerSeries(emit, emit.name(node.inputs[0]!)));
    else lowerTo('Erf')(emit, node);
  },
  flops: perElement(20),
  samples: unarySamples({ low: -3, high: 3 }),
};

/** The error function `2/sqrt(pi) * integral of exp(-t^2) from 0 to x`. */
export function erf(x: Tensor): Tensor {
  return apply(erfOp, [x]);
}

/** Gaussian error linear unit, exact form: `0.5 x (1 + erf(x / sqrt 2))`. */
export function geluExact(x: Tensor): Tensor {
  return x.mul(0.5).mul(erf(x.mul(Math.SQRT1_2)).add(1));
}
