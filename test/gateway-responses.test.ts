// /v1/responses over real HTTP with the official client: texts and items, streams event by event, tools, going on from a kept
// response, what is refused, streams that break.
import OpenAI, { APIError } from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMockUpstream, type Fault, type MockUpstream } from '../src/providers/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

let fault: Fault | undefined;
let upstream: MockUpstream;
let gateway: Gateway;
let server: CairnServer;
let client: OpenAI;

const configuration = (extra: object = {}): object => ({
  providers: [{ id: 'mock', kind: 'openai', baseUrl: upstream.url }],
  models: [{ id: 'small', provider: 'mock', priceIn: 1, priceOut: 4, modalities: ['text', 'image'] }],
  fallback: { retries: 0 },
  ...extra,
});

beforeAll(async () => {
  upstream = await createMockUpstream({ models: { small: { thoughtTokens: 3 } }, fault: () => fault });
  gateway = await Gateway.open({ config: configuration() });
  server = await createServer({
    boards: async () => createFixtureBoards(),
    gateway: async () => gateway,
    port: 0,
    studio: false,
  });
  await server.ready;
  client = new OpenAI({ baseURL: `${server.url}v1`, apiKey: 'unused', maxRetries: 0 });
});
afterEach(async () => {
  fault = undefined;
  await gateway.configure(configuration());
});
afterAll(async () => {
  await server.close();
  await upstream.close();
});

const look = {
  type: 'function' as const,
  name: 'look',
  parameters: { type: 'object', properties: {} },
  strict: null,
};

async function events(body: OpenAI.Responses.ResponseCreateParamsStreaming): Promise<ResponseStreamEvent[]> {
  const all: ResponseStreamEvent[] = [];
  for await (const event of await client.responses.create(body)) all.push(event);
  return all;
}

const last = (): Readonly<Record<string, unknown>> => upstream.requests.at(-1)!.body;

describe('the official client', () => {
  test('gets a whole answer, with usage and the headers of every answer', async () => {
    const { data, response } = await client.responses.create({ model: 'small', input: 'Hello there' }).withResponse();
    expect(data.output_text).toMatch(/^\(small plays\) \w+/);
    expect(data).toMatchObject({ object: 'response', status: 'completed', error: null, store: false });
    expect(data.usage!.total_tokens).toBe(data.usage!.input_tokens + data.usage!.output_tokens);
    expect(data.usage!.output_tokens_details.reasoning_tokens).toBe(3);
    expect(response.headers.get('x-cairn-model')).toBe('small');
    expect(last()).toMatchObject({ model: 'small', messages: [{ role: 'user', content: 'Hello there' }] });
  });

  test('a stream says the same, in the order of the protocol, numbered', async () => {
    const whole = await client.responses.create({ model: 'small', input: 'Say it' });
    const all = await events({ model: 'small', input: 'Say it', stream: true });
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, i) => i));
    const types = all.map((event) => event.type).filter((type, i, list) => type !== list[i - 1]);
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    const text = all.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : []));
    expect(text.length).toBeGreaterThan(3);
    expect(text.join('')).toBe(whole.output_text);
    const final = await client.responses.stream({ model: 'small', input: 'Say it' }).finalResponse();
    expect(final.output_text).toBe(whole.output_text);
    expect(final.usage).toEqual(whole.usage);
  });

  test('items, instructions, formats and limits reach the model as chat; null fields do not', async () => {
    await client.responses.create({
      model: 'small',
      instructions: 'Be brief.',
      input: [
        { role: 'developer', content: [{ type: 'input_text', text: 'In German.' }] },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', image_url: 'https://example.org/a.png', detail: 'low' },
          ],
        },
        { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{"a":1}' },
        { type: 'function_call', call_id: 'c2', name: 'look', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'A cairn.' },
        { type: 'function_call_output', call_id: 'c2', output: 'Stones.' },
        { type: 'reasoning', id: 'rs_1', summary: [] },
      ],
      tools: [look],
      tool_choice: { type: 'function', name: 'look' },
      text: { format: { type: 'json_schema', name: 'shape', schema: { type: 'object' } } },
      reasoning: { effort: 'low' },
      max_output_tokens: 77,
      temperature: null,
      top_p: 0.5,
      metadata: { team: 'a' },
    });
    const call = (id: string, args: string): object => ({
      id,
      type: 'function',
      function: { name: 'look', arguments: args },
    });
    const { stream: _stream, ...sent } = last();
    expect(sent).toEqual({
      model: 'small',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: 'In German.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'low' } },
          ],
        },
        { role: 'assistant', content: null, tool_calls: [call('c1', '{"a":1}'), call('c2', '{}')] },
        { role: 'tool', tool_call_id: 'c1', content: 'A cairn.' },
        { role: 'tool', tool_call_id: 'c2', content: 'Stones.' },
      ],
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }],
      tool_choice: { type: 'function', function: { name: 'look' } },
      response_format: { type: 'json_schema', json_schema: { name: 'shape', schema: { type: 'object' } } },
      reasoning_effort: 'low',
      max_completion_tokens: 77,
      top_p: 0.5,
    });
  });

  test('a call of a tool comes back, whole and as events', async () => {
    const asked = { model: 'small', input: 'Look', tools: [look], tool_choice: 'required' as const };
    const { output } = await client.responses.create(asked);
    expect(output).toMatchObject([
      { type: 'function_call', call_id: 'call-mock', name: 'look', arguments: '{}', status: 'completed' },
    ]);
    const all = await events({ ...asked, stream: true });
    expect(all.map((event) => event.type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
  });
});

describe('going on from an earlier response', () => {
  test('is refused where none are kept', async () => {
    const { id } = await client.responses.create({ model: 'small', input: 'One', store: true });
    const refused = client.responses.create({ model: 'small', input: 'Two', previous_response_id: id });
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'unsupported_parameter' });
  });

  test('works where they are kept: for this client, until it is deleted, without the old instructions', async () => {
    await gateway.configure(configuration({ responses: { keepSeconds: 60 } }));
    const first = await client.responses.create({ model: 'small', input: 'One', instructions: 'Old.' });
    expect(first).toMatchObject({ store: true });
    const stream = await events({ model: 'small', input: 'Two', previous_response_id: first.id, stream: true });
    const second = stream.at(-1)!.type === 'response.completed' ? stream.at(-1)! : undefined;
    expect(second).toBeDefined();
    await client.responses.create({
      model: 'small',
      input: 'Three',
      previous_response_id: (second as { response: { id: string } }).response.id,
      instructions: 'New.',
    });
    const said = (role: string): unknown[] =>
      (last()['messages'] as { role: string; content: string }[]).filter((m) => m.role === role).map((m) => m.content);
    expect(said('system')).toEqual(['New.']);
    expect(said('user')).toEqual(['One', 'Two', 'Three']);
    expect(said('assistant')).toHaveLength(2);
    expect(await client.responses.retrieve(first.id)).toMatchObject({ id: first.id, output: first.output });
    const stranger = new OpenAI({ baseURL: `${server.url}v1`, apiKey: await gateway.keys.add('eve'), maxRetries: 0 });
    await expect(stranger.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    const stolen = stranger.responses.create({ model: 'small', input: 'x', previous_response_id: first.id });
    await expect(stolen).rejects.toMatchObject({ status: 404 });
    await client.responses.delete(first.id);
    const gone = client.responses.create({ model: 'small', input: 'x', previous_response_id: first.id });
    await expect(gone).rejects.toMatchObject({ status: 404, code: 'not_found' });
    const loose = await client.responses.create({ model: 'small', input: 'x', store: false });
    await expect(client.responses.retrieve(loose.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('what is refused says what it is', () => {
  test.each([
    ['no input', {}, 'input'],
    ['input that is a number', { input: 5 }, 'input'],
    ['a message without a role', { input: [{ content: 'x' }] }, 'input[0].role'],
    ['an unknown item', { input: [{ type: 'computer_call' }] }, 'input[0]'],
    [
      'a file by its id',
      { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] },
      'input[0].content[0]',
    ],
    ['a tool of a provider', { input: 'x', tools: [{ type: 'web_search' }] }, 'tools[0]'],
    ['background', { input: 'x', background: true }, 'background'],
    ['a stored prompt', { input: 'x', prompt: { id: 'p' } }, 'prompt'],
    ['a limit below 1', { input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
    ['a choice that is not known', { input: 'x', tool_choice: { type: 'mcp' } }, 'tool_choice'],
  ])('%s', async (_name, body, param) => {
    const response = await fetch(new URL('/v1/responses', server.url), {
      method: 'POST',
      body: JSON.stringify({ model: 'small', ...body }),
    });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string; param: string } };
    expect(error.message).toMatch(/^Expected /);
    expect(error.param).toBe(param);
  });

  test('an unknown model, and one that is down', async () => {
    const unknown = client.responses.create({ model: 'none', input: 'x' });
    await expect(unknown).rejects.toBeInstanceOf(APIError);
    fault = { kind: 'status', status: 503 };
    const down = client.responses.create({ model: 'small', input: 'x' });
    await expect(down).rejects.toMatchObject({ status: 502, code: 'upstream_failed' });
  });
});

test('a stream that breaks in the middle ends as failed, with what was said marked as not whole', async () => {
  fault = { kind: 'cut', after: 4 };
  const all = await events({ model: 'small', input: 'Break', stream: true });
  const end = all.at(-1)!;
  expect(end.type).toBe('response.failed');
  const { response } = end as { response: OpenAI.Responses.Response };
  expect(response.error).toMatchObject({ code: 'server_error' });
  expect(response.output).toMatchObject([{ type: 'message', status: 'incomplete' }]);
});

test('a kept answer is replayed in this form too', async () => {
  await gateway.configure(configuration({ cache: { exact: true } }));
  const asked = { model: 'small', input: 'Again', temperature: 0 };
  const first = await client.responses.create(asked);
  const { data, response } = await client.responses.create({ ...asked, stream: true }).withResponse();
  let text = '';
  for await (const event of data) if (event.type === 'response.output_text.delta') text += event.delta;
  expect(response.headers.get('x-cairn-cache')).toMatch(/^exact;/);
  expect(text).toBe(first.output_text);
});
