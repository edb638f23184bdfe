// Gemini's answers as OpenAI completions and chunks. Thoughts go to `reasoning_content`, never into the content.
import { countAt, isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import type { ChatUsage } from './types.ts';

/** What a candidate says. */
export interface Said {
  readonly index: number;
  readonly text: string;
  readonly thought: string;
  readonly calls: readonly { readonly name: string; readonly args: string }[];
  readonly finish: string | undefined;
}

/** Candidates of one answer or one piece of a stream. */
export function saidBy(answer: JsonObject): Said[] {
  const candidates = listAt(answer, 'candidates').filter(isObject);
  const blocked = textAt(objectAt(answer, 'promptFeedback'), 'blockReason');
  if (candidates.length === 0 && blocked !== undefined) {
    return [{ index: 0, text: '', thought: '', calls: [], finish: 'content_filter' }];
  }
  return candidates.map((candidate, i) => {
    const parts = listAt(objectAt(candidate, 'content'), 'parts').filter(isObject);
    const words = (thought: boolean): string =>
      parts
        .filter((part) => (part['thought'] === true) === thought)
        .map((part) => textAt(part, 'text') ?? '')
        .join('');
    const calls = parts
      .filter((part) => isObject(part['functionCall']))
      .map((part) => {
        const call = objectAt(part, 'functionCall');
        return { name: textAt(call, 'name') ?? '', args: JSON.stringify(call['args'] ?? {}) };
      });
    const reason = textAt(candidate, 'finishReason');
    const finish =
      reason === undefined ? undefined : calls.length > 0 && reason === 'STOP' ? 'tool_calls' : finishOf(reason);
    return { index: countAt(candidate, 'index') ?? i, text: words(false), thought: words(true), calls, finish };
  });
}

function finishOf(reason: string): string {
  if (reason === 'STOP') return 'stop';
  if (reason === 'MAX_TOKENS') return 'length';
  return ['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'LANGUAGE', 'IMAGE_SAFETY'].includes(
    reason,
  )
    ? 'content_filter'
    : 'stop';
}

export function geminiUsage(answer: JsonObject): ChatUsage | undefined {
  if (!isObject(answer['usageMetadata'])) return undefined;
  const usage = answer['usageMetadata'];
  const thought = countAt(usage, 'thoughtsTokenCount') ?? 0;
  return {
    promptTokens: countAt(usage, 'promptTokenCount') ?? 0,
    completionTokens: (countAt(usage, 'candidatesTokenCount') ?? 0) + thought,
    cachedTokens: countAt(usage, 'cachedContentTokenCount') ?? 0,
    thoughtTokens: thought,
  };
}

/** Usage as the OpenAI API writes it. */
export function openAiUsage(usage: ChatUsage): JsonObject {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.thoughtTokens },
  };
}

/** The message of a completion. Call ids count from `firstCall`. */
export function toMessage(said: Said, id: string): JsonObject {
  return {
    role: 'assistant',
    content: said.text === '' && said.calls.length > 0 ? null : said.text,
    ...(said.thought === '' ? {} : { reasoning_content: said.thought }),
    ...(said.calls.length === 0 ? {} : { tool_calls: said.calls.map((call, i) => toCall(call, `${id}-${i}`)) }),
  };
}

export function toCall(call: { readonly name: string; readonly args: string }, id: string): JsonObject {
  return { id: `call-${id}`, type: 'function', function: { name: call.name, arguments: call.args } };
}
