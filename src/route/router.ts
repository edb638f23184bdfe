// The router of one task: UniRoute (2502.08773) over escalation paths. A path is a rising sequence of modules run as a
// confidence cascade; Psi holds every path's error and cost per cluster of cheap input features, so that the choice of the
// first module and the rule for moving on are one decision. A path of one module is plain UniRoute.
import { CairnError } from '../errors.ts';
import { betaInterval, betaOfMoments, type Rng } from '../tensor/index.ts';
import { fitThresholds, runCascade } from './cascade.ts';
import { fitIsotonic, probabilityOf } from './isotonic.ts';
import { fitKMeans, KMeans } from './kmeans.ts';
import { shrink } from './psi.ts';
import { chooseLambda, ranking } from './rule.ts';
import { columnMeans, validateTable, type EvaluationTable } from './table.ts';

/** A choice with its reasons. */
export interface Decision {
  /** Module ids, to be tried in this order. */
  readonly path: readonly string[];
  /** Index of the path in the router, for `learnOne`. */
  readonly index: number;
  readonly cluster: number;
  readonly expectedError: number;
  readonly interval: readonly [number, number];
  readonly expectedCost: number;
  readonly runnerUp:
    | { readonly path: readonly string[]; readonly expectedError: number; readonly expectedCost: number }
    | undefined;
}

export interface FitOptions {
  readonly rng: Rng;
  /** Name of the features (an encoder's id). */
  readonly encoder: string;
  /** Clusters. Default: 20, at most n/20. */
  readonly k?: number;
  /** Shrinkage in labelled inputs. Default 10. */
  readonly n0?: number;
  /** How much more error than the best single module is allowed, on the table. Default 0.0005. */
  readonly maxLoss?: number;
  /** What was fitted, in the caller's words: for example a hash of the models' weights. */
  readonly note?: string;
}

/** A fitted router as plain JSON. Same table, options and seed: the same state. */
export interface RouterState {
  readonly version: 1;
  readonly encoder: string;
  readonly note: string;
  readonly modules: readonly string[];
  readonly thresholds: readonly number[];
  readonly paths: readonly (readonly number[])[];
  readonly dim: number;
  readonly centroids: readonly number[];
  readonly n0: number;
  readonly lambda: number;
  readonly scale: number;
  /** Labelled inputs and what they said: error and cost of the chosen routes, error and cost of the best single module. */
  readonly fitted: {
    readonly count: number;
    readonly error: number;
    readonly cost: number;
    readonly bestError: number;
    readonly bestCost: number;
  };
  /** [K, P] sums and masses, [P] sums and counts over all. */
  readonly errorSum: readonly number[];
  readonly costSum: readonly number[];
  readonly mass: readonly number[];
  readonly errorTotal: readonly number[];
  readonly costTotal: readonly number[];
  readonly total: readonly number[];
}

/**
 * Routes inputs of one task and learns from outcomes.
 *
 * @example
 * const router = PathRouter.fit(table, { rng: new Rng(7), encoder: 'pooled-ink/28x7' });
 * router.route(features).path; // ['read-digit/small', 'read-digit/large']
 */
export class PathRouter {
  readonly #state: RouterState;
  readonly #map: KMeans;
  readonly #errorSum: Float64Array; // [K, P]
  readonly #costSum: Float64Array; // [K, P]
  readonly #mass: Float64Array; // [K, P]
  readonly #errorTotal: Float64Array; // [P]
  readonly #costTotal: Float64Array; // [P]
  readonly #total: Float64Array; // [P]
  readonly #intervals = new Map<number, readonly [number, number]>();
  readonly #rows = new Map<number, { gamma: Float64Array; cost: Float64Array }>();

  private constructor(state: RouterState) {
    this.#state = state;
    this.#map = new KMeans(Float32Array.from(state.centroids), state.dim);
    this.#errorSum = Float64Array.from(state.errorSum);
    this.#costSum = Float64Array.from(state.costSum);
    this.#mass = Float64Array.from(state.mass);
    this.#errorTotal = Float64Array.from(state.errorTotal);
    this.#costTotal = Float64Array.from(state.costTotal);
    this.#total = Float64Array.from(state.total);
  }

  get modules(): readonly string[] {
    return this.#state.modules;
  }

  get encoder(): string {
    return this.#state.encoder;
  }

  /** What was fitted, in the words of whoever fitted it. */
  get note(): string {
    return this.#state.note;
  }

  /** What the labelled inputs promised. */
  get fitted(): RouterState['fitted'] {
    return this.#state.fitted;
  }

  /** Operations of one decision: assignment and the score of every path. */
  get flop(): number {
    return 2 * this.#map.k * (this.#map.dim + 1) + 3 * this.#state.paths.length;
  }

  /** Confidence from which a module's answer is accepted when its path goes on; undefined for an unknown module. */
  threshold(module: string): number | undefined {
    const m = this.#state.modules.indexOf(module);
    return m < 0 ? undefined : this.#state.thresholds[m];
  }

  /** Fits clusters, thresholds, Psi and lambda on labelled inputs with features and confidences. */
  static fit(table: EvaluationTable, options: FitOptions): PathRouter {
    validateTable(table);
    const { features, dim } = table;
    if (!features || !dim)
      throw new CairnError('no_features', 'Expected features in the evaluation table, got none.', {
        hint: 'Embed the inputs first.',
      });
    const models = table.models.length;
    const meanError = columnMeans(table.error, models);
    const meanCost = columnMeans(table.cost, models);
    const byCost = Array.from({ length: models }, (_, m) => m).sort((a, b) => meanCost[a]! - meanCost[b]! || a - b);
    const best = byCost.reduce((a, b) => (meanError[b]! < meanError[a]! ? b : a));
    const maxLoss = options.maxLoss ?? 0.0005;
    const k = Math.max(1, Math.min(options.k ?? 20, Math.floor(table.count / 20)));
    const map = fitKMeans(features, dim, { k, rng: options.rng });
    const clusters = map.assignAll(features);
    const paths = subsequences(byCost, table.confidence !== undefined);
    const ladder = byCost.slice(0, byCost.indexOf(best) + 1);
    const n0 = options.n0 ?? 10;
    const scale = Math.max(...meanCost);
    // Errors are rare: what was counted would flatter whatever happened to be lucky. Probabilities do not.
    const smooth = table.confidence ? { ...table, error: expectedErrors(table) } : table;
    const allowed = columnMeans(smooth.error, models)[best]! + maxLoss;
    let chosen: { state: RouterState; cost: number; error: number } | undefined;
    for (const share of table.confidence ? [0, 0.25, 0.5, 0.75, 1] : [1]) {
      const thresholds = table.confidence
        ? fitThresholds(smooth, ladder, allowed - (1 - share) * maxLoss)
        : new Float64Array(models).fill(2);
      const sums = gather(table, smooth, paths, thresholds, clusters, map.k);
      const base = {
        version: 1,
        encoder: options.encoder,
        note: options.note ?? '',
        modules: table.models,
        thresholds: [...thresholds],
        paths,
        dim,
        centroids: [...map.centroids],
        n0,
        scale,
        ...sums,
      } as const;
      const point = chooseLambda((lambda) => evaluate(base, lambda, map.k), allowed);
      const fitted = {
        count: table.count,
        error: point.error,
        cost: point.cost,
        bestError: allowed - maxLoss,
        bestCost: meanCost[best]!,
      };
      const fits = point.error <= allowed;
      const better = !chosen || (fits && (point.cost < chosen.cost || chosen.error > allowed));
      if (better) chosen = { state: { ...base, lambda: point.lambda, fitted }, cost: point.cost, error: point.error };
    }
    return new PathRouter(chosen!.state);
  }

  /** @throws CairnError `bad_router` for a state of another version or of wrong sizes */
  static fromState(state: RouterState): PathRouter {
    const k = state.dim > 0 ? state.centroids.length / state.dim : 0;
    const cells = k * state.paths.length;
    const sizes = [state.errorSum, state.costSum, state.mass].every((a) => a.length === cells);
    const totals = [state.errorTotal, state.costTotal, state.total].every((a) => a.length === state.paths.length);
    if (
      state.version !== 1 ||
      !Number.isInteger(k) ||
      k < 1 ||
      !sizes ||
      !totals ||
      state.thresholds.length !== state.modules.length
    ) {
      throw new CairnError('bad_router', 'Expected a router state of version 1 with matching sizes, got another.', {
        hint: 'Fit the router again.',
      });
    }
    return new PathRouter(state);
  }

  toState(): RouterState {
    return {
      ...this.#state,
      errorSum: [...this.#errorSum],
      costSum: [...this.#costSum],
      mass: [...this.#mass],
      errorTotal: [...this.#errorTotal],
      costTotal: [...this.#costTotal],
      total: [...this.#total],
    };
  }

  /**
   * The plug-in rule over all paths whose modules are eligible.
   * @param z [dim] features
   * @param eligible module ids that may run; default all
   * @param lambda price of cost; default the fitted operating point
   */
  route(z: ArrayLike<number>, eligible?: readonly string[], lambda = this.#state.lambda, offset = 0): Decision {
    const cluster = this.#map.assign(z, offset);
    const { paths, modules, scale } = this.#state;
    const { gamma, cost } = this.#row(cluster);
    const may = eligible && paths.map((path) => path.every((m) => eligible.includes(modules[m]!)));
    const order = ranking(gamma, cost, lambda, scale, may);
    const ids = (p: number): string[] => paths[p]!.map((m) => modules[m]!);
    const first = order[0]!;
    // The runner-up is the best path that starts elsewhere: another way to escalate is not another choice.
    const second = order.find((p) => paths[p]![0] !== paths[first]![0]);
    return {
      path: ids(first),
      index: first,
      cluster,
      expectedError: gamma[first]!,
      interval: this.#interval(cluster, first),
      expectedCost: cost[first]!,
      runnerUp:
        second === undefined
          ? undefined
          : { path: ids(second), expectedError: gamma[second]!, expectedCost: cost[second]! },
    };
  }

  /** Takes in the outcome of one routed input: error in [0,1] of the path's final answer. */
  learnOne(decision: Pick<Decision, 'cluster' | 'index'>, error: number, cost?: number): void {
    const paths = this.#state.paths.length;
    if (
      decision.cluster < 0 ||
      decision.cluster >= this.#map.k ||
      decision.index < 0 ||
      decision.index >= paths ||
      !(error >= 0 && error <= 1)
    ) {
      throw new CairnError(
        'bad_outcome',
        `Expected a decision of this router and an error in [0,1], got error ${error}.`,
      );
    }
    const cell = decision.cluster * paths + decision.index;
    const spent = cost ?? this.#row(decision.cluster).cost[decision.index]!;
    this.#errorSum[cell] = this.#errorSum[cell]! + error;
    this.#costSum[cell] = this.#costSum[cell]! + spent;
    this.#mass[cell] = this.#mass[cell]! + 1;
    this.#errorTotal[decision.index] = this.#errorTotal[decision.index]! + error;
    this.#costTotal[decision.index] = this.#costTotal[decision.index]! + spent;
    this.#total[decision.index] = this.#total[decision.index]! + 1;
    this.#rows.clear();
    this.#intervals.clear();
  }

  /** Index of the path with exactly these modules, -1 if there is none. */
  pathIndex(ids: readonly string[]): number {
    const { paths, modules } = this.#state;
    return paths.findIndex((path) => path.length === ids.length && path.every((m, i) => modules[m] === ids[i]));
  }

  #row(cluster: number): { gamma: Float64Array; cost: Float64Array } {
    const known = this.#rows.get(cluster);
    if (known) return known;
    const paths = this.#state.paths.length;
    const gamma = new Float64Array(paths);
    const cost = new Float64Array(paths);
    for (let p = 0; p < paths; p++) {
      const cell = cluster * paths + p;
      gamma[p] = shrink(
        this.#errorSum[cell]!,
        this.#mass[cell]!,
        this.#errorTotal[p]! / this.#total[p]!,
        this.#state.n0,
      );
      cost[p] = shrink(this.#costSum[cell]!, this.#mass[cell]!, this.#costTotal[p]! / this.#total[p]!, this.#state.n0);
    }
    const row = { gamma, cost };
    this.#rows.set(cluster, row);
    return row;
  }

  /** 90 % Beta interval of a path's error in a cluster, the uncertainty of the mean included. */
  #interval(cluster: number, path: number): readonly [number, number] {
    const cell = cluster * this.#state.paths.length + path;
    const known = this.#intervals.get(cell);
    if (known) return known;
    const { n0 } = this.#state;
    const n = this.#mass[cell]!;
    const mean = this.#errorTotal[path]! / this.#total[path]!;
    const a = n0 * mean + this.#errorSum[cell]!;
    const b = n0 * (1 - mean) + n - this.#errorSum[cell]!;
    const sum = Math.max(a + b, 1e-9);
    const variance =
      (a * b) / (sum * sum * (sum + 1)) + ((mean * (1 - mean)) / this.#total[path]!) * (n0 / (n + n0)) ** 2;
    const interval = betaInterval(...betaOfMoments(a / sum, Math.max(variance, 1e-12)));
    this.#intervals.set(cell, interval);
    return interval;
  }
}

/** All rising non-empty sequences of models (single models only, without confidences). At most six models are combined. */
function subsequences(byCost: readonly number[], cascades: boolean): number[][] {
  if (!cascades || byCost.length > 6) return byCost.map((m) => [m]);
  const all: number[][] = [];
  for (let mask = 1; mask < 1 << byCost.length; mask++) all.push(byCost.filter((_, i) => (mask >> i) & 1));
  return all.sort((a, b) => a.length - b.length);
}

/** [n, M] probability of a wrong answer, from each model's confidence. */
function expectedErrors(table: EvaluationTable): Float64Array {
  const models = table.models.length;
  const out = new Float64Array(table.error.length);
  for (let m = 0; m < models; m++) {
    const column = (data: Float64Array): Float64Array =>
      Float64Array.from({ length: table.count }, (_, j) => data[j * models + m]!);
    const confidence = column(table.confidence!);
    const map = fitIsotonic(
      confidence,
      column(table.error).map((e) => 1 - e),
    );
    for (let j = 0; j < table.count; j++) out[j * models + m] = 1 - probabilityOf(map, confidence[j]!);
  }
  return out;
}

/** Standard errors below which a cluster's counted errors are taken for luck. */
const SURPRISE = 3;

type Sums = Pick<RouterState, 'errorSum' | 'costSum' | 'mass' | 'errorTotal' | 'costTotal' | 'total'>;

/**
 * Error and cost of every path in every cluster. Errors are the smooth ones, and the counted ones where a cluster's
 * counts differ from them by more than luck can explain: confidence then misses what the features see.
 */
function gather(
  table: EvaluationTable,
  smooth: EvaluationTable,
  paths: readonly number[][],
  thresholds: Float64Array,
  clusters: Int32Array,
  k: number,
): Sums {
  const count = paths.length;
  const zeros = (n: number): number[] => new Array<number>(n).fill(0);
  const sums = { errorSum: zeros(k * count), costSum: zeros(k * count), mass: zeros(k * count) };
  const totals = { errorTotal: zeros(count), costTotal: zeros(count), total: zeros(count).fill(table.count) };
  paths.forEach((path, p) => {
    const counted = runCascade(table, path, thresholds);
    const expected = runCascade(smooth, path, thresholds);
    const off = new Float64Array(k);
    const variance = new Float64Array(k);
    for (let j = 0; j < table.count; j++) {
      const cluster = clusters[j]!;
      const cell = cluster * count + p;
      const e = expected.error[j]!;
      off[cluster] = off[cluster]! + counted.error[j]! - e;
      variance[cluster] = variance[cluster]! + e * (1 - e);
      sums.errorSum[cell] = sums.errorSum[cell]! + expected.error[j]!;
      sums.costSum[cell] = sums.costSum[cell]! + counted.cost[j]!;
      sums.mass[cell] = sums.mass[cell]! + 1;
      totals.costTotal[p] = totals.costTotal[p]! + counted.cost[j]!;
    }
    for (let c = 0; c < k; c++) {
      const cell = c * count + p;
      if (off[c]! ** 2 > SURPRISE ** 2 * variance[c]!)
        sums.errorSum[cell] = Math.max(0, sums.errorSum[cell]! + off[c]!);
      totals.errorTotal[p] = totals.errorTotal[p]! + sums.errorSum[cell]!;
    }
  });
  return { ...sums, ...totals };
}

/** Mean true error and cost of the labelled inputs when every cluster takes the path that lambda says. */
function evaluate(
  state: Sums & { n0: number; scale: number; paths: readonly number[][] },
  lambda: number,
  k: number,
): { error: number; cost: number } {
  const count = state.paths.length;
  let error = 0;
  let cost = 0;
  for (let c = 0; c < k; c++) {
    const value = (sum: readonly number[], total: readonly number[], p: number): number =>
      shrink(sum[c * count + p]!, state.mass[c * count + p]!, total[p]! / state.total[p]!, state.n0);
    const gamma = state.paths.map((_, p) => value(state.errorSum, state.errorTotal, p));
    const price = state.paths.map((_, p) => value(state.costSum, state.costTotal, p));
    const p = ranking(gamma, price, lambda, state.scale)[0]!;
    error += state.errorSum[c * count + p]!;
    cost += state.costSum[c * count + p]!;
  }
  const n = state.total[0]!;
  return { error: error / n, cost: cost / n };
}
