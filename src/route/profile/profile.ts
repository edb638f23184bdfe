// Profiling: what a new model gets wrong, from a handful of its answers. The cost is estimated first; every result can be kept at
// once, so an interrupted profile goes on where it stopped; the result is one arm, added to a router without touching the rest.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import type { ArmRecord } from '../pool/arm.ts';
import type { PromptRouter } from '../pool/prompt-router.ts';
import { ASSUMED_OUT_TOKENS, callCost, type ModelInfo, type PromptRow } from '../tables/prompt-table.ts';
import { AdaptiveSampler } from './adaptive.ts';
import { scoreAnswer, type ScorerHelp } from './scorers.ts';

/** What a model returned to one prompt. */
export interface ProfileAnswer {
  readonly text: string;
  readonly outTokens?: number;
  readonly thoughtTokens?: number;
}

/** One finished call, as it is kept. `score` is absent when the infrastructure failed: missing, not wrong. */
export interface ProfileResult {
  readonly id: string;
  readonly score?: number;
  readonly outTokens?: number;
  readonly thoughtTokens?: number;
}

export interface ProfileOptions {
  /** Asks the model; throws when the infrastructure fails. */
  readonly ask: (prompt: PromptRow, signal: AbortSignal) => Promise<ProfileAnswer>;
  /** The labelled prompts in words; those the router does not know are passed over. */
  readonly prompts: readonly PromptRow[];
  /** Most calls. Default 200. */
  readonly maxCalls?: number;
  /** Calls at a time. Default 4. */
  readonly concurrency?: number;
  /** Most the calls may cost in US dollars, by the estimate; above it nothing is asked. */
  readonly maxCostUsd?: number;
  /** Results of an earlier, interrupted profile. */
  readonly done?: readonly ProfileResult[];
  /** Keeps one result before the next is asked for. */
  readonly keep?: (result: ProfileResult) => Promise<void> | void;
  readonly help?: ScorerHelp;
  /** Answers of the currently best model, by prompt id, for prompts without a reference: agreement with it is the score. */
  readonly agreeWith?: ReadonlyMap<string, string>;
  /** [K] share of each kind in the traffic. */
  readonly trafficShare?: ArrayLike<number>;
  /** Asks in an order that is likely to matter and stops when decisions no longer change. Default true. */
  readonly adaptive?: boolean;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, most: number) => void;
}

/** What profiling is expected to cost, before anything is spent. */
export interface ProfileEstimate {
  readonly calls: number;
  readonly inTokens: number;
  readonly outTokens: number;
  readonly usd: number;
}

/** A profiled model, ready for `PromptRouter.withArm`. */
export interface ProfileReport {
  readonly arm: ArmRecord;
  readonly calls: number;
  readonly failed: number;
  /** True when it stopped because decisions no longer changed. */
  readonly settled: boolean;
  readonly estimate: ProfileEstimate;
}

/** Expected cost of at most `calls` calls: mean input tokens of the labelled prompts, median output tokens of the pool. */
export function estimateProfile(router: PromptRouter, info: ModelInfo, calls = 200): ProfileEstimate {
  const { inTokens } = router.parts.validation;
  const n = Math.min(calls, inTokens.length);
  const meanIn = inTokens.reduce((s, v) => s + v, 0) / Math.max(1, inTokens.length);
  const outs = router.arms
    .flatMap((arm) => (arm.outTokens ? [...arm.outTokens].filter((t) => !Number.isNaN(t)) : []))
    .sort((a, b) => a - b);
  const out = info.mean_out_tokens ?? outs[outs.length >> 1] ?? ASSUMED_OUT_TOKENS;
  return { calls: n, inTokens: n * meanIn, outTokens: n * out, usd: n * callCost(info, meanIn, out) };
}

/**
 * Asks a model a part of the labelled prompts and scores its answers.
 * @throws CairnError `too_dear` before the first call; `no_prompts`; `profile_failed` when nine of the first ten calls fail
 */
export async function profileModel(
  router: PromptRouter,
  info: ModelInfo,
  options: ProfileOptions,
): Promise<ProfileReport> {
  const { ids } = router.parts.validation;
  const rowOf = new Map(ids.map((id, j) => [id, j]));
  const known = options.prompts.filter((p) => rowOf.has(p.id));
  if (known.length === 0) {
    throw new CairnError('no_prompts', 'Expected prompts that the router was fitted on, got none of them.', {
      hint: 'Pass the table the router was fitted from.',
    });
  }
  const most = Math.min(options.maxCalls ?? 200, known.length);
  const estimate = estimateProfile(router, info, most);
  if (options.maxCostUsd !== undefined && estimate.usd > options.maxCostUsd) {
    throw new CairnError(
      'too_dear',
      `Expected a profile within ${options.maxCostUsd} USD, got an estimate of ${estimate.usd.toFixed(4)} USD for ${most} calls.`,
      { hint: 'Allow more, or fewer calls.' },
    );
  }
  const promptOf = new Map(known.map((p) => [rowOf.get(p.id)!, p]));
  const error = new Float64Array(ids.length).fill(NaN);
  const outTokens = new Float64Array(ids.length).fill(NaN);
  const thoughtTokens = new Float64Array(ids.length).fill(NaN);
  const byAgreement = known.some((p) => p.reference === undefined && p.scorer === undefined);
  const take = (result: ProfileResult): void => {
    const j = rowOf.get(result.id);
    if (j === undefined || result.score === undefined) return;
    error[j] = 1 - result.score;
    if (result.outTokens !== undefined) outTokens[j] = result.outTokens;
    if (result.thoughtTokens !== undefined) thoughtTokens[j] = result.thoughtTokens;
  };
  for (const result of options.done ?? []) take(result);
  const asked = new Set((options.done ?? []).filter((r) => r.score !== undefined).map((r) => rowOf.get(r.id)));
  const sampler = new AdaptiveSampler(
    router,
    [...promptOf.keys()].filter((j) => !asked.has(j)),
    new Rng(options.seed ?? 7).fork('profile'),
    options.trafficShare,
  );
  const arm = (): ArmRecord => {
    const rows = Array.from(error.keys()).filter((j) => !Number.isNaN(error[j]!));
    const counted = outTokens.some((t) => !Number.isNaN(t));
    return {
      id: info.id,
      info,
      error: Float64Array.from(error),
      profiled: byAgreement ? 'agreement' : 'scored',
      ...(options.adaptive === false ? {} : { weight: sampler.weights(rows) }),
      ...(counted ? { outTokens: Float64Array.from(outTokens), thoughtTokens: Float64Array.from(thoughtTokens) } : {}),
      ...(counted ? {} : { fixedCost: info.mean_cost_usd ?? (estimate.calls > 0 ? estimate.usd / estimate.calls : 0) }),
    };
  };
  const signal = options.signal ?? new AbortController().signal;
  let calls = asked.size;
  let tries = 0;
  let failed = 0;
  let settled = false;
  const one = async (): Promise<void> => {
    while (calls < most && !settled) {
      signal.throwIfAborted();
      const j = sampler.next(arm());
      if (j === undefined) return;
      calls++;
      tries++;
      const result = await askOne(promptOf.get(j)!, options, signal);
      if (result.score === undefined) {
        failed++;
        calls--;
        if (tries >= 10 && failed >= 0.9 * tries) {
          throw new CairnError(
            'profile_failed',
            `Expected answers from ${info.id}, got ${failed} failures in ${tries} calls.`,
            {
              hint: 'Check the address, the key and the name of the model.',
            },
          );
        }
      }
      await options.keep?.(result);
      take(result);
      options.onProgress?.(calls, most);
      if (options.adaptive !== false && result.score !== undefined && sampler.settled(arm())) settled = true;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, options.concurrency ?? 4) }, one));
  return { arm: arm(), calls, failed, settled, estimate };
}

async function askOne(prompt: PromptRow, options: ProfileOptions, signal: AbortSignal): Promise<ProfileResult> {
  let answer: ProfileAnswer;
  try {
    answer = await options.ask(prompt, signal);
  } catch (error) {
    signal.throwIfAborted();
    void error; // the infrastructure failed: this prompt is missing, not wrong
    return { id: prompt.id };
  }
  const agreed = prompt.reference ?? options.agreeWith?.get(prompt.id);
  const spec = prompt.scorer ?? { kind: prompt.reference === undefined ? ('f1' as const) : ('exact' as const) };
  const score = await scoreAnswer(spec, { prompt: prompt.text, answer: answer.text, reference: agreed }, options.help);
  return {
    id: prompt.id,
    score,
    ...(answer.outTokens === undefined ? {} : { outTokens: answer.outTokens }),
    ...(answer.thoughtTokens === undefined ? {} : { thoughtTokens: answer.thoughtTokens }),
  };
}
