// A router on disk: router.json, which a person can read, and router.safetensors with the numbers. Same table, options and seed:
// the same bytes. No prompt text; labelled prompts are kept as ids, features and errors.
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CairnError } from '../../errors.ts';
import { readSafetensors, writeFileAtomic, writeSafetensors, type StoredTensor } from '../../tensor/index.ts';
import { BaggedMap, mapsOf } from '../bagged-map.ts';
import { LsaEncoder, type LsaParts } from '../features/lsa.ts';
import { KMeans, type FeatureMap } from '../kmeans.ts';
import { LearnedMap } from '../learned-map.ts';
import { modelSchema } from '../tables/_models.ts';
import type { ModelInfo } from '../tables/prompt-table.ts';
import type { ArmRecord } from './arm.ts';
import { remoteFeatures } from './fit.ts';
import { PromptRouter } from './prompt-router.ts';

const VERSION = 1;
const CARD = 'router.json';
const BINARY = 'router.safetensors';

const operatingSchema = z.union([
  z.object({ kind: z.literal('knee') }),
  z.object({ kind: z.enum(['quality', 'maxErrorIncrease', 'budgetPerRequest', 'lambda']), value: z.number() }),
]);

const cardSchema = z.object({
  version: z.literal(VERSION),
  revision: z.number().int().nonnegative(),
  features: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('remote'), id: z.string(), dim: z.number().int().positive() }),
    z.object({
      kind: z.enum(['ascii-v1', 'unicode-v1']),
      hash: z.string(),
      bits: z.number().int(),
      dim: z.number().int(),
      latent: z.number().int(),
      surfaceWeight: z.number(),
      prompts: z.number().int(),
    }),
  ]),
  map: z.object({ kinds: z.array(z.object({ kind: z.enum(['kmeans', 'learned']), K: z.number().int() })).min(1) }),
  estimator: z.enum(['paper', 'shrunk', 'soft', 'joint']),
  shrinkage: z.object({ n0: z.number().nullable() }),
  operating: operatingSchema,
  models: z
    .array(
      z.object({
        id: z.string(),
        info: modelSchema,
        profiled: z.enum(['scored', 'agreement']),
        fixedCost: z.number().optional(),
        mean: z.number(),
        n: z.number().int(),
        meanCost: z.number(),
        psi: z.array(z.number()),
        nEff: z.array(z.number()),
      }),
    )
    .min(1),
  nVal: z.number().int(),
  validationIds: z.array(z.string()),
  sha256: z.string(),
  provenance: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** What `router.json` holds. */
export type RouterCard = z.infer<typeof cardSchema>;

/** The two files of a router as bytes. */
export function toFiles(router: PromptRouter): { card: RouterCard; json: string; binary: Uint8Array } {
  const { parts } = router;
  const lsa = parts.encoder instanceof LsaEncoder ? parts.encoder.parts : undefined;
  const A = parts.arms.length;
  const n = parts.validation.ids.length;
  const tensors: Record<string, StoredTensor> = {
    ...(lsa ? featureTensors(lsa) : {}),
    'validation.features': { data: parts.validation.features, shape: [n, parts.encoder.dim], dtype: 'f32' },
    'validation.inTokens': { data: parts.validation.inTokens, shape: [n], dtype: 'f64' },
    'validation.error': { data: concat(parts.arms.map((a) => a.error)), shape: [A, n], dtype: 'f64' },
  };
  for (const [i, map] of mapsOf(parts.map).entries()) {
    if (map instanceof LearnedMap)
      tensors[`map.${i}.theta`] = { data: map.theta, shape: [map.k, map.dim + 1], dtype: 'f32' };
    else if (map instanceof KMeans)
      tensors[`map.${i}.centroids`] = { data: map.centroids, shape: [map.k, map.dim], dtype: 'f32' };
    else throw new CairnError('bad_router', 'Expected maps that can be stored, got another kind.');
  }
  for (const [a, arm] of parts.arms.entries()) {
    if (arm.outTokens) tensors[`arm.${a}.outTokens`] = { data: arm.outTokens, shape: [n], dtype: 'f64' };
    if (arm.weight) tensors[`arm.${a}.weight`] = { data: arm.weight, shape: [n], dtype: 'f64' };
    if (arm.thoughtTokens) tensors[`arm.${a}.thoughtTokens`] = { data: arm.thoughtTokens, shape: [n], dtype: 'f64' };
  }
  const binary = writeSafetensors(tensors);
  const card: RouterCard = {
    version: VERSION,
    revision: parts.revision,
    features: lsa
      ? {
          kind: lsa.kind,
          hash: lsa.kind === 'ascii-v1' ? 'crc32-utf8' : 'fnv1a32-utf16-fmix',
          bits: lsa.bits,
          dim: parts.encoder.dim,
          latent: lsa.latent,
          surfaceWeight: lsa.surfaceWeight,
          prompts: lsa.prompts,
        }
      : { kind: 'remote', id: parts.encoder.id, dim: parts.encoder.dim },
    map: { kinds: mapsOf(parts.map).map((m) => ({ kind: m instanceof KMeans ? 'kmeans' : 'learned', K: m.k })) },
    estimator: parts.options.estimator,
    shrinkage: { n0: Number.isFinite(parts.options.n0) ? parts.options.n0 : null },
    operating: parts.operating,
    models: parts.arms.map((arm, a) => {
      const e = router.estimates[a]!;
      return {
        id: arm.id,
        info: arm.info as RouterCard['models'][number]['info'],
        profiled: arm.profiled,
        ...(arm.fixedCost === undefined ? {} : { fixedCost: arm.fixedCost }),
        mean: e.mean,
        n: e.count,
        meanCost: e.meanCost,
        psi: [...e.psi].map(round),
        nEff: [...e.effective].map(round),
      };
    }),
    nVal: n,
    validationIds: [...parts.validation.ids],
    sha256: createHash('sha256').update(binary).digest('hex'),
    provenance: parts.provenance,
  };
  return { card, json: `${JSON.stringify(card, null, 1)}\n`, binary };
}

/**
 * The router that two files hold. Estimates are computed again from the stored errors, so they equal the saved router's.
 * @throws CairnError `bad_router`
 */
export function fromFiles(json: string, binary: Uint8Array): PromptRouter {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (cause) {
    throw fault(`Expected JSON in ${CARD}, got text that does not parse.`, cause);
  }
  const parsed = cardSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw fault(
      `Expected a router card of version ${VERSION}, got a fault at ${issue.path.join('.') || 'the top'}: ${issue.message}.`,
    );
  }
  const card = parsed.data;
  const hash = createHash('sha256').update(binary).digest('hex');
  if (hash !== card.sha256) throw fault(`Expected ${BINARY} with SHA-256 ${card.sha256}, got ${hash}.`);
  const { tensors } = readSafetensors(binary);
  const take: Take = (name, type) => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof type)) throw fault(`Expected a tensor ${name} in ${BINARY}, got none of its type.`);
    return data;
  };
  const encoder =
    card.features.kind === 'remote'
      ? remoteFeatures(card.features.id, card.features.dim)
      : localFeatures(card.features, take);
  const maps = card.map.kinds.map(({ kind }, i): FeatureMap =>
    kind === 'kmeans'
      ? new KMeans(take(`map.${i}.centroids`, Float32Array), encoder.dim)
      : new LearnedMap(take(`map.${i}.theta`, Float32Array), encoder.dim),
  );
  const errors = take('validation.error', Float64Array);
  const n = card.nVal;
  const arms = card.models.map((m, a): ArmRecord => {
    const out = tensors.has(`arm.${a}.outTokens`) ? take(`arm.${a}.outTokens`, Float64Array) : undefined;
    const thought = tensors.has(`arm.${a}.thoughtTokens`) ? take(`arm.${a}.thoughtTokens`, Float64Array) : undefined;
    const weight = tensors.has(`arm.${a}.weight`) ? take(`arm.${a}.weight`, Float64Array) : undefined;
    return {
      id: m.id,
      info: JSON.parse(JSON.stringify(m.info)) as ModelInfo,
      profiled: m.profiled,
      error: errors.slice(a * n, (a + 1) * n),
      ...(m.fixedCost === undefined ? {} : { fixedCost: m.fixedCost }),
      ...(out ? { outTokens: out } : {}),
      ...(thought ? { thoughtTokens: thought } : {}),
      ...(weight ? { weight } : {}),
    };
  });
  return new PromptRouter({
    encoder,
    map: maps.length === 1 ? maps[0]! : new BaggedMap(maps),
    validation: {
      ids: card.validationIds,
      features: take('validation.features', Float32Array),
      inTokens: take('validation.inTokens', Float64Array),
    },
    arms,
    options: { estimator: card.estimator, n0: card.shrinkage.n0 ?? Infinity },
    operating: card.operating.kind === 'knee' ? { kind: 'knee' } : card.operating,
    revision: card.revision,
    provenance: card.provenance,
  });
}

/** Writes both files into a folder, the binary first: a card never names a binary that is not there. */
export async function saveRouter(router: PromptRouter, folder: string): Promise<RouterCard> {
  const { card, json, binary } = toFiles(router);
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(join(folder, BINARY), binary);
  await writeFileAtomic(join(folder, CARD), json);
  return card;
}

/**
 * Reads a router from a folder.
 * @throws CairnError `no_router`, `bad_router`
 */
export async function loadRouter(folder: string): Promise<PromptRouter> {
  const read = async (name: string): Promise<Buffer> => {
    try {
      return await readFile(join(folder, name));
    } catch (cause) {
      throw new CairnError('no_router', `Expected ${name} in ${folder}, got none that can be read.`, {
        hint: 'Fit a router with `cairn route fit TABLE --out FOLDER`.',
        cause,
      });
    }
  };
  const [json, binary] = await Promise.all([read(CARD), read(BINARY)]);
  return fromFiles(json.toString('utf8'), binary);
}

type LocalFeatures = Exclude<RouterCard['features'], { kind: 'remote' }>;
type Take = <T>(name: string, type: new (n: number) => T) => T;

function featureTensors(lsa: LsaParts): Record<string, StoredTensor> {
  return {
    'features.cells': { data: lsa.cells, shape: [lsa.cells.length], dtype: 'i32' },
    'features.idf': { data: lsa.idf, shape: [lsa.idf.length], dtype: 'f32' },
    'features.basis': { data: lsa.basis, shape: [lsa.cells.length, lsa.latent], dtype: 'i8' },
    'features.scale': { data: lsa.scale, shape: [lsa.scale.length], dtype: 'f32' },
    'features.surfaceMean': { data: lsa.surfaceMean, shape: [lsa.surfaceMean.length], dtype: 'f32' },
    'features.surfaceSpread': { data: lsa.surfaceSpread, shape: [lsa.surfaceSpread.length], dtype: 'f32' },
  };
}

function localFeatures(card: LocalFeatures, take: Take): LsaEncoder {
  return new LsaEncoder({
    kind: card.kind,
    bits: card.bits,
    latent: card.latent,
    surfaceWeight: card.surfaceWeight,
    prompts: card.prompts,
    cells: take('features.cells', Int32Array),
    idf: take('features.idf', Float32Array),
    basis: take('features.basis', Int8Array),
    scale: take('features.scale', Float32Array),
    surfaceMean: take('features.surfaceMean', Float32Array),
    surfaceSpread: take('features.surfaceSpread', Float32Array),
  });
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

/** Six digits: enough to read; the estimates themselves follow from the binary. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}

function fault(message: string, cause?: unknown): CairnError {
  return new CairnError('bad_router', message, {
    hint: 'Fit the router again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
