// Gemini's own API: generateContent and streamGenerateContent, with thinking budgets. Speaks OpenAI to the gateway.
import { HttpClient } from './_http.ts';
import { geminiUsage, openAiUsage, saidBy, toCall, toMessage } from './_gemini-answer.ts';
import { toGemini, unsupportedByGemini } from './_gemini-request.ts';
import { isObject, type JsonObject, textAt } from './json.ts';
import { parseObject } from './openai.ts';
import { cutOff, errorInside } from './provider-error.ts';
import { readEvents } from './sse.ts';
import { type ChatChunk, DEFAULT_TIMEOUTS, type Provider, type Timeouts } from './types.ts';

export interface GeminiOptions {
  readonly id: string;
  /** Without the version, for example the public endpoint or a mock. */
  readonly baseUrl: string;
  readonly apiKey: () => string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeouts?: Partial<Timeouts>;
  readonly now?: () => number;
}

/**
 * A field `thinking_budget` in a request (tokens; -1: the model decides; 0: off) becomes Gemini's thinkingConfig.
 *
 * @example
 * const provider = createGeminiProvider({ id: 'gemini', baseUrl, apiKey: () => process.env['GEMINI_API_KEY'] });
 */
export function createGeminiProvider(options: GeminiOptions): Provider {
  const now = options.now ?? Date.now;
  const http = new HttpClient({
    baseUrl: options.baseUrl,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    now,
    headers: () => {
      const key = options.apiKey();
      return { ...options.headers, ...(key === undefined ? {} : { 'x-goog-api-key': key }) };
    },
  });
  let calls = 0;
  const nextId = (): string => `gemini-${now().toString(36)}-${(++calls).toString(36)}`;
  const path = (body: JsonObject, verb: string): string =>
    `v1beta/models/${encodeURIComponent(textAt(body, 'model') ?? '')}:${verb}`;
  return {
    id: options.id,
    kind: 'gemini',
    async chat({ body, signal }) {
      const text = await http.postForText(path(body, 'generateContent'), JSON.stringify(toGemini(body)), signal);
      const parsed = parseObject(text, http.host);
      if (isObject(parsed['error'])) throw errorInside(parsed['error'], http.host);
      const usage = geminiUsage(parsed);
      const id = nextId();
      return {
        usage,
        body: {
          id,
          object: 'chat.completion',
          created: Math.floor(now() / 1000),
          model: body['model'] ?? '',
          choices: saidBy(parsed).map((said) => ({
            index: said.index,
            message: toMessage(said, id),
            finish_reason: said.finish ?? 'stop',
            logprobs: null,
          })),
          ...(usage === undefined ? {} : { usage: openAiUsage(usage) }),
        },
      };
    },
    async stream({ body, signal }) {
      const url = `${path(body, 'streamGenerateContent')}?alt=sse`;
      const answer = await http.post(url, JSON.stringify(toGemini(body)), signal);
      const head = {
        id: nextId(),
        object: 'chat.completion.chunk',
        created: Math.floor(now() / 1000),
        model: body['model'] ?? '',
      };
      return chunksOf(readEvents(answer.body), head, http.host);
    },
    unsupported: unsupportedByGemini,
    close: async () => http.close(),
  };
}

async function* chunksOf(events: AsyncGenerator<string>, head: JsonObject, host: string): AsyncGenerator<ChatChunk> {
  let usage = undefined as ReturnType<typeof geminiUsage>;
  let finished = false;
  const started = new Set<number>();
  const called = new Map<number, number>();
  for await (const data of events) {
    const piece = parseObject(data, host);
    if (isObject(piece['error'])) throw errorInside(piece['error'], host);
    usage = geminiUsage(piece) ?? usage;
    for (const said of saidBy(piece)) {
      const first = !started.has(said.index);
      started.add(said.index);
      const at = called.get(said.index) ?? 0;
      called.set(said.index, at + said.calls.length);
      const finish = said.finish === 'stop' && at + said.calls.length > 0 ? 'tool_calls' : said.finish;
      finished ||= finish !== undefined;
      const delta = {
        ...(first ? { role: 'assistant' } : {}),
        ...(said.text === '' ? {} : { content: said.text }),
        ...(said.thought === '' ? {} : { reasoning_content: said.thought }),
        ...(said.calls.length === 0
          ? {}
          : {
              tool_calls: said.calls.map((call, i) => ({
                index: at + i,
                ...toCall(call, `${textAt(head, 'id') ?? ''}-${said.index}-${at + i}`),
              })),
            }),
      };
      const chunk = { ...head, choices: [{ index: said.index, delta, finish_reason: finish ?? null, logprobs: null }] };
      yield {
        data: JSON.stringify(chunk),
        content: said.text !== '' || said.thought !== '' || said.calls.length > 0 || finish !== undefined,
        ...(finish === undefined ? {} : { finish }),
      };
    }
  }
  if (!finished) {
    throw cutOff(host);
  }
  if (usage !== undefined) {
    yield { data: JSON.stringify({ ...head, choices: [], usage: openAiUsage(usage) }), content: false, usage };
  }
}
