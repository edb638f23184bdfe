// Second moments of features: count, sum and sum of outer products. Sums lie on a grid (see features.ts), so adding, merging
// and subtracting are exact and their order does not matter. Not a signature: see moment-signature.ts. Source: 2310.12143.
import { CairnError } from '../../errors.ts';
import type { ByteReader, ByteWriter } from '../../sketch/index.ts';
import { matrix, type Matrix } from '../../tensor/index.ts';
import { FEATURE_GRID } from './features.ts';

/**
 * Statistics of a set of points.
 *
 * @example
 * const m = new Moments(2);
 * m.add([1, 0.5]);
 * m.remove([1, 0.5]);
 * m.isEmpty; // true
 */
export class Moments {
  readonly size: number;
  /** Points, or the sum of their weights. */
  count = 0;
  readonly sum: Float64Array; // [size]
  /** Lower triangle of the sum of phi phiᵀ, row by row. */
  readonly packed: Float64Array; // [size (size + 1) / 2]

  constructor(size: number) {
    this.size = size;
    this.sum = new Float64Array(size);
    this.packed = new Float64Array((size * (size + 1)) / 2);
  }

  /** Adds a point with features phi, [size]; a weight below 1 makes it count less. */
  add(phi: ArrayLike<number>, weight = 1): void {
    this.#accumulate(phi, weight, 1);
  }

  /** Takes away what `add` with the same arguments added. */
  remove(phi: ArrayLike<number>, weight = 1): void {
    this.#accumulate(phi, weight, -1);
  }

  /** Adds the points of another set. */
  merge(other: Moments): void {
    this.#combine(other, 1);
  }

  /** Takes away the points of another set. */
  subtract(other: Moments): void {
    this.#combine(other, -1);
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.packed.every((v) => v === 0);
  }

  clone(): Moments {
    const copy = new Moments(this.size);
    copy.merge(this);
    return copy;
  }

  equals(other: Moments): boolean {
    return (
      this.size === other.size &&
      this.count === other.count &&
      this.sum.every((v, i) => v === other.sum[i]) &&
      this.packed.every((v, i) => v === other.packed[i])
    );
  }

  /** Mean squared norm of the features. */
  get energy(): number {
    let trace = 0;
    for (let i = 0; i < this.size; i++) trace += this.packed[(i * (i + 3)) / 2]!;
    return this.count > 0 ? trace / this.count : 0;
  }

  /** M / count as a full matrix; zeros for an empty set. */
  mean(): Matrix {
    const k = this.size;
    const out = matrix(k, k);
    const by = this.count > 0 ? 1 / this.count : 0;
    for (let i = 0, at = 0; i < k; i++) {
      for (let j = 0; j <= i; j++, at++) out.data[i * k + j] = out.data[j * k + i] = this.packed[at]! * by;
    }
    return out;
  }

  /** Count, sums and products: 8 (1 + k + k (k + 1) / 2) bytes. */
  write(out: ByteWriter): void {
    out.f64(this.count);
    for (const v of this.sum) out.f64(v);
    for (const v of this.packed) out.f64(v);
  }

  static read(from: ByteReader, size: number): Moments {
    const m = new Moments(size);
    const finite = (): number => {
      const v = from.f64();
      return Number.isFinite(v) ? v : from.fail('a finite number');
    };
    m.count = finite();
    if (m.count < 0) from.fail('a non-negative count');
    for (let i = 0; i < m.sum.length; i++) m.sum[i] = finite();
    for (let i = 0; i < m.packed.length; i++) m.packed[i] = finite();
    return m;
  }

  #accumulate(phi: ArrayLike<number>, weight: number, sign: 1 | -1): void {
    const k = this.size;
    if (phi.length !== k) throw sizeError(k, phi.length);
    if (!(weight > 0 && weight <= 1)) {
      throw new CairnError('bad_weight', `Expected a weight above 0 and at most 1, got ${weight}.`);
    }
    // The weighted point goes back to the grid, and its count to 2^-16: sums stay exact.
    const root = Math.sqrt(weight);
    const onGrid = (v: number): number => Math.round((v * root) / FEATURE_GRID) * FEATURE_GRID;
    const scaled = weight === 1 ? phi : Float64Array.from({ length: k }, (_, i) => onGrid(phi[i]!));
    this.count += sign * Math.max(FEATURE_GRID, Math.round(weight / FEATURE_GRID) * FEATURE_GRID);
    for (let i = 0, at = 0; i < k; i++) {
      const v = sign * scaled[i]!;
      this.sum[i] = this.sum[i]! + v;
      if (v === 0) {
        at += i + 1;
        continue;
      }
      for (let j = 0; j <= i; j++, at++) this.packed[at] = this.packed[at]! + v * scaled[j]!;
    }
  }

  #combine(other: Moments, sign: 1 | -1): void {
    if (other.size !== this.size) throw sizeError(this.size, other.size);
    this.count += sign * other.count;
    for (let i = 0; i < this.sum.length; i++) this.sum[i] = this.sum[i]! + sign * other.sum[i]!;
    for (let i = 0; i < this.packed.length; i++) this.packed[i] = this.packed[i]! + sign * other.packed[i]!;
  }
}

function sizeError(want: number, got: number): CairnError {
  return new CairnError('dimension_mismatch', `Expected ${want} features, got ${got}.`, {
    hint: 'Use features of one FeatureMap.',
  });
}
