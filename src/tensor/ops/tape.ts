// Ops that change gradients and nothing else: stopGradient and customGradient. Both are aliases at run time.
import { CairnError } from '../../errors.ts';
import type { CustomBackward } from '../builder.ts';
import type { OpRecord } from '../op.ts';
import { sameShape, shapeText } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, noFlops } from './_apply.ts';

export const stopGradientOp: OpRecord = {
  name: 'stopGradient',
  infer: ([x]) => [x!],
  reference: ([x], _attrs, [y]) => y!.data.set(x!.data),
  onnx: (emit, node) => emit.bind(node, [emit.name(node.inputs[0]!)]),
  flops: noFlops,
  bytes: () => 0,
  samples: () => [{ inputs: [{ shape: [2, 3] }] }, { inputs: [{ shape: [] }] }],
};

/** Inputs: the forward result, then the inputs it is a function of. The gradient never enters the first. */
export const customGradientOp: OpRecord = {
  name: 'customGradient',
  infer: ([y]) => [y!],
  vjp(c) {
    const inputs = c.inputs.slice(1);
    const y = c.outputs[0]!;
    const cotangents = y.builder.backward(c.attrs['id'] as number)(y, c.cotangents[0]!, ...inputs);
    inputs.forEach((x, i) => {
      const g = cotangents[i];
      if (g && !sameShape(g.shape, x.shape)) {
        throw new CairnError(
          'shape_mismatch',
          `Expected a gradient ${shapeText(x.shape)} for input ${i} of a custom gradient, got ${shapeText(g.shape)}.`,
        );
      }
    });
    return [undefined, ...cotangents];
  },
  reference: ([y], _attrs, [out]) => out!.data.set(y!.data),
  onnx: (emit, node) => emit.bind(node, [emit.name(node.inputs[0]!)]),
  flops: noFlops,
  bytes: () => 0,
};

/** `x` with gradient zero. */
export function stopGradient(x: Tensor): Tensor {
  return apply(stopGradientOp, [x]);
}

/**
 * `forward(...inputs)` with the gradient that `backward` says. Both are graph functions; `backward` gets the output, its
 * cotangent and the inputs, and returns one cotangent per input (undefined: zero).
 *
 * @example
 * const reversed = customGradient([x], (x) => x, (_y, g) => [g.neg()]); // gradient reversal
 */
export function customGradient(
  inputs: readonly [Tensor, ...Tensor[]],
  forward: (...inputs: Tensor[]) => Tensor,
  backward: CustomBackward,
): Tensor {
  const y = forward(...inputs);
  return apply(customGradientOp, [y, ...inputs], { id: y.builder.registerBackward(backward) });
}

/** The value of `hard` with the gradient of `soft` (Bengio et al. 2013). */
export function straightThrough(hard: Tensor, soft: Tensor): Tensor {
  return soft.add(stopGradient(hard.sub(soft)));
}
