// Any OpenAI-compatible server: requests and answers pass through as they are, only the model's name is exchanged.
// Reads usage and content on the way, so that budgets and retries know what happened.
import { HttpClient } from './_http.ts';
import { countAt, isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import { cutOff, errorInside, ProviderError } from './provider-error.ts';
import { readEvents } from './sse.ts';
import {
  type ChatCall,
  type ChatChunk,
  type ChatReply,
  type ChatUsage,
  DEFAULT_TIMEOUTS,
  type Provider,
  type Timeouts,
} from './types.ts';

export interface OpenAiOptions {
  readonly id: string;
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  /** Asked for at every call, so that a rotated key is used at once. */
  readonly apiKey?: () => string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeouts?: Partial<Timeouts>;
  readonly now?: () => number;
}

/**
 * @example
 * const provider = createOpenAiProvider({ id: 'local', baseUrl: 'http://127.0.0.1:11434/v1' });
 * const { body } = await provider.chat({ body: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }, signal });
 */
export function createOpenAiProvider(options: OpenAiOptions): Provider {
  const http = new HttpClient({
    baseUrl: options.baseUrl,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    now: options.now ?? Date.now,
    headers: () => {
      const key = options.apiKey?.();
      return { ...options.headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
    },
  });
  const whole = async (path: string, call: ChatCall): Promise<{ body: JsonObject; text: string }> => {
    const text = await http.postForText(path, JSON.stringify(call.body), call.signal);
    const body = parseObject(text, http.host);
    // Some servers answer 200 with an error inside.
    if (body['error'] !== undefined && body['error'] !== null) throw errorInside(body['error'], http.host);
    return { body, text };
  };
  return {
    id: options.id,
    kind: 'openai',
    async chat(call) {
      const { body, text } = await whole('chat/completions', call);
      return { body, text, usage: usageOf(body) } satisfies ChatReply;
    },
    async stream(call) {
      const answer = await http.post('chat/completions', JSON.stringify(withUsage(call.body)), call.signal);
      if (!answer.contentType.includes('text/event-stream')) {
        const text = await http.text(answer);
        const body = parseObject(text, http.host);
        if (isObject(body['error'])) throw errorInside(body['error'], http.host);
        throw new ProviderError(
          'bad_answer',
          `Expected a stream from ${http.host}, got ${answer.contentType || 'no type'}.`,
          {
            remedy: 'next',
            unhealthy: true,
          },
        );
      }
      return chunksOf(readEvents(answer.body), http.host);
    },
    embed: async (call) => (await whole('embeddings', call)).body,
    unsupported: () => [],
    close: async () => http.close(),
  };
}

/** Usage is always asked for: it is kept from clients that did not ask (see the gateway). */
function withUsage(body: JsonObject): JsonObject {
  return { ...body, stream: true, stream_options: { ...objectAt(body, 'stream_options'), include_usage: true } };
}

async function* chunksOf(events: AsyncGenerator<string>, host: string): AsyncGenerator<ChatChunk> {
  let finished = false;
  for await (const data of events) {
    if (data === '[DONE]') return;
    const chunk = parseObject(data, host);
    if (isObject(chunk['error'])) throw errorInside(chunk['error'], host);
    const usage = usageOf(chunk);
    const { content, finish } = contentOf(chunk);
    finished ||= finish !== undefined;
    yield {
      data: data.includes('\n') ? JSON.stringify(chunk) : data,
      content,
      ...(usage === undefined ? {} : { usage }),
      ...(finish === undefined ? {} : { finish }),
    };
  }
  // Servers without [DONE] exist; a stream without a reason to finish was cut off.
  if (!finished) {
    throw cutOff(host);
  }
}

function contentOf(chunk: JsonObject): { content: boolean; finish: string | undefined } {
  let content = false;
  let finish: string | undefined;
  for (const choice of listAt(chunk, 'choices')) {
    if (!isObject(choice)) continue;
    finish ??= textAt(choice, 'finish_reason');
    const delta = objectAt(choice, 'delta');
    for (const [key, value] of Object.entries(delta)) {
      if (key !== 'role' && value !== null && value !== undefined && value !== '') content = true;
    }
  }
  return { content: content || finish !== undefined, finish };
}

/** Usage as the OpenAI API has it; undefined where there is none. */
export function usageOf(body: JsonObject): ChatUsage | undefined {
  if (!isObject(body['usage'])) return undefined;
  const usage = body['usage'];
  return {
    promptTokens: countAt(usage, 'prompt_tokens') ?? 0,
    completionTokens: countAt(usage, 'completion_tokens') ?? 0,
    cachedTokens: countAt(objectAt(usage, 'prompt_tokens_details'), 'cached_tokens') ?? 0,
    thoughtTokens: countAt(objectAt(usage, 'completion_tokens_details'), 'reasoning_tokens') ?? 0,
  };
}

/** Parses an object or says that the upstream sent something else. */
export function parseObject(text: string, host: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProviderError('bad_answer', `Expected JSON from ${host}, got something else.`, {
      remedy: 'next',
      unhealthy: true,
      cause,
    });
  }
  if (isObject(value)) return value;
  throw new ProviderError('bad_answer', `Expected a JSON object from ${host}, got another value.`, {
    remedy: 'next',
    unhealthy: true,
  });
}
