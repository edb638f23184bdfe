// What the modules of this machine share as chat models: what was asked as text, and answers in the form of the OpenAI API.
import { type JsonObject, isObject, listAt, textAt } from './json.ts';
import { ProviderError } from './provider-error.ts';
import type { ChatUsage } from './types.ts';

/** The last thing a person said. */
export function lastWords(body: JsonObject): string {
  const last = listAt(body, 'messages')
    .filter(isObject)
    .findLast((message) => message['role'] === 'user');
  if (last === undefined) return '';
  const content = last['content'];
  if (typeof content === 'string') return content;
  return listAt(last, 'content')
    .filter(isObject)
    .map((part) => textAt(part, 'text') ?? '')
    .join('\n');
}

/** The fields of `names` that a request asks for. */
export function askedFor(body: JsonObject, names: readonly string[]): string[] {
  return names.filter((key) => body[key] !== undefined && body[key] !== null && body[key] !== false);
}

/** What every part of one answer begins with. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** A whole answer. */
export function completion(head: AnswerHead, content: string, finish: string, usage: ChatUsage): JsonObject {
  return {
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: finish, logprobs: null }],
    usage: usageFields(usage),
  };
}

/** One event of a streamed answer, as JSON. */
export function chunk(head: AnswerHead, delta: JsonObject, finish: string | null): string {
  return JSON.stringify({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
}

/** The event of a streamed answer that tells its usage, as JSON. */
export function usageChunk(head: AnswerHead, usage: ChatUsage): string {
  return JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageFields(usage) });
}

function usageFields(usage: ChatUsage): JsonObject {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    ...(usage.thoughtTokens > 0 ? { completion_tokens_details: { reasoning_tokens: usage.thoughtTokens } } : {}),
  };
}

/** A text longer than the context of a module: another model may have a longer one. */
export function contextExceeded({
  message,
  hint,
}: {
  readonly message: string;
  readonly hint?: string | undefined;
}): ProviderError {
  return new ProviderError('context_length_exceeded', message, {
    status: 400,
    remedy: 'next',
    unhealthy: false,
    ...(hint === undefined ? {} : { hint }),
  });
}
