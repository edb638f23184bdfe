// Constant tensors made from shapes: ranges, fills, masks, one-hot rows.
import type { Builder } from '../builder.ts';
import type { Dtype } from '../dtype.ts';
import { isFloat } from '../dtype.ts';
import type { Tensor } from '../tensor.ts';
import { normalizeAxis } from '../shape.ts';

/** `0, 1, ..., n - 1`. */
export function iota(b: Builder, n: number, dtype: Dtype = 'i32'): Tensor {
  return b.constant(
    Array.from({ length: n }, (_, i) => i),
    [n],
    dtype,
  );
}

/** A tensor of one value; stored as a scalar and expanded in the graph. */
export function full(b: Builder, shape: readonly number[], value: number, dtype: Dtype = b.dtype): Tensor {
  return b.constant(value, [], dtype).expand(shape);
}

export function zerosLike(x: Tensor): Tensor {
  return full(x.builder, x.shape, 0, x.dtype);
}

export function onesLike(x: Tensor): Tensor {
  return full(x.builder, x.shape, 1, x.dtype);
}

/**
 * The lower triangle of ones: entry `[i, j]` is 1 where `j <= i + offset`.
 * @returns `[rows, columns]`
 */
export function tril(b: Builder, rows: number, columns = rows, offset = 0, dtype: Dtype = b.dtype): Tensor {
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns && j <= i + offset; j++) data[i * columns + j] = 1;
  return b.constant(data, [rows, columns], dtype);
}

/** Rows of 0 with a 1 at the index. idx `[...]` i32 gives `[..., n]`. */
export function oneHot(idx: Tensor, n: number, dtype: Dtype = idx.builder.dtype): Tensor {
  const hit = idx.unsqueeze(idx.rank).eq(iota(idx.builder, n));
  return isFloat(dtype) || dtype === 'i32' ? hit.cast(dtype) : hit;
}

/** Keeps entries whose position along `axis` is below the fed `length` (rank 0, i32); others become `value`. */
export function maskAfter(x: Tensor, length: Tensor, axis: number, value = 0): Tensor {
  const a = normalizeAxis(axis, x.rank);
  const positions = iota(x.builder, x.shape[a]!).reshape(x.shape.map((d, i) => (i === a ? d : 1)));
  return positions.lt(length).where(x, value);
}
