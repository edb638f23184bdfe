// Activations. gelu is one op that keeps a single gate tensor for its gradient, relu one that keeps its output; the rest
// are composites.
import type { OpRecord } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { apply, applyAll, checkDtypes, floats, lowerTo, perElement, scalarLike, unarySamples } from './_apply.ts';
import { map1 } from './_kernel.ts';
import { customGradient } from './tape.ts';

// 0.5 x (1 + tanh(u)) = x sigmoid(2u) with 2u = x (A + B x^2): the tanh form of Hendrycks and Gimpel (2016).
const A = 2 * 0.7978845608028654;
const B = A * 0.044715;

/** Outputs y = x s and the gate s = sigmoid(A x + B x^3). */
export const geluOp: OpRecord = {
  name: 'gelu',
  infer(inputs) {
    checkDtypes(inputs, floats);
    return [inputs[0]!, inputs[0]!];
  },
  vjp(c) {
    const x = c.inputs[0]!;
    const [y, s] = c.outputs as [Tensor, Tensor];
    const [g, gs] = c.cotangents;
    const slope = x
      .mul(x)
      .mul(3 * B)
      .add(A);
    const rest = scalarLike(s, 1).sub(s);
    // dy/dx = s + y (1 - s) (A + 3 B x^2), ds/dx = s (1 - s) (A + 3 B x^2).
    const fromY = g?.mul(y.mul(rest).mul(slope).add(s));
    const fromS = gs?.mul(s.mul(rest).mul(slope));
    return [fromY && fromS ? fromY.add(fromS) : (fromY ?? fromS)];
  },
  reference([x], _attrs, [y, s]) {
    for (let i = 0; i < x!.data.length; i++) {
      const v = x!.data[i]!;
      const gate = 1 / (1 + Math.exp(-v * (A + B * v * v)));
      s!.data[i] = gate;
      y!.data[i] = v * gate;
    }
  },
  onnx(emit, node) {
    const x = emit.name(node.inputs[0]!);
    const { dtype } = node.outputs[0]!;
    if (!emit.used(node, 1) && emit.opset >= 20) {
      emit.bind(node, [...emit.node('Gelu', [x], { approximate: 'tanh' }), '']);
      return;
    }
    const square = emit.node('Mul', [x, x])[0]!;
    const scaled = emit.node('Mul', [square, emit.scalar(B, dtype)])[0]!;
    const shifted = emit.node('Add', [scaled, emit.scalar(A, dtype)])[0]!;
    const gate = emit.node('Sigmoid', emit.node('Mul', [x, shifted]))[0]!;
    emit.bind(node, [emit.node('Mul', [x, gate])[0]!, gate]);
  },
  flops: perElement(16),
  samples: unarySamples({ low: -3, high: 3 }),
};

/** Gaussian error linear unit, tanh form: `0.5 x (1 + tanh(0.79788 (x + 0.044715 x^3)))`. */
export function gelu(x: Tensor): Tensor {
  return applyAll(geluOp, [x])[0]!;
}

export const reluOp: OpRecord = {
  name: 'relu',
  infer(inputs) {
    checkDtypes(inputs, [...floats, 'i32']);
    return [inputs[0]!];
  },
  vjp: (c) => [c.outputs[0]!.gt(0).where(c.cotangents[0]!, 0)],
  reference: map1((x) => (x < 0 ? 0 : x)),
  onnx: lowerTo('Relu'),
  flops: perElement(1),
  samples: unarySamples({ low: -2, high: 2 }),
};

/** `max(x, 0)`, gradient 0 at 0. */
export function relu(x: Tensor): Tensor {
  return apply(reluOp, [x]);
}

/** `x sigmoid(x)`. */
export function silu(x: Tensor): Tensor {
  const s = x.sigmoid();
  return customGradient(
    [x],
    (x) => x.mul(s),
    (y, g, x) => {
      const gate = x.sigmoid();
      return [g.mul(y.mul(scalarLike(y, 1).sub(gate)).add(gate))];
    },
  );
}

/** `log(1 + exp(x))` without overflow. */
export function softplus(x: Tensor): Tensor {
  return x.max(0).add(x.abs().neg().exp().add(1).log());
}

/** `log(sigmoid(x))` without underflow. */
export function logSigmoid(x: Tensor): Tensor {
  return softplus(x.neg()).neg();
}
