// Convolution and transposed convolution over one or two spatial axes, channels first. Not deep-learning "convolution
// layers" with bias (those are in nn/). Gradients unfold the input into shifted slices and multiply, which is a large GEMM.
import { CairnError } from '../../errors.ts';
import type { TensorType } from '../graph.ts';
import type { OpRecord, OpSample, Value, VjpContext } from '../op.ts';
import type { Rng } from '../rng.ts';
import { isSymbolic, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, checkDtypes, floats } from './_apply.ts';
import { type ConvGeometry, geometryOf, kernelOffsets } from './_conv-geometry.ts';
import { emitConv, emitConvTranspose } from './_conv-onnx.ts';
import { matmul } from './matmul.ts';
import { sum } from './reduce.ts';
import { reshape, transpose } from './reshape.ts';
import { concat, flip, pad, slice } from './slice.ts';

export interface ConvOptions {
  /** Default 1. */
  readonly stride?: number | readonly number[];
  /** Zeros on both sides, or `[before, after]` per axis, or `same` (stride 1: output as long as the input). Default 0. */
  readonly pad?: number | 'same' | readonly (readonly [number, number])[];
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Extra length at the end, smaller than the stride. Default 0. */
  readonly outPad?: number | readonly number[];
}

function checkConv(inputs: readonly TensorType[], geometry: ConvGeometry, channels: (w: TensorType) => number): void {
  checkDtypes(inputs, floats);
  const [x, w] = inputs as [TensorType, TensorType];
  const text = `${shapeText(x.shape)} and ${shapeText(w.shape)}`;
  const rank = x.shape.length;
  if ((rank !== 3 && rank !== 4) || w.shape.length !== rank) {
    throw new CairnError('shape_mismatch', `Expected input and weights of rank 3 or 4, got ${text}.`, {
      hint: 'Inputs are [batch, channels, length] or [batch, channels, height, width].',
    });
  }
  const { groups, stride, dilation, padLo, padHi } = geometry;
  if ([stride, dilation, padLo, padHi].some((list) => list.length !== rank - 2)) {
    throw new CairnError('bad_conv', `Expected ${rank - 2} strides, dilations and pads, got ${stride.length}.`);
  }
  if (![...stride, ...dilation, groups].every((n) => Number.isInteger(n) && n >= 1)) {
    throw new CairnError('bad_conv', 'Expected strides, dilations and groups of 1 or more, got something smaller.');
  }
  if (channels(w) !== x.shape[1] || w.shape[0]! % groups !== 0 || x.shape[1]! % groups !== 0) {
    throw new CairnError(
      'shape_mismatch',
      `Expected ${channels(w)} input channels for weights ${shapeText(w.shape)} in ${groups} group(s), got ${text}.`,
    );
  }
}

function spatialLengths(x: TensorType, w: TensorType, g: ConvGeometry): number[] {
  return x.shape.slice(2).map((n, i) => {
    const span = g.dilation[i]! * (w.shape[i + 2]! - 1) + 1;
    const room = n + g.padLo[i]! + g.padHi[i]! - span;
    if (isSymbolic(n)) throw new CairnError('symbolic_conv', 'Expected concrete spatial lengths, got a symbolic one.');
    if (room < 0) {
      throw new CairnError(
        'shape_mismatch',
        `Expected a kernel no longer than the padded input, got ${span} over ${span + room}.`,
      );
    }
    return Math.floor(room / g.stride[i]!) + 1;
  });
}

export const convOp: OpRecord = {
  name: 'conv',
  infer(inputs, attrs) {
    const g = geometryOf(attrs);
    checkConv(inputs, g, (w) => w.shape[1]! * g.groups);
    const [x, w] = inputs as [TensorType, TensorType];
    return [{ shape: [x.shape[0]!, w.shape[0]!, ...spatialLengths(x, w, g)], dtype: x.dtype }];
  },
  vjp(c) {
    const [x, w] = c.inputs as [Tensor, Tensor];
    const g = c.cotangents[0]!;
    const geometry = geometryOf(c.attrs);
    return [
      c.needs(0) ? convInputGradient(g, w, x.shape, geometry) : undefined,
      c.needs(1) ? convWeightGradient(x, g, w.shape, geometry) : undefined,
    ];
  },
  reference([x, w], attrs, [y]) {
    eachTap(x!, w!, y!, geometryOf(attrs), (ix, iw, iy) => {
      y!.data[iy] = y!.data[iy]! + x!.data[ix]! * w!.data[iw]!;
    });
  },
  onnx: (emit, node) => emitConv(emit, node, geometryOf(node.attrs)),
  flops: ([, w], [y]) => 2 * sizeOf(y!.shape) * sizeOf(w!.shape.slice(1)),
  samples: (rng) => convSamples(rng, false),
};

export const convTransposeOp: OpRecord = {
  name: 'convTranspose',
  infer(inputs, attrs) {
    const g = geometryOf(attrs);
    checkConv(inputs, g, (w) => w.shape[0]!);
    const [x, w] = inputs as [TensorType, TensorType];
    const outPad = attrs['outPad'] as readonly number[];
    const lengths = x.shape.slice(2).map((n, i) => {
      const span = g.dilation[i]! * (w.shape[i + 2]! - 1) + 1;
      return (n - 1) * g.stride[i]! - g.padLo[i]! - g.padHi[i]! + span + outPad[i]!;
    });
    if (lengths.some((n) => n < 1) || outPad.some((p, i) => p < 0 || p >= g.stride[i]!)) {
      throw new CairnError(
        'bad_conv',
        `Expected lengths of 1 or more and outPad below the stride, got [${lengths.join(',')}].`,
      );
    }
    return [{ shape: [x.shape[0]!, w.shape[1]! * g.groups, ...lengths], dtype: x.dtype }];
  },
  vjp: convTransposeVjp,
  reference([x, w], attrs, [y]) {
    // The transpose of a convolution from y to x: the same taps, read the other way.
    eachTap(y!, w!, x!, geometryOf(attrs), (iy, iw, ix) => {
      y!.data[iy] = y!.data[iy]! + x!.data[ix]! * w!.data[iw]!;
    });
  },
  onnx: (emit, node) => emitConvTranspose(emit, node, geometryOf(node.attrs)),
  flops: ([x, w]) => 2 * sizeOf(x!.shape) * sizeOf(w!.shape.slice(1)),
  samples: (rng) => convSamples(rng, true),
};

function convTransposeVjp(c: VjpContext): (Tensor | undefined)[] {
  const [x, w] = c.inputs as [Tensor, Tensor];
  const g = c.cotangents[0]!;
  const geometry = geometryOf(c.attrs);
  return [
    c.needs(0) ? apply(convOp, [g, w], { ...geometry }) : undefined,
    c.needs(1) ? convWeightGradient(g, x, w.shape, geometry) : undefined,
  ];
}

/** Calls `visit(input offset, weight offset, output offset)` for every product of the convolution input -> output. */
function eachTap(
  input: Value,
  weights: Value,
  output: Value,
  g: ConvGeometry,
  visit: (input: number, weight: number, output: number) => void,
): void {
  const flat = input.shape.length === 3;
  const two = (list: readonly number[], first: number): [number, number] =>
    flat ? [first, list[0]!] : [list[0]!, list[1]!];
  const [h, wd] = two(input.shape.slice(2), 1);
  const [ho, wo] = two(output.shape.slice(2), 1);
  const [kh, kw] = two(weights.shape.slice(2), 1);
  const [sh, sw] = two(g.stride, 1);
  const [dh, dw] = two(g.dilation, 1);
  const [ph, pw] = two(g.padLo, 0);
  const [batch, ci] = input.shape as [number, number];
  const co = output.shape[1]!;
  const [perIn, perOut] = [ci / g.groups, co / g.groups];
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < co; o++) {
      const first = Math.floor(o / perOut) * perIn;
      for (let c = 0; c < perIn; c++)
        for (let p = 0; p < kh; p++)
          for (let q = 0; q < kw; q++) {
            const iw = ((o * perIn + c) * kh + p) * kw + q;
            for (let i = 0; i < ho; i++) {
              const r = i * sh - ph + p * dh;
              if (r < 0 || r >= h) continue;
              for (let j = 0; j < wo; j++) {
                const s = j * sw - pw + q * dw;
                if (s < 0 || s >= wd) continue;
                visit(((b * ci + first + c) * h + r) * wd + s, iw, ((b * co + o) * ho + i) * wo + j);
              }
            }
          }
    }
}

/** Gradient of a convolution with respect to its input of shape `shape`. */
function convInputGradient(g: Tensor, w: Tensor, shape: readonly number[], geometry: ConvGeometry): Tensor {
  const { stride, dilation, padLo, padHi, groups } = geometry;
  const spans = w.shape.slice(2).map((k, i) => dilation[i]! * (k - 1));
  const lo = spans.map((span, i) => span - padLo[i]!);
  const hi = spans.map((span, i) => span - padHi[i]!);
  if (stride.every((s) => s === 1) && [...lo, ...hi].every((p) => p >= 0)) {
    // With stride 1 it is a convolution with the turned kernel, for which runtimes have their fastest path.
    const [co, ci] = w.shape as [number, number];
    const kernel = w.shape.slice(2);
    const split = reshape(w, [groups, co / groups, ci, ...kernel]);
    const swapped = transpose(split, [0, 2, 1, ...kernel.map((_, i) => i + 3)]);
    let turned = reshape(swapped, [groups * ci, co / groups, ...kernel]);
    kernel.forEach((k, i) => {
      if (k > 1) turned = flip(turned, i + 2);
    });
    return apply(convOp, [g, turned], { stride, padLo: lo, padHi: hi, dilation, groups });
  }
  const outPad = shape.slice(2).map((n, i) => (n + padLo[i]! + padHi[i]! - spans[i]! - 1) % stride[i]!);
  return apply(convTransposeOp, [g, w], { ...geometry, outPad });
}

/**
 * Gradient with respect to weights `[Co, Ci/groups, ...k]` of the convolution `x -> y`, given the gradient `g` of y. The
 * faster of two ways on a CPU: with strides a convolution that takes the batch for channels, else shifted slices.
 */
function convWeightGradient(x: Tensor, g: Tensor, shape: readonly number[], geometry: ConvGeometry): Tensor {
  const strided = geometry.stride.some((s) => s > 1);
  return strided ? byBatchAsChannels(x, g, shape, geometry) : byUnfolding(x, g, shape, geometry);
}

/** D = conv(x as [c, G B, L], g as [Co, B, Lo]) with stride and dilation swapped; its first k entries are the gradient. */
function byBatchAsChannels(x: Tensor, g: Tensor, shape: readonly number[], geometry: ConvGeometry): Tensor {
  const { stride, dilation, padLo, padHi, groups } = geometry;
  const [co, perIn] = shape as [number, number];
  const [batch, spatial] = [x.shape[0]!, x.shape.slice(2)];
  const axes = spatial.map((_, i) => i);
  const split = transpose(reshape(x, [batch, groups, perIn, ...spatial]), [2, 1, 0, ...axes.map((i) => i + 3)]);
  const input = reshape(split, [perIn, groups * batch, ...spatial]);
  const kernels = transpose(g, [1, 0, ...axes.map((i) => i + 2)]);
  const full = apply(convOp, [input, kernels], { stride: dilation, dilation: stride, padLo, padHi, groups });
  const cut = slice(full, [0, 0, ...axes.map(() => 0)], [perIn, co, ...shape.slice(2)]);
  return transpose(cut, [1, 0, ...axes.map((i) => i + 2)]);
}

/** One product per image of `g` with all shifted slices of x, summed over the batch. */
function byUnfolding(x: Tensor, g: Tensor, shape: readonly number[], geometry: ConvGeometry): Tensor {
  const { stride, dilation, padLo, padHi, groups } = geometry;
  const [co, perIn] = shape as [number, number];
  const kernel = shape.slice(2);
  const lengths = g.shape.slice(2);
  const [batch, area] = [x.shape[0]!, sizeOf(lengths)];
  const padded = pad(x, [0, 0, ...padLo], [0, 0, ...padHi]);
  const taps = kernelOffsets(kernel).map((at) => {
    const starts = [0, 0, ...at.map((k, i) => k * dilation[i]!)];
    const ends = [batch, x.shape[1]!, ...at.map((k, i) => k * dilation[i]! + (lengths[i]! - 1) * stride[i]! + 1)];
    return reshape(slice(padded, starts, ends, [1, 1, ...stride]), [batch, groups, perIn, area]);
  });
  const grouped = reshape(g, [batch, groups, co / groups, area]);
  const products = matmul(grouped, concat(taps, 2), { transB: true }); // [batch, groups, Co/groups, taps * Ci/groups]
  const total = reshape(sum(products, [0]), [co, taps.length, perIn]);
  return reshape(transpose(total, [0, 2, 1]), [...shape]);
}

function perAxis(value: number | readonly number[] | undefined, axes: number, fallback: number): number[] {
  if (value === undefined) return Array.from({ length: axes }, () => fallback);
  return typeof value === 'number' ? Array.from({ length: axes }, () => value) : [...value];
}

function toGeometry(w: Tensor, options: ConvOptions): ConvGeometry {
  const axes = Math.max(0, w.shape.length - 2);
  const stride = perAxis(options.stride, axes, 1);
  const dilation = perAxis(options.dilation, axes, 1);
  const option = options.pad ?? 0;
  const pads = Array.from({ length: axes }, (_, i): readonly [number, number] => {
    if (option === 'same') {
      const span = dilation[i]! * (w.shape[i + 2]! - 1);
      return [Math.floor(span / 2), Math.ceil(span / 2)];
    }
    return typeof option === 'number' ? [option, option] : (option[i] ?? [0, 0]);
  });
  return { stride, dilation, padLo: pads.map((p) => p[0]), padHi: pads.map((p) => p[1]), groups: options.groups ?? 1 };
}

/**
 * Cross-correlation of `x` [B, Ci, ...L] with kernels `w` [Co, Ci/groups, ...k]: [B, Co, ...Lo] with
 * `Lo = floor((L + pads - dilation (k - 1) - 1) / stride) + 1`.
 * @throws CairnError `shape_mismatch`, `bad_conv`
 * @example conv(b.input('x', [8, 1, 28, 28]), w, { pad: 'same' });
 */
export function conv(x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor {
  return apply(convOp, [x, w], { ...toGeometry(w, options) });
}

/**
 * Transpose of `conv` as a linear map: `x` [B, Ci, ...L], `w` [Ci, Co/groups, ...k] give [B, Co, ...Lo] with
 * `Lo = (L - 1) stride - pads + dilation (k - 1) + 1 + outPad`.
 * @throws CairnError `shape_mismatch`, `bad_conv`
 */
export function convTranspose(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const outPad = perAxis(options.outPad, Math.max(0, w.shape.length - 2), 0);
  return apply(convTransposeOp, [x, w], { ...toGeometry(w, options), outPad });
}

function convSamples(rng: Rng, transposed: boolean): OpSample[] {
  return Array.from({ length: 8 }, () => {
    const axes = 1 + rng.integer(2);
    const groups = 1 + rng.integer(2);
    const some = (low: number, high: number): number[] =>
      Array.from({ length: axes }, () => low + rng.integer(high - low + 1));
    const [stride, dilation, kernel] = [some(1, 3), some(1, 2), some(1, 3)];
    const [padLo, padHi] = [some(0, 1), some(0, 1)];
    const [perIn, perOut, batch] = [1 + rng.integer(2), 1 + rng.integer(2), 1 + rng.integer(2)];
    const lengths = kernel.map((k, i) => dilation[i]! * (k - 1) + 1 + rng.integer(4));
    const outPad = stride.map((s) => rng.integer(s));
    const attrs = { stride, dilation, padLo, padHi, groups, ...(transposed ? { outPad } : {}) };
    if (!transposed) {
      return {
        inputs: [{ shape: [batch, groups * perIn, ...lengths] }, { shape: [groups * perOut, perIn, ...kernel] }],
        attrs,
      };
    }
    // Short inputs with large pads would give an empty output.
    const long = lengths.map((n) => n + 2);
    return {
      inputs: [{ shape: [batch, groups * perIn, ...long] }, { shape: [groups * perIn, perOut, ...kernel] }],
      attrs,
    };
  });
}
