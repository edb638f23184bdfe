// When a module may be frozen: statements "the error is below epsilon" that are wrong with probability at most delta over
// all tests a task will ever see. Two kinds: a code-length bound for models out of a finite list, on all samples, and a
// held-out bound for models with real parameters.
import { CairnError } from '../../errors.ts';

/** Why a module was frozen. */
export interface ErrorCertificate {
  /**
   * `exact`: no sample contradicts a model out of a finite list (Occam). `counted`: few do (Chernoff in its relative-entropy
   * form). `held-out`: samples that were not trained on (Hoeffding, or no error among them).
   */
  readonly how: 'exact' | 'counted' | 'held-out';
  /** Samples the statement rests on, and how many of them the model gets wrong. */
  readonly samples: number;
  readonly errors: number;
  /** The error on new examples of the same kind is below this … */
  readonly epsilon: number;
  /** … except with this probability, for this test alone; the tests of one task add up to at most delta. */
  readonly delta: number;
  /** Natural logarithm of the weight of the model in its list; 0 for held-out. */
  readonly logHypotheses: number;
}

/** Share of delta of the j-th test: delta / (2 j²), which sums to less than delta. */
export function testShare(delta: number, test: number): number {
  return delta / (2 * test * test);
}

/** Relative entropy of two coins, in nats. */
export function coinDivergence(q: number, p: number): number {
  const term = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return term(q, p) + term(1 - q, 1 - p);
}

/**
 * Samples without a contradiction that certify a model out of a list: the smallest n with
 * `weight · (1 - epsilon)^n <= delta`.
 * @param logHypotheses logarithm of the number of models it competes with (of one over its weight)
 * @example
 * samplesToCertify(0.25, 0.01, Math.log(7000)); // 47
 */
export function samplesToCertify(epsilon: number, delta: number, logHypotheses: number): number {
  checkProbability('epsilon', epsilon);
  checkProbability('delta', delta);
  return Math.ceil((logHypotheses + Math.log(1 / delta)) / -Math.log1p(-epsilon));
}

/**
 * The statement for a model out of a finite list, judged on all samples (also those it was chosen by): the chance that a
 * model with error epsilon has this few wrong among n is at most exp(-n KL(errors / n, epsilon)), times the list.
 */
export function certifyCounted(
  samples: number,
  errors: number,
  epsilon: number,
  delta: number,
  logHypotheses: number,
): ErrorCertificate | undefined {
  if (samples === 0 || errors / samples >= epsilon) return undefined;
  const bound = logHypotheses - samples * coinDivergence(errors / samples, epsilon);
  if (bound > Math.log(delta)) return undefined;
  return { how: errors === 0 ? 'exact' : 'counted', samples, errors, epsilon, delta, logHypotheses };
}

/**
 * The statement from samples that were not trained on: err + sqrt(ln(1/delta) / 2n) < epsilon, or no error and
 * n >= ln(1/delta) / epsilon.
 */
export function certifyHeldOut(
  samples: number,
  errors: number,
  epsilon: number,
  delta: number,
): ErrorCertificate | undefined {
  if (samples === 0) return undefined;
  const need = Math.log(1 / delta);
  const exact = errors === 0 && samples >= need / epsilon;
  const hoeffding = errors / samples + Math.sqrt(need / (2 * samples)) < epsilon;
  return exact || hoeffding ? { how: 'held-out', samples, errors, epsilon, delta, logHypotheses: 0 } : undefined;
}

function checkProbability(name: string, value: number): void {
  if (!(value > 0 && value < 1)) {
    throw new CairnError('bad_option', `Expected ${name} between 0 and 1, got ${value}.`);
  }
}
