// What the router expected beside what came, in the order of time: answers whose outcome somebody told, in stretches of equal
// number, and the sum of the differences. A router that is calibrated keeps the sum near zero; one whose models have changed does not.
import type { DecisionRecord } from './explain.ts';

/** Answers in one stretch. */
export interface Stretch {
  /** Times of the first and the last decision, milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean expected error, and mean error as told, with its 90 % Wilson interval. */
  readonly expected: number;
  readonly told: number;
  readonly interval: readonly [number, number];
  /** Errors beyond what was expected, from the first stretch to the end of this one. */
  readonly excess: number;
  /** 90 % of the excess of a calibrated router lie within plus and minus this. */
  readonly band: number;
}

export interface OutcomesOverTime {
  readonly outcomes: number;
  readonly stretches: readonly Stretch[];
  /** The excess left its 99.9 % range: the models or the prompts are no longer those that were measured. */
  readonly drifted: boolean;
  /** Squared errors of the latest answers: they rise also where too many errors here and too few there make up for each other. */
  readonly brier: BrierWatch;
}

/** Brier score of the latest answers with an outcome, beside that of a calibrated router. */
export interface BrierWatch {
  readonly count: number;
  readonly score: number;
  readonly expected: number;
  /** Standard deviations above the expected score. */
  readonly z: number;
  /** The score is higher than chance makes it in one of two thousand looks. */
  readonly alarm: boolean;
}

const MOST_STRETCHES = 24;
const LEAST_PER_STRETCH = 5;
/** Answers that the Brier score looks at, and how many it needs. */
const BRIER_WINDOW = 500;
const BRIER_LEAST = 50;
const Z90 = 1.6449;
const Z999 = 3.2905;

/** @param records decisions in any order; those without an outcome or an expected error are left out */
export function outcomesOverTime(records: readonly DecisionRecord[]): OutcomesOverTime {
  const told = records
    .filter((r) => r.outcome !== undefined && r.expectedError !== undefined && r.status === 200)
    .sort((a, b) => a.at - b.at);
  const count = Math.min(MOST_STRETCHES, Math.floor(told.length / LEAST_PER_STRETCH));
  const stretches: Stretch[] = [];
  let excess = 0;
  let variance = 0;
  for (let s = 0; s < count; s++) {
    const part = told.slice(Math.floor((s * told.length) / count), Math.floor(((s + 1) * told.length) / count));
    let errors = 0;
    let expected = 0;
    for (const { outcome, expectedError } of part) {
      const p = Math.min(1, Math.max(0, expectedError!));
      errors += 1 - outcome!;
      expected += p;
      variance += p * (1 - p);
    }
    excess += errors - expected;
    stretches.push({
      from: part[0]!.at,
      to: part.at(-1)!.at,
      count: part.length,
      expected: expected / part.length,
      told: errors / part.length,
      interval: wilson(errors, part.length),
      excess,
      band: Z90 * Math.sqrt(variance),
    });
  }
  return {
    outcomes: told.length,
    stretches,
    drifted: count > 0 && Math.abs(excess) > Z999 * Math.sqrt(variance),
    brier: brierOf(told.slice(-BRIER_WINDOW)),
  };
}

/**
 * For an error e with probability p: E (e - p)^2 = p (1 - p), with variance p (1 - p) (1 - 2 p)^2; graded outcomes vary less.
 */
function brierOf(told: readonly DecisionRecord[]): BrierWatch {
  let [score, expected, variance] = [0, 0, 0];
  for (const { outcome, expectedError } of told) {
    const p = Math.min(1, Math.max(0, expectedError!));
    score += (1 - outcome! - p) ** 2;
    expected += p * (1 - p);
    variance += p * (1 - p) * (1 - 2 * p) ** 2;
  }
  const count = told.length;
  const z = variance > 0 ? (score - expected) / Math.sqrt(variance) : 0;
  const mean = (sum: number): number => (count === 0 ? 0 : sum / count);
  return { count, score: mean(score), expected: mean(expected), z, alarm: count >= BRIER_LEAST && z > Z999 };
}

function wilson(errors: number, n: number): [number, number] {
  const p = errors / n;
  const z2 = Z90 * Z90;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z90 * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
