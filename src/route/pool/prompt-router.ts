// The router of prompts: features, map and a pool of arms, each with what it gets wrong and costs per kind of prompt. Immutable:
// `withArm` and `withoutArm` return a new router with a new version, so a request in flight sees one consistent state.
// UniRoute (2502.08773): r(x) = argmin_a Phi(x) . Psi_a + lambda cost_a(x), costs relative to the dearest arm's.
import { CairnError } from '../../errors.ts';
import { crc32 } from '../../tensor/index.ts';
import type { FeatureMap } from '../kmeans.ts';
import type { Encoder } from '../encoder.ts';
import { roughTokens } from '../tables/prompt-table.ts';
import {
  estimateArm,
  expectedCost,
  labelledUnder,
  type ArmEstimate,
  type ArmRecord,
  type EstimateOptions,
  type Labelled,
} from './arm.ts';
import { intervalOf } from './_interval.ts';
import { measureCurve, resolvePoint, type MeasuredPoint, type OperatingChoice, type PoolCurve } from './operating.ts';

/** Everything a router is made of; all else is computed from it. */
export interface RouterParts {
  readonly encoder: Encoder<string>;
  readonly map: FeatureMap;
  /** The labelled prompts: ids, features [N, dim], input tokens [N]. No text. */
  readonly validation: {
    readonly ids: readonly string[];
    readonly features: Float32Array;
    readonly inTokens: Float64Array;
  };
  readonly arms: readonly ArmRecord[];
  readonly options: EstimateOptions;
  /** Where on the curve the router works unless a request says otherwise. */
  readonly operating: OperatingChoice;
  /** Counts the changes of the pool since fitting. */
  readonly revision: number;
  /** What it was fitted from, in plain words and hashes. */
  readonly provenance: Readonly<Record<string, string | number | boolean>>;
}

/** Limits of one request. An arm that misses one is not considered. */
export interface RouteLimits {
  /** Price of cost against error; overrides the router's operating point. */
  readonly lambda?: number;
  readonly maxCostUsd?: number;
  /** Tokens of the request, when they are known better than by its length. */
  readonly inTokens?: number;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  /** Modalities the model must take, such as `image`. */
  readonly modalities?: readonly string[];
  /** Anything else, for example health or capabilities. */
  readonly eligible?: (arm: ArmRecord) => boolean;
}

/** One arm as a decision saw it. */
export interface Candidate {
  readonly id: string;
  readonly index: number;
  readonly expectedError: number;
  /** US dollars. */
  readonly expectedCost: number;
  readonly score: number;
}

/** A choice with its reasons. */
export interface PromptDecision {
  readonly arm: string;
  readonly index: number;
  /** Kind of the prompt under the first map, and how clearly it is of that kind (its share, 0..1). */
  readonly cluster: number;
  readonly clusterShare: number;
  readonly expectedError: number;
  /** 90 % interval of the expected error. */
  readonly interval: readonly [number, number];
  readonly expectedCost: number;
  readonly lambda: number;
  /** All arms that passed the limits, best first. */
  readonly ranking: readonly Candidate[];
  readonly runnerUp: Candidate | undefined;
  /** Arms left out, by the filter that removed them. */
  readonly removed: Readonly<Record<string, readonly string[]>>;
  /** Version of the router that decided. */
  readonly version: string;
  /** [K] assignment of the prompt. */
  readonly phi: Float64Array;
}

/**
 * Routes prompts over a pool of arms.
 * @example
 * const router = fitRouter(table, { seed: 7 });
 * router.route('Which planet is the largest?').arm;
 */
export class PromptRouter {
  readonly parts: RouterParts;
  /** `r<revision>-<checksum of the arms>`: two routers of the same arms after as many changes have the same version. */
  readonly version: string;
  readonly estimates: readonly ArmEstimate[];
  readonly labelled: Labelled;
  readonly #psi: Float64Array; // [K, A]
  readonly #z: Float32Array;
  readonly #scale: number; // mean cost of the dearest arm
  #curve: PoolCurve | undefined;
  #point: MeasuredPoint | undefined;

  /** @param from a router that shares map, labelled prompts and options: what it knows is not computed again */
  constructor(parts: RouterParts, from?: PromptRouter) {
    if (parts.arms.length === 0) {
      throw new CairnError('empty_pool', 'Expected at least one arm in the pool, got none.', { hint: 'Add a model.' });
    }
    const ids = parts.arms.map((a) => a.id);
    if (new Set(ids).size !== ids.length) {
      throw new CairnError('duplicate_arm', `Expected different arm ids, got ${ids.join(', ')}.`);
    }
    const n = parts.validation.ids.length;
    if (parts.arms.some((a) => a.error.length !== n) || parts.validation.features.length !== n * parts.encoder.dim) {
      throw new CairnError('shape_mismatch', `Expected errors and features of ${n} labelled prompts, got other sizes.`);
    }
    this.parts = parts;
    this.labelled = from?.labelled ?? labelledUnder(parts.map, parts.validation.features, parts.validation.inTokens);
    this.estimates = parts.arms.map((arm) => {
      const known = from?.parts.arms.indexOf(arm) ?? -1;
      return known >= 0 ? from!.estimates[known]! : estimateArm(arm, this.labelled, parts.options);
    });
    const A = parts.arms.length;
    this.#psi = new Float64Array(parts.map.k * A);
    this.estimates.forEach((e, a) => e.psi.forEach((v, k) => (this.#psi[k * A + a] = v)));
    this.#z = new Float32Array(parts.encoder.dim);
    this.#scale = Math.max(...this.estimates.map((e) => e.meanCost)) || 1;
    this.version = versionOf(parts);
  }

  get arms(): readonly ArmRecord[] {
    return this.parts.arms;
  }

  /** Mean cost of the dearest arm: the unit of cost in scores. */
  get scale(): number {
    return this.#scale;
  }

  /** The pool's cost-quality curve on the labelled prompts, each predicted as if it had not been labelled. */
  get curve(): PoolCurve {
    this.#curve ??= measureCurve(this.parts.arms, this.labelled, this.estimates, this.parts.options, this.#scale);
    return this.#curve;
  }

  /** Where the router works by default: lambda with expected error and cost. */
  get point(): MeasuredPoint {
    this.#point ??= resolvePoint(this.curve, this.parts.operating);
    return this.#point;
  }

  /** Features [dim] of a text. */
  embed(text: string): Float32Array {
    const z = new Float32Array(this.parts.encoder.dim);
    this.parts.encoder.embed(text, z, 0);
    return z;
  }

  /**
   * Chooses the arm for a prompt (of a conversation: its human ask).
   * @throws CairnError `no_eligible_model` that names the filters
   */
  route(text: string, limits: RouteLimits = {}): PromptDecision {
    this.parts.encoder.embed(text, this.#z, 0);
    return this.routeFeatures(this.#z, limits.inTokens ?? roughTokens(text), limits);
  }

  /** The same for features z [dim] that are there already. */
  routeFeatures(z: ArrayLike<number>, inTokens: number, limits: RouteLimits = {}): PromptDecision {
    const { map, arms } = this.parts;
    const A = arms.length;
    const phi = map.phi(z);
    const lambda = limits.lambda ?? this.point.lambda;
    const gamma = new Float64Array(A);
    for (let k = 0; k < phi.length; k++) {
      const w = phi[k]!;
      if (w === 0) continue;
      for (let a = 0; a < A; a++) gamma[a] = gamma[a]! + w * this.#psi[k * A + a]!;
    }
    const removed: Record<string, string[]> = {};
    const ranking: Candidate[] = [];
    for (let a = 0; a < A; a++) {
      const cost = expectedCost(arms[a]!, this.estimates[a]!, phi, inTokens);
      const filter = failedLimit(arms[a]!, cost, inTokens, limits);
      if (filter) (removed[filter] ??= []).push(arms[a]!.id);
      else {
        const score = gamma[a]! + lambda * (cost / this.#scale);
        const expectedError = Math.min(1, Math.max(0, gamma[a]!));
        ranking.push({ id: arms[a]!.id, index: a, expectedError, expectedCost: cost, score });
      }
    }
    ranking.sort((a, b) => a.score - b.score || a.expectedCost - b.expectedCost || a.index - b.index);
    const best = ranking[0];
    if (!best) {
      const filters = Object.entries(removed).map(([filter, ids]) => `${filter} (${ids.length})`);
      throw new CairnError(
        'no_eligible_model',
        `Expected a model within the limits, got none: ${filters.join(', ')}.`,
        {
          hint: 'Loosen the limits of this request or add a model.',
          details: { removed },
        },
      );
    }
    const first = this.labelled.phis[0]!.k;
    let cluster = 0;
    for (let c = 1; c < first; c++) if (phi[c]! > phi[cluster]!) cluster = c;
    return {
      arm: best.id,
      index: best.index,
      cluster,
      clusterShare: phi[cluster]! * this.labelled.phis.length,
      expectedError: best.expectedError,
      interval: this.interval(best.index, best.expectedError, phi),
      expectedCost: best.expectedCost,
      lambda,
      ranking,
      runnerUp: ranking[1],
      removed,
      version: this.version,
      phi,
    };
  }

  /** 90 % interval of an arm's expected error at assignment phi [K]. */
  interval(arm: number, expectedError: number, phi: Float64Array): readonly [number, number] {
    return intervalOf(expectedError, this.deviation(arm, phi));
  }

  /** Standard deviation of an arm's expected error at assignment phi [K]; kinds of one map are taken as independent. */
  deviation(arm: number, phi: Float64Array): number {
    const { variance } = this.estimates[arm]!;
    const maps = this.labelled.phis;
    let at = 0;
    let sum = 0;
    for (const { k } of maps) {
      let v = 0;
      for (let c = at; c < at + k; c++) v += (phi[c]! * maps.length) ** 2 * variance[c]!;
      sum += Math.sqrt(v);
      at += k;
    }
    return sum / maps.length;
  }

  /** A router with one more arm, or with the arm of the same id replaced. The map and all other arms stay as they are. */
  withArm(arm: ArmRecord): PromptRouter {
    const at = this.parts.arms.findIndex((a) => a.id === arm.id);
    const arms = at < 0 ? [...this.parts.arms, arm] : this.parts.arms.with(at, arm);
    return new PromptRouter({ ...this.parts, arms, revision: this.parts.revision + 1 }, this);
  }

  /** @throws CairnError `unknown_arm`, `empty_pool` */
  withoutArm(id: string): PromptRouter {
    const arms = this.parts.arms.filter((a) => a.id !== id);
    if (arms.length === this.parts.arms.length) {
      throw new CairnError('unknown_arm', `Expected an arm of the pool, got "${id}".`, {
        hint: `The pool has ${this.parts.arms.map((a) => a.id).join(', ')}.`,
      });
    }
    return new PromptRouter({ ...this.parts, arms, revision: this.parts.revision + 1 }, this);
  }

  /** The same pool at another operating point. */
  withOperating(operating: OperatingChoice): PromptRouter {
    return new PromptRouter({ ...this.parts, operating, revision: this.parts.revision + 1 }, this);
  }
}

/** `r<revision>-` and a checksum of the arms' ids and errors. */
function versionOf({ revision, arms }: RouterParts): string {
  const encoder = new TextEncoder();
  let sum = 0;
  for (const arm of arms) {
    sum = crc32(encoder.encode(arm.id), sum);
    sum = crc32(new Uint8Array(arm.error.buffer, arm.error.byteOffset, arm.error.byteLength), sum);
  }
  return `r${revision}-${sum.toString(16).padStart(8, '0')}`;
}

/** Name of the first limit an arm misses. */
function failedLimit(arm: ArmRecord, cost: number, inTokens: number, limits: RouteLimits): string | undefined {
  if (limits.allow && !limits.allow.includes(arm.id)) return 'allow list';
  if (limits.deny?.includes(arm.id)) return 'deny list';
  if (limits.maxCostUsd !== undefined && cost > limits.maxCostUsd) return 'maximum cost';
  if (arm.info.context_tokens !== undefined && inTokens > arm.info.context_tokens) return 'context length';
  if (limits.modalities?.some((m) => !(arm.info.modalities ?? ['text']).includes(m))) return 'modality';
  if (limits.eligible && !limits.eligible(arm)) return 'eligibility';
  return undefined;
}
