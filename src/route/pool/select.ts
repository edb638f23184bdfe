// Choosing K and the strength of shrinkage without test labels: every candidate predicts each labelled prompt as if it had not been
// labelled, and the least contrast loss wins. Infinite shrinkage (the model means, no routing) is always a candidate, so a map
// that says nothing about which model is better is not used.
import type { FeatureMap } from '../kmeans.ts';
import { labelledUnder, type ArmRecord, type Labelled } from './arm.ts';
import { leaveOneOut } from './leave-one-out.ts';
import type { Estimator } from '../psi.ts';

/** Strengths of shrinkage that are tried. */
export const N0_CANDIDATES: readonly number[] = [0.5, 1, 2, 3, 5, 10, 20, 40, 80, Infinity];

/** Kinds per map that are tried, cut at a fifth of the labelled prompts. */
export const K_CANDIDATES: readonly number[] = [5, 10, 20, 30, 50];

/** What was tried and what was chosen. */
export interface Selection {
  readonly k: number;
  readonly n0: number;
  readonly loss: number;
  /** Contrast loss of the model means: what not routing would predict. */
  readonly meansLoss: number;
  readonly tried: readonly { readonly k: number; readonly n0: number; readonly loss: number }[];
}

/** The labelled prompts and the models by whose errors is chosen. */
export interface SelectionData {
  /** [N, dim] */
  readonly features: Float32Array;
  readonly inTokens: Float64Array;
  /** Models that K is chosen by: those whose labels trained the map. */
  readonly judges: readonly ArmRecord[];
  /** Models that n0 is chosen by. Default: the same. */
  readonly arms?: readonly ArmRecord[];
}

/**
 * @param maps one map (or bag) per candidate K, by rising K
 * @example
 * select([{ k: 10, map }], data).n0;
 */
export function select(
  maps: readonly { readonly k: number; readonly map: FeatureMap }[],
  data: SelectionData,
  estimator: Estimator = 'joint',
  n0s: readonly number[] = N0_CANDIDATES,
): Selection {
  const tried: { k: number; n0: number; loss: number }[] = [];
  const measure = (labelled: Labelled, arms: readonly ArmRecord[], n0: number): number =>
    contrastLoss(
      arms.map((arm) => arm.error),
      arms.map((arm) => leaveOneOut(arm, labelled, { estimator, n0 })),
    );
  const falling = [...n0s].sort((a, b) => b - a);
  const seen = maps.map(({ k, map }) => ({ k, labelled: labelledUnder(map, data.features, data.inTokens) }));
  for (const { k, labelled } of seen) {
    for (const n0 of falling) tried.push({ k, n0, loss: measure(labelled, data.judges, n0) });
  }
  // Strictly less: of equal candidates the first, with fewer kinds and more shrinkage, is kept.
  const least = <T extends { readonly loss: number }>(list: readonly T[]): T =>
    list.reduce((a, b) => (b.loss < a.loss ? b : a));
  const { k } = least(tried);
  const { labelled } = seen.find((s) => s.k === k)!;
  const arms = data.arms ?? data.judges;
  const strengths = falling.map((n0) => ({ n0, loss: measure(labelled, arms, n0) }));
  const { n0, loss } = least(strengths);
  const means = strengths.find((s) => s.n0 === Infinity)?.loss ?? measure(labelled, arms, Infinity);
  return { k, n0, loss, meansLoss: means, tried };
}

/**
 * Mean squared error of predictions after taking out, prompt by prompt, the mean over the models that answered it. Choices
 * depend on differences between models only: a prompt that is hard for all of them says nothing about which to take. With a
 * single model the errors themselves count.
 */
export function contrastLoss(error: readonly Float64Array[], gamma: readonly Float64Array[]): number {
  let loss = 0;
  let count = 0;
  for (let j = 0; j < (error[0]?.length ?? 0); j++) {
    const known = error.flatMap((e, m) => (Number.isNaN(e[j]!) ? [] : [m]));
    const alone = known.length === 1;
    let meanError = 0;
    let meanGamma = 0;
    if (!alone) {
      for (const m of known) {
        meanError += error[m]![j]! / known.length;
        meanGamma += gamma[m]![j]! / known.length;
      }
    }
    for (const m of known) {
      loss += (error[m]![j]! - meanError - (gamma[m]![j]! - meanGamma)) ** 2;
      count++;
    }
  }
  return count > 0 ? loss / count : 0;
}
