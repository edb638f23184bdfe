// How convolutions are written as ONNX: the standard ops in f32 and f16; in f64, for which ONNX Runtime has no kernels,
// shifted slices and one matrix product. The same for groups on WebGPU, where the kernel of ConvTranspose ignores them.
import { CairnError } from '../../errors.ts';
import type { GraphNode, TensorType } from '../graph.ts';
import type { OnnxAttr, OnnxEmitter } from '../op.ts';
import { isSymbolic, sizeOf } from '../shape.ts';
import { type ConvGeometry, kernelOffsets } from './_conv-geometry.ts';

function attributes(g: ConvGeometry): Record<string, OnnxAttr> {
  return { strides: [...g.stride], dilations: [...g.dilation], pads: [...g.padLo, ...g.padHi], group: g.groups };
}

/** What the WebGPU kernels get wrong: more zeros at one end than at the other, and zeros around kernels of one tap. */
function needsOwnPad(g: ConvGeometry, ws: readonly number[]): boolean {
  const uneven = g.padLo.some((p, i) => p !== g.padHi[i]);
  return uneven || (sizeOf(ws.slice(2)) === 1 && g.padLo.some((p) => p > 0));
}

export function emitConv(emit: OnnxEmitter, node: GraphNode, g: ConvGeometry): void {
  const [x, w] = node.inputs.map((p) => emit.name(p)) as [string, string];
  const [xs, ws] = node.inputs.map((p) => emit.type(p).shape) as [readonly number[], readonly number[]];
  if (node.outputs[0]!.dtype === 'f64') emit.bind(node, [slicedConv(emit, x, xs, w, ws, node.outputs[0]!, g)]);
  else if (emit.target === 'webgpu' && needsOwnPad(g, ws)) {
    const pads = emit.i64([0, 0, ...g.padLo, 0, 0, ...g.padHi]);
    const [padded] = emit.node('Pad', [x, pads, emit.scalar(0, node.outputs[0]!.dtype)]);
    const bare = { ...g, padLo: g.padLo.map(() => 0), padHi: g.padHi.map(() => 0) };
    emit.bind(node, emit.node('Conv', [padded!, w], attributes(bare)));
  } else emit.bind(node, emit.node('Conv', [x, w], attributes(g)));
}

export function emitConvTranspose(emit: OnnxEmitter, node: GraphNode, g: ConvGeometry): void {
  const [x, w] = node.inputs.map((p) => emit.name(p)) as [string, string];
  const [xs, ws] = node.inputs.map((p) => emit.type(p).shape) as [readonly number[], readonly number[]];
  const outPad = node.attrs['outPad'] as readonly number[];
  const out = node.outputs[0]!;
  if (out.dtype !== 'f64' && !(emit.target === 'webgpu' && g.groups > 1)) {
    emit.bind(node, emit.node('ConvTranspose', [x, w], { ...attributes(g), output_padding: [...outPad] }));
    return;
  }
  // Zeros between the inputs, then a plain convolution with the turned kernel.
  const kernel = ws.slice(2);
  const spatial = kernel.map((_, i) => i + 2);
  const zero = emit.scalar(0, out.dtype);
  let spread = x;
  let shape = [...xs];
  g.stride.forEach((s, i) => {
    if (s === 1) return;
    const axis = i + 2;
    const open = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
    const [opened] = emit.node('Reshape', [spread, emit.i64(concrete(open))]);
    const pads = [...open.map(() => 0), ...open.map((_, a) => (a === axis + 1 ? s - 1 : 0))];
    const [padded] = emit.node('Pad', [opened!, emit.i64(pads), zero]);
    shape = shape.map((d, a) => (a === axis ? d * s : d));
    const [merged] = emit.node('Reshape', [padded!, emit.i64(concrete(shape))]);
    shape = shape.map((d, a) => (a === axis ? d - s + 1 : d));
    [spread] = emit.node('Slice', [merged!, emit.i64([0]), emit.i64([shape[axis]!]), emit.i64([axis])]) as [string];
  });
  const [ci, perOut] = ws as [number, number];
  const [split] = emit.node('Reshape', [w, emit.i64([g.groups, ci / g.groups, perOut, ...kernel])]);
  const [swapped] = emit.node('Transpose', [split!], { perm: [0, 2, 1, ...kernel.map((_, i) => i + 3)] });
  const turnedShape = [g.groups * perOut, ci / g.groups, ...kernel];
  const [joined] = emit.node('Reshape', [swapped!, emit.i64(turnedShape)]);
  const [turned] = emit.node('Slice', [
    joined!,
    emit.i64(kernel.map((k) => k - 1)),
    emit.i64(kernel.map(() => -(2 ** 31))),
    emit.i64(spatial),
    emit.i64(kernel.map(() => -1)),
  ]);
  const spans = kernel.map((k, i) => g.dilation[i]! * (k - 1));
  const plain: ConvGeometry = {
    stride: kernel.map(() => 1),
    dilation: g.dilation,
    groups: g.groups,
    padLo: spans.map((span, i) => span - g.padLo[i]!),
    padHi: spans.map((span, i) => span - g.padHi[i]! + outPad[i]!),
  };
  emit.bind(node, [slicedConv(emit, spread, shape, turned!, turnedShape, out, plain)]);
}

/** Convolution as `k` shifted slices stacked to `[B, G, k c, L]` and one product with `[G, Co/G, k c]`. */
function slicedConv(
  emit: OnnxEmitter,
  x: string,
  xs: readonly number[],
  w: string,
  ws: readonly number[],
  out: TensorType,
  g: ConvGeometry,
): string {
  const ys = out.shape;
  const kernel = ws.slice(2);
  const lengths = ys.slice(2);
  const [co, perIn] = ws as [number, number];
  const area = sizeOf(lengths);
  const spatial = kernel.map((_, i) => i + 2);
  const pads = [0, 0, ...g.padLo, 0, 0, ...g.padHi];
  const padded = pads.every((p) => p === 0) ? x : emit.node('Pad', [x, emit.i64(pads), emit.scalar(0, out.dtype)])[0]!;
  const taps = kernelOffsets(kernel).map((at) => {
    const starts = at.map((k, i) => k * g.dilation[i]!);
    const ends = starts.map((s, i) => s + (lengths[i]! - 1) * g.stride[i]! + 1);
    const [cut] = emit.node('Slice', [padded, emit.i64(starts), emit.i64(ends), emit.i64(spatial), emit.i64(g.stride)]);
    return emit.node('Reshape', [cut!, emit.i64(concrete([xs[0]!, g.groups, perIn, area]))])[0]!;
  });
  const columns = taps.length === 1 ? taps[0]! : emit.node('Concat', taps, { axis: 2 })[0]!;
  const [flat] = emit.node('Reshape', [w, emit.i64([g.groups, co / g.groups, perIn, sizeOf(kernel)])]);
  const [byTap] = emit.node('Transpose', [flat!], { perm: [0, 1, 3, 2] });
  const [rows] = emit.node('Reshape', [byTap!, emit.i64([g.groups, co / g.groups, sizeOf(kernel) * perIn])]);
  const [product] = emit.node('MatMul', [rows!, columns]);
  return emit.node('Reshape', [product!, emit.i64(concrete(ys))])[0]!;
}

/** A reshape target; a symbolic batch becomes -1. */
function concrete(shape: readonly number[]): number[] {
  const target = shape.map((d) => (isSymbolic(d) ? -1 : d));
  if (target.filter((d) => d === -1).length > 1) {
    throw new CairnError(
      'symbolic_conv',
      'Expected at most one symbolic dimension in an f64 convolution, got several.',
    );
  }
  return target;
}
