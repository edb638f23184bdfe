// Two experts weighed by a bettor: the bit is half the difference of their gains.
import { checkBit, checkGains } from './_check.ts';
import { DiscountedBettor, type DiscountedOptions } from './discounted-bettor.ts';
import type { Bettor, Combiner, PredictorState } from './types.ts';

/**
 * Weighs experts p and q. With `plus` small the regret to p is small: p is the safe one.
 *
 * @example
 * const pair = new TwoExperts({ memory: 512, plus: 0, minus: 2 });
 * pair.weight(); // 1: it starts on the first expert
 * pair.learnOne(-0.2, 0.6);
 */
export class TwoExperts implements Combiner {
  readonly experts = 2;
  readonly bettor: Bettor;

  /** @param options of a `DiscountedBettor`, or any other bettor. */
  constructor(options: DiscountedOptions | { readonly bettor: Bettor }) {
    this.bettor = 'bettor' in options ? options.bettor : new DiscountedBettor(options);
  }

  /** The weight on the first expert; the second has the rest. */
  weight(): number {
    return (1 + this.bettor.predictOne()) / 2;
  }

  predictOne(): Float64Array {
    const w = this.weight();
    return Float64Array.of(w, 1 - w);
  }

  learnOne(gains: ArrayLike<number>): void;
  learnOne(gainP: number, gainQ: number): void;
  learnOne(gains: ArrayLike<number> | number, gainQ?: number): void {
    if (typeof gains === 'number') {
      checkBit(gains);
      checkBit(gainQ!);
      this.bettor.learnOne((gains - gainQ!) / 2);
    } else {
      checkGains(gains, 2);
      this.bettor.learnOne((gains[0]! - gains[1]!) / 2);
    }
  }

  state(): PredictorState {
    return this.bettor.state();
  }

  restore(state: PredictorState): this {
    this.bettor.restore(state);
    return this;
  }
}

/**
 * A combiner of two as a bettor: the experts bet +1 and -1.
 *
 * @example
 * new OppositeBets(new TwoExperts({ memory: 10 })).predictOne(); // 0
 */
export class OppositeBets implements Bettor {
  readonly combiner: Combiner;

  constructor(combiner: Combiner) {
    checkGains([0, 0], combiner.experts);
    this.combiner = combiner;
  }

  predictOne(): number {
    const weights = this.combiner.predictOne();
    return weights[0]! - weights[1]!;
  }

  learnOne(bit: number): void {
    this.combiner.learnOne([bit, -bit]);
  }

  state(): PredictorState {
    return this.combiner.state();
  }

  restore(state: PredictorState): this {
    this.combiner.restore(state);
    return this;
  }
}
