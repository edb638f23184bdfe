// Polynomial features phi(x): all monomials up to a degree, scaled so that a rotation of x rotates phi within each degree.
// Above a limit of features, products of seeded random linear forms stand in for them. Not a learned embedding.
// After the construction of "Simple Mechanisms for Representing, Indexing and Manipulating Concepts" (arXiv 2310.12143).
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';

/** What decides the features; two maps with equal specifications are interchangeable. */
export interface FeatureSpec {
  /** Numbers in a point. */
  readonly dim: number;
  /** Highest degree of a monomial, 1 to 6; 1 by default. */
  readonly degree?: number;
  /** Whether the constant 1 is a feature: needed for sets that miss the origin. Default: only above degree 1. */
  readonly constant?: boolean;
  /** A power of two that points are multiplied by, so that they have a norm near 1; 1 by default. */
  readonly scale?: number;
  /** More monomials than this are replaced by 256 random products; 300 by default. */
  readonly limit?: number;
  /** Seed of the random products. */
  readonly seed?: string | number;
}

/**
 * Features are rounded to multiples of 2^-16, so that sums of their products are exact in f64 and do not depend on the
 * order of the summands: what is added can be subtracted without a trace, up to 2^21 / max phi^2 points.
 */
export const FEATURE_GRID = 2 ** -16;
const RANDOM_FEATURES = 256;

/**
 * Maps points to features.
 *
 * @example
 * new FeatureMap({ dim: 2, degree: 2 }).apply([1, 2]); // 1, x, y, x², √2·xy, y² = [1, 1, 2, 1, 2.828, 4]
 */
export class FeatureMap {
  readonly spec: Required<FeatureSpec>;
  /** Features of a point, k. */
  readonly size: number;
  /** The monomial of each feature as a rising list of variables; undefined for random products. */
  readonly monomials: readonly (readonly number[])[] | undefined;
  /** Factor of each monomial: the square root of its multinomial coefficient. */
  readonly factors: Float64Array;
  /** Degree of each feature; features of one degree are scaled together. */
  readonly degrees: Uint8Array;
  readonly #prefix: Int32Array;
  readonly #signs: Int8Array | undefined; // [RANDOM_FEATURES, degree, dim + 1]

  /** @throws CairnError `bad_features` */
  constructor(spec: FeatureSpec) {
    const degree = spec.degree ?? 1;
    const constant = spec.constant ?? degree > 1;
    const full = { scale: 1, limit: 300, seed: 0, ...defined(spec), degree, constant };
    this.spec = full;
    const whole = (n: number): boolean => Number.isInteger(n) && n >= 1;
    if (!whole(full.dim) || !whole(degree) || degree > 6 || !whole(full.limit)) {
      throw new CairnError(
        'bad_features',
        `Expected a positive dimension and limit and a degree of 1 to 6, got ${full.dim}, ${full.limit} and ${degree}.`,
      );
    }
    if (!(full.scale > 0) || !Number.isInteger(Math.log2(full.scale))) {
      throw new CairnError('bad_features', `Expected a power of two as scale, got ${full.scale}.`);
    }
    if (monomialCount(full.dim, degree, constant) > full.limit) {
      this.size = RANDOM_FEATURES;
      this.factors = new Float64Array(RANDOM_FEATURES).fill(1 / Math.sqrt(RANDOM_FEATURES));
      this.degrees = new Uint8Array(RANDOM_FEATURES).fill(degree);
      this.#prefix = new Int32Array(0);
      const rng = new Rng(full.seed).fork('memory/concepts/features');
      this.#signs = Int8Array.from({ length: RANDOM_FEATURES * degree * (full.dim + 1) }, () => rng.rademacher());
      return;
    }
    const { list, prefix } = monomialsUpTo(full.dim, degree, constant);
    this.monomials = list;
    this.#prefix = prefix;
    this.size = list.length;
    this.factors = Float64Array.from(list, (m) => Math.sqrt(multinomial(m)));
    this.degrees = Uint8Array.from(list, (m) => m.length);
  }

  /** Whether the features are the monomials themselves. */
  get exact(): boolean {
    return this.monomials !== undefined;
  }

  equals(other: FeatureMap): boolean {
    const a = this.spec;
    const b = other.spec;
    return (
      a.dim === b.dim &&
      a.degree === b.degree &&
      a.constant === b.constant &&
      a.scale === b.scale &&
      this.size === other.size &&
      (this.exact || a.seed === b.seed)
    );
  }

  /**
   * phi(x), on the grid.
   * @param x [dim]
   * @returns [size]
   * @throws CairnError `dimension_mismatch`, `not_finite`
   */
  apply(x: ArrayLike<number>): Float64Array {
    const { dim, scale } = this.spec;
    if (x.length !== dim) {
      throw new CairnError('dimension_mismatch', `Expected a point of ${dim} numbers, got ${x.length}.`, {
        hint: 'Use points of the dimension that the concepts were made for.',
      });
    }
    const phi = this.#signs === undefined ? this.#monomialValues(x) : this.#randomValues(x, this.#signs);
    for (let i = 0; i < phi.length; i++) {
      const value = Math.round(phi[i]! / FEATURE_GRID) * FEATURE_GRID;
      if (!(Math.abs(value) < 32768)) {
        throw new CairnError(
          'not_finite',
          `Expected features below 32768 in size, got ${phi[i]} from a scaled point.`,
          {
            hint: `Pass finite numbers, and a smaller scale than ${scale}.`,
          },
        );
      }
      phi[i] = value;
    }
    return phi;
  }

  #monomialValues(x: ArrayLike<number>): Float64Array {
    const phi = new Float64Array(this.size);
    const list = this.monomials!;
    for (let i = 0; i < phi.length; i++) {
      const m = list[i]!;
      const before = this.#prefix[i]!;
      const value = m.length === 0 ? 1 : x[m[m.length - 1]!]! * this.spec.scale;
      phi[i] = before < 0 ? value : phi[before]! * value;
    }
    for (let i = 0; i < phi.length; i++) phi[i] = phi[i]! * this.factors[i]!;
    return phi;
  }

  #randomValues(x: ArrayLike<number>, signs: Int8Array): Float64Array {
    const { dim, degree, constant, scale } = this.spec;
    const phi = new Float64Array(this.size);
    let at = 0;
    for (let f = 0; f < phi.length; f++) {
      let product = this.factors[f]!;
      for (let j = 0; j < degree; j++) {
        let sum = constant ? signs[at]! : 0;
        for (let i = 0; i < dim; i++) sum += signs[at + 1 + i]! * x[i]! * scale;
        product *= sum;
        at += dim + 1;
      }
      phi[f] = product;
    }
    return phi;
  }
}

function defined(spec: FeatureSpec): Partial<FeatureSpec> & { dim: number } {
  return Object.fromEntries(Object.entries(spec).filter(([, v]) => v !== undefined)) as Partial<FeatureSpec> & {
    dim: number;
  };
}

/** C(dim + degree, degree), without the constant one less; without a constant also no lower degrees are lost. */
function monomialCount(dim: number, degree: number, constant: boolean): number {
  let count = 1;
  for (let i = 1; i <= degree; i++) count = (count * (dim + i)) / i;
  return count - (constant ? 0 : 1);
}

/** Rising lists of variables by degree, each with the index of itself without its last variable. */
function monomialsUpTo(dim: number, degree: number, constant: boolean): { list: number[][]; prefix: Int32Array } {
  const list: number[][] = constant ? [[]] : [];
  const prefix: number[] = constant ? [-1] : [];
  let level: number[] = [];
  for (let v = 0; v < dim; v++) {
    level.push(list.length);
    list.push([v]);
    prefix.push(-1);
  }
  for (let d = 2; d <= degree; d++) {
    const next: number[] = [];
    for (const index of level) {
      const m = list[index]!;
      for (let v = m[m.length - 1]!; v < dim; v++) {
        next.push(list.length);
        list.push([...m, v]);
        prefix.push(index);
      }
    }
    level = next;
  }
  return { list, prefix: Int32Array.from(prefix) };
}

/** d! / product of the factorials of how often each variable occurs. */
function multinomial(m: readonly number[]): number {
  let value = 1;
  let run = 0;
  for (let i = 0; i < m.length; i++) {
    run = i > 0 && m[i] === m[i - 1] ? run + 1 : 1;
    value = (value * (i + 1)) / run;
  }
  return value;
}
