// What each part of this experiment returns, and what several of them use.
import type { Bettor } from 'cairn/online';

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** What a bettor wins on a sequence. */
export function play(bettor: Bettor, bits: ArrayLike<number>): number {
  let payoff = 0;
  for (let t = 0; t < bits.length; t++) {
    payoff += bits[t]! * bettor.predictOne();
    bettor.learnOne(bits[t]!);
  }
  return payoff;
}

/** Runs of +1 and -1 of equal length. */
export function blocks(length: number, block: number): Float64Array {
  return Float64Array.from({ length }, (_, t) => (Math.floor(t / block) % 2 === 0 ? 1 : -1));
}
