// The optimal trade-off between the regrets to two experts under discounting, in closed form (Andoni and Panigrahy,
// "A differential equations approach to optimizing regret trade-offs", arXiv 1305.1359). Everything is in units of sqrt(n), n the memory.
import { CairnError } from '../errors.ts';
import { checkRange } from './_check.ts';

const ROOT_PI = Math.sqrt(Math.PI);
/** Thresholds beyond this have a loss below 1e-15 and would only lose digits. */
export const LARGEST_THRESHOLD = 6;

/** `2/sqrt(pi)` times the integral of exp(t^2) from 0 to z, by its Taylor series; for |z| up to 6. */
export function erfi(z: number): number {
  const square = z * z;
  let power = z;
  let sum = 0;
  for (let k = 0; k < 200; k++) {
    const next = sum + power / (2 * k + 1);
    if (next === sum) break;
    sum = next;
    power *= square / (k + 1);
  }
  return (2 / ROOT_PI) * sum;
}

/** Dawson's function: `exp(-z^2)` times the integral of exp(t^2) from 0 to z. */
export function dawson(z: number): number {
  return (ROOT_PI / 2) * Math.exp(-z * z) * erfi(z);
}

/** The regrets of the bettor with thresholds `plus` and `minus`, in units of sqrt(n). */
export interface TradeOff {
  /** T+ and T-: where the bet reaches +1 and -1. */
  readonly plus: number;
  readonly minus: number;
  /** Regret to the expert that always bets +1 (the first expert), and to the one that always bets -1. */
  readonly regretPlus: number;
  readonly regretMinus: number;
  /** What is lost when the bits sum to nothing. */
  readonly loss: number;
}

/**
 * Regrets and loss for a pair of thresholds. The regret to the first expert is the small one when `plus` is small.
 * @throws CairnError `bad_parameter` outside [0, 6] or when both are 0.
 *
 * @example
 * tradeOff(2, 2); // regret 1.659 to either expert, loss 0.0304
 */
export function tradeOff(plus: number, minus: number): TradeOff {
  const f = new PayoffFunction(plus, minus);
  return { plus, minus, regretPlus: f.regretPlus, regretMinus: f.regretMinus, loss: -f.value(0) };
}

/** T*, the root of 2 T D(T) = 1: threshold and regret of the symmetric optimum, 0.92413887... */
export const OPTIMAL_THRESHOLD = rootOf((t) => 2 * t * dawson(t) - 1, 0.5, 1.5);

/**
 * The partner of `plus` on the Pareto frontier: no other pair has both regrets smaller. Derived: the regrets can only
 * fall together while regretPlus/plus + regretMinus/minus differs from 2.
 *
 * @example
 * frontier(OPTIMAL_THRESHOLD).minus; // OPTIMAL_THRESHOLD
 */
export function frontier(plus: number): TradeOff {
  checkRange('plus', plus, 0.02, 3);
  const slack = (minus: number): number => {
    const { regretPlus, regretMinus } = tradeOff(plus, minus);
    return regretPlus / plus + regretMinus / minus - 2;
  };
  return tradeOff(plus, rootOf(slack, 1e-3, LARGEST_THRESHOLD));
}

/**
 * The payoff that the bettor guarantees as a function of z = x / sqrt(n), x the discounted sum of the bits: the solution
 * of f'' - 2 z f' + 2 f = 0 between the thresholds, |z| minus the regret beyond.
 *
 * @example
 * new PayoffFunction(2, 2).value(0); // -0.0304: the loss
 */
export class PayoffFunction {
  readonly plus: number;
  readonly minus: number;
  readonly regretPlus: number;
  readonly regretMinus: number;
  /** f = alpha z + kappa (sqrt(pi) z erfi z - exp(z^2)) between the thresholds. */
  readonly #alpha: number;
  readonly #kappa: number;
  /** Coefficients of z^2k in kappa (sqrt(pi) z erfi z - exp(z^2)): kappa / (k! (2 k - 1)). */
  readonly #series: Float64Array;

  constructor(plus: number, minus: number) {
    checkRange('plus', plus, 0, LARGEST_THRESHOLD);
    checkRange('minus', minus, 0, LARGEST_THRESHOLD);
    const sum = erfi(plus) + erfi(minus);
    if (!(sum > 1e-6)) {
      throw new CairnError('bad_parameter', `Expected plus or minus above 0, got ${plus} and ${minus}.`, {
        hint: 'Leave both out for the symmetric optimum.',
      });
    }
    this.plus = plus;
    this.minus = minus;
    this.#alpha = (erfi(minus) - erfi(plus)) / sum;
    this.#kappa = 2 / (ROOT_PI * sum);
    this.regretPlus = this.#kappa * Math.exp(plus * plus);
    this.regretMinus = this.#kappa * Math.exp(minus * minus);
    this.#series = seriesFor(Math.max(plus, minus)).map((c) => c * this.#kappa);
  }

  /** f(z). */
  value(z: number): number {
    if (z > this.plus) return z - this.regretPlus;
    if (z < -this.minus) return -z - this.regretMinus;
    const square = z * z;
    const series = this.#series;
    let sum = 0;
    for (let k = series.length - 1; k >= 0; k--) sum = sum * square + series[k]!;
    return this.#alpha * z + sum;
  }

  /** f'(z): the bet for n to infinity, between -1 and 1. */
  slope(z: number): number {
    if (z >= this.plus) return 1;
    if (z <= -this.minus) return -1;
    return Math.max(-1, Math.min(1, this.#alpha + this.#kappa * ROOT_PI * erfi(z)));
  }

  /** f''(z) between the thresholds, 0 beyond. */
  curvature(z: number): number {
    return z > this.plus || z < -this.minus ? 0 : 2 * this.#kappa * Math.exp(z * z);
  }
}

/** 1 / (k! (2 k - 1)) for all k that matter up to |z| = limit. */
function seriesFor(limit: number): Float64Array {
  const square = Math.max(limit * limit, 0.01);
  const series: number[] = [];
  let inverseFactorial = 1;
  let size = 1;
  for (let k = 0; k < 400 && (k < 4 || size > 1e-18 * Math.exp(square)); k++) {
    series.push(inverseFactorial / (2 * k - 1));
    inverseFactorial /= k + 1;
    size *= square / (k + 1);
  }
  return Float64Array.from(series);
}

/** Bisection to the last bit; f must change sign between low and high. */
function rootOf(f: (x: number) => number, low: number, high: number): number {
  const rising = f(high) > 0;
  let [a, b] = [low, high];
  for (let i = 0; i < 100; i++) {
    const middle = (a + b) / 2;
    if (f(middle) > 0 === rising) b = middle;
    else a = middle;
  }
  return (a + b) / 2;
}
