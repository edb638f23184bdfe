// Which models to try for a request, in which order, and why. Names are resolved here; the router is asked here; a conversation
// is kept with its model here. Nothing is called.
import { humanAsk, type OnlineDecision, type OnlineRouter, type PromptDecision, stick } from '../../route/index.ts';
import type { ModelConfig, PolicyConfig } from './config.ts';
import type { DecisionRecord } from './explain.ts';
import { GatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';
import { fitOf } from './learning.ts';
import type { Arm, Pool } from './pool.ts';
import type { PromptPool } from './prompt-pool.ts';
import { type ChatRequest, checkLinks } from './request.ts';
import type { Session } from './sessions.ts';

/** Why these models: routed; nothing fitted; named by the client; kept by a header; the budget is nearly spent; a kept answer. */
export type PlanReason = 'uniroute' | 'zero' | 'named' | 'pinned' | 'degraded' | 'cache';

export interface PlannedArm {
  readonly arm: Arm;
  /** Expected error in [0, 1], where the router knows. */
  readonly expectedError: number | undefined;
  /** 90 % interval of it, where the model is the choice of a router. */
  readonly interval?: readonly [number, number];
  /** Expected cost in US dollars. */
  readonly expectedCost: number;
  readonly score: number | undefined;
}

export interface Plan {
  readonly by: PlanReason;
  /** Best first; the first is the choice, the others are fallbacks. */
  readonly arms: readonly PlannedArm[];
  readonly decision: PromptDecision | undefined;
  readonly lambda: number | undefined;
  /** Models left out, by the reason. */
  readonly removed: Readonly<Record<string, readonly string[]>>;
  readonly sticky: 'kept' | 'moved' | undefined;
  /** What was drawn between the fitted router and the corrected one, where outcomes are learned from. */
  readonly online?: NonNullable<DecisionRecord['online']>;
  /** What the human asked: only kept while the request is worked on. */
  readonly ask: string;
}

export interface PlanInput {
  readonly request: ChatRequest;
  readonly pool: Pool;
  readonly prompts: PromptPool | undefined;
  /** Learns from outcomes; left out: only the fitted router is asked and nothing is drawn. */
  readonly online?: OnlineRouter | undefined;
  readonly key: ClientKey | undefined;
  readonly session: Session | undefined;
  readonly pin: string | undefined;
  readonly maxCostUsd: number | undefined;
  readonly now: number;
  /** Take the cheapest that can. */
  readonly degraded: boolean;
}

const AUTO = 'cairn/auto';
/** Tokens of an answer when nothing is known about it. */
const USUAL_ANSWER = 300;

/** @throws GatewayError `model_not_found`, `no_eligible_model`, `unsupported_parameter`, `forbidden` */
export function makePlan(input: PlanInput): Plan {
  const { request, pool, pin } = input;
  const asked = nameOf(pool, request, pin);
  mayUse(input.key, request.model);
  checkLinks(request, pool.config.allowPrivateLinks);
  if (asked !== AUTO && !asked.startsWith(`${AUTO}:`)) return named(input, asked, pin !== undefined && pin !== 'none');
  const policy = policyOf(pool, asked);
  const eligible = filterArms(input, policy);
  const ask = humanAsk(request.messages as never);
  if (input.degraded) return { ...cheapest(eligible, request), by: 'degraded', ask };
  if (input.prompts === undefined) return { ...zero(pool, eligible, request), ask };
  return routed(input, input.prompts, policy, eligible, ask);
}

/** What is really asked for: the pinned model, or what the alias stands for. */
export function nameOf({ config }: Pool, request: ChatRequest, pin: string | undefined): string {
  if (pin !== undefined && pin !== 'none') return pin;
  return Object.hasOwn(config.aliases, request.model) ? config.aliases[request.model]! : request.model;
}

interface Eligible {
  readonly arms: readonly Arm[];
  readonly removed: Record<string, string[]>;
}

function filterArms(input: PlanInput, policy: PolicyConfig): Eligible {
  const { request, pool, key } = input;
  const removed: Record<string, string[]> = {};
  const missing = new Set<string>();
  const arms: Arm[] = [];
  const leave = (why: string, arm: Arm): void => void (removed[why] ??= []).push(arm.id);
  for (const arm of pool.arms.values()) {
    const unsupported = arm.provider.unsupported(request.body);
    const lacks = request.modalities.find((m) => !(arm.config.modalities as readonly string[]).includes(m));
    if (arm.config.embeddings) leave('embeddings only', arm);
    else if (key?.models !== undefined && !key.models.includes(arm.id)) leave('not allowed for this key', arm);
    else if (policy.allow !== undefined && !policy.allow.includes(arm.id)) leave('allow list', arm);
    else if (policy.deny?.includes(arm.id) === true) leave('deny list', arm);
    else if (lacks !== undefined) leave(`modality ${lacks}`, arm);
    else if (request.usesTools && !arm.config.tools) leave('tools', arm);
    else if (
      arm.config.contextTokens !== undefined &&
      request.inTokens + (request.maxOutTokens ?? 0) > arm.config.contextTokens
    )
      leave('context length', arm);
    else if (unsupported.length > 0) {
      for (const field of unsupported) missing.add(field);
      leave('unsupported parameter', arm);
    } else if (arm.breaker.state(input.now) === 'open') leave('resting after failures', arm);
    else arms.push(arm);
  }
  if (arms.length > 0) return { arms, removed };
  if (
    missing.size > 0 &&
    Object.keys(removed).every((why) => why === 'unsupported parameter' || why === 'embeddings only')
  ) {
    throw new GatewayError(
      'unsupported_parameter',
      `Expected parameters that a model of the pool can honour, got ${[...missing].join(', ')}.`,
      {
        status: 400,
        param: [...missing][0]!,
        hint: 'Leave it out, or add a model that knows it.',
      },
    );
  }
  throw noneEligible(removed, pool);
}

function noneEligible(removed: Readonly<Record<string, readonly string[]>>, pool: Pool): GatewayError {
  const reasons = Object.entries(removed).map(([why, ids]) => `${why} (${ids.length})`);
  const resting = removed['resting after failures'] !== undefined;
  return new GatewayError(
    'no_eligible_model',
    pool.arms.size === 0
      ? 'Expected a configured model, got none.'
      : `Expected a model that can take this request, got none: ${reasons.join(', ')}.`,
    {
      status: resting ? 503 : 400,
      hint:
        pool.arms.size === 0
          ? 'Add models to the configuration: cairn serve --config cairn.json.'
          : 'Loosen the limits of the request or add a model.',
      ...(resting ? { retryAfter: 15 } : {}),
    },
  );
}

function named(input: PlanInput, name: string, pinned: boolean): Plan {
  const { pool, request, now } = input;
  const arm = pool.find(name);
  if (arm === undefined) {
    throw new GatewayError('model_not_found', `Expected a model of this gateway, got "${name.slice(0, 120)}".`, {
      status: 404,
      param: 'model',
      hint: 'GET /v1/models lists them; cairn/auto chooses one.',
    });
  }
  mayUse(input.key, arm.id);
  const unsupported = arm.provider.unsupported(request.body);
  if (unsupported.length > 0) {
    throw new GatewayError(
      'unsupported_parameter',
      `Expected parameters that ${arm.id} can honour, got ${unsupported.join(', ')}.`,
      {
        status: 400,
        param: unsupported[0]!,
        hint: 'Leave it out or use another model.',
      },
    );
  }
  if (arm.breaker.state(now) === 'open') {
    throw new GatewayError(
      'upstream_failed',
      `Expected ${arm.id} to be well, got one that rests after repeated failures.`,
      {
        status: 503,
        retryAfter: Math.max(1, Math.ceil(arm.breaker.waitMs(now) / 1000)),
        hint: 'Wait, or ask for cairn/auto.',
      },
    );
  }
  return {
    by: pinned ? 'pinned' : 'named',
    arms: [{ arm, expectedError: undefined, expectedCost: roughCost(arm.config, request), score: undefined }],
    decision: undefined,
    lambda: undefined,
    removed: {},
    sticky: undefined,
    ask: humanAsk(request.messages as never),
  };
}

function routed(input: PlanInput, prompts: PromptPool, policy: PolicyConfig, eligible: Eligible, ask: string): Plan {
  const { request, pool, session, now } = input;
  const lambda = prompts.lambdaOf(policy);
  const allowed = new Set(eligible.arms.filter((arm) => prompts.armOf.has(arm.id)).map((arm) => arm.id));
  if (allowed.size === 0) return { ...zero(pool, eligible, request), ask };
  const decision = prompts.router.route(ask, {
    lambda,
    inTokens: request.inTokens,
    eligible: (arm) => allowed.has(arm.id),
    ...(input.maxCostUsd === undefined ? {} : { maxCostUsd: input.maxCostUsd }),
  });
  const drawn = input.online?.choose(decision);
  const followed = drawn !== undefined && drawn.arm !== drawn.safeArm;
  let arms: PlannedArm[] = (followed ? drawn.corrected : decision.ranking).map((c) => ({
    arm: prompts.armOf.get(c.id)!,
    expectedError: c.expectedError,
    expectedCost: c.expectedCost,
    score: c.score,
  }));
  let sticky: Plan['sticky'];
  const { stickiness } = pool.config.routing;
  const at = session === undefined ? -1 : arms.findIndex(({ arm }) => arm.id === session.arm);
  if (stickiness.enabled && session !== undefined && at >= 0) {
    const choice = stick(
      {
        arm: session.arm,
        lastAt: session.at,
        cachedTokens: session.promptTokens,
        pendingTool: session.midTool,
        failed: session.unpinned,
      },
      // The best, the next best, the conversation's own: no other can be the answer.
      arms
        .filter((_, i) => i < 2 || i === at)
        .map(({ arm, expectedError, expectedCost }) => ({
          id: arm.id,
          expectedError: expectedError ?? 0.5,
          expectedCost,
          info: prompts.router.arms.find((a) => a.id === arm.id)!.info,
        })),
      {
        lambda,
        scale: prompts.router.scale,
        now,
        prefixTokens: request.inTokens,
        threshold: stickiness.margin,
        turns: stickiness.remainingTurns,
        cacheMs: stickiness.warmMs,
      },
    );
    sticky = choice.switched ? 'moved' : 'kept';
    const first = arms.findIndex(({ arm }) => arm.id === choice.arm);
    if (first > 0) arms = [arms[first]!, ...arms.filter((_, i) => i !== first)];
  }
  // The conversation's own model, or the one that outcomes prefer, need not be the router's best.
  const [chosen, ...others] = arms as [PlannedArm, ...PlannedArm[]];
  const { index } = decision.ranking.find(({ id }) => id === chosen.arm.id)!;
  const interval = prompts.router.interval(index, chosen.expectedError!, decision.phi);
  return {
    by: 'uniroute',
    arms: [{ ...chosen, interval }, ...others],
    decision,
    lambda,
    removed: { ...eligible.removed, ...decision.removed },
    sticky,
    ask,
    ...(drawn === undefined || input.online === undefined
      ? {}
      : { online: drawnOf(drawn, chosen.arm.id, sticky !== 'kept', fitOf(input.online.router)) }),
  };
}

/** A conversation that stays was not free to choose: its outcome is about its model and not about the choice. */
function drawnOf(drawn: OnlineDecision, taken: string, moved: boolean, fit: string): NonNullable<Plan['online']> {
  const { arm, safeArm, learnedArm, propensity, learnedWeight, relativeCost } = drawn;
  const free = moved && arm === taken;
  return {
    fit,
    arm: taken,
    safeArm: free ? safeArm : taken,
    learnedArm: free ? learnedArm : taken,
    propensity: free ? propensity : 1,
    learnedWeight,
    relativeCost,
  };
}

/** Nothing fitted: the reference model, then the others from the dearest to the cheapest. */
function zero(pool: Pool, { arms, removed }: Eligible, request: ChatRequest): Omit<Plan, 'ask'> {
  const reference = pool.reference();
  const priced = arms.map((arm) => plain(arm, request)).sort((a, b) => b.expectedCost - a.expectedCost);
  const first = priced.filter(({ arm }) => arm === reference);
  return {
    by: 'zero',
    arms: [...first, ...priced.filter(({ arm }) => arm !== reference)],
    decision: undefined,
    lambda: undefined,
    removed,
    sticky: undefined,
  };
}

function cheapest({ arms, removed }: Eligible, request: ChatRequest): Omit<Plan, 'ask' | 'by'> {
  const priced = arms.map((arm) => plain(arm, request)).sort((a, b) => a.expectedCost - b.expectedCost);
  return { arms: priced, decision: undefined, lambda: undefined, removed, sticky: undefined };
}

function plain(arm: Arm, request: ChatRequest): PlannedArm {
  return { arm, expectedError: undefined, expectedCost: roughCost(arm.config, request), score: undefined };
}

function roughCost(model: ModelConfig, request: ChatRequest): number {
  const out = Math.min(request.maxOutTokens ?? USUAL_ANSWER, USUAL_ANSWER);
  return (request.inTokens * model.priceIn + out * model.priceOut) / 1e6;
}

function policyOf(pool: Pool, name: string): PolicyConfig {
  const { routing } = pool.config;
  if (name === AUTO) return routing.default;
  const own = name.slice(AUTO.length + 1);
  const policy = Object.hasOwn(routing.policies, own) ? routing.policies[own] : undefined;
  if (policy !== undefined) return policy;
  throw new GatewayError('model_not_found', `Expected a policy of this gateway, got "${name.slice(0, 120)}".`, {
    status: 404,
    param: 'model',
    hint: `Policies here: ${Object.keys(routing.policies).join(', ') || 'none'}.`,
  });
}

/** @throws GatewayError `forbidden` */
export function mayUse(key: ClientKey | undefined, name: string): void {
  if (key?.models === undefined || name.startsWith(AUTO) || key.models.includes(name)) return;
  throw new GatewayError(
    'forbidden',
    `Expected a model that the key "${key.name}" may use, got "${name.slice(0, 120)}".`,
    {
      status: 403,
      param: 'model',
      hint: `It may use ${key.models.join(', ')}.`,
    },
  );
}
