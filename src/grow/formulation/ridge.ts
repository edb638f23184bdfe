// Ridge regression on some rows of task data: the module of one task when tasks are linear. Sums are kept, so that rows can
// be added and sets of rows merged without going back to the data.
import { cholesky, choleskySolve, matrix } from '../../tensor/index.ts';
import type { TaskData } from './task-data.ts';

/** Sums over rows from which a linear model follows. */
export class LinearSums {
  readonly width: number;
  /** Lower triangle of Σ z zᵀ and Σ z y for z = (x, 1); Σ y². */
  readonly #zz: Float64Array;
  readonly #zy: Float64Array;
  #yy = 0;
  #count = 0;

  constructor(width: number) {
    this.width = width;
    const k = width + 1;
    this.#zz = new Float64Array(k * k);
    this.#zy = new Float64Array(k);
  }

  get count(): number {
    return this.#count;
  }

  add(data: TaskData, row: number): void {
    const k = this.width + 1;
    const at = (i: number): number => (i < this.width ? data.xs[row * this.width + i]! : 1);
    const y = data.ys[row]!;
    for (let i = 0; i < k; i++) {
      const zi = at(i);
      this.#zy[i]! += zi * y;
      for (let j = 0; j <= i; j++) this.#zz[i * k + j]! += zi * at(j);
    }
    this.#yy += y * y;
    this.#count++;
  }

  /** These sums without those of some of the rows. */
  without(part: LinearSums): LinearSums {
    const rest = new LinearSums(this.width);
    for (let i = 0; i < this.#zz.length; i++) rest.#zz[i] = this.#zz[i]! - part.#zz[i]!;
    for (let i = 0; i < this.#zy.length; i++) rest.#zy[i] = this.#zy[i]! - part.#zy[i]!;
    rest.#yy = this.#yy - part.#yy;
    rest.#count = this.#count - part.#count;
    return rest;
  }

  /** Weights `[width + 1]`, the constant last, and the sum of squares they leave. */
  solve(ridge: number): { weights: Float64Array; left: number } {
    const k = this.width + 1;
    const a = new Float64Array(k * k);
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) a[i * k + j] = a[j * k + i] = this.#zz[i * k + j]!;
      a[i * k + i]! += ridge * Math.max(1, this.#count) + 1e-12;
    }
    const solved = choleskySolve(cholesky(matrix(k, k, a)), matrix(k, 1, this.#zy)).data;
    const weights = Float64Array.from(solved);
    let left = this.#yy;
    for (let i = 0; i < k; i++) {
      left -= 2 * weights[i]! * this.#zy[i]!;
      for (let j = 0; j < k; j++) left += weights[i]! * weights[j]! * this.#zz[Math.max(i, j) * k + Math.min(i, j)]!;
    }
    return { weights, left: Math.max(0, left) };
  }
}

/** The answer of linear weights for one row. */
export function linearAnswer(weights: Float64Array, data: TaskData, row: number): number {
  let s = weights[data.width]!;
  for (let i = 0; i < data.width; i++) s += weights[i]! * data.xs[row * data.width + i]!;
  return s;
}
