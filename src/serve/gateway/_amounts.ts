// What a call may take and what it took, where only its texts are known.
import { type ChatUsage, isObject, type JsonObject, listAt, textAt } from '../../providers/index.ts';
import type { ModelConfig } from './config.ts';
import type { Spending } from './ledger.ts';
import type { PlannedArm } from './plan.ts';
import type { ChatRequest } from './request.ts';

/** Tokens a model may answer when nobody says. */
const USUAL_LIMIT = 4_096;

/** The most a request can cost at a model. */
export function worstOf({ arm }: PlannedArm, request: ChatRequest): Spending {
  const n = typeof request.body['n'] === 'number' && request.body['n'] > 1 ? request.body['n'] : 1;
  return worstCase(arm.config, request.inTokens, request.maxOutTokens, n);
}

/** The most that `n` answers to so many tokens can cost. */
export function worstCase(model: ModelConfig, inTokens: number, most: number | undefined, n = 1): Spending {
  const out = n * (most ?? model.maxOutputTokens ?? USUAL_LIMIT);
  return {
    usd: (inTokens * model.priceIn + out * model.priceOut) / 1e6,
    tokens: inTokens + out,
    requests: 1,
  };
}

/** Usage where the upstream told none: a token is about four characters. */
export function estimateUsage(request: ChatRequest, characters: number): ChatUsage {
  return {
    promptTokens: request.inTokens,
    completionTokens: Math.ceil(characters / 4),
    cachedTokens: 0,
    thoughtTokens: 0,
  };
}

/** Characters of a completion. */
export function textLength(body: JsonObject): number {
  return listAt(body, 'choices').reduce<number>((sum, choice) => {
    const message = isObject(choice) && isObject(choice['message']) ? choice['message'] : {};
    return sum + (textAt(message, 'content')?.length ?? 0);
  }, 0);
}

/** True when a completion waits for the result of a tool. */
export function callsTool(body: JsonObject): boolean {
  return listAt(body, 'choices').some(
    (choice) => isObject(choice) && isObject(choice['message']) && listAt(choice['message'], 'tool_calls').length > 0,
  );
}
