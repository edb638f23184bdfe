// Shape ops that cut and join: slice, concat, pad. They compute nothing.
import { CairnError } from '../../errors.ts';
import type { Attrs } from '../graph.ts';
import type { OpRecord, OpSample } from '../op.ts';
import type { Rng } from '../rng.ts';
import { addToDim, isSymbolic, normalizeAxis, shapeText, sizeOf, stridesOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { anyDtype, apply, checkDtypes, noFlops, randomShape } from './_apply.ts';
import { offsets } from './_kernel.ts';
import { reshape, unsqueeze } from './reshape.ts';

const list = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

/** Resolved slice: first index and number of elements per axis. */
function sliceLength(start: number, end: number, step: number): number {
  return Math.max(0, Math.ceil((end - start) / step));
}

export const sliceOp: OpRecord = {
  name: 'slice',
  infer([x], attrs) {
    const [starts, ends, steps] = [list(attrs, 'starts'), list(attrs, 'ends'), list(attrs, 'steps')];
    const shape = x!.shape.map((d, i) =>
      isSymbolic(d) && ends[i] === d ? d : sliceLength(starts[i]!, ends[i]!, steps[i]!),
    );
    return [{ shape, dtype: x!.dtype }];
  },
  vjp(c) {
    const [starts, steps] = [list(c.attrs, 'starts'), list(c.attrs, 'steps')];
    const shape = c.inputs[0]!.shape;
    let g = c.cotangents[0]!;
    steps.forEach((step, axis) => {
      if (step < 0) g = flip(g, axis);
      if (Math.abs(step) > 1) g = dilate(g, axis, Math.abs(step));
    });
    // The lowest index that was read, per axis.
    const low = starts.map((s, i) => {
      const n = c.outputs[0]!.shape[i]!;
      return steps[i]! < 0 ? s + (n - 1) * steps[i]! : s;
    });
    if (sizeOf(g.shape) === 0) return [c.inputs[0]!.mul(0)];
    return [
      pad(
        g,
        low,
        shape.map((d, i) => d - low[i]! - g.shape[i]!),
      ),
    ];
  },
  reference([x], attrs, [y]) {
    const strides = stridesOf(x!.shape);
    const [starts, steps] = [list(attrs, 'starts'), list(attrs, 'steps')];
    const base = starts.reduce((at, s, i) => at + s * strides[i]!, 0);
    const from = offsets(
      y!.shape,
      strides.map((s, i) => s * steps[i]!),
      base,
    );
    for (let i = 0; i < from.length; i++) y!.data[i] = x!.data[from[i]!]!;
  },
  onnx(emit, node) {
    const shape = emit.type(node.inputs[0]!).shape;
    const [starts, ends, steps] = [list(node.attrs, 'starts'), list(node.attrs, 'ends'), list(node.attrs, 'steps')];
    const axes = shape.map((_, i) => i).filter((i) => starts[i] !== 0 || ends[i] !== shape[i] || steps[i] !== 1);
    const x = emit.name(node.inputs[0]!);
    if (axes.length === 0) {
      emit.bind(node, [x]);
      return;
    }
    // A backward slice that reaches index 0 ends before it: -1 would mean the last index, so use the smallest i32.
    const end = axes.map((i) =>
      steps[i]! < 0 && ends[i]! < 0 ? -(2 ** 31) : isSymbolic(ends[i]!) ? 2 ** 31 - 1 : ends[i]!,
    );
    const operands = [axes.map((i) => starts[i]!), end, axes, axes.map((i) => steps[i]!)].map((v) => emit.i64(v));
    emit.bind(node, emit.node('Slice', [x, ...operands]));
  },
  flops: noFlops,
  samples: sliceSamples,
};

function sliceSamples(rng: Rng): OpSample[] {
  return Array.from({ length: 10 }, () => {
    const shape = randomShape(rng, 3, 1);
    const parts = shape.map((d) => {
      if (rng.bernoulli(0.3)) return { start: d - 1, end: -1, step: -1 };
      const start = d === 0 ? 0 : rng.integer(d);
      return { start, end: start + rng.integer(d - start + 1), step: 1 + rng.integer(2) };
    });
    const attrs = { starts: parts.map((p) => p.start), ends: parts.map((p) => p.end), steps: parts.map((p) => p.step) };
    return { inputs: [{ shape }], attrs };
  });
}

/** Puts `step - 1` zeros between neighbours along `axis`. */
function dilate(g: Tensor, axis: number, step: number): Tensor {
  const n = g.shape[axis]!;
  if (n <= 1) return g;
  const before = g.shape.slice(0, axis);
  const after = g.shape.slice(axis + 1);
  const open = reshape(g, [...before, n, 1, ...after]);
  const high = open.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const merged = reshape(
    pad(
      open,
      open.shape.map(() => 0),
      high,
    ),
    [...before, n * step, ...after],
  );
  return sliceAxis(merged, axis, 0, (n - 1) * step + 1);
}

export const concatOp: OpRecord = {
  name: 'concat',
  infer(inputs, attrs) {
    checkDtypes(inputs, anyDtype);
    const axis = attrs['axis'] as number;
    const first = inputs[0]!.shape;
    for (const { shape } of inputs) {
      if (shape.length !== first.length || shape.some((d, i) => i !== axis && d !== first[i])) {
        throw new CairnError(
          'shape_mismatch',
          `Expected shapes equal outside axis ${axis}, got ${inputs.map((x) => shapeText(x.shape)).join(' and ')}.`,
        );
      }
    }
    const lengths = inputs.map((x) => x.shape[axis]!);
    const symbols = lengths.filter(isSymbolic);
    if (symbols.length > 1)
      throw new CairnError('symbolic_concat', 'Expected at most one symbolic length, got several.');
    const known = lengths.reduce((t, d) => (isSymbolic(d) ? t : t + d), 0);
    const total = symbols.length === 1 ? addToDim(symbols[0]!, known) : known;
    return [{ shape: first.map((d, i) => (i === axis ? total : d)), dtype: inputs[0]!.dtype }];
  },
  vjp(c) {
    const axis = c.attrs['axis'] as number;
    let at = 0;
    return c.inputs.map((x, i) => {
      const start = at;
      at += x.shape[axis]!;
      return c.needs(i) ? sliceAxis(c.cotangents[0]!, axis, start, at) : undefined;
    });
  },
  reference(inputs, attrs, [y]) {
    const axis = attrs['axis'] as number;
    const strides = stridesOf(y!.shape);
    let at = 0;
    for (const x of inputs) {
      const to = offsets(x.shape, strides, at * strides[axis]!);
      for (let i = 0; i < to.length; i++) y!.data[to[i]!] = x.data[i]!;
      at += x.shape[axis]!;
    }
  },
  onnx(emit, node) {
    emit.bind(
      node,
      emit.node(
        'Concat',
        node.inputs.map((p) => emit.name(p)),
        { axis: node.attrs['axis'] as number },
      ),
    );
  },
  flops: noFlops,
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng, 3, 1);
      const axis = rng.integer(shape.length);
      const parts = Array.from({ length: 1 + rng.integer(3) }, () =>
        shape.map((d, i) => (i === axis ? rng.integer(4) : d)),
      );
      return { inputs: parts.map((s) => ({ shape: s })), attrs: { axis } };
    }),
};

export const padOp: OpRecord = {
  name: 'pad',
  infer([x], attrs) {
    const [lo, hi] = [list(attrs, 'lo'), list(attrs, 'hi')];
    if (lo.length !== x!.shape.length || hi.length !== x!.shape.length || [...lo, ...hi].some((p) => p < 0)) {
      throw new CairnError(
        'bad_pad',
        `Expected one non-negative pad per axis of ${shapeText(x!.shape)}, got [${lo.join(',')}] and [${hi.join(',')}].`,
        {
          hint: 'Crop with slice.',
        },
      );
    }
    return [{ shape: x!.shape.map((d, i) => addToDim(d, lo[i]! + hi[i]!)), dtype: x!.dtype }];
  },
  vjp(c) {
    const lo = list(c.attrs, 'lo');
    return [
      slice(
        c.cotangents[0]!,
        lo,
        c.inputs[0]!.shape.map((d, i) => lo[i]! + d),
      ),
    ];
  },
  reference([x], attrs, [y]) {
    const strides = stridesOf(y!.shape);
    y!.data.fill(attrs['value'] as number);
    const to = offsets(
      x!.shape,
      strides,
      list(attrs, 'lo').reduce((at, p, i) => at + p * strides[i]!, 0),
    );
    for (let i = 0; i < to.length; i++) y!.data[to[i]!] = x!.data[i]!;
  },
  onnx(emit, node) {
    const pads = emit.i64([...list(node.attrs, 'lo'), ...list(node.attrs, 'hi')]);
    const x = emit.name(node.inputs[0]!);
    emit.bind(node, emit.node('Pad', [x, pads, emit.scalar(node.attrs['value'] as number, node.outputs[0]!.dtype)]));
  },
  flops: noFlops,
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = randomShape(rng, 3, 1).map((d) => Math.max(1, d));
      return {
        inputs: [{ shape }],
        attrs: { lo: shape.map(() => rng.integer(3)), hi: shape.map(() => rng.integer(3)), value: rng.integer(2) },
      };
    }),
};

/**
 * Elements `starts[i], starts[i] + steps[i], ...` before `ends[i]`, per axis. Negative starts and ends count from the
 * end; missing ones mean the whole axis.
 */
export function slice(
  x: Tensor,
  starts: readonly number[],
  ends?: readonly number[],
  steps?: readonly number[],
): Tensor {
  const s = x.shape.map((_, i) => steps?.[i] ?? 1);
  const from = x.shape.map((d, i) => clampIndex(starts[i] ?? (s[i]! < 0 ? d - 1 : 0), d, s[i]!));
  const to = x.shape.map((d, i) => {
    const end = ends?.[i];
    return end === undefined ? (s[i]! < 0 ? -1 : d) : clampIndex(end, d, s[i]!);
  });
  if (s.some((k) => k === 0)) throw new CairnError('bad_step', 'Expected non-zero steps, got 0.');
  if (s.every((k) => k === 1) && x.shape.every((d, i) => from[i] === 0 && to[i] === d)) return x;
  return apply(sliceOp, [x], { starts: from, ends: to, steps: s });
}

function clampIndex(i: number, d: number, step: number): number {
  if (isSymbolic(d)) return i;
  const at = i < 0 ? i + d : i;
  return step < 0 ? Math.max(-1, Math.min(d - 1, at)) : Math.max(0, Math.min(d, at));
}

/** One axis from `start` to before `end`; the others whole. */
export function sliceAxis(x: Tensor, axis: number, start: number, end?: number, step = 1): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  const [starts, ends, steps] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)];
  starts[a] = start;
  if (end !== undefined) ends[a] = end;
  steps[a] = step;
  return slice(x, starts, ends, steps);
}

/** Reverses one axis. */
export function flip(x: Tensor, axis: number): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  const shape = x.shape;
  return apply(sliceOp, [x], {
    starts: shape.map((d, i) => (i === a ? d - 1 : 0)),
    ends: shape.map((d, i) => (i === a ? -1 : d)),
    steps: shape.map((_, i) => (i === a ? -1 : 1)),
  });
}

/** Joins tensors along an axis. */
export function concat(parts: readonly Tensor[], axis = 0): Tensor {
  const first = parts[0];
  if (!first) throw new CairnError('no_tensor', 'Expected at least one tensor to join, got none.');
  return parts.length === 1
    ? first
    : apply(concatOp, [first, ...parts.slice(1)], { axis: normalizeAxis(axis, first.shape.length) });
}

/** Adds `lo[i]` values before and `hi[i]` after each axis. */
export function pad(x: Tensor, lo: readonly number[], hi: readonly number[], value = 0): Tensor {
  return [...lo, ...hi].every((p) => p === 0) ? x : apply(padOp, [x], { lo: [...lo], hi: [...hi], value });
}

/** Cuts an axis into equal parts (a number) or parts of the given lengths. */
export function split(x: Tensor, parts: number | readonly number[], axis = -1): Tensor[] {
  const a = normalizeAxis(axis, x.shape.length);
  const n = x.shape[a]!;
  const lengths = typeof parts === 'number' ? Array.from({ length: parts }, () => n / parts) : parts;
  if (lengths.some((k) => !Number.isInteger(k)) || lengths.reduce((s, k) => s + k, 0) !== n) {
    throw new CairnError('bad_split', `Expected parts that add up to ${n}, got [${lengths.join(',')}].`);
  }
  let at = 0;
  return lengths.map((k) => sliceAxis(x, a, at, (at += k)));
}

/** Joins tensors of one shape along a new axis. */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  return concat(
    parts.map((x) => unsqueeze(x, axis)),
    axis,
  );
}
