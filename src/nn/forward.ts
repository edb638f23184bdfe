// Builds a module into a program: declares its parameters under the open scope, taps its hook points, returns its output.
// Not an executor; nothing is computed here.
import { CairnError } from '../errors.ts';
import {
  avgPool as avgPoolOf,
  type Builder,
  conv,
  gather,
  layerNorm as layerNormOf,
  linear as affine,
  maxPool as maxPoolOf,
  normal,
  ones,
  rmsNorm as rmsNormOf,
  scaledNormal,
  type Tensor,
  zeros,
} from '../tensor/index.ts';
import type { ActivationName, Embedding, Layer, Linear } from './module.ts';

/**
 * Applies a layer to `x` under the open scope: its parameters are `b.path('weight')`, …, its hooks `b.path('hook_out')`.
 * @throws CairnError `shape_mismatch` naming the scope when `x` does not fit.
 * @example
 * const net = sequential({ hidden: linear(4, 8), act: activation('relu'), out: linear(8, 2) });
 * defineProgram((b) => b.output('y', forward(b, net, b.input('x', [1, 4]))));
 */
export function forward(b: Builder, layer: Layer, x: Tensor): Tensor {
  switch (layer.kind) {
    case 'linear':
      return applyLinear(b, layer, x);
    case 'embedding':
      return applyEmbedding(b, layer, x);
    case 'rms-norm':
      return rmsNormOf(x, b.param(b.path('gain'), [layer.width], ones), layer.eps);
    case 'layer-norm':
      return layerNormOf(
        x,
        b.param(b.path('gain'), [layer.width], ones),
        b.param(b.path('bias'), [layer.width], zeros),
        layer.eps,
      );
    case 'activation':
      return activate(layer.name, x);
    case 'rescale':
      return (layer.shift === 0 ? x : x.add(layer.shift)).mul(layer.scale);
    case 'reshape':
      return x.reshape([x.shape[0] ?? 1, ...layer.shape]);
    case 'conv2d': {
      const { inputs, outputs, kernel, stride, padding } = layer;
      const w = b.param(b.path('weight'), [outputs, inputs, kernel, kernel], scaledNormal(Math.SQRT2));
      const bias = b.param(b.path('bias'), [outputs], zeros);
      const y = conv(x, w, { stride, pad: padding });
      return y.add(bias.reshape([outputs, 1, 1]));
    }
    case 'pool2d':
      return (layer.how === 'max' ? maxPoolOf : avgPoolOf)(x, { window: layer.size });
    case 'sequential': {
      let h = x;
      for (const [key, child] of Object.entries(layer.layers)) {
        h = b.scope(key, () => b.tap(b.path('hook_out'), forward(b, child, h)));
      }
      return h;
    }
    default:
      return layer satisfies never;
  }
}

/** `[..., inputs] -> [..., outputs]` */
export function applyLinear(b: Builder, layer: Linear, x: Tensor): Tensor {
  if (x.shape.at(-1) !== layer.inputs) {
    throw new CairnError(
      'shape_mismatch',
      `Expected [..., ${layer.inputs}] for \`${b.currentScope}\`, got [${x.shape.join(',')}].`,
    );
  }
  const init = layer.std === undefined ? scaledNormal(1) : normal(layer.std);
  const w = b.param(b.path('weight'), [layer.inputs, layer.outputs], init);
  return affine(x, w, layer.bias ? b.param(b.path('bias'), [layer.outputs], zeros) : undefined);
}

/** i32 `[...] -> [..., width]` */
export function applyEmbedding(b: Builder, layer: Embedding, ids: Tensor): Tensor {
  return gather(b.param(b.path('weight'), [layer.count, layer.width], normal(layer.std), { decay: false }), ids);
}

/** Elementwise non-linearity by name. */
export function activate(name: ActivationName, x: Tensor): Tensor {
  switch (name) {
    case 'relu':
      return x.relu();
    case 'gelu':
      return x.gelu();
    case 'silu':
      return x.silu();
    case 'tanh':
      return x.tanh();
    case 'sigmoid':
      return x.sigmoid();
    case 'relu-squared': {
      const r = x.relu();
      return r.mul(r);
    }
    default:
      return name satisfies never;
  }
}
