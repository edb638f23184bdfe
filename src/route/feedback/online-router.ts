// A router that learns from outcomes and cannot lose much by it: the fitted router is the safe expert of a pair, the one
// corrected by outcomes its challenger, and an optimal discounted bettor (1305.1359) moves weight between them.
import { CairnError } from '../../errors.ts';
import { Bandit, TwoExperts, type PredictorState } from '../../online/index.ts';
import type { Rng } from '../../tensor/index.ts';
import { type Candidate, costOf, type PromptDecision, type PromptRouter, type RouteLimits } from '../pool/index.ts';
import { Outcomes, type OutcomesState, type OutcomeSource } from './outcomes.ts';

/**
 * Who judges between the two routers.
 * `replay`: the labelled prompts, on which both are seen. Lying or drifting outcomes cannot make the router worse there
 * by more than the bound; real drift that the labelled prompts do not show is followed only as far as they allow.
 * `verified`: outcomes of certificates and tests, weighed by the chance of the choice. Follows real drift, and no
 * signal that is not verified can move weight.
 * `outcomes`: all outcomes. For a signal that is trusted.
 */
export type Judge = 'replay' | 'verified' | 'outcomes';

export interface OnlineRouterOptions {
  readonly rng: Rng;
  /** Default `replay`. */
  readonly judge?: Judge;
  /** Memory of the pair, in disagreements on which both are seen; more by 2 / exploration for weighed outcomes. Default 512. */
  readonly memory?: number;
  /** Memory of the outcomes of an arm. Default 500. */
  readonly outcomeMemory?: number;
  /** Share of disagreements that are decided by chance, so that both sides are seen; `replay` needs none. Default 0.1. */
  readonly exploration?: number;
  /** Labelled prompts looked at for every outcome. Default 4. */
  readonly replays?: number;
}

/** A decision with what is needed to learn from its outcome later; plain data. */
export interface OnlineDecision {
  readonly arm: string;
  /** What the fitted router alone would have chosen, and what the corrected one would. */
  readonly safeArm: string;
  readonly learnedArm: string;
  /** The chance with which `arm` was drawn. */
  readonly propensity: number;
  /** The weight on the corrected router at the time. */
  readonly learnedWeight: number;
  /** Error and relative cost in one number that the bettor can use: expected loss and its scale. */
  readonly lambda: number;
  readonly relativeCost: number;
  readonly decision: PromptDecision;
  /** All arms of the decision as the corrected router ranks them, with its expected errors. */
  readonly corrected: readonly Candidate[];
}

/** What must be kept of a decision to learn from its outcome, at once or much later. */
export interface LearnableDecision extends Pick<
  OnlineDecision,
  'arm' | 'safeArm' | 'learnedArm' | 'propensity' | 'lambda' | 'relativeCost'
> {
  readonly decision: Pick<PromptDecision, 'phi'>;
}

/** How an answered request turned out. */
export interface Feedback {
  readonly event: string;
  readonly decided: LearnableDecision;
  /** 1 right, 0 wrong. */
  readonly outcome: number;
  readonly source: OutcomeSource;
}

/** What is promised, in plain words for people, and how much weight the corrected router has. */
export interface OnlineStanding {
  readonly learnedWeight: number;
  readonly disagreements: number;
  readonly guarantee: string;
}

const SAFE = { plus: 0, minus: 2 } as const;

/**
 * @example
 * const online = new OnlineRouter(router, { rng });
 * const decided = online.route('Which planet is the largest?');
 * online.learnOne({ event: 'e1', decided, outcome: 1, source: 'explicit' });
 */
export class OnlineRouter {
  readonly router: PromptRouter;
  readonly outcomes: Outcomes;
  readonly judge: Judge;
  readonly #bandit: Bandit;
  readonly #pair: TwoExperts;
  readonly #rng: Rng;
  readonly #replays: number;
  readonly #exploration: number;
  #drawn = 0;
  #learned = 0;
  #disagreements = 0;

  constructor(router: PromptRouter, options: OnlineRouterOptions) {
    const { rng, judge = 'replay', memory = 512, outcomeMemory = 500, exploration = 0.1, replays = 4 } = options;
    if (!Number.isInteger(replays) || replays < 1) {
      throw new CairnError('bad_parameter', `Expected at least one replay for every outcome, got ${replays}.`, {
        hint: 'Leave it out for 4.',
      });
    }
    this.router = router;
    this.judge = judge;
    this.outcomes = new Outcomes({ memory: outcomeMemory });
    this.#rng = rng;
    this.#replays = replays;
    this.#exploration = exploration;
    this.#pair = new TwoExperts({ memory, ...SAFE });
    // An outcome weighed by the chance of the choice says as much as the floor of that chance.
    const combiner = (deviation: number): TwoExperts =>
      new TwoExperts({ memory: memory / (exploration / 2), ...SAFE, deviation });
    this.#bandit = new Bandit({ experts: 2, exploration, combiner });
  }

  /** Chooses an arm. While nothing has been learned this is the fitted router's choice, always. */
  route(text: string, limits: RouteLimits = {}): OnlineDecision {
    return this.choose(this.router.route(text, limits));
  }

  /** The same for features that are there already. */
  routeFeatures(z: ArrayLike<number>, inTokens: number, limits: RouteLimits = {}): OnlineDecision {
    return this.choose(this.router.routeFeatures(z, inTokens, limits));
  }

  /** The same for a decision that the fitted router made already. */
  choose(decision: PromptDecision): OnlineDecision {
    const safe = decision.ranking[0]!;
    const corrected = this.corrected(decision);
    const learned = corrected[0]!;
    const weight = this.#learnedWeight();
    const takeLearned =
      safe.id !== learned.id &&
      this.#rng
        .fork('choice')
        .fork(this.#drawn++)
        .uniform() < weight;
    const chosen = takeLearned ? learned : safe;
    return {
      arm: chosen.id,
      safeArm: safe.id,
      learnedArm: learned.id,
      propensity: safe.id === learned.id ? 1 : takeLearned ? weight : 1 - weight,
      learnedWeight: weight,
      lambda: decision.lambda,
      relativeCost: chosen.expectedCost / this.router.scale,
      decision,
      corrected,
    };
  }

  /** The arms of a decision when outcomes are taken into account, best first. Draws nothing. */
  corrected(decision: PromptDecision): Candidate[] {
    const { estimates, parts, labelled, scale } = this.router;
    // An arm without outcomes is as the fitted router has it; without any the ranking is its ranking.
    if (decision.ranking.every(({ id }) => this.outcomes.count(id) === 0)) return [...decision.ranking];
    const maps = labelled.phis.length;
    const ranking = decision.ranking.map((candidate): Candidate => {
      const estimate = estimates[candidate.index]!;
      const error = this.outcomes.expectedError(candidate.id, estimate, decision.phi, maps, parts.options.n0);
      const score = error + decision.lambda * (candidate.expectedCost / scale);
      return { ...candidate, expectedError: error, score };
    });
    let best = 0;
    for (let i = 1; i < ranking.length; i++) if (ranking[i]!.score < ranking[best]!.score - 1e-12) best = i;
    const first = ranking[best]!;
    return [first, ...ranking.filter((candidate) => candidate !== first).sort((a, b) => a.score - b.score)];
  }

  #learnedWeight(): number {
    return this.judge === 'replay' ? 1 - this.#pair.weight() : this.#bandit.predictOne()[1]!;
  }

  /**
   * Learns how a request turned out.
   * @throws CairnError `bad_outcome`; nothing is then learned.
   */
  learnOne(feedback: Feedback): void {
    const { event, decided, outcome, source } = feedback;
    if (!(outcome >= 0 && outcome <= 1)) {
      throw new CairnError('bad_outcome', `Expected an outcome in [0,1], got ${outcome}.`, {
        hint: 'Give 1 for right and 0 for wrong.',
      });
    }
    const { phi } = decided.decision;
    this.outcomes.learnOne({ event, arm: decided.arm, phi, error: 1 - outcome, source });
    if (this.judge === 'replay') this.#replay(decided.lambda);
    else if (this.judge === 'outcomes' || source === 'certificate' || source === 'test') this.#weigh(decided, outcome);
  }

  /** Both routers on labelled prompts, where the errors of both choices are known. */
  #replay(lambda: number): void {
    const { parts, labelled } = this.router;
    const { ids, features, inTokens } = parts.validation;
    const { dim } = parts.encoder;
    const rng = this.#rng.fork('replay').fork(this.#learned++);
    for (let i = 0; i < this.#replays && ids.length > 0; i++) {
      const j = rng.integer(ids.length);
      const decision = this.router.routeFeatures(features.subarray(j * dim, (j + 1) * dim), inTokens[j]!, { lambda });
      const learned = this.corrected(decision)[0]!;
      const arms = [decision.arm, learned.id].map((id) => parts.arms.find((a) => a.id === id)!);
      if (arms[0] === arms[1] || arms.some((arm) => Number.isNaN(arm.error[j]!))) continue;
      const costs = arms.map((arm) => costOf(arm, labelled, j) / this.router.scale);
      const [p, q] = arms.map((arm, k) => gainOf(arm.error[j]!, Number.isNaN(costs[k]!) ? 0 : costs[k]!, lambda));
      this.#pair.learnOne(p!, q!);
      this.#disagreements++;
    }
  }

  /** The outcome of the chosen arm alone, weighed by the chance of the choice. */
  #weigh(decided: LearnableDecision, outcome: number): void {
    if (decided.safeArm === decided.learnedArm) return;
    const chosen = decided.arm === decided.safeArm ? 0 : 1;
    const gain = gainOf(1 - outcome, decided.relativeCost, decided.lambda);
    this.#bandit.learnOne({ chosen, gain, propensity: decided.propensity });
    this.#disagreements++;
  }

  /** Takes back what an event taught about its arm; the bettor's weight stays, it holds no request. */
  forget(event: string): boolean {
    return this.outcomes.forget(event);
  }

  standing(): OnlineStanding {
    const guarantee = {
      replay: 'on the labelled prompts: at most the bound worse than the fitted router, whatever the outcomes say',
      verified: `in expectation over verified outcomes, scaled by 1 / ${this.#exploration / 2}`,
      outcomes: `in expectation over the outcomes as reported, scaled by 1 / ${this.#exploration / 2}`,
    }[this.judge];
    return { learnedWeight: this.#learnedWeight(), disagreements: this.#disagreements, guarantee };
  }

  /** Everything that was learned; plain JSON. */
  state(): OnlineRouterState {
    return {
      version: this.router.version,
      drawn: this.#drawn,
      learned: this.#learned,
      disagreements: this.#disagreements,
      pair: this.#pair.state(),
      bandit: this.#bandit.state(),
      outcomes: this.outcomes.state(),
    };
  }

  /** Goes on from a stored state; the router may have gained or lost arms since. */
  restore(state: OnlineRouterState): this {
    this.#pair.restore(state.pair);
    this.#bandit.restore(state.bandit);
    this.outcomes.restore(state.outcomes);
    this.#drawn = state.drawn;
    this.#learned = state.learned;
    this.#disagreements = state.disagreements;
    return this;
  }
}

/** A stored `OnlineRouter`. */
export interface OnlineRouterState {
  /** Version of the router that was in use. */
  readonly version: string;
  readonly drawn: number;
  readonly learned: number;
  readonly disagreements: number;
  readonly pair: PredictorState;
  readonly bandit: PredictorState;
  readonly outcomes: OutcomesState;
}

/** Error and cost as a gain in [-1,1]. Costs dearer than the dearest arm's mean count as that. */
function gainOf(error: number, relativeCost: number, lambda: number): number {
  return 1 - (2 * (error + lambda * Math.min(1, Math.max(0, relativeCost)))) / (1 + lambda);
}
