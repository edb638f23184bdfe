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
}

const MOST_STRETCHES = 24;
const LEAST_PER_STRETCH = 5;
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
  return { outcomes: told.length, stretches, drifted: count > 0 && Math.abs(excess) > Z999 * Math.sqrt(variance) };
}

function wilson(errors: number, n: number): [number, number] {
  const p = errors / n;
  const z2 = Z90 * Z90;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z90 * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
