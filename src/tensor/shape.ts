// Shapes: sizes, strides, axes, broadcasting as NumPy does it, and symbolic dimensions of decode graphs. A symbolic
// dimension is a negative number that encodes a symbol and an added constant, so that `past + 1` is a dimension too.
import { CairnError } from '../errors.ts';

/** Dimensions, outermost first. A negative entry is a symbolic dimension (see `symbolicDim`). */
export type Shape = readonly number[];

const SYMBOL = 2 ** 24;

/** The dimension `symbol + offset`; symbols are counted from 0 in the order a builder made them. */
export function symbolicDim(symbol: number, offset = 0): number {
  return -((symbol + 1) * SYMBOL + offset);
}

export function isSymbolic(dim: number): boolean {
  return dim <= -SYMBOL;
}

/** The symbol and the added constant of a symbolic dimension. */
export function symbolOf(dim: number): { symbol: number; offset: number } {
  return { symbol: Math.floor(-dim / SYMBOL) - 1, offset: -dim % SYMBOL };
}

/** `dim + n` for a concrete or symbolic dimension and a concrete `n >= 0`. */
export function addToDim(dim: number, n: number): number {
  return isSymbolic(dim) ? dim - n : dim + n;
}

/** Replaces symbols by values; `values[symbol]` is the length fed for it. */
export function resolveShape(shape: Shape, values: readonly number[]): number[] {
  return shape.map((d) => {
    if (!isSymbolic(d)) return d;
    const { symbol, offset } = symbolOf(d);
    return (values[symbol] ?? 0) + offset;
  });
}

/** Number of elements; 1 for rank 0. Symbolic dimensions count as 1, so use it for concrete shapes or estimates. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= isSymbolic(d) ? 1 : d;
  return n;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `[4,3]`, with symbolic dimensions as `s0+1`. */
export function shapeText(shape: Shape): string {
  const dims = shape.map((d) => {
    if (!isSymbolic(d)) return String(d);
    const { symbol, offset } = symbolOf(d);
    return `s${symbol}${offset === 0 ? '' : `+${offset}`}`;
  });
  return `[${dims.join(',')}]`;
}

/**
 * The shape two operands broadcast to: aligned at the right, dimensions equal or one of them 1.
 * @throws CairnError `shape_mismatch`
 * @example broadcastShapes([4, 1], [3]); // [4, 3]
 */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new CairnError(
        'shape_mismatch',
        `Expected shapes that broadcast, got ${shapeText(a)} and ${shapeText(b)} (axis ${i}: ${x} vs ${y}).`,
        { hint: 'Make the dimensions equal, or one of them 1.' },
      );
    }
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** The axes over which a gradient of shape `from` is summed to give shape `to`. */
export function unbroadcastAxes(from: Shape, to: Shape): number[] {
  const offset = from.length - to.length;
  const axes: number[] = [];
  for (let i = 0; i < from.length; i++) {
    if (i < offset || (to[i - offset] === 1 && from[i] !== 1)) axes.push(i);
  }
  return axes;
}

/** An axis counted from the front; negative axes count from the back. */
export function normalizeAxis(axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || a < 0 || a >= rank) {
    throw new CairnError('bad_axis', `Expected an axis of a rank-${rank} tensor, got ${axis}.`, {
      hint: rank === 0 ? 'A rank-0 tensor has no axes.' : `Use ${-rank} to ${rank - 1}.`,
    });
  }
  return a;
}

/** Sorted axes without repeats; all of them when none are given. */
export function normalizeAxes(axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map((a) => normalizeAxis(a, rank)).sort((x, y) => x - y);
  list.forEach((a, i) => {
    if (a === list[i - 1]) throw new CairnError('bad_axis', `Expected distinct axes, got ${a} twice.`);
  });
  return list;
}

/** The shape after reducing over `axes`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  const set = new Set(axes);
  return keepDims ? shape.map((d, i) => (set.has(i) ? 1 : d)) : shape.filter((_, i) => !set.has(i));
}

/**
 * Fills in one -1 of a reshape target from the number of elements. A -1 next to symbolic dimensions takes the symbolic
 * dimension of the source when the concrete parts agree.
 * @throws CairnError `shape_mismatch`
 */
export function reshapeTarget(from: Shape, to: Shape): number[] {
  const wanted = shapeText(to);
  const symbols = from.filter(isSymbolic);
  const kept = to.filter((d) => d !== -1 && isSymbolic(d));
  const missing = symbols.filter((d) => !kept.includes(d));
  const unknown = to.indexOf(-1);
  const mismatch = (): CairnError =>
    new CairnError(
      'shape_mismatch',
      `Expected a shape with ${sizeOf(from)} elements, got ${wanted} for a tensor ${shapeText(from)}.`,
      { hint: 'Reshape keeps the number of elements; use -1 for one dimension to infer it.' },
    );
  if (to.some((d, i) => d === -1 && i !== unknown)) {
    throw new CairnError('bad_shape', `Expected at most one -1, got ${to.filter((d) => d === -1).length}.`);
  }
  const known = sizeOf(to.filter((d) => d !== -1));
  if (unknown === -1) {
    if (known !== sizeOf(from) || missing.length > 0 || kept.length !== symbols.length) throw mismatch();
    return [...to];
  }
  if (missing.length > 1) throw mismatch();
  const rest = known === 0 ? 0 : sizeOf(from) / known;
  if (!Number.isInteger(rest) || (missing.length === 1 && rest !== 1)) throw mismatch();
  return to.map((d, i) => (i === unknown ? (missing[0] ?? rest) : d));
}
