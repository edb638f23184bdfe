// Several maps taken as one: their kinds stand side by side, each map's share is 1/B, so that Phi Psi is the mean of the maps'
// predictions. Maps of different K see inputs at different grain.
import { CairnError } from '../errors.ts';
import type { FeatureMap } from './kmeans.ts';
import { estimatePsi, type Psi, type PsiOptions } from './psi.ts';

/** B maps of the same features; K is the sum of theirs. */
export class BaggedMap implements FeatureMap {
  readonly k: number;
  readonly dim: number;
  readonly maps: readonly FeatureMap[];
  readonly #parts: readonly Float64Array[];

  constructor(maps: readonly FeatureMap[]) {
    if (maps.length === 0 || maps.some((m) => m.dim !== maps[0]!.dim)) {
      throw new CairnError('bad_parameter', 'Expected at least one map, all of the same features, got others.');
    }
    this.maps = maps;
    this.dim = maps[0]!.dim;
    this.k = maps.reduce((sum, m) => sum + m.k, 0);
    this.#parts = maps.map((m) => new Float64Array(m.k));
  }

  phi(z: ArrayLike<number>, out = new Float64Array(this.k)): Float64Array {
    const share = 1 / this.maps.length;
    let at = 0;
    for (let b = 0; b < this.maps.length; b++) {
      const part = this.maps[b]!.phi(z, this.#parts[b]!);
      for (let c = 0; c < part.length; c++) out[at++] = share * part[c]!;
    }
    return out;
  }
}

/** The maps a map consists of: itself, or those of a bag. */
export function mapsOf(map: FeatureMap): readonly FeatureMap[] {
  return map instanceof BaggedMap ? map.maps : [map];
}

/** Phi [n, K] of rows of features [n, dim]. */
export function phiOfRows(map: FeatureMap, features: Float32Array): Float64Array {
  const n = features.length / map.dim;
  const phi = new Float64Array(n * map.k);
  for (let j = 0; j < n; j++) {
    map.phi(features.subarray(j * map.dim, (j + 1) * map.dim), phi.subarray(j * map.k, (j + 1) * map.k));
  }
  return phi;
}

/**
 * Psi of a labelled set under any map. Every map of a bag is estimated by itself, so that shrinkage means the same in all.
 * @param features [n, dim] of the labelled inputs
 * @param target [n, M] errors (or costs)
 */
export function psiUnder(map: FeatureMap, features: Float32Array, target: Float64Array, options: PsiOptions = {}): Psi {
  const parts = mapsOf(map).map((m) => estimatePsi(phiOfRows(m, features), target, m.k, options));
  if (parts.length === 1) return parts[0]!;
  const joined = (pick: (psi: Psi) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((p) => [...pick(p)]));
  const first = parts[0]!;
  return {
    k: map.k,
    models: first.models,
    value: joined((p) => p.value),
    mass: joined((p) => p.mass),
    effective: joined((p) => p.effective),
    mean: first.mean,
    n0: first.n0,
    count: first.count,
  };
}
