// Remote and local models behind one interface, and what keeps calls to them safe.
export { createOpenAiProvider, type OpenAiOptions, usageOf } from './openai.ts';
export { createGeminiProvider, type GeminiOptions } from './gemini.ts';
export { createLocalProvider, type LocalModel, type LocalOptions } from './local.ts';
export { createLmProvider, lmDirectory, type LmProviderOptions } from './local-lm.ts';
export {
  type ChatCall,
  type ChatChunk,
  type ChatReply,
  type ChatUsage,
  DEFAULT_TIMEOUTS,
  type Provider,
  type Timeouts,
} from './types.ts';
export { ProviderError, type ProviderErrorOptions, type Remedy, remedyOf, retryAfter } from './provider-error.ts';
export { Breaker, type BreakerOptions, type BreakerState } from './breaker.ts';
export { backoffMs, pause } from './backoff.ts';
export { RequestSignal, toAbortSignal } from './request-signal.ts';
export { createRedactor, REDACTED, redactJson } from './redact.ts';
export { EventParser, readEvents } from './sse.ts';
export { countAt, isObject, type JsonObject, type JsonValue, listAt, objectAt, textAt } from './json.ts';
export {
  createMockUpstream,
  type Fault,
  type MockModel,
  type MockOptions,
  type MockRequest,
  type MockUpstream,
} from './mock/upstream.ts';
