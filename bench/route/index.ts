// `cairn bench route`: how long one decision takes among 30 models, beside K nearest neighbours and a rule that does not look, and,
// where evaluation tables are found (--data or CAIRN_BENCH_DATA), the figures of the routing protocol beside its baselines.
import { cpus } from 'node:os';
import {
  embedAll,
  fitRouter,
  generatePool,
  nearestNeighbours,
  plugIn,
  type EvaluationTable,
  type PromptRouter,
} from 'cairn/route';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median } from '../rounds.ts';
import { tableRows } from './tables.ts';

const MODELS = 30;
const LABELLED = 600;
/** Characters of a prompt, as in the published measurements that ours stand beside. */
const LENGTH = 653;
/** Most milliseconds of one decision. */
const AIMS = { p50: 0.3, p99: 2 } as const;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const seed = options.seed ?? 7;
  options.log(`Fitting a router over ${MODELS} models.`);
  const pool = generatePool({ seed, prompts: 2 * LABELLED, models: MODELS });
  const router = fitRouter(pool.table, { seed, validationShare: 0.5 });
  const texts = longPrompts(
    pool.table.prompts.map((p) => p.text),
    400,
  );
  const decision = measure(router, texts, options);
  const tables = await tableRows(options);
  return {
    name: 'route',
    protocol: {
      seed,
      models: MODELS,
      labelled: router.labelled.count,
      features: router.parts.encoder.id,
      kinds: router.parts.map.k,
      characters: LENGTH,
      prompts: texts.length,
      rounds: options.quick ? 3 : 9,
      processor: cpus()[0]?.model ?? 'unknown',
      node: process.version,
      busy: isLoaded(),
    },
    rows: [...decision, ...tables],
  };
}

/** Prompts of LENGTH characters from the words of a pool. */
function longPrompts(texts: readonly string[], count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    let text = '';
    for (let j = i; text.length < LENGTH; j++) text += `${texts[j % texts.length]}. `;
    return text.slice(0, LENGTH);
  });
}

/** p50 and p99 of single decisions; the ways take turns, round by round. */
function measure(router: PromptRouter, texts: readonly string[], options: BenchOptions): BenchRow[] {
  const { encoder, validation, arms } = router.parts;
  const M = arms.length;
  const labelled: EvaluationTable = {
    models: arms.map((a) => a.id),
    count: validation.ids.length,
    error: Float64Array.from({ length: validation.ids.length * M }, (_, i) => arms[i % M]!.error[Math.floor(i / M)]!),
    cost: new Float64Array(validation.ids.length * M),
    features: validation.features,
    dim: encoder.dim,
  };
  const cost = router.estimates.map((e) => e.meanCost);
  const mean = router.estimates.map((e) => e.mean);
  const { lambda } = router.point;
  const ways: { name: string; decide: (text: string) => unknown }[] = [
    { name: 'ours', decide: (text) => router.route(text) },
    {
      name: 'K-NN (40)',
      decide: (text) => plugIn(nearestNeighbours(labelled, embedAll(encoder, [text]), 40), cost, lambda, router.scale),
    },
    { name: 'ZeroRouter', decide: () => plugIn(mean, cost, lambda, router.scale) },
  ];
  for (const way of ways) for (const text of texts) way.decide(text);
  const rounds = options.quick ? 3 : 9;
  const quantiles = ways.map(() => ({ p50: [] as number[], p99: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    options.signal.throwIfAborted();
    for (const [w, way] of ways.entries()) {
      const times = texts.map((text) => {
        const start = performance.now();
        way.decide(text);
        return performance.now() - start;
      });
      times.sort((a, b) => a - b);
      quantiles[w]!.p50.push(times[times.length >> 1]!);
      quantiles[w]!.p99.push(times[Math.floor(0.99 * times.length)]!);
    }
    options.log(
      `round ${round + 1}/${rounds}: p50 ${quantiles[0]!.p50.at(-1)!.toFixed(3)} ms, p99 ${quantiles[0]!.p99.at(-1)!.toFixed(3)} ms`,
    );
  }
  return (['p50', 'p99'] as const).flatMap((which) =>
    ways.slice(1).map((way, i): BenchRow => {
      const ours = median(quantiles[0]![which])!;
      const peer = median(quantiles[i + 1]![which])!;
      const note = `calmest round ${Math.min(...quantiles[0]![which]).toFixed(3)} ms`;
      const atMost = AIMS[which];
      const target = { atMost, met: ours <= atMost };
      return {
        case: `one decision, ${which}`,
        ours,
        peer,
        peerName: way.name,
        ratio: peer / ours,
        unit: 'ms',
        target,
        note,
      };
    }),
  );
}
