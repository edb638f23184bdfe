// Scaled dot-product attention and rotary positions. The scale is free (part of the product); the gradient of the
// softmax uses rowsum(dO * O), see ops/norm.ts.
import { CairnError } from '../../errors.ts';
import type { Dtype } from '../dtype.ts';
import type { TensorType } from '../graph.ts';
import type { OpRecord } from '../op.ts';
import type { Builder } from '../builder.ts';
import { sameShape, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, checkDtypes, floats } from './_apply.ts';
import { iota } from './constants.ts';
import { unbroadcast } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { softmax } from './norm.ts';

export interface AttentionOptions {
  /** Position i sees keys up to `i + keys - queries` (the last query sees all). */
  readonly causal?: boolean;
  /** With `causal`: sees only the last `window` keys, its own included. */
  readonly window?: number;
  /** Added to the scores, broadcast to `[batch, heads, queries, keys]`; use -1e9 to hide, never -Infinity. */
  readonly mask?: Tensor;
  /** Default `1 / sqrt(dim)`. */
  readonly scale?: number;
  /** Hook points inside: called with `hook_scores` (masked, before softmax) and `hook_pattern`. */
  readonly tap?: (name: 'hook_scores' | 'hook_pattern', t: Tensor) => Tensor;
}

/**
 * `softmax(q k^T / sqrt(dim) + mask) v` (Vaswani et al. 2017).
 * @param q `[..., queries, dim]`
 * @param k `[..., keys, dim]`
 * @param v `[..., keys, dimV]`
 * @returns `[..., queries, dimV]`
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const tap = options.tap ?? ((_name: string, t: Tensor): Tensor => t);
  const scores = matmul(q, k, { transB: true, alpha: options.scale ?? 1 / Math.sqrt(q.shape.at(-1)!) });
  let masked = scores;
  if (options.causal === true) {
    masked = masked.add(causalMask(q.builder, q.shape.at(-2)!, k.shape.at(-2)!, options.window, q.dtype));
  }
  if (options.mask) masked = masked.add(options.mask);
  const pattern = tap('hook_pattern', softmax(tap('hook_scores', masked)));
  return matmul(pattern, v);
}

/** 0 where a query may look, -1e9 where not. `[queries, keys]`; the last query is aligned with the last key. */
export function causalMask(
  b: Builder,
  queries: number,
  keys = queries,
  window = Infinity,
  dtype: Dtype = b.dtype,
): Tensor {
  return b.once(`causalMask|${queries}|${keys}|${window}|${dtype}`, () => {
    const data = new Float64Array(queries * keys);
    for (let i = 0; i < queries; i++) {
      const own = i + keys - queries;
      for (let j = 0; j < keys; j++) data[i * keys + j] = j <= own && j > own - window ? 0 : -1e9;
    }
    return b.constant(data, [queries, keys], dtype);
  });
}

/** Rotates the pair (x_i, x_{i+h}) of every row by an angle given as cosine and sine, h = dim / 2. */
export const ropeOp: OpRecord = {
  name: 'rope',
  infer(inputs) {
    checkDtypes(inputs, floats);
    const [x, c, s] = inputs as [TensorType, TensorType, TensorType];
    const [length, dim] = x.shape.slice(-2) as [number, number];
    if (x.shape.length < 2 || dim % 2 !== 0 || !sameShape(c.shape, [length, dim / 2]) || !sameShape(s.shape, c.shape)) {
      throw new CairnError(
        'shape_mismatch',
        `Expected x [..., length, dim] with angles [length, dim/2], got ${inputs.map((t) => shapeText(t.shape)).join(', ')}.`,
      );
    }
    return [x];
  },
  vjp(c) {
    const [x, cos, sin] = c.inputs as [Tensor, Tensor, Tensor];
    const g = c.cotangents[0]!;
    const halves = (t: Tensor): [Tensor, Tensor] => [t.sliceAxis(-1, 0, cos.shape[1]!), t.sliceAxis(-1, cos.shape[1]!)];
    const angle = (combine: (a: Tensor, b: Tensor, ga: Tensor, gb: Tensor) => Tensor): Tensor =>
      unbroadcast(combine(...halves(x), ...halves(g)), cos);
    return [
      // Rotating back is the gradient of rotating.
      c.needs(0) ? apply(ropeOp, [g, cos, sin.neg()]) : undefined,
      c.needs(1) ? angle((a, b, ga, gb) => ga.mul(a).add(gb.mul(b))) : undefined,
      c.needs(2) ? angle((a, b, ga, gb) => gb.mul(a).sub(ga.mul(b))) : undefined,
    ];
  },
  reference([x, c, s], _attrs, [y]) {
    const [length, dim] = x!.shape.slice(-2) as [number, number];
    const h = dim / 2;
    for (let row = 0; row < x!.data.length / dim; row++) {
      for (let i = 0; i < h; i++) {
        const [cos, sin] = [c!.data[(row % length) * h + i]!, s!.data[(row % length) * h + i]!];
        const [a, b] = [x!.data[row * dim + i]!, x!.data[row * dim + h + i]!];
        y!.data[row * dim + i] = a * cos - b * sin;
        y!.data[row * dim + h + i] = b * cos + a * sin;
      }
    }
  },
  onnx(emit, node) {
    const [x, c, s] = node.inputs.map((p) => emit.name(p)) as [string, string, string];
    const { shape, dtype } = node.outputs[0]!;
    const h = shape.at(-1)! / 2;
    if (emit.target !== 'export' && shape.length === 4 && dtype === 'f32' && sizeOf(shape) > 0) {
      const start = emit.tensor(new Int32Array([0]), [1], 'i32');
      const position = emit.node('Cast', [start], { to: 7 })[0]!;
      emit.bind(node, emit.node('RotaryEmbedding', [x, position, c, s], { interleaved: 0 }, 1, 'com.microsoft'));
      return;
    }
    const part = (from: number): string =>
      emit.node('Slice', [x, emit.i64([from]), emit.i64([from + h]), emit.i64([-1])])[0]!;
    const [a, b] = [part(0), part(h)];
    const mul = (p: string, q: string): string => emit.node('Mul', [p, q])[0]!;
    const first = emit.node('Sub', [mul(a, c), mul(b, s)])[0]!;
    const second = emit.node('Add', [mul(b, c), mul(a, s)])[0]!;
    emit.bind(node, emit.node('Concat', [first, second], { axis: -1 }));
  },
  flops: (_inputs, [y]) => 3 * sizeOf(y!.shape),
  samples: (rng) =>
    Array.from({ length: 4 }, (_, i) => {
      const [length, h] = [1 + rng.integer(3), 1 + rng.integer(3)];
      const lead = i === 0 ? [] : i === 1 ? [2] : [2, 3];
      const angles = { shape: [length, h] };
      return { inputs: [{ shape: [...lead, length, 2 * h] }, angles, angles] };
    }),
};

export interface RopeOptions {
  /** Wave length base, default 10000. */
  readonly theta?: number;
  /** i32 `[length]`; default `0 .. length - 1`. Fed positions make one program serve all offsets. */
  readonly positions?: Tensor;
}

/**
 * Rotary position embedding (Su et al. 2021), halves convention: element i is paired with element `i + dim/2`.
 * @param x `[..., length, dim]`, dim even
 */
export function rope(x: Tensor, options: RopeOptions = {}): Tensor {
  const [length, dim] = x.shape.slice(-2) as [number, number];
  const b = x.builder;
  const theta = options.theta ?? 10000;
  const frequencies = Float64Array.from({ length: dim / 2 }, (_, i) => theta ** ((-2 * i) / dim));
  if (options.positions) {
    const angles = options.positions
      .cast(x.dtype)
      .reshape([length, 1])
      .mul(b.constant(frequencies, [1, dim / 2], x.dtype));
    return apply(ropeOp, [x, angles.cos(), angles.sin()]);
  }
  const angle = (name: 'cos' | 'sin'): Tensor =>
    b.once(`rope|${name}|${length}|${dim}|${theta}|${x.dtype}`, () => {
      const data = Float64Array.from({ length: length * frequencies.length }, (_, k) =>
        Math[name](Math.floor(k / frequencies.length) * frequencies[k % frequencies.length]!),
      );
      return b.constant(data, [length, dim / 2], x.dtype);
    });
  return apply(ropeOp, [x, angle('cos'), angle('sin')]);
}

/** Attention bias that grows with distance (ALiBi, Press et al. 2022): `[heads, queries, keys]`. */
export function alibi(b: Builder, heads: number, queries: number, keys = queries): Tensor {
  const slopes = Float64Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads));
  const distance = iota(b, keys, b.dtype)
    .reshape([1, keys])
    .sub(
      iota(b, queries, b.dtype)
        .reshape([queries, 1])
        .add(keys - queries),
    );
  return b.constant(slopes, [heads, 1, 1], b.dtype).mul(distance.abs().neg());
}
