// What one part of the experiment contributes, and how concepts are learnt and groups are judged in all of them.
import { type FeatureMap, Moments, MomentSignature, type PointSource } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';

export interface Learnt {
  readonly moments: Moments;
  readonly signature: MomentSignature;
}

/** A concept from some points of a source. */
export function learn(source: PointSource, map: FeatureMap, rng: Rng, samples: number, noise = 0): Learnt {
  const moments = new Moments(map.size);
  for (let i = 0; i < samples; i++) moments.add(map.apply(source.draw(rng, noise)));
  return { moments, signature: MomentSignature.of(moments, { degrees: map.degrees }) };
}

/** Share of grouped points that have the commonest label of their group, and share of all points that are grouped. */
export function purityOf(
  groups: readonly (readonly number[])[],
  labels: readonly number[],
): { purity: number; cover: number } {
  let right = 0;
  let covered = 0;
  for (const members of groups) {
    const counts = new Map<number, number>();
    for (const i of members) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
    right += Math.max(0, ...counts.values());
    covered += members.length;
  }
  return { purity: covered === 0 ? 0 : right / covered, cover: covered / labels.length };
}

export function mean(values: readonly number[]): number {
  return values.reduce((s, v) => s + v, 0) / values.length;
}
