// Matrix product `alpha * op(a) op(b)` with optional transposes, batched over leading dimensions. A product with a plain
// matrix is flattened to two dimensions, which is what makes it one large GEMM in every runtime.
import { CairnError } from '../../errors.ts';
import type { Attrs, GraphNode, TensorType } from '../graph.ts';
import type { OnnxAttr, OnnxEmitter, OpRecord, OpSample, VjpContext } from '../op.ts';
import type { Rng } from '../rng.ts';
import { broadcastShapes, isSymbolic, type Shape, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, checkDtypes, floats, randomShape } from './_apply.ts';
import { broadcastOffsets } from './_kernel.ts';
import { unbroadcast } from './elementwise.ts';

export interface MatmulOptions {
  /** Uses `a` with its last two axes swapped. */
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Scales the product; free of charge. */
  readonly alpha?: number;
}

const flags = (attrs: Attrs): { ta: boolean; tb: boolean; alpha: number } => ({
  ta: attrs['transA'] === true,
  tb: attrs['transB'] === true,
  alpha: attrs['alpha'] as number,
});

function dims(x: TensorType, transposed: boolean): [number, number] {
  const [m, n] = x.shape.slice(-2) as [number, number];
  return transposed ? [n, m] : [m, n];
}

export const matmulOp: OpRecord = {
  name: 'matmul',
  infer(inputs, attrs) {
    checkDtypes(inputs, floats);
    const [a, b] = inputs as [TensorType, TensorType];
    const { ta, tb } = flags(attrs);
    const text = `${shapeText(a.shape)}${ta ? '^T' : ''} and ${shapeText(b.shape)}${tb ? '^T' : ''}`;
    if (a.shape.length < 2 || b.shape.length < 2) {
      throw new CairnError('shape_mismatch', `Expected matrices of rank 2 or more, got ${text}.`, {
        hint: 'Add an axis with unsqueeze.',
      });
    }
    const [m, k] = dims(a, ta);
    const [k2, n] = dims(b, tb);
    if (k !== k2) {
      throw new CairnError('shape_mismatch', `Expected inner dimensions that agree, got ${text} (${k} vs ${k2}).`, {
        hint: 'Transpose an operand, or pass transA or transB.',
      });
    }
    return [{ shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n], dtype: a.dtype }];
  },
  vjp: matmulVjp,
  reference([a, b], attrs, [y]) {
    const { ta, tb, alpha } = flags(attrs);
    const [m, k] = dims(a!, ta);
    const n = dims(b!, tb)[1];
    const batch = y!.shape.slice(0, -2);
    const [fromA, fromB] = [a!, b!].map((x) => broadcastOffsets(x.shape.slice(0, -2), batch)) as [
      Int32Array,
      Int32Array,
    ];
    for (let s = 0; s < fromA.length; s++) {
      const [oa, ob, oy] = [fromA[s]! * m * k, fromB[s]! * k * n, s * m * n];
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let total = 0;
          for (let p = 0; p < k; p++) {
            total += a!.data[oa + (ta ? p * m + i : i * k + p)]! * b!.data[ob + (tb ? j * k + p : p * n + j)]!;
          }
          y!.data[oy + i * n + j] = alpha * total;
        }
      }
    }
  },
  onnx(emit, node) {
    const { ta, tb, alpha } = flags(node.attrs);
    const [a, b] = node.inputs.map((p) => emit.name(p)) as [string, string];
    if (dims(emit.type(node.inputs[0]!), ta)[1] === 0) {
      // An empty sum; ONNX Runtime's FusedMatMul leaves such outputs unwritten.
      const { shape, dtype } = node.outputs[0]!;
      emit.bind(node, emit.node('Expand', [emit.scalar(0, dtype), emit.i64(shape)]));
    } else if (!ta && !tb && alpha === 1) emit.bind(node, emit.node('MatMul', [a, b]));
    else if (emit.target === 'train' && alpha === 1 && isLongReduction(emit, node)) {
      emit.bind(node, [longReduction(emit, node, a, b)]);
    } else if (emit.target !== 'export') {
      const attrs: Record<string, OnnxAttr> = { transA: ta ? 1 : 0, transB: tb ? 1 : 0, alpha: { float: alpha } };
      emit.bind(node, emit.node('FusedMatMul', [a, b], attrs, 1, 'com.microsoft'));
    } else {
      const [ra, rb] = node.inputs.map((p) => emit.type(p).shape.length) as [number, number];
      const product = emit.node('MatMul', [swapped(emit, a, ra, ta), swapped(emit, b, rb, tb)]);
      const scaled =
        alpha === 1 ? product : emit.node('Mul', [product[0]!, emit.scalar(alpha, node.outputs[0]!.dtype)]);
      emit.bind(node, scaled);
    }
  },
  flops: ([a], [y], attrs) => 2 * sizeOf(y!.shape) * Math.max(1, dims(a!, flags(attrs).ta)[1]),
  samples: matmulSamples,
};

/** A wide weight gradient `a^T b` of many rows. */
function isLongReduction(emit: OnnxEmitter, node: GraphNode): boolean {
  const { ta, tb } = flags(node.attrs);
  const [a, b] = node.inputs.map((p) => emit.type(p).shape) as [Shape, Shape];
  return ta && !tb && a.length === 2 && b.length === 2 && a[0]! >= 512 && Math.max(a[1]!, b[1]!) >= 256;
}

/**
 * `a^T b` with the narrower operand transposed first: ONNX Runtime's GEMM would transpose panels of `a` again for every
 * 128 columns of `b`. Measured on AVX2: a whole step of width 256 is 8 to 12 percent faster, one of width 128 is not.
 */
function longReduction(emit: OnnxEmitter, node: GraphNode, a: string, b: string): string {
  const [m, n] = node.outputs[0]!.shape as [number, number];
  if (m <= n) return emit.node('MatMul', [swapped(emit, a, 2, true), b])[0]!;
  return swapped(emit, emit.node('MatMul', [swapped(emit, b, 2, true), a])[0]!, 2, true);
}

function swapped(emit: OnnxEmitter, name: string, rank: number, transposed: boolean): string {
  if (!transposed) return name;
  const perm = Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
  return emit.node('Transpose', [name], { perm })[0]!;
}

/** With y = alpha A B: dA = alpha g B^T and dB = alpha A^T g, each transposed back where the operand was transposed. */
function matmulVjp(c: VjpContext): (Tensor | undefined)[] {
  const { ta, tb, alpha } = flags(c.attrs);
  const [a, b] = [c.inputs[0]!, c.inputs[1]!];
  const g = c.cotangents[0]!;
  const da = (): Tensor =>
    ta ? matmul(b, g, { transA: tb, transB: true, alpha }) : matmul(g, b, { transB: !tb, alpha });
  const db = (): Tensor => {
    if (b.shape.length === 2 && a.shape.length > 2 && !ta) {
      const a2 = flat(a);
      const g2 = flat(g);
      return tb ? matmul(g2, a2, { transA: true, alpha }) : matmul(a2, g2, { transA: true, alpha });
    }
    return tb ? matmul(g, a, { transA: true, transB: ta, alpha }) : matmul(a, g, { transA: !ta, alpha });
  };
  return [c.needs(0) ? unbroadcast(da(), a) : undefined, c.needs(1) ? unbroadcast(db(), b) : undefined];
}

function matmulSamples(rng: Rng): OpSample[] {
  return Array.from({ length: 14 }, (_, i) => {
    const [m, k, n] = [rng.integer(5), rng.integer(5), rng.integer(5)].map((d) => (i < 10 ? d + 1 : d)) as [
      number,
      number,
      number,
    ];
    const batch = randomShape(rng, 2).map((d) => Math.max(1, d));
    const thin = batch.map((d) => (rng.bernoulli(0.3) ? 1 : d)).slice(rng.integer(batch.length + 1));
    const [ba, bb] = rng.bernoulli() ? [batch, thin] : [thin, batch];
    const [ta, tb] = [rng.bernoulli(0.4), rng.bernoulli(0.4)];
    const alpha = rng.bernoulli() ? 1 : 0.5;
    return {
      inputs: [{ shape: [...ba, ...(ta ? [k, m] : [m, k])] }, { shape: [...bb, ...(tb ? [n, k] : [k, n])] }],
      attrs: { transA: ta, transB: tb, alpha },
    };
  });
}

/** Leading dimensions that need no flattening for one product, or allow none. */
function isRow(lead: Shape): boolean {
  return lead.some(isSymbolic) || lead.every((d) => d === 1);
}

/** All leading dimensions in one. */
function flat(x: Tensor): Tensor {
  return x.reshape([x.shape.slice(0, -1).reduce((s, d) => s * d, 1), x.shape.at(-1)!]);
}

/**
 * `alpha * a b`, `[..., m, k] x [..., k, n] -> [..., m, n]`; leading dimensions broadcast.
 * @throws CairnError `shape_mismatch`, `dtype_mismatch`
 * @example matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(dim) }); // attention scores
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const attrs = { transA: options.transA ?? false, transB: options.transB ?? false, alpha: options.alpha ?? 1 };
  const lead = a.shape.slice(0, -1);
  const plain = b.shape.length === 2 && a.shape.length > 2 && !attrs.transA && !isRow(lead);
  if (!plain) return apply(matmulOp, [a, b], attrs);
  return apply(matmulOp, [flat(a), b], attrs).reshape([...lead, b.shape[attrs.transB ? 0 : 1]!]);
}

/**
 * `x w + b` over the last axis, in two dimensions throughout so that product and bias are one GEMM.
 * @param x `[..., in]`
 * @param w `[in, out]`
 * @param b `[out]`
 */
export function linear(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  const lead = x.shape.slice(0, -1);
  if (x.shape.length < 2 || isRow(lead)) {
    const row = x.shape.length < 2 ? matmul(x.reshape([1, -1]), w).reshape([-1]) : matmul(x, w);
    return b ? row.add(b) : row;
  }
  const product = matmul(flat(x), w);
  return (b ? product.add(b) : product).reshape([...lead, w.shape[1]!]);
}
