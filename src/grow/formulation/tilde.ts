// How many samples does a function ask for? The calculator of the bound g~(1)²/ε² for two-layer networks: g~ is the power
// series of g with absolute values for coefficients. It composes under sums, products and composition, so that lookup
// tables, trees and small programs get a number each. Form after "One Network Fits All?" (arXiv 2103.15261).
import { CairnError } from '../../errors.ts';

/** One-variable functions with a known power series. */
export type SeriesName = 'exp' | 'sin' | 'cos' | 'tanh' | 'inverse' | 'log1p';

/**
 * An expression over inputs of norm at most one. `inverse` is 1/(1-u), `log1p` is ln(1+u); `threshold` is a soft step of
 * a given sharpness.
 */
export type Expression =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'input' }
  | { readonly kind: 'sum'; readonly terms: readonly Expression[] }
  | { readonly kind: 'product'; readonly factors: readonly Expression[] }
  | { readonly kind: 'apply'; readonly name: SeriesName; readonly to: Expression }
  | { readonly kind: 'threshold'; readonly sharpness: number; readonly of: Expression };

export const constant = (value: number): Expression => ({ kind: 'constant', value });
/** A linear function of the inputs with a unit vector of weights. */
export const input: Expression = { kind: 'input' };
export const sum = (...terms: readonly Expression[]): Expression => ({ kind: 'sum', terms });
export const product = (...factors: readonly Expression[]): Expression => ({ kind: 'product', factors });
export const apply = (name: SeriesName, to: Expression): Expression => ({ kind: 'apply', name, to });
export const threshold = (sharpness: number, of: Expression): Expression => ({ kind: 'threshold', sharpness, of });

/** A choice by soft thresholds: `below` where `test` is negative, `above` where it is positive. */
export function choose(test: Expression, below: Expression, above: Expression, sharpness: number): Expression {
  const step = threshold(sharpness, test);
  return sum(product(step, above), product(sum(constant(1), product(constant(-1), step)), below));
}

/** A complete tree of `depth` choices with the same leaf everywhere: what a task code of so many decisions costs. */
export function choiceTree(depth: number, leaf: Expression, sharpness: number): Expression {
  if (depth === 0) return leaf;
  const below = choiceTree(depth - 1, leaf, sharpness);
  return choose(input, below, below, sharpness);
}

/**
 * g~(r): the value of the series with absolute coefficients; infinite where it does not converge.
 * @param r norm of the inputs, default 1
 * @throws CairnError `bad_option` for a negative or infinite r, or a sharpness below 0
 * @example
 * tilde(apply('sin', input)); // sinh(1) = 1.1752
 * tilde(product(input, sum(input, constant(-2)))); // 1 * (1 + 2) = 3
 */
export function tilde(expression: Expression, r = 1): number {
  if (!(r >= 0) || !Number.isFinite(r)) {
    throw new CairnError('bad_option', `Expected a finite norm of at least 0, got ${r}.`);
  }
  switch (expression.kind) {
    case 'constant':
      return Math.abs(expression.value);
    case 'input':
      return r;
    case 'sum':
      return expression.terms.reduce((s, term) => s + tilde(term, r), 0);
    case 'product':
      return expression.factors.reduce((p, factor) => p * tilde(factor, r), 1);
    case 'apply':
      return series(expression.name, tilde(expression.to, r));
    case 'threshold':
      return softStep(expression.sharpness, tilde(expression.of, r));
    default:
      return expression satisfies never;
  }
}

/** Samples by the bound, up to its constant: (g~(1) / epsilon)². */
export function samplesByBound(expression: Expression, epsilon: number): number {
  if (!(epsilon > 0)) throw new CairnError('bad_option', `Expected a positive error, got ${epsilon}.`);
  return (tilde(expression) / epsilon) ** 2;
}

function series(name: SeriesName, u: number): number {
  switch (name) {
    case 'exp':
      return Math.exp(u);
    case 'sin':
      return Math.sinh(u);
    case 'cos':
      return Math.cosh(u);
    case 'tanh':
      return u < Math.PI / 2 ? Math.tan(u) : Infinity;
    case 'inverse':
      return u < 1 ? 1 / (1 - u) : Infinity;
    case 'log1p':
      return u < 1 ? -Math.log1p(-u) : Infinity;
    default:
      return name satisfies never;
  }
}

const TOLERANCE = 1e-3;
const steps = new Map<number, Float64Array>();

/** The soft step as a polynomial that is right to a thousandth on [-1, 1], its coefficients taken absolutely. */
function softStep(sharpness: number, u: number): number {
  if (!(sharpness >= 0) || sharpness > 32) {
    throw new CairnError('bad_option', `Expected a sharpness from 0 to 32, got ${sharpness}.`, {
      hint: 'Sharper steps need more samples than any data set has.',
    });
  }
  let coefficients = steps.get(sharpness);
  if (coefficients === undefined) steps.set(sharpness, (coefficients = stepCoefficients(sharpness)));
  let value = 0;
  for (let k = coefficients.length - 1; k >= 0; k--) value = value * u + coefficients[k]!;
  return value;
}

/** Absolute coefficients of the Chebyshev expansion of 1/(1+exp(-2 s u)), cut where what is left stays below TOLERANCE. */
function stepCoefficients(sharpness: number): Float64Array {
  const n = 512;
  const chebyshev = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let sum = 0;
    for (let j = 0; j < n; j++) {
      const angle = (Math.PI * (j + 0.5)) / n;
      sum += Math.cos(k * angle) / (1 + Math.exp(-2 * sharpness * Math.cos(angle)));
    }
    chebyshev[k] = ((k === 0 ? 1 : 2) * sum) / n;
  }
  let degree = n - 1;
  for (let left = 0; degree > 1; degree--) {
    left += Math.abs(chebyshev[degree]!);
    if (left > TOLERANCE) break;
  }
  // T_k by its recurrence; terms of one power are added before the absolute value is taken.
  const total = new Float64Array(degree + 1);
  let before = new Float64Array(degree + 1);
  let now = new Float64Array(degree + 1);
  before[0] = 1;
  now[1] = 1;
  total[0] = chebyshev[0]!;
  for (let k = 1; k <= degree; k++) {
    for (let p = 0; p <= k; p++) total[p]! += chebyshev[k]! * now[p]!;
    const next = new Float64Array(degree + 1);
    for (let p = 0; p <= degree; p++) next[p] = 2 * (p > 0 ? now[p - 1]! : 0) - before[p]!;
    [before, now] = [now, next];
  }
  return total.map(Math.abs);
}
