// A thin view of a row-major f64 matrix, and the one error class of this folder. No operation changes its inputs.
import { CairnError, type CairnErrorOptions } from '../../errors.ts';

/** Row-major f64 matrix: entry (i, j) is `data[i * cols + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** An error of the linear algebra: `shape`, `singular`, `not_positive_definite`, `not_symmetric`, `not_converged`. */
export class LinalgError extends CairnError {
  constructor(code: string, message: string, options: CairnErrorOptions = {}) {
    super(code, message, options);
    this.name = 'LinalgError';
  }
}

/**
 * A matrix over the given numbers (kept, not copied, when they are a Float64Array); zeros without them.
 * @throws LinalgError `shape` when the number of entries is not rows * cols
 * @example
 * matrix(2, 2, [1, 2, 3, 4]).data[2]; // 3
 */
export function matrix(rows: number, cols: number, data?: ArrayLike<number>): Matrix {
  if (!Number.isInteger(rows) || !Number.isInteger(cols) || rows < 0 || cols < 0) {
    throw new LinalgError('shape', `Expected non-negative integer sizes, got ${rows} x ${cols}.`);
  }
  if (data !== undefined && data.length !== rows * cols) {
    throw new LinalgError('shape', `Expected ${rows * cols} entries for ${rows} x ${cols}, got ${data.length}.`);
  }
  const values =
    data === undefined
      ? new Float64Array(rows * cols)
      : data instanceof Float64Array
        ? data
        : Float64Array.from({ length: data.length }, (_, i) => data[i]!);
  return { rows, cols, data: values };
}

/** The n x n identity. */
export function identity(n: number): Matrix {
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = 1;
  return out;
}

/** The transpose, as a new matrix. */
export function transpose(a: Matrix): Matrix {
  const out = matrix(a.cols, a.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++) out.data[j * a.rows + i] = a.data[i * a.cols + j]!;
  }
  return out;
}

/** Throws unless the matrix is square; returns its size. */
export function squareSize(a: Matrix, what: string): number {
  if (a.rows !== a.cols) {
    throw new LinalgError('shape', `Expected a square matrix for ${what}, got ${a.rows} x ${a.cols}.`);
  }
  return a.rows;
}

/** Throws unless `b` has `rows` rows. */
export function expectRows(b: Matrix, rows: number, what: string): void {
  if (b.rows !== rows) {
    throw new LinalgError('shape', `Expected a right-hand side with ${rows} rows for ${what}, got ${b.rows}.`);
  }
}
