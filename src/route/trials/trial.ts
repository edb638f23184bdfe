// One trial of the routing protocol: prompts split 60/10/30 into training, labelled and test, models split into training and unseen
// ones; features and maps see training prompts only; every method routes the test prompts among the unseen models.
import { Rng } from '../../tensor/index.ts';
import { bestSingle, nearestNeighbours, zeroRouter } from '../baselines.ts';
import { phiOfRows, psiUnder } from '../bagged-map.ts';
import { curveFigures, deferralCurve, type CurveFigures, type DeferralCurve } from '../deferral.ts';
import { embedAll } from '../encoder.ts';
import { fitLsa, type LsaEncoder, type LsaOptions } from '../features/lsa.ts';
import type { FeatureMap } from '../kmeans.ts';
import { armsOf, fitMap, selectedMap, validationOf } from '../pool/fit.ts';
import { PromptRouter } from '../pool/prompt-router.ts';
import { taskLabels } from '../pool/side-labels.ts';
import { estimatePsi, expected, type Estimator } from '../psi.ts';
import { columnMeans, selectRows, type EvaluationTable } from '../table.ts';
import { selectModels, toEvaluation, type PromptTable } from '../tables/prompt-table.ts';
import { fitRidge, predictRidge } from './ridge.ts';

/** Methods a trial can run, by the name they have in reports. */
export const METHODS = [
  'default', 'default-untold', 'zero', 'knn', 'paper', 'shrunk', 'learned-shrunk', 'learned-soft', 'linear',
  'clairvoyant-linear', 'task', 'oracle',
] as const; // prettier-ignore
export type Method = (typeof METHODS)[number];

export interface TrialOptions {
  /** Labelled prompts; more than the table's tenth are cut to it. */
  readonly validation: readonly number[];
  /** Models that the map never sees. The rest train it. */
  readonly unseen: number;
  /** Default: all. */
  readonly methods?: readonly Method[];
  /** Sizes of the features; `default` takes all of this, the others `ascii-v1` without surface numbers. */
  readonly features?: Omit<LsaOptions, 'rng'>;
  /** Kinds of the fixed maps. Default 30 for 400 labelled prompts and more, else 20. */
  readonly k?: (validation: number) => number;
  /** Shrinkage of the fixed estimators. Default 10. */
  readonly n0?: number;
}

/** What one method did in one trial. */
export interface TrialFigures extends CurveFigures {
  readonly trial: number;
  readonly validation: number;
  readonly method: Method;
  readonly curve: DeferralCurve;
  /** Chosen K and n0, where they were chosen. */
  readonly chosen?: { readonly k: number; readonly n0: number };
}

/** Neighbours of K-NN, and penalties of the linear baselines. */
const NEIGHBOURS = 40;
const PENALTY = 20;
const CLAIRVOYANT_PENALTY = 5;

/** Everything the methods of one trial share. */
interface Setup {
  readonly table: PromptTable;
  readonly evaluation: EvaluationTable;
  readonly training: readonly number[];
  readonly test: readonly number[];
  readonly seen: readonly number[];
  readonly unseen: readonly number[];
  readonly rng: Rng;
}

/** Runs one trial; `trial` is its seed. */
export function runTrial(table: PromptTable, trial: number, options: TrialOptions): TrialFigures[] {
  const rng = new Rng(trial).fork('routing-trial');
  const n = table.prompts.length;
  const order = Array.from(rng.fork('prompts').permutation(n));
  const models = Array.from(rng.fork('models').permutation(table.models.length));
  const [a, b] = [Math.round(0.6 * n), Math.round(0.7 * n)];
  const unseen = models.slice(models.length - Math.min(options.unseen, models.length)).sort((x, y) => x - y);
  const setup: Setup = {
    table,
    evaluation: toEvaluation(table).table,
    training: order.slice(0, a),
    test: order.slice(b),
    seen: models.filter((m) => !unseen.includes(m)),
    unseen,
    rng,
  };
  const methods = options.methods ?? METHODS;
  const sizes = [...new Set(options.validation.map((v) => Math.min(v, b - a)))];
  const labelled = sizes.map((size) => order.slice(a, a + size));
  const out: TrialFigures[] = [];
  if (!methods.every(isOwn)) out.push(...fixedMethods(setup, labelled, trial, options, methods));
  if (methods.some(isOwn)) out.push(...ownMethods(setup, labelled, trial, options, methods));
  return out;
}

/**
 * The product's own way: its features, bagged maps, n0 chosen on the labelled prompts, estimates of a pool. `default` tells the map
 * the tasks that the training prompts name, if they do; `default-untold` does not.
 */
function ownMethods(
  setup: Setup,
  labelled: readonly number[][],
  trial: number,
  options: TrialOptions,
  methods: readonly Method[],
): TrialFigures[] {
  const { table, evaluation, training, test, seen, unseen, rng } = setup;
  const texts = training.map((j) => table.prompts[j]!.text);
  const encoder = fitLsa(texts, { ...options.features, rng: rng.fork('features') });
  const features = embedAll(encoder, texts);
  const error = cells(evaluation.error, training, seen, evaluation.models.length);
  const testTable = subTable(setup, test, encoder);
  const pool = selectModels(table, unseen);
  const M = unseen.length;
  const cost = (models: readonly number[]): Float64Array =>
    cells(evaluation.cost, all(table.prompts.length), models, evaluation.models.length);
  const tasks = seen.length > 0 ? taskLabels(training.map((j) => table.prompts[j]!)) : undefined;
  const run = (method: Method, rows: readonly number[], fitted: Map<string, FeatureMap>): TrialFigures => {
    const arms = armsOf(pool, rows, cost(unseen));
    const validation = validationOf(table, rows, encoder);
    const judges = seen.length > 0 ? armsOf(selectModels(table, seen), rows, cost(seen)) : arms;
    const chosen = selectedMap(
      features,
      encoder.dim,
      error,
      { ...validation, judges, arms: seen.length > 0 ? [...judges, ...arms] : arms },
      {
        kind: seen.length > 0 ? 'learned' : 'soft',
        rng: rng.fork('map'),
        fitted,
        ...(tasks && method === 'default' ? { side: tasks } : {}),
      },
    );
    const router = new PromptRouter({
      encoder,
      map: chosen.map,
      validation,
      arms,
      options: { estimator: 'joint', n0: chosen.selection.n0 },
      operating: { kind: 'knee' },
      revision: 0,
      provenance: {},
    });
    const gamma = new Float64Array(test.length * M);
    const expectedCost = new Float64Array(test.length * M);
    for (const [i, j] of test.entries()) {
      const z = testTable.features!.subarray(i * encoder.dim, (i + 1) * encoder.dim);
      const tokens = Math.ceil(table.prompts[j]!.text.length / 4);
      for (const c of router.routeFeatures(z, tokens, { lambda: 0 }).ranking) {
        gamma[i * M + c.index] = c.score; // at lambda 0 the expected error, not cut to [0,1]
        expectedCost[i * M + c.index] = c.expectedCost;
      }
    }
    const curve = deferralCurve(gamma, testTable, { cost: expectedCost });
    const { k, n0 } = chosen.selection;
    return { ...figures(curve, testTable), trial, validation: rows.length, method, curve, chosen: { k, n0 } };
  };
  return methods.filter(isOwn).flatMap((method) => {
    if (method === 'default-untold' && !tasks) return []; // the same as `default`
    const fitted = new Map<string, FeatureMap>(); // maps do not depend on the labelled prompts
    return labelled.map((rows) => run(method, rows, fitted));
  });
}

function isOwn(method: Method): boolean {
  return method === 'default' || method === 'default-untold';
}

/** Published methods and baselines on `ascii-v1` features, with fixed K and n0. */
function fixedMethods(
  setup: Setup,
  labelled: readonly number[][],
  trial: number,
  options: TrialOptions,
  methods: readonly Method[],
): TrialFigures[] {
  const { table, evaluation, training, test, seen, unseen, rng } = setup;
  const texts = training.map((j) => table.prompts[j]!.text);
  const blind = methods.every((m) => isOwn(m) || ['zero', 'task', 'oracle'].includes(m)); // these never look at the words
  const encoder = fitLsa(blind ? [] : texts, {
    ...options.features,
    kind: 'ascii-v1',
    surface: 0,
    rng: rng.fork('ascii'),
  });
  const features = embedAll(encoder, texts);
  const trainingError = cells(evaluation.error, training, seen, evaluation.models.length);
  const testTable = subTable(setup, test, encoder);
  const M = unseen.length;
  const tasks = new Map<string, number>();
  for (const p of table.prompts) if (!tasks.has(p.task ?? '')) tasks.set(p.task ?? '', tasks.size);
  const out: TrialFigures[] = [];
  for (const rows of labelled) {
    const validation = subTable(setup, rows, encoder);
    const meanCost = columnMeans(validation.cost, M);
    const cost = Float64Array.from({ length: test.length * M }, (_, i) => meanCost[i % M]!);
    const k = options.k?.(rows.length) ?? (rows.length >= 400 ? 30 : 20);
    const n0 = options.n0 ?? 10;
    const fit = (kind: 'kmeans' | 'learned'): FeatureMap =>
      fitMap(features, encoder.dim, trainingError, { kind, k, bags: 1, rng: rng.fork(`fixed-${rows.length}`) });
    const hard = methods.includes('paper') || methods.includes('shrunk') ? fit('kmeans') : undefined;
    const learned = methods.some((m) => m.startsWith('learned')) && seen.length > 0 ? fit('learned') : undefined;
    const under = (map: FeatureMap, estimator: Estimator): Float64Array =>
      expectedRows(
        phiOfRows(map, testTable.features!),
        psiUnder(map, validation.features!, validation.error, { estimator, n0 }),
      );
    const gammas: Partial<Record<Method, () => Float64Array>> = {
      knn: () =>
        concat(rowsOf(testTable).map((z) => nearestNeighbours(validation, z, Math.min(NEIGHBOURS, rows.length)))),
      linear: () =>
        predictRidge(fitRidge(validation.features!, encoder.dim, validation.error, PENALTY), testTable.features!),
      'clairvoyant-linear': () => {
        const labels = cells(evaluation.error, training, unseen, evaluation.models.length);
        return predictRidge(fitRidge(features, encoder.dim, labels, CLAIRVOYANT_PENALTY), testTable.features!);
      },
      oracle: () => testTable.error,
      ...(hard ? { paper: () => under(hard, 'paper'), shrunk: () => under(hard, 'shrunk') } : {}),
      ...(learned
        ? { 'learned-shrunk': () => under(learned, 'shrunk'), 'learned-soft': () => under(learned, 'soft') }
        : {}),
      ...(tasks.size > 1
        ? {
            task: () => {
              const phi = (index: readonly number[]): Float64Array => {
                const p = new Float64Array(index.length * tasks.size);
                for (const [i, j] of index.entries()) p[i * tasks.size + tasks.get(table.prompts[j]!.task ?? '')!] = 1;
                return p;
              };
              return expectedRows(
                phi(test),
                estimatePsi(phi(rows), validation.error, tasks.size, { estimator: 'shrunk', n0 }),
              );
            },
          }
        : {}),
    };
    for (const method of methods) {
      const gamma = gammas[method]?.();
      const curve =
        method === 'zero'
          ? zeroRouter(validation, testTable).curve
          : gamma && deferralCurve(gamma, testTable, { cost });
      if (curve) out.push({ ...figures(curve, testTable), trial, validation: rows.length, method, curve });
    }
  }
  return out;
}

function figures(curve: DeferralCurve, test: EvaluationTable): CurveFigures {
  return curveFigures(curve, bestSingle(test));
}

/** Errors, costs and features of the unseen models on prompts `rows`. */
function subTable({ table, evaluation, unseen }: Setup, rows: readonly number[], encoder: LsaEncoder): EvaluationTable {
  const part = selectRows(evaluation, rows);
  const M = evaluation.models.length;
  return {
    models: unseen.map((m) => evaluation.models[m]!),
    count: rows.length,
    error: cells(part.error, all(rows.length), unseen, M),
    cost: cells(part.cost, all(rows.length), unseen, M),
    features: embedAll(
      encoder,
      rows.map((j) => table.prompts[j]!.text),
    ),
    dim: encoder.dim,
  };
}

/** Rows and columns of an [n, M] matrix. */
function cells(data: Float64Array, rows: readonly number[], columns: readonly number[], M: number): Float64Array {
  const out = new Float64Array(rows.length * columns.length);
  let at = 0;
  for (const j of rows) for (const m of columns) out[at++] = data[j * M + m]!;
  return out;
}

function expectedRows(
  phi: Float64Array,
  psi: { readonly value: Float64Array; readonly k: number; readonly models: number },
): Float64Array {
  const n = phi.length / psi.k;
  return concat(Array.from({ length: n }, (_, j) => expected(phi.subarray(j * psi.k, (j + 1) * psi.k), psi)));
}

function rowsOf(table: EvaluationTable): Float32Array[] {
  const dim = table.dim!;
  return Array.from({ length: table.count }, (_, j) => table.features!.subarray(j * dim, (j + 1) * dim));
}

function concat(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function all(n: number): number[] {
  return Array.from({ length: n }, (_, j) => j);
}
