// A fitted router joined to the configured models: prices, limits and modalities are those of the configuration, errors those
// that were measured. Models without a profile can be called by name but are not chosen.
import {
  ASSUMED_OUT_TOKENS,
  callCost,
  compileMap,
  type OperatingChoice,
  type PromptRouter,
  PromptRouter as Router,
  resolvePoint,
} from '../../route/index.ts';
import type { PolicyConfig } from './config.ts';
import type { Arm, Pool } from './pool.ts';

export interface PromptPool {
  readonly router: PromptRouter;
  /** The configured model of each arm of the router. */
  readonly armOf: ReadonlyMap<string, Arm>;
  readonly lambdaOf: (policy: PolicyConfig) => number;
}

/** Undefined when no configured model has a profile in this router. */
export function joinPool(fitted: PromptRouter, pool: Pool): PromptPool | undefined {
  const armOf = new Map<string, Arm>();
  const { inTokens } = fitted.parts.validation;
  const meanIn = inTokens.reduce((sum, n) => sum + n, 0) / Math.max(1, inTokens.length);
  const arms = [...pool.arms.values()].flatMap((arm) => {
    const record = fitted.arms.find((a) => a.id === (arm.config.profile ?? arm.id));
    if (record === undefined || arm.config.embeddings) return [];
    armOf.set(arm.id, arm);
    const { priceIn, priceOut, priceCachedIn, contextTokens, maxOutputTokens, modalities } = arm.config;
    const priced = priceIn > 0 || priceOut > 0;
    const info = {
      ...record.info,
      id: arm.id,
      modalities,
      ...(priced ? { price_in_per_mtok: priceIn, price_out_per_mtok: priceOut } : {}),
      ...(priceCachedIn === undefined ? {} : { price_cached_in_per_mtok: priceCachedIn }),
      ...(contextTokens === undefined ? {} : { context_tokens: contextTokens }),
      ...(maxOutputTokens === undefined ? {} : { max_output_tokens: maxOutputTokens }),
    };
    // Where no tokens were counted, the cost of a call follows from the configured prices at assumed lengths.
    const fixed =
      priced && record.outTokens === undefined ? { fixedCost: callCost(info, meanIn, ASSUMED_OUT_TOKENS) } : {};
    return [{ ...record, id: arm.id, info, ...fixed }];
  });
  if (arms.length === 0) return undefined;
  const router = new Router({ ...fitted.parts, map: compileMap(fitted.parts.map), arms });
  const lambdas = new WeakMap<PolicyConfig, number>();
  return {
    router,
    armOf,
    lambdaOf(policy) {
      let lambda = lambdas.get(policy);
      if (lambda === undefined) {
        const choice = choiceOf(policy);
        lambda = choice === undefined ? router.point.lambda : resolvePoint(router.curve, choice).lambda;
        lambdas.set(policy, lambda);
      }
      return lambda;
    },
  };
}

function choiceOf(policy: PolicyConfig): OperatingChoice | undefined {
  if (policy.lambda !== undefined) return { kind: 'lambda', value: policy.lambda };
  if (policy.quality !== undefined) return { kind: 'quality', value: policy.quality };
  if (policy.maxErrorIncrease !== undefined) return { kind: 'maxErrorIncrease', value: policy.maxErrorIncrease };
  if (policy.budgetPerRequest !== undefined) return { kind: 'budgetPerRequest', value: policy.budgetPerRequest };
  return undefined;
}
