// Modules as plain data: a layer is a JSON value that says what it is; `forward` in forward.ts builds it. Parameters and
// hook points are named by the path of keys that leads to a layer, so a module can be printed, stored and compared.
import { CairnError } from '../errors.ts';

/** `x W + b`, `[..., inputs] -> [..., outputs]`; parameters `weight [inputs, outputs]` and `bias [outputs]`. */
export interface Linear {
  readonly kind: 'linear';
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  /** Standard deviation of the first weights; default 1 / sqrt(inputs). */
  readonly std?: number;
}

/** Rows of a table, i32 `[...] -> [..., width]`; parameter `weight [count, width]`. */
export interface Embedding {
  readonly kind: 'embedding';
  readonly count: number;
  readonly width: number;
  readonly std: number;
}

/** Root-mean-square norm over the last axis; parameter `gain [width]`. */
export interface RmsNorm {
  readonly kind: 'rms-norm';
  readonly width: number;
  readonly eps: number;
}

/** Layer norm over the last axis; parameters `gain [width]` and `bias [width]`. */
export interface LayerNorm {
  readonly kind: 'layer-norm';
  readonly width: number;
  readonly eps: number;
}

export type ActivationName = 'relu' | 'gelu' | 'silu' | 'tanh' | 'sigmoid' | 'relu-squared';

export interface Activation {
  readonly kind: 'activation';
  readonly name: ActivationName;
}

/** `(x + shift) * scale` with fixed numbers: puts raw inputs on a common scale. */
export interface Rescale {
  readonly kind: 'rescale';
  readonly scale: number;
  readonly shift: number;
}

/** Keeps the leading (batch) axis and gives the rest the shape `[...shape]`. */
export interface Reshape {
  readonly kind: 'reshape';
  readonly shape: readonly number[];
}

/** 2-d convolution `[B, inputs, H, W] -> [B, outputs, H', W']`; `weight [outputs, inputs, kernel, kernel]`, `bias`. */
export interface Conv2d {
  readonly kind: 'conv2d';
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Pooling of `[B, C, H, W]` in windows that do not overlap. */
export interface Pool2d {
  readonly kind: 'pool2d';
  readonly how: 'max' | 'avg';
  readonly size: number;
}

/** Layers one after the other, each under its key. */
export interface Sequential {
  readonly kind: 'sequential';
  readonly layers: Readonly<Record<string, Layer>>;
}

export type Layer =
  | Linear
  | Embedding
  | RmsNorm
  | LayerNorm
  | Activation
  | Rescale
  | Reshape
  | Conv2d
  | Pool2d
  | Sequential;

export const linear = (inputs: number, outputs: number, options: { bias?: boolean; std?: number } = {}): Linear => ({
  kind: 'linear',
  inputs,
  outputs,
  bias: options.bias ?? true,
  ...(options.std === undefined ? {} : { std: options.std }),
});
export const embedding = (count: number, width: number, std = 0.02): Embedding => ({
  kind: 'embedding',
  count,
  width,
  std,
});
export const rmsNorm = (width: number, eps = 1e-6): RmsNorm => ({ kind: 'rms-norm', width, eps });
export const layerNorm = (width: number, eps = 1e-5): LayerNorm => ({ kind: 'layer-norm', width, eps });
export const activation = (name: ActivationName): Activation => ({ kind: 'activation', name });
export const rescale = (scale: number, shift = 0): Rescale => ({ kind: 'rescale', scale, shift });
export const reshape = (...shape: number[]): Reshape => ({ kind: 'reshape', shape });
export const conv2d = (
  inputs: number,
  outputs: number,
  kernel: number,
  options: { stride?: number; padding?: number } = {},
): Conv2d => ({ kind: 'conv2d', inputs, outputs, kernel, stride: options.stride ?? 1, padding: options.padding ?? 0 });
export const maxPool = (size: number): Pool2d => ({ kind: 'pool2d', how: 'max', size });
export const avgPool = (size: number): Pool2d => ({ kind: 'pool2d', how: 'avg', size });

/**
 * Layers one after the other.
 * @example
 * const net = sequential({ hidden: linear(784, 120), act: activation('relu'), out: linear(120, 10) });
 * countParameters(net); // 95410
 */
export function sequential(layers: Readonly<Record<string, Layer>>): Sequential {
  for (const key of Object.keys(layers)) {
    if (!/^[A-Za-z_]\w*$/.test(key)) {
      throw new CairnError('bad_name', `Expected layer names of letters, digits and _, got "${key}".`);
    }
  }
  return { kind: 'sequential', layers };
}

/** Shapes of a layer's own parameters, by local name. */
export function parameterShapes(layer: Layer): Record<string, readonly number[]> {
  switch (layer.kind) {
    case 'linear':
      return { weight: [layer.inputs, layer.outputs], ...(layer.bias ? { bias: [layer.outputs] } : {}) };
    case 'embedding':
      return { weight: [layer.count, layer.width] };
    case 'rms-norm':
      return { gain: [layer.width] };
    case 'layer-norm':
      return { gain: [layer.width], bias: [layer.width] };
    case 'conv2d':
      return { weight: [layer.outputs, layer.inputs, layer.kernel, layer.kernel], bias: [layer.outputs] };
    case 'activation':
    case 'rescale':
    case 'reshape':
    case 'pool2d':
      return {};
    case 'sequential':
      return Object.fromEntries(
        Object.entries(layer.layers).flatMap(([key, child]) =>
          Object.entries(parameterShapes(child)).map(([name, shape]) => [`${key}.${name}`, shape]),
        ),
      );
    default:
      return layer satisfies never;
  }
}

/** Number of trained numbers. */
export function countParameters(layer: Layer): number {
  return Object.values(parameterShapes(layer)).reduce((n, shape) => n + shape.reduce((m, d) => m * d, 1), 0);
}

/** A module as an indented tree, one layer a line. */
export function describeModule(layer: Layer, name = 'model', indent = ''): string {
  const own = layer.kind === 'sequential' ? '' : ` ${settings(layer)}`;
  const head = `${indent}${name}: ${layer.kind}${own.trimEnd()} (${countParameters(layer)} parameters)`;
  if (layer.kind !== 'sequential') return head;
  return [head, ...Object.entries(layer.layers).map(([k, child]) => describeModule(child, k, `${indent}  `))].join(
    '\n',
  );
}

function settings(layer: Layer): string {
  return Object.entries(layer)
    .filter(([key]) => key !== 'kind')
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join('x') : String(value)}`)
    .join(' ');
}
