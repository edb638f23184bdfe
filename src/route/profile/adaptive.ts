// Which prompt a new model is asked next. Strata are the kinds of prompt, by their share of traffic: a few prompts from each, then
// always from the kind where another answer is most likely to change a decision. Sampling is uniform inside a kind, so estimates
// weighted by kind stay unbiased.
import type { Rng } from '../../tensor/index.ts';
import type { ArmRecord } from '../pool/arm.ts';
import type { PromptRouter } from '../pool/prompt-router.ts';

/** Prompts asked from every kind before choosing. */
const FIRST = 3;
/** Calls over which decisions must have stayed as they were, and the share that may change. */
const STILL_CALLS = 25;
const STILL_SHARE = 0.02;
/** Share of the traffic whose best arm may still be another than it seems. */
const OPEN_SHARE = 0.05;
/** Prompts on which decisions are compared. */
const WATCHED = 500;

/** The kinds of the labelled prompts under the first map of a router. */
export function strataOf(router: PromptRouter): Int32Array {
  const { k, phi } = router.labelled.phis[0]!;
  return Int32Array.from({ length: router.labelled.count }, (_, j) => {
    let best = 0;
    for (let c = 1; c < k; c++) if (phi[j * k + c]! > phi[j * k + best]!) best = c;
    return best;
  });
}

/** Chooses prompts for one model until decisions no longer change. */
export class AdaptiveSampler {
  readonly #router: PromptRouter;
  readonly #strata: Int32Array;
  readonly #left: number[][];
  readonly #asked: number[];
  readonly #share: number[];
  readonly #watched: readonly number[];
  readonly #history: Int32Array[] = [];

  /**
   * @param available rows of the labelled prompts that may be asked
   * @param share [K] share of each kind in the traffic; default that of the labelled prompts
   */
  constructor(router: PromptRouter, available: readonly number[], rng: Rng, share?: ArrayLike<number>) {
    const k = router.labelled.phis[0]!.k;
    this.#router = router;
    this.#strata = strataOf(router);
    this.#left = Array.from({ length: k }, () => []);
    for (const j of rng.shuffle(available)) this.#left[this.#strata[j]!]!.push(j);
    this.#asked = new Array<number>(k).fill(0);
    const counts = new Array<number>(k).fill(0);
    for (const s of this.#strata) counts[s] = counts[s]! + 1 / this.#strata.length;
    this.#share = share ? Array.from(share) : counts;
    this.#watched = Array.from(rng.permutation(router.labelled.count).slice(0, WATCHED));
  }

  /** The next prompt row, or undefined when none is left. */
  next(arm: ArmRecord): number | undefined {
    const open = this.#left.flatMap((rows, c) => (rows.length > 0 ? [c] : []));
    if (open.length === 0) return undefined;
    const fresh = open.filter((c) => this.#asked[c]! < FIRST && this.#share[c]! > 0);
    const kind =
      fresh.length > 0
        ? fresh.reduce((a, b) =>
            this.#asked[b]! < this.#asked[a]! ||
            (this.#asked[b] === this.#asked[a] && this.#share[b]! > this.#share[a]!)
              ? b
              : a,
          )
        : this.#mostUseful(arm, open);
    this.#asked[kind] = this.#asked[kind]! + 1;
    return this.#left[kind]!.pop();
  }

  /** [N] weights that undo the uneven sampling of kinds: share of the kind over its share among the asked. */
  weights(asked: readonly number[]): Float64Array {
    const counts = new Array<number>(this.#share.length).fill(0);
    for (const j of asked) counts[this.#strata[j]!] = counts[this.#strata[j]!]! + 1;
    const reached = this.#share.reduce((s, v, c) => s + (counts[c]! > 0 ? v : 0), 0);
    return Float64Array.from(this.#strata, (c) =>
      counts[c]! > 0 && reached > 0 ? (this.#share[c]! / reached) * (asked.length / counts[c]!) : 1,
    );
  }

  /**
   * Notes the decisions with the arm as it is known now; true when they have not changed for the last 25 calls and are not
   * likely to: an arm that no prompt goes to yet changes nothing either, but may be the best somewhere.
   */
  settled(arm: ArmRecord): boolean {
    const router = this.#router.withArm(arm);
    const { features, inTokens } = this.#router.parts.validation;
    const dim = this.#router.parts.encoder.dim;
    const lambda = this.#router.point.lambda;
    const now = Int32Array.from(
      this.#watched,
      (j) => router.routeFeatures(features.subarray(j * dim, (j + 1) * dim), inTokens[j]!, { lambda }).index,
    );
    this.#history.push(now);
    if (this.#history.length <= STILL_CALLS) return false;
    const before = this.#history.shift()!;
    let changed = 0;
    for (let i = 0; i < now.length; i++) if (now[i] !== before[i]) changed++;
    if (changed >= STILL_SHARE * now.length) return false;
    const open = this.#doubts(arm).reduce((sum, d, c) => sum + this.#share[c]! * d.change, 0);
    return open < OPEN_SHARE;
  }

  /** The kind with the largest share x uncertainty x probability that the choice in it changes. */
  #mostUseful(arm: ArmRecord, open: readonly number[]): number {
    const doubts = this.#doubts(arm);
    const value = (c: number): number => this.#share[c]! * doubts[c]!.deviation * doubts[c]!.change;
    return open.reduce((a, b) => (value(b) > value(a) ? b : a));
  }

  /** Per kind: how uncertain the arm's error is, and the probability that its rank against the best rival is not what it seems. */
  #doubts(arm: ArmRecord): { deviation: number; change: number }[] {
    const router = this.#router.withArm(arm);
    const at = router.arms.findIndex((a) => a.id === arm.id);
    const lambda = this.#router.point.lambda;
    const price = router.estimates.map((e) => lambda * (e.meanCost / router.scale));
    return this.#share.map((_, c) => {
      const deviation = Math.sqrt(router.estimates[at]!.variance[c]!);
      let rival = Infinity;
      for (let a = 0; a < router.arms.length; a++) {
        if (a !== at) rival = Math.min(rival, router.estimates[a]!.psi[c]! + price[a]!);
      }
      const distance =
        rival === Infinity ? 0 : Math.abs(router.estimates[at]!.psi[c]! + price[at]! - rival) / deviation;
      return { deviation, change: normalTail(distance) };
    });
  }
}

/** P(Z > x) of the standard normal, to 1e-7 (Abramowitz and Stegun 26.2.17). */
function normalTail(x: number): number {
  const t = 1 / (1 + 0.2316419 * x);
  const series = ((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.31938153) * t;
  return Math.exp((-x * x) / 2) * series * 0.3989422804014327;
}
