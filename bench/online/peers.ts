// Known combiners of experts, for comparison only: Hedge, fixed share, AdaNormalHedge and CBCE. Gains lie in [-1,1].
import { CairnError } from 'cairn/errors';

/** What the comparison needs of a combiner; those of the library fit it. */
export interface Weighing {
  predictOne(): Float64Array;
  learnOne(gains: ArrayLike<number>): void;
}

/** Hedge (Freund and Schapire 1997): weights exp(eta times the total gain). */
export class Hedge implements Weighing {
  readonly #eta: number;
  readonly #log: Float64Array;

  constructor(experts: number, eta: number) {
    this.#eta = eta;
    this.#log = new Float64Array(experts);
  }

  /** The rate that is best for a horizon known beforehand: sqrt(2 ln N / T) for gains in [-1,1]. */
  static tuned(experts: number, horizon: number): Hedge {
    return new Hedge(experts, Math.sqrt((2 * Math.log(experts)) / horizon));
  }

  predictOne(): Float64Array {
    return softmax(this.#log);
  }

  learnOne(gains: ArrayLike<number>): void {
    for (let k = 0; k < this.#log.length; k++) this.#log[k]! += this.#eta * gains[k]!;
  }
}

/** Fixed share (Herbster and Warmuth 1998): Hedge that passes a share alpha of all weight round evenly at every step. */
export class FixedShare implements Weighing {
  readonly #eta: number;
  readonly #alpha: number;
  #weights: Float64Array;

  constructor(experts: number, eta: number, alpha: number) {
    this.#eta = eta;
    this.#alpha = alpha;
    this.#weights = new Float64Array(experts).fill(1 / experts);
  }

  /** The settings that the theory gives for `switches` changes in `horizon` steps. */
  static tuned(experts: number, horizon: number, switches: number): FixedShare {
    const alpha = Math.min(0.5, (switches + 1) / horizon);
    const cost = (switches + 1) * Math.log(experts) + horizon * entropy(alpha);
    return new FixedShare(experts, Math.sqrt((2 * cost) / horizon), alpha);
  }

  predictOne(): Float64Array {
    return this.#weights.slice();
  }

  learnOne(gains: ArrayLike<number>): void {
    const posterior = softmax(this.#weights.map((w, k) => Math.log(w) + this.#eta * gains[k]!));
    this.#weights = posterior.map((w) => (1 - this.#alpha) * w + this.#alpha / posterior.length);
  }
}

/** AdaNormalHedge (Luo and Schapire 2015), without parameters: the potential exp(max(R,0)^2 / (3 C)). */
export class AdaNormalHedge implements Weighing {
  readonly #regret: Float64Array;
  readonly #absolute: Float64Array;

  constructor(experts: number) {
    this.#regret = new Float64Array(experts);
    this.#absolute = new Float64Array(experts);
  }

  predictOne(): Float64Array {
    return normalised(this.#regret.map((r, k) => normalHedgeWeight(r, this.#absolute[k]!)));
  }

  learnOne(gains: ArrayLike<number>): void {
    const weights = this.predictOne();
    const own = dot(weights, gains);
    for (let k = 0; k < weights.length; k++) {
      const r = (gains[k]! - own) / 2; // losses in [0,1]
      this.#regret[k]! += r;
      this.#absolute[k]! += Math.abs(r);
    }
  }
}

/** (Phi(R + 1, C + 1) - Phi(R - 1, C + 1)) / 2. */
export function normalHedgeWeight(regret: number, absolute: number): number {
  const potential = (r: number): number => Math.exp(Math.max(r, 0) ** 2 / (3 * (absolute + 1)));
  return (potential(regret + 1) - potential(regret - 1)) / 2;
}

/** A bettor of coins in [-1,1] with the Krichevsky-Trofimov fraction: bets (sum of coins) / t of its wealth. */
interface Coin {
  sum: number;
  wealth: number;
}

/** What the coin bettor stakes in its round number `round`, from 1. */
export function coinBet(coin: Coin, round: number): number {
  return (coin.sum / round) * coin.wealth;
}

function toss(coin: Coin, round: number, outcome: number): void {
  const bet = coinBet(coin, round);
  coin.wealth += outcome * bet;
  coin.sum += outcome;
}

/** Experts weighed by coin betting (Orabona and Pal 2016): the base of CBCE. */
class CoinExperts implements Weighing {
  readonly #coins: Coin[];
  #round = 1;

  constructor(experts: number) {
    this.#coins = Array.from({ length: experts }, () => ({ sum: 0, wealth: 1 }));
  }

  predictOne(): Float64Array {
    return normalised(Float64Array.from(this.#coins, (coin) => Math.max(0, coinBet(coin, this.#round))));
  }

  learnOne(gains: ArrayLike<number>): void {
    const own = dot(this.predictOne(), gains);
    for (const [k, coin] of this.#coins.entries()) {
      const advantage = (gains[k]! - own) / 2;
      toss(coin, this.#round, coinBet(coin, this.#round) > 0 ? advantage : Math.max(0, advantage));
    }
    this.#round++;
  }
}

interface Interval {
  readonly start: number;
  readonly prior: number;
  readonly base: CoinExperts;
  readonly coin: Coin;
}

/**
 * Coin betting for changing environments (Jun, Orabona, Wright and Willett 2017): a base learner on every geometric
 * covering interval [i 2^k, (i + 1) 2^k - 1], i and k such that i is odd or k is 0, combined by sleeping coin bettors.
 */
export class Cbce implements Weighing {
  readonly #experts: number;
  readonly #active: (Interval | undefined)[] = []; // by k
  #step = 1;

  constructor(experts: number) {
    if (experts < 1) throw new CairnError('bad_parameter', `Expected at least one expert, got ${experts}.`);
    this.#experts = experts;
    this.#wake();
  }

  /** The intervals that are awake at this step. */
  awake(): { start: number; end: number }[] {
    return this.#active.flatMap((j, k) => (j ? [{ start: j.start, end: j.start + 2 ** k - 1 }] : []));
  }

  #wake(): void {
    for (let k = 0; 2 ** k <= this.#step; k++) {
      if (this.#step % 2 ** k !== 0) continue;
      const start = this.#step;
      const prior = 1 / (start * start * (1 + Math.floor(Math.log2(start))));
      this.#active[k] = { start, prior, base: new CoinExperts(this.#experts), coin: { sum: 0, wealth: 1 } };
    }
  }

  #shares(): Float64Array {
    const all = this.#active.map((j) => j!);
    const bets = Float64Array.from(all, (j) => j.prior * Math.max(0, coinBet(j.coin, this.#step - j.start + 1)));
    return bets.some((b) => b > 0) ? normalised(bets) : normalised(Float64Array.from(all, (j) => j.prior));
  }

  predictOne(): Float64Array {
    const shares = this.#shares();
    const weights = new Float64Array(this.#experts);
    this.#active.forEach((j, i) => {
      const share = shares[i]!;
      if (share === 0) return;
      j!.base.predictOne().forEach((w, k) => (weights[k]! += share * w));
    });
    return weights;
  }

  learnOne(gains: ArrayLike<number>): void {
    const own = dot(this.predictOne(), gains);
    for (const j of this.#active) {
      const round = this.#step - j!.start + 1;
      const advantage = (dot(j!.base.predictOne(), gains) - own) / 2;
      toss(j!.coin, round, coinBet(j!.coin, round) > 0 ? advantage : Math.max(0, advantage));
      j!.base.learnOne(gains);
    }
    this.#step++;
    this.#wake();
  }
}

function softmax(log: Float64Array): Float64Array {
  let largest = -Infinity;
  for (const v of log) largest = Math.max(largest, v);
  return normalised(log.map((v) => Math.exp(v - largest)));
}

/** Divided by their sum; all equal when there is none. */
function normalised(weights: Float64Array): Float64Array {
  let sum = 0;
  for (const w of weights) sum += w;
  return sum > 0 ? weights.map((w) => w / sum) : weights.map(() => 1 / weights.length);
}

function dot(weights: Float64Array, gains: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += weights[k]! * gains[k]!;
  return sum;
}

function entropy(p: number): number {
  return -p * Math.log(p) - (1 - p) * Math.log(1 - p);
}
