// Comparing and combining concepts by their signatures: similarity, AND, OR as the linear hull, OR exactly by products of
// equations one degree up, and what several concepts have in common. Source: 2310.12143, section on operations.
import { CairnError } from '../../errors.ts';
import { eigSym, linalg, matrix, type Matrix } from '../../tensor/index.ts';
import { dot, rowsOf, stack } from './_orthonormal.ts';
import { FeatureMap } from './features.ts';
import { MomentSignature } from './moment-signature.ts';

/** How far from parallel two equations may be and still count as the same: 1 - cosine of their angle. */
const SAME_EQUATION = 2e-3;

/** Two ways to compare: `plain` overlaps also by chance (nullity / k), `centred` does not. */
export type SimilarityKind = 'centred' | 'plain';

/**
 * Overlap of two sets of equations, 1 for equal ones; centred: about 0 for unrelated ones of any nullity.
 * @throws CairnError `dimension_mismatch`
 */
export function conceptSimilarity(a: MomentSignature, b: MomentSignature, kind: SimilarityKind = 'centred'): number {
  expectSameSize(a, b);
  const k = a.size;
  const useNull = a.nullity + b.nullity <= a.rank + b.rank;
  const [x, y] = useNull ? [a.nullBasis, b.nullBasis] : [a.rowBasis, b.rowBasis];
  let overlap = useNull ? 0 : a.nullity + b.nullity - k;
  const others = rowsOf(y);
  for (const row of rowsOf(x)) for (const other of others) overlap += dot(row, other) ** 2;
  const chance = kind === 'centred' ? (a.nullity * b.nullity) / k : 0;
  const size = (nu: number): number => nu * (kind === 'centred' ? 1 - nu / k : 1);
  const norm = Math.sqrt(size(a.nullity) * size(b.nullity));
  if (norm === 0) return a.nullity === b.nullity ? 1 : 0;
  return (overlap - chance) / norm;
}

/** All equations of both: the points that are in A and in B. */
export function andOf(a: MomentSignature, b: MomentSignature, tolerance = SAME_EQUATION): MomentSignature {
  return byEigenvalue(sumOfProjectors([a, b]), (value) => value > tolerance);
}

/** The equations that hold in both: the smallest linear set that contains A and B. */
export function orHull(a: MomentSignature, b: MomentSignature, tolerance = SAME_EQUATION): MomentSignature {
  return byEigenvalue(sumOfProjectors([a, b]), (value) => value >= 2 - tolerance);
}

/**
 * The equations that hold in every one of the concepts: what they have in common, the signature of a higher concept.
 * @param tolerance an equation counts when it holds in the mean of the projectors up to this
 */
export function commonOf(signatures: readonly MomentSignature[], tolerance = SAME_EQUATION): MomentSignature {
  if (signatures.length === 0) throw new CairnError('bad_option', 'Expected at least one signature, got none.');
  const n = signatures.length;
  return byEigenvalue(sumOfProjectors(signatures), (value) => value / n >= 1 - tolerance);
}

/** Features and a signature in them. */
export interface LiftedSignature {
  readonly map: FeatureMap;
  readonly signature: MomentSignature;
}

/**
 * The union of A and B exactly: all products p q of an equation of A and an equation of B, in features of twice the degree.
 * @throws CairnError `bad_features` for maps of random features or with a degree above 3, and when the lifted map would not
 * hold all monomials
 */
export function orExact(a: MomentSignature, b: MomentSignature, map: FeatureMap): LiftedSignature {
  expectSameSize(a, b);
  const degree = map.spec.degree * 2;
  const lifted = new FeatureMap({ ...map.spec, degree: Math.min(degree, 6), constant: map.spec.constant });
  if (!map.exact || !lifted.exact || degree > 6 || a.size !== map.size) {
    throw new CairnError(
      'bad_features',
      'Expected exact features of degree at most 3 and few enough products, got others.',
      {
        hint: 'Use fewer dimensions or a lower degree, or take the linear hull.',
      },
    );
  }
  const place = new Map(lifted.monomials!.map((m, i) => [m.join(','), i]));
  const equations: Float64Array[] = [];
  const [left, right] = [a, b].map((s) => rowsOf(s.nullBasis).map((row) => coefficients(row, map)));
  for (const p of left!) for (const q of right!) equations.push(product(p, q));
  // What holds in both holds in the union as it is, and times any monomial that fits.
  for (const row of rowsOf(orHull(a, b, 1e-9).nullBasis)) {
    const p = coefficients(row, map);
    equations.push(product(p, [[[], 1]]));
    for (const m of map.monomials!) equations.push(product(p, [[m, 1]]));
  }
  return { map: lifted, signature: MomentSignature.fromEquations(equations, lifted.size) };

  function product(p: readonly Term[], q: readonly Term[]): Float64Array {
    const out = new Float64Array(lifted.size);
    for (const [m, c] of p) {
      for (const [n, e] of q) {
        const at = place.get([...m, ...n].sort((x, y) => x - y).join(','))!;
        out[at] = out[at]! + (c * e) / lifted.factors[at]!;
      }
    }
    return out;
  }
}

type Term = readonly [monomial: readonly number[], coefficient: number];

/** An equation on features as a polynomial. */
function coefficients(row: Float64Array, map: FeatureMap): Term[] {
  return Array.from(row, (v, i): Term => [map.monomials![i]!, v * map.factors[i]!]).filter(([, c]) => c !== 0);
}

function sumOfProjectors(signatures: readonly MomentSignature[]): Matrix {
  const first = signatures[0]!;
  const sum = matrix(first.size, first.size);
  for (const s of signatures) {
    expectSameSize(first, s);
    const t = s.projector.data;
    for (let i = 0; i < t.length; i++) sum.data[i] = sum.data[i]! + t[i]!;
  }
  return sum;
}

/** The signature whose equations are the eigenvectors with accepted eigenvalues. */
function byEigenvalue(sum: Matrix, accept: (value: number) => boolean): MomentSignature {
  const { values, vectors } = eigSym(sum);
  const rows = rowsOf(linalg.transpose(vectors));
  const nulls = rows.filter((_, i) => accept(values[i]!));
  const others = rows.filter((_, i) => !accept(values[i]!));
  return new MomentSignature(stack(nulls, sum.rows), stack(others, sum.rows));
}

function expectSameSize(a: MomentSignature, b: MomentSignature): void {
  if (a.size !== b.size) {
    throw new CairnError(
      'dimension_mismatch',
      `Expected signatures over equal features, got ${a.size} and ${b.size}.`,
      {
        hint: 'Compare concepts of one book.',
      },
    );
  }
}
