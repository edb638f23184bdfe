// The worst adversary of a bettor, and the value of the game itself, by dynamic programming over the discounted sum x.

/** Of the grid: the values are convex, so that linear interpolation errs upwards, by its square. */
const STEP = 1 / 32;

/** A function of x on an even grid, linear between; constant beyond its ends. */
class Grid {
  readonly low: number;
  readonly step: number;
  readonly values: Float64Array;

  constructor(reach: number, step: number) {
    const half = Math.ceil(reach / step);
    this.low = -half * step;
    this.step = step;
    this.values = new Float64Array(2 * half + 1);
  }

  x(i: number): number {
    return this.low + i * this.step;
  }

  at(x: number): number {
    const place = (x - this.low) / this.step;
    if (place <= 0) return this.values[0]!;
    const last = this.values.length - 1;
    if (place >= last) return this.values[last]!;
    const i = Math.floor(place);
    return this.values[i]! + (place - i) * (this.values[i + 1]! - this.values[i]!);
  }
}

/** What an adversary wants to make large: its discounted sum over the steps. */
export type Goal = 'regretPlus' | 'regretMinus' | 'loss';

/**
 * The largest discounted regret (or loss) that any sequence of bits can cause within 12 n steps, in units of sqrt(n).
 * @param bet the bet as a function of x
 */
export function worstCase(memory: number, bet: (x: number) => number, goal: Goal): number {
  const rho = 1 - 1 / memory;
  const root = Math.sqrt(memory);
  let now = new Grid(4.5 * root, STEP);
  let next = new Grid(4.5 * root, STEP);
  const bets = now.values.map((_, i) => bet(now.x(i)));
  const part = (b: number, g: number): number =>
    goal === 'regretPlus' ? b * (1 - g) : goal === 'regretMinus' ? -b * (1 + g) : -b * g;
  let discount = 1;
  let worst = 0;
  for (let k = 0; k < 12 * memory; k++) {
    for (let i = 0; i < bets.length; i++) {
      const y = rho * now.x(i);
      const g = bets[i]!;
      next.values[i] = Math.max(discount * part(1, g) + now.at(y + 1), discount * part(-1, g) + now.at(y - 1));
    }
    [now, next] = [next, now];
    discount *= rho;
    worst = Math.max(worst, now.at(0));
  }
  return worst / root;
}

/**
 * The smallest regret to either expert that any bettor can keep to at all times, in units of sqrt(n): the smallest r for
 * which the least F with F(x) >= |x| - r and F(rho x + 1) + F(rho x - 1) <= 2 rho F(x) has F(0) <= 0.
 */
export function gameValue(memory: number): number {
  const root = Math.sqrt(memory);
  let [low, high] = [0.8, 1];
  for (let i = 0; i < 11; i++) {
    const middle = (low + high) / 2;
    if (canKeep(memory, middle * root)) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

function canKeep(memory: number, regret: number): boolean {
  const rho = 1 - 1 / memory;
  const root = Math.sqrt(memory);
  let now = new Grid(1.2 * root + 2, STEP);
  let next = new Grid(1.2 * root + 2, STEP);
  for (let i = 0; i < now.values.length; i++) now.values[i] = Math.abs(now.x(i)) - regret;
  for (let k = 0; k < 100 * memory; k++) {
    let change = 0;
    for (let i = 0; i < now.values.length; i++) {
      const x = now.x(i);
      const mean = (beyond(rho * x + 1) + beyond(rho * x - 1)) / (2 * rho);
      next.values[i] = Math.max(Math.abs(x) - regret, mean);
      change = Math.max(change, next.values[i]! - now.values[i]!);
    }
    [now, next] = [next, now];
    if (now.at(0) > 0) return false;
    if (change < 1e-9) return true;
  }
  return true;

  /** Beyond the grid one follows the leader, whose payoff is |x| - r. */
  function beyond(x: number): number {
    return Math.abs(x) >= -now.low ? Math.abs(x) - regret : now.at(x);
  }
}
