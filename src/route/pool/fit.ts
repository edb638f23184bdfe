// Fits a prompt router from an evaluation table: features and maps on the prompts set aside for them, Psi on the labelled rest.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { BaggedMap } from '../bagged-map.ts';
import { embedAll } from '../encoder.ts';
import { fitLsa, type LsaEncoder, type LsaOptions } from '../features/lsa.ts';
import { fitKMeans, type FeatureMap } from '../kmeans.ts';
import { fitLearnedMap, LearnedMap, thetaOf } from '../learned-map.ts';
import type { Estimator } from '../psi.ts';
import { roughTokens, toEvaluation, type PromptTable } from '../tables/prompt-table.ts';
import type { ArmRecord } from './arm.ts';
import type { OperatingChoice } from './operating.ts';
import { PromptRouter } from './prompt-router.ts';

/** `learned`: trained on labels of models; `soft`: softened K-means, needs no labels; `kmeans`: one kind per prompt. */
export type MapKind = 'learned' | 'soft' | 'kmeans';

export interface MapOptions {
  readonly kind: MapKind;
  /** Kinds per map. */
  readonly k: number;
  /** Maps whose predictions are averaged. Default 3. */
  readonly bags?: number;
  /** Sharpness of soft maps. Default 10. */
  readonly temperature?: number;
  readonly epochs?: number;
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
  const maps = Array.from({ length: options.bags ?? 3 }, (_, b) => {
    const rng = options.rng.fork(`map-${b}`);
    const start = fitKMeans(features, dim, { k: options.k, rng: rng.fork('kmeans'), start: 'rows' });
    if (options.kind === 'kmeans') return start;
    if (options.kind === 'soft') return new LearnedMap(Float32Array.from(thetaOf(start, temperature)), dim);
    return fitLearnedMap(
      start,
      { features, dim, error: error ?? new Float64Array(0) },
      {
        rng: rng.fork('learn'),
        temperature,
        ...(options.epochs === undefined ? {} : { epochs: options.epochs }),
      },
    );
  });
  return maps.length === 1 ? maps[0]! : new BaggedMap(maps);
}

export interface RouterFitOptions {
  readonly seed: number | string;
  /** More prompts without labels: features and clusters see them too. */
  readonly unlabelled?: readonly string[];
  /** Share of the table that is kept as labelled set; the maps never see it. Default 0.4. */
  readonly validationShare?: number;
  /** Models whose labels train the map. Default: all of the table. */
  readonly trainingModels?: readonly string[];
  readonly map?: MapKind;
  readonly k?: number;
  readonly bags?: number;
  readonly estimator?: Estimator;
  readonly n0?: number;
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
  const say = options.onProgress ?? ((): void => undefined);
  const rng = new Rng(options.seed).fork('router');
  const { table: evaluation, costSource } = toEvaluation(table);
  const n = table.prompts.length;
  const split = n >= SPLIT_FROM;
  const order = rng.fork('split').permutation(n);
  const labelled = split ? Math.max(1, Math.round(n * (options.validationShare ?? 0.4))) : n;
  const validation = order.slice(0, labelled).sort();
  const training = split ? order.slice(labelled).sort() : validation;
  const trainingModels = columnsOf(table, options.trainingModels);
  const texts = Array.from(training, (j) => table.prompts[j]!.text);
  const all = [...texts, ...(options.unlabelled ?? [])];

  say(`features from ${all.length} prompts`);
  const encoder = fitLsa(all, { ...options.features, rng: rng.fork('features') });
  const features = embedAll(encoder, texts);
  const kind = options.map ?? (split && trainingModels.length > 0 ? 'learned' : 'soft');
  const M = table.models.length;
  const error = Float64Array.from(
    { length: training.length * trainingModels.length },
    (_, i) =>
      evaluation.error[
        training[Math.floor(i / trainingModels.length)]! * M + trainingModels[i % trainingModels.length]!
      ]!,
  );
  const k = options.k ?? defaultK(labelled);
  say(`${options.bags ?? 3} ${kind} maps of ${k} kinds`);
  const map = fitMap(features, encoder.dim, error, {
    kind,
    k,
    rng: rng.fork('map'),
    ...(options.bags === undefined ? {} : { bags: options.bags }),
  });

  say(`${table.models.length} models on ${labelled} labelled prompts`);
  const rows = Array.from(validation);
  return new PromptRouter({
    encoder,
    map,
    validation: validationOf(table, rows, encoder),
    arms: armsOf(table, rows, evaluation.cost),
    options: { estimator: options.estimator ?? 'soft', n0: options.n0 ?? 5 },
    operating: options.operating ?? { kind: 'knee' },
    revision: 0,
    provenance: {
      seed: options.seed,
      costSource,
      prompts: n,
      mapKind: kind,
      ...Object.fromEntries(Object.entries(table.sha256).map(([file, hash]) => [`sha256 ${file}`, hash])),
    },
  });
}

/** Kinds per map for N labelled prompts, when nothing else decides. */
export function defaultK(labelled: number): number {
  return Math.max(1, Math.min(30, Math.floor(labelled / 10)));
}

/** The labelled prompts `rows` as a router keeps them: no text. */
export function validationOf(
  table: PromptTable,
  rows: readonly number[],
  encoder: LsaEncoder,
): PromptRouter['parts']['validation'] {
  const prompts = rows.map((j) => table.prompts[j]!);
  return {
    ids: prompts.map((p) => p.id),
    features: embedAll(
      encoder,
      prompts.map((p) => p.text),
    ),
    inTokens: Float64Array.from(prompts, (p) => roughTokens(p.text)),
  };
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
    ...(table.outTokens
      ? { outTokens: column(table.outTokens, m) }
      : { fixedCost: column(cost, m).reduce((s, c) => s + c, 0) / Math.max(1, rows.length) }),
    ...(table.outTokens && table.thoughtTokens ? { thoughtTokens: column(table.thoughtTokens, m) } : {}),
  }));
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
