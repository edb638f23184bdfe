// Fused ops over the last axis: softmax, layerNorm, rmsNorm. They also return the statistics their gradients need, and
// the gradients are written in ordinary ops, so higher derivatives exist.
import { CairnError } from '../../errors.ts';
import type { Attrs, GraphNode, TensorType } from '../graph.ts';
import type { OnnxEmitter, OpRecord, OpSample, VjpContext } from '../op.ts';
import type { Rng } from '../rng.ts';
import { normalizeAxis, sameShape, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, applyAll, checkDtypes, floats, perElement, randomShape } from './_apply.ts';
import { around } from './_kernel.ts';

export const softmaxOp: OpRecord = {
  name: 'softmax',
  infer(inputs) {
    checkDtypes(inputs, floats);
    return [inputs[0]!];
  },
  vjp(c) {
    const [y, g] = [c.outputs[0]!, c.cotangents[0]!];
    const axis = c.attrs['axis'] as number;
    const total = (axis === y.rank - 1 ? attentionRowSum(y, g) : undefined) ?? g.mul(y).sum(axis, true);
    return [y.mul(g.sub(total))];
  },
  reference([x], attrs, [y]) {
    const { outer, length, inner } = around(x!.shape, attrs['axis'] as number);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (k: number): number => (o * length + k) * inner + i;
        let top = -Infinity;
        let total = 0;
        for (let k = 0; k < length; k++) top = Math.max(top, x!.data[at(k)]!);
        for (let k = 0; k < length; k++) total += Math.exp(x!.data[at(k)]! - top);
        for (let k = 0; k < length; k++) y!.data[at(k)] = Math.exp(x!.data[at(k)]! - top) / total;
      }
    }
  },
  onnx(emit, node) {
    const { shape, dtype } = node.outputs[0]!;
    if (emit.target === 'webgpu' && sizeOf(shape) === 0) {
      emit.bind(node, emit.node('Expand', [emit.scalar(0, dtype), emit.i64(shape)]));
      return;
    }
    emit.bind(node, emit.node('Softmax', [emit.name(node.inputs[0]!)], { axis: node.attrs['axis'] as number }));
  },
  flops: perElement(12),
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng, 3, 1);
      return { inputs: [{ shape, low: -3, high: 3 }], attrs: { axis: rng.integer(shape.length) } };
    }),
};

/**
 * `sum(g * y)` over the last axis for attention, where y is used as `O = y v` and therefore g = alpha dO v^T: equal to
 * `alpha sum(dO * O)`, which is a sum over the value dimension instead of the keys (Dao et al. 2022, section 3.1).
 */
function attentionRowSum(y: Tensor, g: Tensor): Tensor | undefined {
  const b = y.builder;
  const node = b.nodes()[g.port.node]!;
  if (node.op !== 'matmul' || node.attrs['transA'] === true || node.attrs['transB'] !== true) return undefined;
  const [dO, v] = node.inputs.map((p) => b.at(p)) as [Tensor, Tensor];
  const attrs = { transA: false, transB: false, alpha: node.attrs['alpha']! };
  const o = b.find('matmul', [y, v], attrs)?.[0];
  return o && sameShape(o.shape, dO.shape) ? dO.mul(o).sum(-1, true) : undefined;
}

const epsOf = (attrs: Attrs): number => attrs['eps'] as number;
const statShape = (x: TensorType): number[] => [...x.shape.slice(0, -1), 1];

function checkNorm(inputs: readonly TensorType[]): void {
  checkDtypes(inputs, floats);
  const [x, ...vectors] = inputs as [TensorType, ...TensorType[]];
  const d = x.shape.at(-1);
  if (d === undefined || vectors.some((v) => !sameShape(v.shape, [d]))) {
    const got = inputs.map((v) => shapeText(v.shape)).join(', ');
    throw new CairnError('shape_mismatch', `Expected x [..., d] with vectors [d], got ${got}.`);
  }
}

function normSamples(vectors: number): (rng: Rng) => OpSample[] {
  return (rng) =>
    Array.from({ length: 5 }, () => {
      const lead = randomShape(rng, 2);
      const d = 2 + rng.integer(4);
      const rest = Array.from({ length: vectors }, () => ({ shape: [d], low: 0.5, high: 1.5 }));
      return { inputs: [{ shape: [...lead, d], low: -2, high: 2 }, ...rest], attrs: { eps: 1e-2 } };
    });
}

/** Sums over all but the last axis. */
function sumRows(x: Tensor): Tensor {
  return x.shape.length === 1 ? x : x.sum(x.shape.slice(0, -1).map((_, i) => i));
}

/** y = h w + b with h = (x - mean) rstd. Outputs y, mean, rstd. */
export const layerNormOp: OpRecord = {
  name: 'layerNorm',
  infer(inputs) {
    checkNorm(inputs);
    const stat = { shape: statShape(inputs[0]!), dtype: inputs[0]!.dtype };
    return [inputs[0]!, stat, stat];
  },
  vjp: layerNormVjp,
  reference([x, w, b], attrs, [y, mean, rstd]) {
    const d = w!.data.length;
    for (let row = 0; row < mean!.data.length; row++) {
      let mu = 0;
      let variance = 0;
      for (let i = 0; i < d; i++) mu += x!.data[row * d + i]! / d;
      for (let i = 0; i < d; i++) variance += (x!.data[row * d + i]! - mu) ** 2 / d;
      const r = 1 / Math.sqrt(variance + epsOf(attrs));
      mean!.data[row] = mu;
      rstd!.data[row] = r;
      for (let i = 0; i < d; i++) y!.data[row * d + i] = (x!.data[row * d + i]! - mu) * r * w!.data[i]! + b!.data[i]!;
    }
  },
  onnx: lowerLayerNorm,
  flops: perElement(8),
  samples: normSamples(2),
};

function lowerLayerNorm(emit: OnnxEmitter, node: GraphNode): void {
  const [x, w, b] = node.inputs.map((p) => emit.name(p)) as [string, string, string];
  const { shape, dtype } = node.outputs[0]!;
  const eps = epsOf(node.attrs);
  const statistics = emit.used(node, 1) || emit.used(node, 2);
  if (!statistics || dtype !== 'f64') {
    const attrs = { axis: -1, epsilon: { float: eps } };
    const names = emit.node('LayerNormalization', [x, w, b], attrs, statistics ? 3 : 1);
    emit.bind(node, [...names, '', ''].slice(0, 3));
    return;
  }
  // ONNX Runtime returns the statistics of f64 rows in f32 only.
  const op = (name: string, ...inputs: string[]): string => emit.node(name, inputs)[0]!;
  const rowMean = (v: string): string =>
    op('Mul', emit.node('ReduceSum', [v, emit.i64([shape.length - 1])])[0]!, emit.scalar(1 / shape.at(-1)!, dtype));
  const mean = rowMean(x);
  const centred = op('Sub', x, mean);
  const variance = rowMean(op('Mul', centred, centred));
  const rstd = op('Reciprocal', op('Sqrt', op('Add', variance, emit.scalar(eps, dtype))));
  emit.bind(node, [op('Add', op('Mul', op('Mul', centred, rstd), w), b), mean, rstd]);
}

function layerNormVjp(c: VjpContext): (Tensor | undefined)[] {
  const [x, w] = [c.inputs[0]!, c.inputs[1]!];
  const [, mu, r] = c.outputs as [Tensor, Tensor, Tensor];
  const [g, gMu, gR] = c.cotangents;
  const d = x.shape.at(-1)!;
  const h = x.sub(mu).mul(r);
  const gh = g?.mul(h);
  let dx: Tensor | undefined;
  if (c.needs(0)) {
    if (g && gh) {
      // dx = r (g w - mean(g w) - h mean(g w h)); the row means are products with the vector w / d.
      const column = w.mul(1 / d).reshape([d, 1]);
      dx = g
        .mul(w)
        .sub(rowProduct(g, column))
        .sub(h.mul(rowProduct(gh, column)))
        .mul(r);
    }
    // The statistics are outputs too: dmean/dx = 1/d and drstd/dx = -r^2 h / d.
    if (gMu) dx = addTo(dx, gMu.mul(1 / d).expand(x.shape));
    if (gR)
      dx = addTo(
        dx,
        h.mul(
          gR
            .mul(r)
            .mul(r)
            .mul(-1 / d),
        ),
      );
  }
  return [dx, gh && c.needs(1) ? sumRows(gh) : undefined, g && c.needs(2) ? sumRows(g) : undefined];
}

/** x `[..., d]` times a column `[d, 1]`: `[..., 1]`. */
function rowProduct(x: Tensor, column: Tensor): Tensor {
  return x.rank === 1 ? x.reshape([1, -1]).matmul(column).reshape([1]) : x.matmul(column);
}

function addTo(total: Tensor | undefined, term: Tensor): Tensor {
  return total ? total.add(term) : term;
}

/** y = x rstd w with rstd = 1 / sqrt(mean(x^2) + eps). Outputs y, rstd. */
export const rmsNormOp: OpRecord = {
  name: 'rmsNorm',
  infer(inputs) {
    checkNorm(inputs);
    return [inputs[0]!, { shape: statShape(inputs[0]!), dtype: inputs[0]!.dtype }];
  },
  vjp(c) {
    const [x, w, r] = [c.inputs[0]!, c.inputs[1]!, c.outputs[1]!];
    const [g, gR] = c.cotangents;
    const d = x.shape.at(-1)!;
    let dx: Tensor | undefined;
    // drstd/dx = -r^3 x / d; the two uses of it share one row factor.
    if (c.needs(0)) {
      const q = g?.mul(w);
      const inner = g && rowProduct(g.mul(x), w.reshape([d, 1]));
      const total = inner && gR ? inner.add(gR) : (inner ?? gR!);
      const pull = x.mul(
        total
          .mul(r)
          .mul(r)
          .mul(r)
          .mul(-1 / d),
      );
      dx = q ? q.mul(r).add(pull) : pull;
    }
    return [dx, g && c.needs(1) ? sumRows(g.mul(x).mul(r)) : undefined];
  },
  reference([x, w], attrs, [y, rstd]) {
    const d = w!.data.length;
    for (let row = 0; row < rstd!.data.length; row++) {
      let square = 0;
      for (let i = 0; i < d; i++) square += x!.data[row * d + i]! ** 2 / d;
      const r = 1 / Math.sqrt(square + epsOf(attrs));
      rstd!.data[row] = r;
      for (let i = 0; i < d; i++) y!.data[row * d + i] = x!.data[row * d + i]! * r * w!.data[i]!;
    }
  },
  onnx(emit, node) {
    const [x, w] = node.inputs.map((p) => emit.name(p)) as [string, string];
    const { shape, dtype } = node.outputs[0]!;
    const eps = epsOf(node.attrs);
    // The kernel for WebGPU gives another statistic than the one for the CPU.
    if (emit.target === 'train' && dtype === 'f32' && sizeOf(shape) > 0) {
      const attrs = { axis: -1, epsilon: { float: eps } };
      emit.bind(node, emit.node('SimplifiedLayerNormalization', [x, w], attrs, 2));
      return;
    }
    const op = (name: string, ...inputs: string[]): string => emit.node(name, inputs)[0]!;
    const square = emit.node('ReduceSum', [op('Mul', x, x), emit.i64([shape.length - 1])])[0]!;
    const mean = op('Mul', square, emit.scalar(1 / shape.at(-1)!, dtype));
    const rstd = op('Reciprocal', op('Sqrt', op('Add', mean, emit.scalar(eps, dtype))));
    emit.bind(node, [op('Mul', op('Mul', x, rstd), w), rstd]);
  },
  flops: perElement(6),
  samples: normSamples(1),
};

/** Softmax along `axis`. Rows that are -Infinity throughout give NaN: mask with -1e9. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return apply(softmaxOp, [x], { axis: normalizeAxis(axis, x.shape.length) });
}

/**
 * Layer normalisation over the last axis (Ba et al. 2016).
 * @param x `[..., d]`
 * @param gain `[d]`
 * @param bias `[d]`; zeros when left out
 */
export function layerNorm(x: Tensor, gain: Tensor, bias?: Tensor, eps = 1e-5): Tensor {
  const zero = bias ?? x.builder.constant(new Float64Array(sizeOf(gain.shape)), gain.shape, x.dtype);
  return applyAll(layerNormOp, [x, gain, zero], { eps })[0]!;
}

/** Root mean square normalisation over the last axis (Zhang and Sennrich 2019). x `[..., d]`, gain `[d]`. */
export function rmsNorm(x: Tensor, gain: Tensor, eps = 1e-6): Tensor {
  return applyAll(rmsNormOp, [x, gain], { eps })[0]!;
}
