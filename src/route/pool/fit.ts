// Fits a prompt router from an evaluation table: features and maps on the prompts set aside for them, Psi on the labelled rest.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { BaggedMap } from '../bagged-map.ts';
import { embedAll, type Encoder } from '../encoder.ts';
import { fitLsa, type LsaOptions } from '../features/lsa.ts';
import type { PromptEncoder } from '../features/prompt-encoder.ts';
import { fitKMeans, type FeatureMap } from '../kmeans.ts';
import { fitLearnedMap, LearnedMap, thetaOf, type LearnedMapOptions, type SideLabels } from '../learned-map.ts';
import type { Estimator } from '../psi.ts';
import { roughTokens, toEvaluation, type PromptTable } from '../tables/prompt-table.ts';
import type { ArmRecord } from './arm.ts';
import type { OperatingChoice } from './operating.ts';
import { PromptRouter, type RouterParts } from './prompt-router.ts';
import { taskLabels } from './side-labels.ts';
import { K_CANDIDATES, N0_CANDIDATES, select, type Selection, type SelectionData } from './select.ts';

/** `learned`: trained on labels of models; `soft`: softened K-means, needs no labels; `kmeans`: one kind per prompt. */
export type MapKind = 'learned' | 'soft' | 'kmeans';

export interface MapOptions {
  readonly kind: MapKind;
  /** Kinds per map. */
  readonly k: number;
  /** Maps whose predictions are averaged. Default 3; with `grains`, that many of each. */
  readonly bags?: number;
  /** Kinds of the maps as multiples of k. Default [1]. */
  readonly grains?: readonly number[];
  /** Sharpness of soft maps. Default 10. */
  readonly temperature?: number;
  /** How `learned` maps are trained. Default: as in `fitLearnedMap`. */
  readonly training?: Omit<LearnedMapOptions, 'rng' | 'temperature'>;
  /** What else is known of the rows, for `learned` maps. */
  readonly side?: SideLabels;
  readonly rng: Rng;
}

/**
 * A bag of maps of features [n, dim].
 * @param error [n, H] errors of the training models on these rows; needed by `learned`
 */
export function fitMap(
  features: Float32Array,
  dim: number,
  error: Float64Array | undefined,
  options: MapOptions,
): FeatureMap {
  const temperature = options.temperature ?? 10;
  const grains = options.grains ?? [1];
  const maps = Array.from({ length: (options.bags ?? 3) * grains.length }, (_, b) => {
    const rng = options.rng.fork(`map-${b}`);
    const k = Math.max(1, Math.round(options.k * grains[b % grains.length]!));
    const start = fitKMeans(features, dim, { k, rng: rng.fork('kmeans'), start: 'rows' });
    if (options.kind === 'kmeans') return start;
    if (options.kind === 'soft') return new LearnedMap(Float32Array.from(thetaOf(start, temperature)), dim);
    return fitLearnedMap(
      start,
      { features, dim, error: error ?? new Float64Array(0), ...(options.side ? { side: options.side } : {}) },
      { ...options.training, rng: rng.fork('learn'), temperature },
    );
  });
  return maps.length === 1 ? maps[0]! : new BaggedMap(maps);
}

/** Kinds of the default bag's maps over K, and how many maps there are of each: many grains cost no labels. */
const GRAINS: readonly number[] = [0.5, 0.75, 1, 1.5];
const MAPS_PER_GRAIN = 4;

/** K of the default bag, cut at a tenth of the labelled prompts. */
export const DEFAULT_KINDS = 20;

/**
 * How the default bag is trained: noise nearly as long as a row and steps that fade keep maps of few training models from
 * learning their luck.
 */
const TRAINING = { learningRate: 0.1, anneal: true, noise: 0.85 } as const;

/** Maps of K kinds whose predictions are averaged, as a fit takes them unless it is told otherwise. */
const BAG = { grains: GRAINS, bags: MAPS_PER_GRAIN, training: TRAINING } as const;

/** A map with how it was chosen. */
export interface SelectedMap {
  readonly map: FeatureMap;
  readonly selection: Selection;
}

/**
 * Fits the default bag and chooses n0 on the labelled prompts. With `k: 'chosen'`, first one map per candidate K, and the bag is
 * that of the best; which on our tables is worse than many grains around one K.
 * @param features [n, dim] of the prompts the maps may see
 * @param error [n, H] errors of the training models on them
 * @param data labelled prompts, with the models that K and n0 are chosen by
 */
export function selectedMap(
  features: Float32Array,
  dim: number,
  error: Float64Array | undefined,
  data: SelectionData,
  options: Omit<MapOptions, 'k'> & {
    readonly k?: number | 'chosen';
    readonly n0?: number;
    readonly estimator?: Estimator;
    /** Maps fitted before on the same features with the same seed, by size; new ones are added. */
    readonly fitted?: Map<string, FeatureMap>;
  },
): SelectedMap {
  const labelled = data.inTokens.length;
  const limit = Math.max(1, Math.floor(labelled / 5));
  const fits = K_CANDIDATES.filter((k) => k <= limit);
  const ks =
    options.k === 'chosen'
      ? fits.length > 0
        ? fits
        : [limit]
      : [options.k ?? Math.max(1, Math.min(DEFAULT_KINDS, Math.floor(labelled / 10)))];
  const fitOnce = (map: Omit<MapOptions, 'rng' | 'kind'>): FeatureMap => {
    const key = `${map.k}/${map.bags ?? 3}/${map.grains?.join() ?? ''}`;
    const known = options.fitted?.get(key) ?? fitMap(features, dim, error, { ...BAG, ...options, ...map });
    options.fitted?.set(key, known);
    return known;
  };
  const bag = (k: number): FeatureMap =>
    fitOnce(options.bags === undefined ? { ...BAG, k } : { k, bags: options.bags, grains: [1] });
  const n0s = options.n0 !== undefined ? [options.n0] : N0_CANDIDATES;
  if (ks.length === 1) {
    const map = bag(ks[0]!);
    return { map, selection: select([{ k: ks[0]!, map }], data, options.estimator, n0s) };
  }
  const single = ks.map((k) => ({ k, map: fitOnce({ k, bags: 1, grains: [1] }) }));
  const { k } = select(single, data, options.estimator, n0s);
  const map = bag(k);
  const last = select([{ k, map }], data, options.estimator, n0s);
  return { map, selection: last };
}

export interface RouterFitOptions {
  readonly seed: number | string;
  /** More prompts without labels: features and clusters see them too. */
  readonly unlabelled?: readonly string[];
  /** Share of the table that is kept as labelled set; the maps never see it. Default 0.4. */
  readonly validationShare?: number;
  /** Models whose labels train the map and choose K and n0. Default: all of the table. */
  readonly trainingModels?: readonly string[];
  /** Default: `learned` when there are labels to learn from, else `soft`. */
  readonly map?: MapKind;
  /** Kinds per map; `chosen`: by the training models. Default: 20, at most a tenth of the labelled prompts. */
  readonly k?: number | 'chosen';
  /** Maps of K kinds whose predictions are averaged. Default: four each of K/2, 3K/4, K and 3K/2 kinds. */
  readonly bags?: number;
  /** Default `joint`. */
  readonly estimator?: Estimator;
  /** Strength of shrinkage. Default: chosen. */
  readonly n0?: number;
  /** Whether learned maps are told the tasks that the table's prompts name. Default true. */
  readonly tasks?: boolean;
  readonly features?: Omit<LsaOptions, 'rng'>;
  readonly operating?: OperatingChoice;
  readonly onProgress?: (what: string) => void;
}

/** Fewer prompts than this are not split: features and clusters see all of them, without labels. */
const SPLIT_FROM = 150;

/**
 * Fits a router on a table.
 * @throws CairnError `incomplete_table`, `unknown_model`
 * @example
 * const router = fitRouter(await readTable('tables/mine'), { seed: 7 });
 */
export function fitRouter(table: PromptTable, options: RouterFitOptions): PromptRouter {
  const plan = planFit(table, options);
  const texts = [...plan.training.map((j) => table.prompts[j]!.text), ...(options.unlabelled ?? [])];
  options.onProgress?.(`Features from ${texts.length} prompts.`);
  const encoder = fitLsa(texts, { ...options.features, rng: plan.rng.fork('features') });
  // Labels train the learned map, so it sees labelled prompts only; the others see all texts.
  const seen = plan.kind === 'learned' ? texts.slice(0, plan.training.length) : texts;
  return finishFit(plan, encoder, embedAll(encoder, seen), validationOf(table, plan.rows, encoder));
}

/**
 * Fits a router on the vectors of another encoder, such as an embeddings endpoint. Its `route` cannot ask: use `routeFeatures`,
 * or `RemoteRouting`, which asks and falls back.
 * @throws CairnError `encoder_failed` and those of `fitRouter`
 */
export async function fitRouterWith(
  encoder: PromptEncoder,
  table: PromptTable,
  options: RouterFitOptions & { readonly signal?: AbortSignal; readonly batch?: number },
): Promise<PromptRouter> {
  const plan = planFit(table, options);
  const vectors = async (rows: readonly number[]): Promise<Float32Array> => {
    const out = new Float32Array(rows.length * encoder.dim);
    const step = options.batch ?? 64;
    for (let from = 0; from < rows.length; from += step) {
      const texts = rows.slice(from, from + step).map((j) => table.prompts[j]!.text);
      (await encoder.embed(texts, options.signal)).forEach((z, i) => out.set(z, (from + i) * encoder.dim));
      options.onProgress?.(`Vectors of ${Math.min(from + step, rows.length)} of ${rows.length} prompts.`);
    }
    return out;
  };
  const features = await vectors(plan.training);
  const validation = { ...validationIds(table, plan.rows), features: await vectors(plan.rows) };
  return finishFit(plan, remoteFeatures(encoder.id, encoder.dim), features, validation);
}

/** Features that come from elsewhere: a router that has them cannot embed a text by itself. */
export function remoteFeatures(id: string, dim: number): Encoder<string> {
  return {
    id,
    dim,
    flop: 0,
    embed() {
      throw new CairnError('remote_features', `Expected vectors of ${id}, got a text.`, {
        hint: 'Ask the encoder the router was fitted with, or use RemoteRouting.',
      });
    },
  };
}

/** Who takes which part in a fit. */
interface FitPlan {
  readonly table: PromptTable;
  readonly options: RouterFitOptions;
  readonly rng: Rng;
  readonly kind: MapKind;
  /** Labelled prompts, and those the map sees. */
  readonly rows: readonly number[];
  readonly training: readonly number[];
  /** Columns whose labels train the map. */
  readonly trainingModels: readonly number[];
}

function planFit(table: PromptTable, options: RouterFitOptions): FitPlan {
  const rng = new Rng(options.seed).fork('router');
  const n = table.prompts.length;
  const split = n >= SPLIT_FROM;
  const order = rng.fork('split').permutation(n);
  const labelled = split ? Math.max(1, Math.round(n * (options.validationShare ?? 0.4))) : n;
  const rows = Array.from(order.slice(0, labelled).sort());
  const training = split ? Array.from(order.slice(labelled).sort()) : rows;
  const trainingModels = columnsOf(table, options.trainingModels);
  const kind = options.map ?? (split && trainingModels.length > 0 ? 'learned' : 'soft');
  return { table, options, rng, kind, rows, training, trainingModels };
}

function finishFit(
  plan: FitPlan,
  encoder: Encoder<string>,
  features: Float32Array,
  validation: RouterParts['validation'],
): PromptRouter {
  const { table, options, rng, kind, rows, training, trainingModels } = plan;
  const { table: evaluation, costSource } = toEvaluation(table);
  const M = table.models.length;
  const error = new Float64Array(training.length * trainingModels.length);
  training.forEach((j, i) =>
    trainingModels.forEach((m, h) => (error[i * trainingModels.length + h] = evaluation.error[j * M + m]!)),
  );
  const arms = armsOf(table, rows, evaluation.cost);
  const estimator = options.estimator ?? 'joint';
  const side =
    kind === 'learned' && options.tasks !== false ? taskLabels(training.map((j) => table.prompts[j]!)) : undefined;
  options.onProgress?.(
    `A ${kind} map of ${training.length} prompts and ${trainingModels.length} models${side ? `, told ${side.count} tasks` : ''}.`,
  );
  const { map, selection } = selectedMap(
    features,
    encoder.dim,
    error,
    { ...validation, judges: trainingModels.map((m) => arms[m]!) },
    {
      kind,
      rng: rng.fork('map'),
      estimator,
      ...(side ? { side } : {}),
      ...(options.bags === undefined ? {} : { bags: options.bags }),
      ...(options.k === undefined ? {} : { k: options.k }),
      ...(options.n0 === undefined ? {} : { n0: options.n0 }),
    },
  );
  options.onProgress?.(
    `${selection.k} kinds, shrinkage ${selection.n0}; ${M} models on ${rows.length} labelled prompts.`,
  );
  return new PromptRouter({
    encoder,
    map,
    validation,
    arms,
    options: { estimator, n0: selection.n0 },
    operating: options.operating ?? { kind: 'knee' },
    revision: 0,
    provenance: {
      seed: options.seed,
      costSource,
      prompts: table.prompts.length,
      trainingModels: trainingModels.length,
      mapKind: kind,
      tasksTold: side?.count ?? 0,
      selectedBy: 'leave-one-out contrast loss of the training models on the labelled prompts',
      contrastLoss: Number(selection.loss.toPrecision(6)),
      contrastLossOfMeans: Number(selection.meansLoss.toPrecision(6)),
      ...Object.fromEntries(Object.entries(table.sha256).map(([file, hash]) => [`sha256 ${file}`, hash])),
    },
  });
}

/** The labelled prompts `rows` as a router keeps them: no text. */
export function validationOf(
  table: PromptTable,
  rows: readonly number[],
  encoder: Encoder<string>,
): RouterParts['validation'] {
  const texts = rows.map((j) => table.prompts[j]!.text);
  return { ...validationIds(table, rows), features: embedAll(encoder, texts) };
}

function validationIds(table: PromptTable, rows: readonly number[]): { ids: string[]; inTokens: Float64Array } {
  const prompts = rows.map((j) => table.prompts[j]!);
  return { ids: prompts.map((p) => p.id), inTokens: Float64Array.from(prompts, (p) => roughTokens(p.text)) };
}

/** What every model of a table did on its prompts `rows`. */
export function armsOf(table: PromptTable, rows: readonly number[], cost: Float64Array): ArmRecord[] {
  const M = table.models.length;
  const column = (data: Float64Array, m: number): Float64Array => Float64Array.from(rows, (j) => data[j * M + m]!);
  return table.models.map((info, m) => ({
    id: info.id,
    info,
    error: column(table.score, m).map((s) => 1 - s),
    profiled: 'scored',
    ...(table.outTokens ? { outTokens: column(table.outTokens, m) } : { fixedCost: meanOrConstant(column(cost, m)) }),
    ...(table.outTokens && table.thoughtTokens ? { thoughtTokens: column(table.thoughtTokens, m) } : {}),
  }));
}

/** The mean; of equal values their value, to the last bit. */
function meanOrConstant(values: Float64Array): number {
  const [first = 0] = values;
  if (values.every((v) => v === first)) return first;
  return values.reduce((s, v) => s + v, 0) / values.length;
}

function columnsOf(table: PromptTable, ids: readonly string[] | undefined): number[] {
  if (!ids) return table.models.map((_, m) => m);
  return ids.map((id) => {
    const m = table.models.findIndex((model) => model.id === id);
    if (m < 0) {
      throw new CairnError('unknown_model', `Expected a model of the table, got "${id}".`, {
        hint: `The table has ${table.models.map((x) => x.id).join(', ')}.`,
      });
    }
    return m;
  });
}
