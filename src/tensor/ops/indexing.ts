// Ops that read or write by index: rows (gather, scatterAdd), elements (gatherElements, scatterElementsAdd), topk.
// Indices are i32 tensors, never negative. Executors on the CPU throw on an index out of range.
import { CairnError } from '../../errors.ts';
import type { Attrs, TensorType } from '../graph.ts';
import type { OpRecord, OpSample, Value } from '../op.ts';
import type { Rng } from '../rng.ts';
import { normalizeAxis, sameShape, shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { apply, applyAll, checkDtypes, noFlops, numbers, scalarLike } from './_apply.ts';
import { around } from './_kernel.ts';

const axisOf = (attrs: Attrs): number => attrs['axis'] as number;

function checkIndex(idx: TensorType): void {
  if (idx.dtype === 'i32') return;
  throw new CairnError('dtype_mismatch', `Expected i32 indices, got ${idx.dtype}.`, {
    hint: "Convert them with cast(x, 'i32').",
  });
}

function rowAt(idx: Value, i: number, rows: number): number {
  const row = idx.data[i]!;
  if (row < 0 || row >= rows) {
    throw new CairnError('index_out_of_range', `Expected an index from 0 to ${rows - 1}, got ${row}.`);
  }
  return row;
}

/** Indices that are constants are checked while the graph is built. */
function checkConstant(op: string, idx: Tensor, length: number): void {
  const { constant } = idx.builder.nodes()[idx.port.node]!;
  const bad = constant && Array.from(constant).find((i) => i < 0 || (length >= 0 && i >= length));
  if (bad === undefined) return;
  const { currentScope } = idx.builder;
  const place = currentScope === '' ? op : `${op} in \`${currentScope}\``;
  throw new CairnError('index_out_of_range', `Expected an index from 0 to ${length - 1}, got ${bad}. At ${place}.`, {
    hint: 'Negative indices do not count from the end here.',
  });
}

function zerosOf(x: Tensor): Tensor {
  return scalarLike(x, 0).expand(x.shape);
}

export const gatherOp: OpRecord = {
  name: 'gather',
  infer([x, idx], attrs) {
    checkIndex(idx!);
    const axis = axisOf(attrs);
    return [{ shape: [...x!.shape.slice(0, axis), ...idx!.shape, ...x!.shape.slice(axis + 1)], dtype: x!.dtype }];
  },
  vjp(c) {
    const [x, idx] = [c.inputs[0]!, c.inputs[1]!];
    const axis = axisOf(c.attrs);
    const rank = idx.shape.length;
    const n = sizeOf(idx.shape);
    // Bring the gathered axes to the front, scatter rows, and move the axis back.
    const g = c.cotangents[0]!;
    const order = g.shape.map((_, i) => i);
    const front = [...order.slice(axis, axis + rank), ...order.slice(0, axis), ...order.slice(axis + rank)];
    const rest = [...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)];
    const rows = g.transpose(front).reshape([n, ...rest]);
    const base = scalarLike(g, 0).expand([x.shape[axis]!, ...rest]);
    const sum = scatterAdd(base, idx.reshape([n]), rows);
    const back = x.shape.map((_, i) => (i < axis ? i + 1 : i === axis ? 0 : i));
    return [sum.transpose(back), undefined];
  },
  reference([x, idx], attrs, [y]) {
    const { outer, length, inner } = around(x!.shape, axisOf(attrs));
    const n = idx!.data.length;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < n; i++) {
        const from = (o * length + rowAt(idx!, i, length)) * inner;
        const to = (o * n + i) * inner;
        for (let k = 0; k < inner; k++) y!.data[to + k] = x!.data[from + k]!;
      }
    }
  },
  onnx(emit, node) {
    const [x, idx] = node.inputs.map((p) => emit.name(p)) as [string, string];
    emit.bind(node, emit.node('Gather', [x, idx], { axis: axisOf(node.attrs) }));
  },
  flops: noFlops,
  samples: (rng) =>
    Array.from({ length: 8 }, () => {
      const shape = Array.from({ length: 1 + rng.integer(3) }, () => 1 + rng.integer(4));
      const axis = rng.integer(shape.length);
      const idx = Array.from({ length: rng.integer(3) }, () => rng.integer(4));
      return { inputs: [{ shape }, { shape: idx, dtype: 'i32', low: 0, high: shape[axis]! }], attrs: { axis } };
    }),
};

export const scatterAddOp: OpRecord = {
  name: 'scatterAdd',
  infer([base, idx, upd]) {
    checkIndex(idx!);
    checkDtypes([base!, upd!], numbers);
    if (
      idx!.shape.length !== 1 ||
      !sameShape(upd!.shape, [idx!.shape[0]!, ...base!.shape.slice(1)]) ||
      base!.shape.length === 0
    ) {
      throw new CairnError(
        'shape_mismatch',
        `Expected base [n, ...], indices [m] and updates [m, ...], got ${shapeText(base!.shape)}, ${shapeText(idx!.shape)} and ${shapeText(upd!.shape)}.`,
      );
    }
    return [base!];
  },
  vjp: (c) => [c.cotangents[0]!, undefined, c.needs(2) ? gather(c.cotangents[0]!, c.inputs[1]!, 0) : undefined],
  reference([base, idx, upd], _attrs, [y]) {
    y!.data.set(base!.data);
    const inner = sizeOf(base!.shape.slice(1));
    for (let i = 0; i < idx!.data.length; i++) {
      const row = rowAt(idx!, i, base!.shape[0]!) * inner;
      for (let k = 0; k < inner; k++) y!.data[row + k]! += upd!.data[i * inner + k]!;
    }
  },
  onnx(emit, node) {
    const [base, idx, upd] = node.inputs.map((p) => emit.name(p)) as [string, string, string];
    const wide = emit.node('Cast', [idx], { to: 7 });
    const column = emit.node('Reshape', [wide[0]!, emit.i64([-1, 1])]);
    emit.bind(node, emit.node('ScatterND', [base, column[0]!, upd], { reduction: 'add' }));
  },
  flops: ([, , upd]) => sizeOf(upd!.shape),
  samples: (rng) =>
    Array.from({ length: 6 }, () => {
      const base = Array.from({ length: 1 + rng.integer(3) }, () => 1 + rng.integer(4));
      const m = 1 + rng.integer(5);
      return {
        inputs: [
          { shape: base },
          { shape: [m], dtype: 'i32', low: 0, high: base[0]! },
          { shape: [m, ...base.slice(1)] },
        ],
      };
    }),
};

function checkElements(name: string, x: TensorType, idx: TensorType, axis: number): void {
  checkIndex(idx);
  const fits = idx.shape.length === x.shape.length && idx.shape.every((d, i) => i === axis || d <= x.shape[i]!);
  if (fits) return;
  throw new CairnError(
    'shape_mismatch',
    `Expected indices that fit ${shapeText(x.shape)} outside axis ${axis}, got ${shapeText(idx.shape)} in ${name}.`,
  );
}

/** Calls `visit(element of x, element of idx)` for every index. */
function eachElement(x: Value, idx: Value, axis: number, visit: (at: number, i: number) => void): void {
  const rank = x.shape.length;
  const index = new Int32Array(rank);
  const stride = new Array<number>(rank).fill(1);
  for (let i = rank - 2; i >= 0; i--) stride[i] = stride[i + 1]! * x.shape[i + 1]!;
  for (let k = 0; k < idx.data.length; k++) {
    let at = 0;
    for (let i = 0; i < rank; i++) at += (i === axis ? rowAt(idx, k, x.shape[axis]!) : index[i]!) * stride[i]!;
    visit(at, k);
    for (let i = rank - 1; i >= 0; i--) {
      if (++index[i]! < idx.shape[i]!) break;
      index[i] = 0;
    }
  }
}

function elementSamples(withUpdates: boolean): (rng: Rng) => OpSample[] {
  return (rng) =>
    Array.from({ length: 6 }, () => {
      const shape = Array.from({ length: 1 + rng.integer(3) }, () => 1 + rng.integer(4));
      const axis = rng.integer(shape.length);
      const idx = shape.map((d, i) => (i === axis ? 1 + rng.integer(4) : d));
      const indices = { shape: idx, dtype: 'i32' as const, low: 0, high: shape[axis]! };
      return { inputs: [{ shape }, indices, ...(withUpdates ? [{ shape: idx }] : [])], attrs: { axis } };
    });
}

export const gatherElementsOp: OpRecord = {
  name: 'gatherElements',
  infer([x, idx], attrs) {
    checkElements('gatherElements', x!, idx!, axisOf(attrs));
    return [{ shape: idx!.shape, dtype: x!.dtype }];
  },
  vjp(c) {
    const [x, idx] = [c.inputs[0]!, c.inputs[1]!];
    return [scatterElementsAdd(zerosOf(x), idx, c.cotangents[0]!, axisOf(c.attrs)), undefined];
  },
  reference([x, idx], attrs, [y]) {
    eachElement(x!, idx!, axisOf(attrs), (at, i) => {
      y!.data[i] = x!.data[at]!;
    });
  },
  onnx(emit, node) {
    const [x, idx] = node.inputs.map((p) => emit.name(p)) as [string, string];
    emit.bind(node, emit.node('GatherElements', [x, idx], { axis: axisOf(node.attrs) }));
  },
  flops: noFlops,
  samples: elementSamples(false),
};

export const scatterElementsAddOp: OpRecord = {
  name: 'scatterElementsAdd',
  infer([base, idx, upd], attrs) {
    checkElements('scatterElementsAdd', base!, idx!, axisOf(attrs));
    checkDtypes([base!, upd!], numbers);
    if (!sameShape(idx!.shape, upd!.shape)) {
      throw new CairnError(
        'shape_mismatch',
        `Expected updates of the shape of the indices ${shapeText(idx!.shape)}, got ${shapeText(upd!.shape)}.`,
      );
    }
    return [base!];
  },
  vjp(c) {
    const g = c.cotangents[0]!;
    return [g, undefined, c.needs(2) ? gatherElements(g, c.inputs[1]!, axisOf(c.attrs)) : undefined];
  },
  reference([base, idx, upd], attrs, [y]) {
    y!.data.set(base!.data);
    eachElement(base!, idx!, axisOf(attrs), (at, i) => {
      y!.data[at]! += upd!.data[i]!;
    });
  },
  onnx(emit, node) {
    const names = node.inputs.map((p) => emit.name(p));
    emit.bind(node, emit.node('ScatterElements', names, { axis: axisOf(node.attrs), reduction: 'add' }));
  },
  flops: ([, , upd]) => sizeOf(upd!.shape),
  samples: elementSamples(true),
};

export const topkOp: OpRecord = {
  name: 'topk',
  infer([x], attrs) {
    checkDtypes([x!], numbers);
    const [axis, k] = [axisOf(attrs), attrs['k'] as number];
    if (!(k >= 0 && k <= x!.shape[axis]!)) {
      throw new CairnError('bad_k', `Expected k from 0 to ${x!.shape[axis]!}, got ${k}.`);
    }
    const shape = x!.shape.map((d, i) => (i === axis ? k : d));
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: 'i32' },
    ];
  },
  vjp(c) {
    const g = c.cotangents[0];
    return [g ? scatterElementsAdd(zerosOf(c.inputs[0]!), c.outputs[1]!, g, axisOf(c.attrs)) : undefined];
  },
  reference([x], attrs, [values, indices]) {
    const [axis, k] = [axisOf(attrs), attrs['k'] as number];
    const { outer, length, inner } = around(x!.shape, axis);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (j: number): number => x!.data[(o * length + j) * inner + i]!;
        const order = Array.from({ length }, (_, j) => j).sort((a, b) => at(b) - at(a) || a - b);
        for (let j = 0; j < k; j++) {
          const to = (o * k + j) * inner + i;
          values!.data[to] = at(order[j]!);
          indices!.data[to] = order[j]!;
        }
      }
    }
  },
  onnx(emit, node) {
    const k = emit.i64([node.attrs['k'] as number]);
    const [values, wide] = emit.node('TopK', [emit.name(node.inputs[0]!), k], { axis: axisOf(node.attrs) }, 2) as [
      string,
      string,
    ];
    const indices = emit.used(node, 1) ? emit.node('Cast', [wide], { to: 6 })[0]! : '';
    emit.bind(node, [values, indices]);
  },
  flops: ([x]) => sizeOf(x!.shape),
  samples: (rng) =>
    Array.from({ length: 5 }, () => {
      const shape = Array.from({ length: 1 + rng.integer(3) }, () => 1 + rng.integer(4));
      const axis = rng.integer(shape.length);
      const data = Array.from(rng.permutation(sizeOf(shape)), (v) => v / 4);
      return { inputs: [{ shape, data }], attrs: { axis, k: 1 + rng.integer(shape[axis]!) } };
    }),
};

/** Rows of `x` along `axis` by index: `axis` is replaced by the shape of `idx` (i32). */
export function gather(x: Tensor, idx: Tensor, axis = 0): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  checkConstant('gather', idx, x.shape[a]!);
  return apply(gatherOp, [x, idx], { axis: a });
}

/** `base` with `upd[i]` added to row `idx[i]`. base `[n, ...]`, idx `[m]` i32, upd `[m, ...]`. */
export function scatterAdd(base: Tensor, idx: Tensor, upd: Tensor): Tensor {
  checkConstant('scatterAdd', idx, base.shape[0] ?? 0);
  return apply(scatterAddOp, [base, idx, upd]);
}

/** One element per index along `axis`; the result has the shape of `idx`. */
export function gatherElements(x: Tensor, idx: Tensor, axis = -1): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  checkConstant('gatherElements', idx, x.shape[a]!);
  return apply(gatherElementsOp, [x, idx], { axis: a });
}

/** `base` with `upd` added at the elements that `gatherElements` with the same `idx` would read. */
export function scatterElementsAdd(base: Tensor, idx: Tensor, upd: Tensor, axis = -1): Tensor {
  return apply(scatterElementsAddOp, [base, idx, upd], { axis: normalizeAxis(axis, base.shape.length) });
}

/** The `k` largest along `axis`, descending, with their indices (i32). On ties the smaller index comes first. */
export function topk(x: Tensor, k: number, axis = -1): { values: Tensor; indices: Tensor } {
  const [values, indices] = applyAll(topkOp, [x], { k, axis: normalizeAxis(axis, x.shape.length) }) as [Tensor, Tensor];
  return { values, indices };
}

/** Index of the largest along `axis`; that axis vanishes. */
export function argmax(x: Tensor, axis = -1): Tensor {
  const a = normalizeAxis(axis, x.shape.length);
  return topk(x, 1, a).indices.reshape(x.shape.filter((_, i) => i !== a));
}

/** All elements along `axis`, descending, with the indices they came from. */
export function sort(x: Tensor, axis = -1): { values: Tensor; indices: Tensor } {
  return topk(x, x.shape[normalizeAxis(axis, x.shape.length)]!, axis);
}
