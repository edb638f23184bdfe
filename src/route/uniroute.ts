// Plain UniRoute (2502.08773) on an evaluation table: K-means map, one of three Psi estimators, plug-in rule. A model is its
// row of errors on the labelled set; a new model needs its own row and nothing else. router.ts builds on the same parts.
import type { Rng } from '../tensor/index.ts';
import { fitKMeans, type FeatureMap } from './kmeans.ts';
import { estimatePsi, expected, type Psi, type PsiOptions } from './psi.ts';
import { plugIn } from './rule.ts';
import type { EvaluationTable } from './table.ts';
import { CairnError } from '../errors.ts';

export interface UniRouteOptions extends PsiOptions {
  readonly k: number;
  readonly rng: Rng;
}

/** A map of inputs and what every model gets wrong on it. */
export class UniRoute {
  readonly map: FeatureMap;
  readonly models: readonly string[];
  readonly psi: Psi;
  /** [M] mean costs on the labelled set. */
  readonly cost: Float64Array;

  constructor(map: FeatureMap, models: readonly string[], psi: Psi, cost: Float64Array) {
    this.map = map;
    this.models = models;
    this.psi = psi;
    this.cost = cost;
  }

  /**
   * Fits the map on unlabelled features and Psi on the labelled table.
   * @param unlabelled [n, dim] features the map may see; never those of the labelled set
   */
  static fit(unlabelled: Float32Array, labelled: EvaluationTable, options: UniRouteOptions): UniRoute {
    const map = fitKMeans(unlabelled, labelled.dim ?? 0, { k: options.k, rng: options.rng });
    return UniRoute.withMap(map, labelled, options);
  }

  /** Psi of a labelled table under a map that is there already. */
  static withMap(map: FeatureMap, labelled: EvaluationTable, options: PsiOptions = {}): UniRoute {
    const psi = estimatePsi(phiOf(map, labelled), labelled.error, map.k, options);
    const mean = estimatePsi(new Float64Array(labelled.count).fill(1), labelled.cost, 1, { n0: 0 }).value;
    return new UniRoute(map, labelled.models, psi, mean);
  }

  /** gamma [M]: expected errors on an input with features z [dim]. */
  predict(z: ArrayLike<number>): Float64Array {
    return expected(this.map.phi(z), this.psi);
  }

  /** Index of the model for z. */
  route(z: ArrayLike<number>, lambda: number, eligible?: readonly boolean[]): number {
    return plugIn(this.predict(z), this.cost, lambda, Math.max(...this.cost), eligible);
  }

  /** gamma [n, M] of all inputs of a table. */
  predictAll(table: EvaluationTable): Float64Array {
    const dim = this.map.dim;
    const out = new Float64Array(table.count * this.psi.models);
    for (let j = 0; j < table.count; j++) {
      out.set(this.predict(featuresOf(table).subarray(j * dim, (j + 1) * dim)), j * this.psi.models);
    }
    return out;
  }
}

/** Phi [n, K] of all inputs of a table. */
export function phiOf(map: FeatureMap, table: EvaluationTable): Float64Array {
  const phi = new Float64Array(table.count * map.k);
  const features = featuresOf(table);
  for (let j = 0; j < table.count; j++) phi.set(map.phi(features.subarray(j * map.dim, (j + 1) * map.dim)), j * map.k);
  return phi;
}

function featuresOf(table: EvaluationTable): Float32Array {
  if (!table.features)
    throw new CairnError('no_features', 'Expected features in the evaluation table, got none.', {
      hint: 'Embed the inputs first.',
    });
  return table.features;
}
