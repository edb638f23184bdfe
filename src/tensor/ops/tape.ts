// Ops that change gradients and nothing else: stopGradient and customGradient. Both are aliases at run time.
import { CairnError } from '../../errors.ts';
import type { CustomBackward } from '../builder.ts';
import type { Attrs } from '../graph.ts';
import type { OpRecord } from '../op.ts';
import { sameShape, shapeText } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, applyAll, noFlops } from './_apply.ts';

export const stopGradientOp: OpRecord = {
  name: 'stopGradient',
  infer: ([x]) => [x!],
  reference: ([x], _attrs, [y]) => y!.data.set(x!.data),
  onnx: (emit, node) => emit.bind(node, [emit.name(node.inputs[0]!)]),
  flops: noFlops,
  bytes: () => 0,
  samples: () => [{ inputs: [{ shape: [2, 3] }] }, { inputs: [{ shape: [] }] }],
};

const resultsOf = (attrs: Attrs): number => (attrs['results'] as number | undefined) ?? 1;

/** Inputs: the forward results, then the inputs they are a function of. The gradient never enters the first. */
export const customGradientOp: OpRecord = {
  name: 'customGradient',
  infer: (inputs, attrs) => inputs.slice(0, resultsOf(attrs)),
  vjp(c) {
    const results = resultsOf(c.attrs);
    const inputs = c.inputs.slice(results);
    const { builder } = c.inputs[0]!;
    const cotangents = builder.backward(c.attrs['id'] as number)(c.outputs, c.cotangents, inputs);
    inputs.forEach((x, i) => {
      const g = cotangents[i];
      if (g && !sameShape(g.shape, x.shape)) {
        throw new CairnError(
          'shape_mismatch',
          `Expected a gradient ${shapeText(x.shape)} for input ${i} of a custom gradient, got ${shapeText(g.shape)}.`,
        );
      }
    });
    return [...Array.from({ length: results }, () => undefined), ...cotangents];
  },
  reference: (inputs, _attrs, outputs) => outputs.forEach((out, i) => out.data.set(inputs[i]!.data)),
  onnx: (emit, node) =>
    emit.bind(
      node,
      node.outputs.map((_, i) => emit.name(node.inputs[i]!)),
    ),
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
  backward: (y: Tensor, g: Tensor, ...inputs: Tensor[]) => readonly (Tensor | undefined)[],
): Tensor {
  const y = forward(...inputs);
  const id = y.builder.registerBackward(([out], [g], xs) => backward(out!, g!, ...xs));
  return apply(customGradientOp, [y, ...inputs], { id });
}

/**
 * The same for several results whose gradients are computed together; a result that nobody uses has no cotangent.
 *
 * @example
 * const [sum, difference] = customGradients([x, y], (x, y) => [x.add(y), x.sub(y)], (_out, [s, d]) => …);
 */
export function customGradients(
  inputs: readonly [Tensor, ...Tensor[]],
  forward: (...inputs: Tensor[]) => readonly [Tensor, ...Tensor[]],
  backward: CustomBackward,
): Tensor[] {
  const ys = forward(...inputs);
  const id = ys[0].builder.registerBackward(backward);
  return applyAll(customGradientOp, [...ys, ...inputs], { id, results: ys.length });
}

/** The value of `hard` with the gradient of `soft` (Bengio et al. 2013). */
export function straightThrough(hard: Tensor, soft: Tensor): Tensor {
  return soft.add(stopGradient(hard.sub(soft)));
}
