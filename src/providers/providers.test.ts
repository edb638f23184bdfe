// Both remote providers over real HTTP against the mock upstream: whole answers, streams, tools, usage, every way it can go
// wrong, and that ending a call early ends it upstream.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGeminiProvider } from './gemini.ts';
import { isObject, type JsonObject } from './json.ts';
import { createMockUpstream, type Fault, type MockUpstream } from './mock/upstream.ts';
import { createOpenAiProvider } from './openai.ts';
import type { ProviderError } from './provider-error.ts';
import type { ChatChunk, Provider } from './types.ts';

let fault: Fault | undefined;
let upstream: MockUpstream;
const served: number[] = [];
const providers: Provider[] = [];
const hurried: Provider[] = [];
// Generous, as a busy machine needs them; where silence is the point, providers that wait shortly are asked.
const timeouts = { connect: 20_000, firstByte: 20_000, idle: 20_000, total: 40_000 };
const hasty = { ...timeouts, firstByte: 300, idle: 300 };
const KEY = 'sk-test-canary-0123456789';

beforeAll(async () => {
  upstream = await createMockUpstream({
    models: { small: {}, slow: { pieceMs: 20, words: 50 }, thinker: { thoughtTokens: 7 } },
    fault: () => fault,
    onServed: ({ completionTokens }) => served.push(completionTokens),
    key: KEY,
  });
  for (const [list, limits] of [
    [providers, timeouts],
    [hurried, hasty],
  ] as const) {
    list.push(
      createOpenAiProvider({ id: 'openai', baseUrl: upstream.url, apiKey: () => KEY, timeouts: limits }),
      createGeminiProvider({ id: 'gemini', baseUrl: upstream.geminiUrl, apiKey: () => KEY, timeouts: limits }),
    );
  }
});
afterAll(async () => {
  await Promise.all([...providers, ...hurried].map((p) => p.close()));
  await upstream.close();
});

const signal = (): AbortSignal => new AbortController().signal;
const body = (model: string, extra: JsonObject = {}): JsonObject => ({
  model,
  messages: [{ role: 'user', content: 'Hello there' }],
  ...extra,
});

async function all(chunks: AsyncIterable<ChatChunk>): Promise<ChatChunk[]> {
  const out: ChatChunk[] = [];
  for await (const chunk of chunks) out.push(chunk);
  return out;
}

function textOf(chunks: readonly ChatChunk[]): string {
  return chunks
    .flatMap(({ data }) => (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices)
    .map((choice) => choice.delta.content ?? '')
    .join('');
}

function contentOf(reply: JsonObject): string {
  return (reply as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
}

async function failure(work: Promise<unknown>): Promise<ProviderError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e as ProviderError,
  );
  expect(error).toBeDefined();
  return error!;
}

describe.each([0, 1])('provider %i', (i) => {
  const provider = (): Provider => providers[i]!;

  test('a stream says what the whole answer says, with the same usage', async () => {
    fault = undefined;
    const reply = await provider().chat({ body: body('thinker'), signal: signal() });
    const chunks = await all(await provider().stream({ body: body('thinker', { stream: true }), signal: signal() }));
    expect(textOf(chunks)).toBe(contentOf(reply.body));
    expect(contentOf(reply.body)).toMatch(/^\(thinker plays\) /);
    const usage = chunks.findLast((c) => c.usage)?.usage;
    expect(usage).toEqual(reply.usage);
    expect(usage!.thoughtTokens).toBe(7);
    expect(usage!.completionTokens).toBeGreaterThan(7);
    expect(chunks.filter((c) => c.finish === 'stop')).toHaveLength(1);
  });

  test.each([
    [{ kind: 'status', status: 429, retryAfter: 2 }, 'upstream_refused', 'retry', false],
    [{ kind: 'status', status: 503 }, 'upstream_refused', 'retry', true],
    [{ kind: 'status', status: 401 }, 'upstream_refused', 'next', false],
    [{ kind: 'status', status: 400 }, 'upstream_refused', 'client', false],
    [{ kind: 'status', status: 302, body: '' }, 'upstream_refused', 'next', false],
    [{ kind: 'reset' }, 'upstream_unreachable', 'retry', true],
    [{ kind: 'stall' }, 'timeout', 'retry', true],
    [{ kind: 'html' }, 'bad_answer', 'next', true],
    [{ kind: 'error-inside' }, 'upstream_refused', 'next', true],
    [{ kind: 'cut', after: 2 }, 'upstream_unreachable', 'retry', true],
  ] satisfies [Fault, string, string, boolean][])('fault %j', async (played, code, remedy, unhealthy) => {
    fault = played;
    const asked = played.kind === 'stall' ? hurried[i]! : provider();
    const error = await failure(asked.chat({ body: body('small'), signal: signal() }));
    expect(error).toMatchObject({ code, remedy, unhealthy });
    expect(error.message).toMatch(/^Expected /);
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain(KEY);
    if (played.kind === 'status' && 'retryAfter' in played) expect(error.retryAfterMs).toBe(2_000);
    fault = undefined;
  });

  test('a stream that breaks says so after what it delivered', async () => {
    fault = { kind: 'cut', after: 3 };
    const chunks: ChatChunk[] = [];
    const error = await failure(
      (async () => {
        for await (const chunk of await provider().stream({ body: body('small'), signal: signal() }))
          chunks.push(chunk);
      })(),
    );
    fault = undefined;
    expect(error.remedy).toBe('retry');
    expect(chunks).toHaveLength(3);
  });

  test('the upstream counts the answers that it gave whole: not a cut one, but one that has fewer pieces than the cut is after', async () => {
    served.length = 0;
    const stream = async (): Promise<ChatChunk[]> =>
      all(await provider().stream({ body: body('small'), signal: signal() }));
    for (const after of [3, 99]) {
      fault = { kind: 'cut', after };
      if (after === 3) await failure(stream());
      else expect(textOf(await stream())).toMatch(/^\(small plays\)/);
    }
    fault = undefined;
    expect(served).toEqual([12]);
  });

  test('a wrong key that the upstream repeats is in no message', async () => {
    const wrong =
      i === 0
        ? createOpenAiProvider({ id: 'x', baseUrl: upstream.url, apiKey: () => 'sk-wrong-secret-123456', timeouts })
        : createGeminiProvider({
            id: 'x',
            baseUrl: upstream.geminiUrl,
            apiKey: () => 'sk-wrong-secret-123456',
            timeouts,
          });
    const error = await failure(wrong.chat({ body: body('small'), signal: signal() }));
    expect(error.status).toBe(401);
    expect(`${error.message} ${error.hint ?? ''} ${JSON.stringify(error)}`).not.toContain('sk-wrong');
    await wrong.close();
  });

  test('leaving a stream ends it upstream at once', async () => {
    const before = upstream.abandoned();
    let seen = 0;
    for await (const _ of await provider().stream({ body: body('slow'), signal: signal() })) if (++seen === 2) break;
    await expect.poll(() => upstream.abandoned(), { interval: 10 }).toBe(before + 1);
  });

  test('aborting rejects with the reason', async () => {
    const controller = new AbortController();
    fault = { kind: 'stall' };
    const asked = provider().chat({ body: body('small'), signal: controller.signal });
    setTimeout(() => controller.abort(new Error('the client left')), 20);
    await expect(asked).rejects.toThrow('the client left');
    fault = undefined;
  });

  test('an unreachable address is a plain error', async () => {
    const gone = createOpenAiProvider({ id: 'gone', baseUrl: 'http://127.0.0.1:9/v1', timeouts });
    const error = await failure(gone.chat({ body: body('small'), signal: signal() }));
    expect(error).toMatchObject({ code: 'upstream_unreachable', remedy: 'retry', unhealthy: true });
    await gone.close();
  });
});

test('fields that nobody knows pass through to an OpenAI-compatible server', async () => {
  await providers[0]!.chat({ body: body('small', { strange_field: { deep: [1, 2] }, seed: 3 }), signal: signal() });
  expect(upstream.requests.at(-1)!.body).toMatchObject({ strange_field: { deep: [1, 2] }, seed: 3 });
});

test('a request becomes what Gemini wants: system, turns, tools, pictures, thinking', async () => {
  const request = body('small', {
    max_tokens: 50,
    temperature: 0.2,
    stop: 'END',
    thinking_budget: 128,
    tool_choice: 'required',
    tools: [{ type: 'function', function: { name: 'look', description: 'Looks.', parameters: { type: 'object' } } }],
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"seen":"a stone"}' },
      { role: 'user', content: 'And now?' },
    ],
  });
  await providers[1]!.chat({ body: request, signal: signal() });
  expect(upstream.requests.at(-1)!.body).toEqual({
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
    contents: [
      { role: 'user', parts: [{ text: 'What is this?' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
      { role: 'model', parts: [{ functionCall: { name: 'look', args: { at: 1 } } }] },
      {
        role: 'user',
        parts: [{ functionResponse: { name: 'look', response: { seen: 'a stone' } } }, { text: 'And now?' }],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'look', description: 'Looks.', parameters: { type: 'object' } }] }],
    toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    generationConfig: {
      maxOutputTokens: 50,
      temperature: 0.2,
      stopSequences: ['END'],
      thinkingConfig: { thinkingBudget: 128, includeThoughts: false },
    },
  });
});

test('what Gemini cannot take is named', () => {
  const link = { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png' } }] };
  expect(providers[1]!.unsupported(body('small', { logprobs: true, messages: [link] }))).toEqual([
    'logprobs',
    'messages.content.image_url (a link)',
  ]);
  expect(providers[1]!.unsupported(body('small'))).toEqual([]);
});

test('embeddings come back one per text', async () => {
  const answer = await providers[0]!.embed!({ body: { model: 'small', input: ['a', 'b'] }, signal: signal() });
  expect(isObject(answer) && (answer['data'] as unknown[]).length).toBe(2);
});
