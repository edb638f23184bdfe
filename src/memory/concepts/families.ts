// Concepts of concepts. Two concepts that share more equations than their numbers force are related; a family is what shares
// some of them all, and its common equations are the signature of a higher concept. The other way is to take signatures as
// points and to find concepts among them. Source: 2310.12143, signatures of higher concepts.
import { Rng } from '../../tensor/index.ts';
import { commonOf, conceptSimilarity, orHull } from './algebra.ts';
import type { MomentSignature } from './moment-signature.ts';

export interface Family {
  /** Indices of the members, rising. */
  readonly members: readonly number[];
  /** The equations that hold in all members: again a signature, so families have families. */
  readonly common: MomentSignature;
}

/** Equations that both have beyond those that any two concepts of these sizes share. */
export function sharedEquations(a: MomentSignature, b: MomentSignature, tolerance?: number): number {
  return orHull(a, b, tolerance).nullity - Math.max(0, a.nullity + b.nullity - a.size);
}

/**
 * Groups signatures into families: starts from the pair that shares most, adds what keeps more equations common than chance
 * would, and goes on with the rest. Signatures that share nothing are in no family.
 *
 * @example
 * familiesOf(book.concepts().map((c) => c.signature))[0]?.common.nullity;
 */
export function familiesOf(signatures: readonly MomentSignature[], tolerance?: number): Family[] {
  const n = signatures.length;
  const shared = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      // Cheap first: related concepts overlap more than by chance.
      if (conceptSimilarity(signatures[i]!, signatures[j]!) <= 0) continue;
      const s = sharedEquations(signatures[i]!, signatures[j]!, tolerance);
      if (s > 0) shared.set(i * n + j, s);
    }
  }
  const pairs = [...shared].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const taken = new Set<number>();
  const families: Family[] = [];
  for (const [pair] of pairs) {
    const [i, j] = [Math.floor(pair / n), pair % n];
    if (taken.has(i) || taken.has(j)) continue;
    const members = [i, j];
    let common = commonOf([signatures[i]!, signatures[j]!], tolerance);
    for (let c = 0; c < n; c++) {
      if (taken.has(c) || members.includes(c)) continue;
      if (sharedEquations(common, signatures[c]!, tolerance) <= 0) continue;
      members.push(c);
      common = commonOf(
        members.map((m) => signatures[m]!),
        tolerance,
      );
    }
    for (const m of members) taken.add(m);
    members.sort((a, b) => a - b);
    families.push({ members, common });
  }
  return families;
}

/**
 * A signature as a point: its centred vector under a seeded random projection.
 * @returns [dim]
 */
export function liftPoint(signature: MomentSignature, seed: string | number, dim = 32): Float64Array {
  const vector = signature.toVector();
  const rng = new Rng(seed).fork('memory/concepts/lift');
  const out = new Float64Array(dim);
  for (const v of vector) for (let i = 0; i < dim; i++) out[i] = out[i]! + (v * rng.rademacher()) / Math.sqrt(dim);
  return out;
}
