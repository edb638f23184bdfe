// The signature of a concept: the projector T onto the null space of its moment matrix, that is, the polynomial equations
// that all its points satisfy. It says who belongs, and compares, combines and indexes concepts. Source: 2310.12143.
import { CairnError } from '../../errors.ts';
import { eigSym, linalg, matrix, type Matrix } from '../../tensor/index.ts';
import { dot, orthonormalRows, rowsOf, stack } from './_orthonormal.ts';
import { chooseCut, type CutState } from './cut.ts';
import type { Moments } from './moments.ts';

export interface SignatureOptions {
  /** Degree of each feature: features of one degree are brought to one mean size before the cut is chosen. */
  readonly degrees?: ArrayLike<number>;
  /** Standard deviation of the noise on a point, if it is known. */
  readonly noise?: number;
  /** Least ratio of eigenvalues that counts as a gap; 4 by default. */
  readonly gap?: number;
  /** Number of null directions, instead of choosing it. */
  readonly nullity?: number;
}

/**
 * A projector onto the equations of a concept, as two orthonormal bases that complete each other.
 *
 * @example
 * const moments = new Moments(3);
 * for (const x of [[1, 2, 0], [2, 1, 0], [1, 1, 0], [3, 0, 0], [0, 1, 0], [2, 2, 0]]) moments.add(x);
 * MomentSignature.of(moments).residual([0, 0, 1]); // 1: not in the plane
 */
export class MomentSignature {
  /** Features, k. */
  readonly size: number;
  readonly state: CutState;
  /** Ratio of the eigenvalues on both sides of the cut. */
  readonly gap: number;
  /** Independent equations, [nullity, k]; rows are orthonormal. */
  readonly nullBasis: Matrix;
  /** Directions in which points vary, [k - nullity, k]; rows are orthonormal. */
  readonly rowBasis: Matrix;
  #projector: Matrix | undefined;

  constructor(nullBasis: Matrix, rowBasis: Matrix, state: CutState = 'determined', gap = Infinity) {
    this.size = nullBasis.cols;
    this.nullBasis = nullBasis;
    this.rowBasis = rowBasis;
    this.state = state;
    this.gap = gap;
  }

  /** The signature of what the moments have seen. */
  static of(moments: Moments, options: SignatureOptions = {}): MomentSignature {
    const k = moments.size;
    const mean = moments.mean();
    const scales = blockScales(mean, options.degrees);
    const scaled = matrix(k, k);
    for (let i = 0; i < k; i++) {
      for (let j = 0; j < k; j++) scaled.data[i * k + j] = mean.data[i * k + j]! * scales[i]! * scales[j]!;
    }
    const { values, vectors } = eigSym(scaled);
    const floor = noiseFloor(scales, options);
    const cut = chooseCut(values, moments.count, { floor, ...(options.gap === undefined ? {} : { gap: options.gap }) });
    const nullity = options.nullity ?? cut.nullity;
    const state = options.nullity === undefined ? cut.state : 'determined';
    const rows = rowsOf(linalg.transpose(vectors)); // eigenvectors, ascending
    if (scales.every((s) => s === scales[0])) {
      return new MomentSignature(stack(rows.slice(0, nullity), k), stack(rows.slice(nullity), k), state, cut.gap);
    }
    // An equation n on scaled features is S n on features; what is orthogonal to all of them is S⁻¹ w.
    const equations = rows.slice(0, nullity).map((r) => r.map((v, i) => v * scales[i]!));
    const directions = rows.slice(nullity).map((r) => r.map((v, i) => v / scales[i]!));
    return new MomentSignature(orthonormalRows(equations, k, 0), orthonormalRows(directions, k, 0), state, cut.gap);
  }

  /** A signature from equations, one a row; they need not be orthogonal or independent. */
  static fromEquations(rows: readonly Float64Array[], size: number, tolerance = 1e-9): MomentSignature {
    const nullBasis = orthonormalRows(rows, size, tolerance);
    const units = Array.from({ length: size }, (_, i) =>
      Float64Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)),
    );
    const all = orthonormalRows([...rowsOf(nullBasis), ...units], size, 1e-7);
    return new MomentSignature(nullBasis, stack(rowsOf(all).slice(nullBasis.rows), size));
  }

  /** Number of independent equations. */
  get nullity(): number {
    return this.nullBasis.rows;
  }

  /** Dimension of the row space. */
  get rank(): number {
    return this.rowBasis.rows;
  }

  /**
   * Share of a point that violates the equations: phiᵀ T phi / |phi|², between 0 and 1; 0 for a zero point.
   * @param phi [k]
   */
  residual(phi: ArrayLike<number>): number {
    const k = this.size;
    if (phi.length !== k) {
      throw new CairnError('dimension_mismatch', `Expected ${k} features, got ${phi.length}.`);
    }
    const norm = dot(phi, phi);
    if (norm === 0) return 0;
    const useNull = this.nullity <= this.rank;
    const basis = (useNull ? this.nullBasis : this.rowBasis).data;
    let inside = 0;
    for (let at = 0; at < basis.length; at += k) {
      let c = 0;
      for (let i = 0; i < k; i++) c += basis[at + i]! * phi[i]!;
      inside += c * c;
    }
    const share = useNull ? inside / norm : 1 - inside / norm;
    return Math.max(0, Math.min(1, share));
  }

  /** T, [k, k]. */
  get projector(): Matrix {
    if (this.#projector === undefined) {
      const k = this.size;
      const out = matrix(k, k);
      for (const row of rowsOf(this.nullBasis)) {
        for (let i = 0; i < k; i++) {
          const v = row[i]!;
          if (v !== 0) for (let j = 0; j < k; j++) out.data[i * k + j] = out.data[i * k + j]! + v * row[j]!;
        }
      }
      this.#projector = out;
    }
    return this.#projector;
  }

  /**
   * Upper triangle of T - (nullity / k) I with off-diagonal entries times √2: the cosine of two such vectors is the centred
   * similarity. [k (k + 1) / 2]
   */
  toVector(): Float64Array {
    const k = this.size;
    const t = this.projector.data;
    const out = new Float64Array((k * (k + 1)) / 2);
    let at = 0;
    for (let i = 0; i < k; i++) {
      out[at++] = t[i * k + i]! - this.nullity / k;
      for (let j = i + 1; j < k; j++) out[at++] = Math.SQRT2 * t[i * k + j]!;
    }
    return out;
  }
}

/** One factor per degree that brings the mean square of its features to 1; 1 where all features are zero. */
function blockScales(mean: Matrix, degrees: ArrayLike<number> | undefined): Float64Array {
  const k = mean.rows;
  const sums = new Map<number, { sum: number; n: number }>();
  for (let i = 0; i < k; i++) {
    const block = sums.get(degrees?.[i] ?? 0) ?? { sum: 0, n: 0 };
    block.sum += mean.data[i * k + i]!;
    block.n++;
    sums.set(degrees?.[i] ?? 0, block);
  }
  return Float64Array.from({ length: k }, (_, i) => {
    const { sum, n } = sums.get(degrees?.[i] ?? 0)!;
    return sum > 0 ? Math.sqrt(n / sum) : 1;
  });
}

/** 4 sigma² in scaled units, at the degree where it is largest; never below 1e-9. */
function noiseFloor(scales: Float64Array, options: SignatureOptions): number {
  const noise = options.noise ?? 0;
  let floor = 1e-9;
  for (let i = 0; i < scales.length; i++) {
    const degree = options.degrees?.[i] ?? 1;
    if (degree > 0) floor = Math.max(floor, 4 * (noise * scales[i]!) ** 2);
  }
  return floor;
}
