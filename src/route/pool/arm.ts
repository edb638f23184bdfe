// One arm of a pool: a model (later: a model with a thinking budget) with what it got wrong and what it cost on the labelled
// prompts, and the estimates that follow from them under a map. An arm is estimated from its own row and nothing else, which is
// why one can be added while others serve: fitting M arms and adding one equals fitting M + 1, bit for bit.
import { phiOfRows, mapsOf } from '../bagged-map.ts';
import type { FeatureMap } from '../kmeans.ts';
import type { JointFactors } from '../joint-psi.ts';
import { estimatePsi, type Estimator } from '../psi.ts';
import { callCost, type ModelInfo } from '../tables/prompt-table.ts';

/** What an arm did on the N labelled prompts of a router; NaN where it was not asked. */
export interface ArmRecord {
  /** Id of the arm; the model's own id unless the model has several arms. */
  readonly id: string;
  readonly info: ModelInfo;
  /** [N] errors in [0,1]. */
  readonly error: Float64Array;
  /** [N] output tokens, thought tokens included. */
  readonly outTokens?: Float64Array;
  /** [N] thought tokens among them. */
  readonly thoughtTokens?: Float64Array;
  /** Cost of a call in US dollars where no tokens were counted. */
  readonly fixedCost?: number;
  /** [N] how much each labelled prompt counts, where they were not drawn evenly from the traffic. Default 1 each. */
  readonly weight?: Float64Array;
  /** Scores against references, or agreement with another model (an opinion, not a measurement). */
  readonly profiled: 'scored' | 'agreement';
}

/** How Psi is estimated. */
export interface EstimateOptions {
  readonly estimator: Estimator;
  /** Strength of the pull towards the arm's mean error, in labelled prompts. */
  readonly n0: number;
}

/** Estimates of one arm over the K kinds of a map. */
export interface ArmEstimate {
  /** [K] expected error. */
  readonly psi: Float64Array;
  /** [K] variance of each. */
  readonly variance: Float64Array;
  /** [K] labelled mass, and its effective number. */
  readonly mass: Float64Array;
  readonly effective: Float64Array;
  /** Mean error over the labelled prompts, and their number. */
  readonly mean: number;
  readonly count: number;
  /** [K] expected output tokens, and thought tokens among them; absent where none were counted. */
  readonly outTokens?: Float64Array;
  readonly thoughtShare: number;
  /** Mean cost of a call over the labelled prompts, in US dollars. */
  readonly meanCost: number;
}

/** Shrinkage of expected tokens, in labelled prompts, on the logarithm. */
const TOKEN_N0 = 10;

/** The labelled prompts under one map. */
export interface LabelledMap {
  readonly k: number;
  /** [N, K] */
  readonly phi: Float64Array;
  /** What arms that answered all of them share. */
  readonly factors?: JointFactors;
}

/** The labelled prompts of a router as every arm sees them. */
export interface Labelled {
  readonly count: number;
  /** Per map of the bag: its K and Phi [N, K]. */
  readonly phis: readonly LabelledMap[];
  /** [N] input tokens. */
  readonly inTokens: Float64Array;
}

/** Phi of the labelled prompts under every map of a bag. */
export function labelledUnder(map: FeatureMap, features: Float32Array, inTokens: Float64Array): Labelled {
  return {
    count: inTokens.length,
    phis: mapsOf(map).map((m) => ({ k: m.k, phi: phiOfRows(m, features), factors: new Map() })),
    inTokens,
  };
}

/** Estimates of an arm from the labelled prompts it answered. */
export function estimateArm(arm: ArmRecord, labelled: Labelled, options: EstimateOptions): ArmEstimate {
  const rows = known(arm.error);
  const error = pick(arm.error, rows);
  const weighted = arm.weight ? { ...options, weight: pick(arm.weight, rows) } : options;
  const parts = labelled.phis.map(({ k, phi, factors }) => {
    const own = pickRows(phi, k, rows);
    const known = own === phi && factors ? { ...weighted, factors } : weighted;
    const psi = rows.length === 0 ? undefined : estimatePsi(own, error, k, known);
    return { k, psi };
  });
  const k = parts.reduce((sum, p) => sum + p.k, 0);
  const mean = parts[0]!.psi?.mean[0] ?? 0.5;
  const out = { psi: new Float64Array(k).fill(mean), variance: new Float64Array(k).fill(1 / 12) };
  const mass = new Float64Array(k);
  const effective = new Float64Array(k);
  let at = 0;
  for (const part of parts) {
    if (part.psi) {
      out.psi.set(part.psi.value, at);
      mass.set(part.psi.mass, at);
      effective.set(part.psi.effective, at);
      for (let c = 0; c < part.k; c++) {
        out.variance[at + c] = posteriorVariance(
          part.psi.value[c]!,
          part.psi.effective[c]!,
          mean,
          rows.length,
          options.n0,
        );
      }
    }
    at += part.k;
  }
  const tokens = estimateTokens(arm, labelled);
  return {
    ...out,
    mass,
    effective,
    mean,
    count: rows.length,
    ...(tokens ? { outTokens: tokens.perKind } : {}),
    thoughtShare: tokens?.thoughtShare ?? 0,
    meanCost: meanCost(arm, labelled, rows),
  };
}

/**
 * Variance of Psi_k: that of the Beta posterior with n effective observations and n0 of the prior, and the prior mean's own
 * uncertainty.
 */
export function posteriorVariance(psi: number, n: number, mean: number, count: number, n0: number): number {
  const strength = Math.max(n0, 1); // `paper` has no prior; one observation keeps a variance for empty kinds
  const pull = strength === Infinity ? 1 : strength / (n + strength);
  const p = Math.min(1, Math.max(0, psi)); // `joint` may leave the range by a little
  const own = (p * (1 - p)) / (n + strength + 1);
  const prior = ((mean * (1 - mean)) / Math.max(1, count)) * pull ** 2;
  return Math.max(own + prior, 1e-9);
}

/** Expected cost in US dollars of a call with `inTokens`, for a prompt of assignment phi [K]. */
export function expectedCost(arm: ArmRecord, estimate: ArmEstimate, phi: Float64Array, inTokens: number): number {
  if (!estimate.outTokens) return arm.fixedCost ?? estimate.meanCost;
  let out = 0;
  for (let c = 0; c < phi.length; c++) out += phi[c]! * estimate.outTokens[c]!;
  return callCost(arm.info, inTokens, out, out * estimate.thoughtShare);
}

/** Cost of the arm on labelled prompt j; NaN where unknown. */
export function costOf(arm: ArmRecord, labelled: Labelled, j: number): number {
  if (!arm.outTokens) return arm.fixedCost ?? NaN;
  const thought = arm.thoughtTokens?.[j] ?? 0;
  return callCost(arm.info, labelled.inTokens[j]!, arm.outTokens[j]!, Number.isNaN(thought) ? 0 : thought);
}

function meanCost(arm: ArmRecord, labelled: Labelled, rows: readonly number[]): number {
  if (!arm.outTokens) return arm.fixedCost ?? 0;
  let sum = 0;
  let n = 0;
  for (const j of rows) {
    const cost = costOf(arm, labelled, j);
    if (Number.isNaN(cost)) continue;
    sum += cost;
    n++;
  }
  return n > 0 ? sum / n : (arm.fixedCost ?? 0);
}

/** Expected output tokens per kind: shrunk means of log(1 + tokens), scaled so that their mean is that of the tokens. */
function estimateTokens(
  arm: ArmRecord,
  labelled: Labelled,
): { perKind: Float64Array; thoughtShare: number } | undefined {
  if (!arm.outTokens) return undefined;
  const rows = known(arm.outTokens);
  if (rows.length === 0) return undefined;
  const logs = pick(arm.outTokens, rows).map((t) => Math.log1p(t));
  const perKind = labelled.phis.flatMap(({ k, phi }) => {
    const own = pickRows(phi, k, rows);
    const value = estimatePsi(own, logs, k, { estimator: 'soft', n0: TOKEN_N0 }).value.map((v) => Math.expm1(v));
    let fitted = 0;
    let real = 0;
    for (let i = 0; i < rows.length; i++) {
      real += arm.outTokens![rows[i]!]!;
      for (let c = 0; c < k; c++) fitted += own[i * k + c]! * value[c]!;
    }
    return Array.from(value, (v) => (fitted > 0 ? (v * real) / fitted : v));
  });
  let thought = 0;
  let all = 0;
  for (const j of rows) {
    const t = arm.thoughtTokens?.[j];
    if (t === undefined || Number.isNaN(t)) continue;
    thought += t;
    all += arm.outTokens[j]!;
  }
  return { perKind: Float64Array.from(perKind), thoughtShare: all > 0 ? thought / all : 0 };
}

function known(data: Float64Array): number[] {
  const rows: number[] = [];
  for (let j = 0; j < data.length; j++) if (!Number.isNaN(data[j]!)) rows.push(j);
  return rows;
}

function pick(data: Float64Array, rows: readonly number[]): Float64Array {
  return rows.length === data.length ? data : Float64Array.from(rows, (j) => data[j]!);
}

function pickRows(data: Float64Array, width: number, rows: readonly number[]): Float64Array {
  if (rows.length * width === data.length) return data;
  const out = new Float64Array(rows.length * width);
  rows.forEach((j, i) => out.set(data.subarray(j * width, (j + 1) * width), i * width));
  return out;
}
