// What a provider is: something that answers OpenAI-style chat requests for some models. Requests and answers stay plain JSON
// so that fields nobody here knows pass through untouched. Types only.
import type { JsonObject } from './json.ts';

/** Tokens of one call as the provider counted them. Completion tokens include thought tokens. */
export interface ChatUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Prompt tokens that the provider took from its cache. */
  readonly cachedTokens: number;
  /** Completion tokens that were thought and not said. */
  readonly thoughtTokens: number;
}

/** Time limits of one call, in milliseconds. */
export interface Timeouts {
  readonly connect: number;
  /** From the request to the first byte of the answer. */
  readonly firstByte: number;
  /** Between two pieces of a stream. */
  readonly idle: number;
  readonly total: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { connect: 5_000, firstByte: 30_000, idle: 30_000, total: 120_000 };

export interface ChatCall {
  /** An OpenAI chat request; `model` is the upstream's own name. */
  readonly body: JsonObject;
  readonly signal: AbortSignal;
}

/** A whole answer: an OpenAI chat completion. */
export interface ChatReply {
  readonly body: JsonObject;
  /** The body as the provider wrote it, where it came in this form: it can be passed on as it is. */
  readonly text?: string;
  readonly usage: ChatUsage | undefined;
}

/** One event of a stream: an OpenAI chunk. Usage comes with the chunk that carries it, usually the last. */
export interface ChatChunk {
  /** The chunk as JSON text, in one line. */
  readonly data: string;
  /** True when it carries text, a tool call or a reason to finish: after it nothing can be retried unseen. */
  readonly content: boolean;
  readonly usage?: ChatUsage;
  readonly finish?: string;
}

export interface Provider {
  readonly id: string;
  /** How it is spoken to. */
  readonly kind: 'openai' | 'gemini' | 'local';
  /**
   * Asks for one whole answer.
   * @throws ProviderError
   */
  chat(call: ChatCall): Promise<ChatReply>;
  /**
   * Asks for a stream. Resolves when the provider has accepted the request; the iteration throws ProviderError when the
   * stream breaks. Ending the iteration early ends the call upstream.
   */
  stream(call: ChatCall): Promise<AsyncIterable<ChatChunk>>;
  /** Vectors for texts, as the OpenAI embeddings endpoint answers. Absent where the provider has none. */
  embed?(call: ChatCall): Promise<JsonObject>;
  /** Names of request fields this provider cannot honour in this request; empty when it can take it. */
  unsupported(body: JsonObject): readonly string[];
  close(): Promise<void>;
}
