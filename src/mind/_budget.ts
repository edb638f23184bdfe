// What one `ask` may still spend, shared by all calls below it. Charged after every attempt, asked before every attempt.
import { CairnError } from '../errors.ts';
import type { Budget, Cost, Limits, Usage } from './module.ts';

export class BudgetState implements Budget {
  flop: number;
  usd: number;
  readonly #clock: () => number;
  readonly #deadline: number;

  constructor(limits: Limits, clock: () => number) {
    for (const [name, value] of [
      ['maxFlop', limits.maxFlop],
      ['maxMs', limits.maxMs],
      ['maxUsd', limits.maxUsd],
    ] as const) {
      if (value !== undefined && !(value >= 0)) {
        throw new CairnError('bad_limits', `Expected ${name} of at least 0, got ${value}.`, {
          hint: 'Leave it out for no limit.',
        });
      }
    }
    this.#clock = clock;
    this.flop = limits.maxFlop ?? Infinity;
    this.usd = limits.maxUsd ?? Infinity;
    this.#deadline = clock() + (limits.maxMs ?? Infinity);
  }

  /** Milliseconds left. */
  get ms(): number {
    return Math.max(0, this.#deadline - this.#clock());
  }

  /** How many calls of this cost fit into what is left. */
  fits(cost: Cost): number {
    if (this.ms <= 0) return 0;
    const left = this[cost.unit];
    if (left === Infinity || cost.amount <= 0) return left > 0 || cost.amount <= 0 ? Infinity : 0;
    return Math.floor(left / cost.amount);
  }

  charge(usage: Usage): void {
    this.flop = Math.max(0, this.flop - usage.flop);
    this.usd = Math.max(0, this.usd - (usage.usd ?? 0));
  }
}
