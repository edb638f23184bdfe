// A deterministic server that plays language models: OpenAI's and Gemini's endpoints, latencies, streams, token counts, rate
// limits, errors and broken answers. For tests, benchmarks and demonstrations without a key; its answers are made up and say so.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isObject, type JsonObject, listAt, textAt } from '../json.ts';
import { answerAs, askOf, type MockModel, type Played } from './_voice.ts';

export type { MockModel };

/** How one request goes wrong. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number; readonly body?: string }
  /** The connection breaks before any byte. */
  | { readonly kind: 'reset' }
  /** A stream breaks after so many pieces; a whole answer in the middle of its body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** No answer at all, until the client leaves. */
  | { readonly kind: 'stall' }
  /** Status 200 with an error inside. */
  | { readonly kind: 'error-inside' }
  /** Status 200 with a page of HTML. */
  | { readonly kind: 'html' }
  /** The stream ends without [DONE]. */
  | { readonly kind: 'no-done' };

export interface MockOptions {
  readonly models: Readonly<Record<string, MockModel>>;
  readonly seed?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Asked before every chat request, counted from 0 in order of arrival; undefined: it goes well. */
  readonly fault?: (request: {
    readonly n: number;
    readonly model: string;
    readonly stream: boolean;
  }) => Fault | undefined;
  /** Hears of every answer that was sent whole: what was asked last, and the tokens that the answer said it took. */
  readonly onServed?: (answer: {
    readonly model: string;
    readonly ask: string;
    readonly promptTokens: number;
    readonly completionTokens: number;
  }) => void;
  /** When given, requests without this key are refused. */
  readonly key?: string;
}

export interface MockRequest {
  readonly path: string;
  readonly model: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: JsonObject;
}

export interface MockUpstream {
  /** Base URL for an OpenAI-compatible provider, with `/v1`. */
  readonly url: string;
  /** Base URL for the Gemini provider. */
  readonly geminiUrl: string;
  readonly port: number;
  /** Requests that arrived, oldest first (the last 1,000). */
  readonly requests: readonly MockRequest[];
  /** Requests whose client left before the answer was whole. */
  readonly abandoned: () => number;
  readonly served: () => number;
  close(): Promise<void>;
}

/**
 * @example
 * const upstream = await createMockUpstream({ models: { small: { delayMs: 5 } } });
 * const provider = createOpenAiProvider({ id: 'mock', baseUrl: upstream.url });
 */
export async function createMockUpstream(options: MockOptions): Promise<MockUpstream> {
  const requests: MockRequest[] = [];
  const state = { n: 0, abandoned: 0, served: 0, limits: new Map<string, { second: number; count: number }>() };
  const server = createServer((request, response) => {
    void handle(options, requests, state, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    geminiUrl: `http://127.0.0.1:${port}`,
    port,
    requests,
    abandoned: () => state.abandoned,
    served: () => state.served,
    close: () => closeServer(server),
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

interface State {
  n: number;
  abandoned: number;
  served: number;
  readonly limits: Map<string, { second: number; count: number }>;
}

async function handle(
  options: MockOptions,
  requests: MockRequest[],
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0]!;
  const gemini = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path);
  if (request.method === 'GET' && path === '/v1/models') {
    const data = Object.keys(options.models).map((id) => ({ id, object: 'model', created: 0, owned_by: 'mock' }));
    return json(response, 200, { object: 'list', data });
  }
  const given = request.headers.authorization?.replace(/^Bearer /, '') ?? request.headers['x-goog-api-key'];
  if (options.key !== undefined && given !== options.key) {
    // Like some real servers it repeats the key, so that leaks show.
    return json(response, 401, {
      error: { message: `Incorrect API key provided: ${String(given)}`, type: 'invalid_request_error' },
    });
  }
  const body = parse(await read(request));
  const model = gemini ? decodeURIComponent(gemini[1]!) : (textAt(body, 'model') ?? '');
  requests.push({ path, model, headers: request.headers, body });
  if (requests.length > 1_000) requests.splice(0, requests.length - 1_000);
  const played = options.models[model];
  if (played === undefined) {
    return json(response, 404, {
      error: { message: `The model "${model}" does not exist`, type: 'invalid_request_error', code: 'model_not_found' },
    });
  }
  if (path === '/v1/embeddings') return json(response, 200, embeddings(body, model, played));
  if (path !== '/v1/chat/completions' && !gemini) return json(response, 404, { error: { message: 'not found' } });

  const stream = gemini ? gemini[2] === 'streamGenerateContent' : body['stream'] === true;
  let left = false;
  response.once('close', () => {
    if (!response.writableFinished) {
      left = true;
      state.abandoned++;
    } else state.served++;
  });
  const fault = options.fault?.({ n: state.n++, model, stream }) ?? limitOf(state, model, played);
  if (fault?.kind === 'reset') return void request.socket.destroy();
  if (fault?.kind === 'stall') return;
  if (played.delayMs !== undefined && played.delayMs > 0) await wait(played.delayMs);
  if (left) return;
  if (fault?.kind === 'status') {
    if (fault.retryAfter !== undefined) response.setHeader('retry-after', String(fault.retryAfter));
    const text =
      fault.body ?? JSON.stringify({ error: { message: `played status ${fault.status}`, type: 'mock', code: null } });
    response.writeHead(fault.status, { 'content-type': 'application/json' });
    return void response.end(text);
  }
  if (fault?.kind === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' });
    return void response.end('<!doctype html><title>502</title><h1>Bad Gateway</h1>');
  }
  if (fault?.kind === 'error-inside') return json(response, 200, { error: { message: 'played error', type: 'mock' } });
  const asked = { model, body, played, seed: options.seed ?? 'mock' };
  const said = answerAs(gemini ? 'gemini' : 'openai', asked);
  // An answer that is cut never finishes; one with fewer pieces than the cut is after goes through.
  response.once('finish', () => options.onServed?.({ model, ask: askOf(body), ...said.tokens }));
  if (!stream) return whole(response, said, fault);
  return pieces(response, said, played, fault, () => left);
}

function whole(response: ServerResponse, said: Played, fault: Fault | undefined): void {
  const text = JSON.stringify(said.whole);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) });
  if (fault?.kind !== 'cut') return void response.end(text);
  response.write(text.slice(0, text.length >> 1), () => response.destroy());
}

async function pieces(
  response: ServerResponse,
  said: Played,
  played: MockModel,
  fault: Fault | undefined,
  left: () => boolean,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  let sent = 0;
  for (const piece of said.pieces) {
    if (left()) return;
    if (fault?.kind === 'cut' && sent === fault.after) return void response.write('', () => response.destroy());
    const free = response.write(`data: ${JSON.stringify(piece)}\n\n`);
    sent++;
    if (!free) await new Promise((resolve) => response.once('drain', resolve));
    if (played.pieceMs !== undefined && played.pieceMs > 0) await wait(played.pieceMs);
  }
  if (said.done && fault?.kind !== 'no-done') response.write('data: [DONE]\n\n');
  response.end();
}

function limitOf(state: State, model: string, played: MockModel): Fault | undefined {
  if (played.perSecond === undefined) return undefined;
  const second = Math.floor(Date.now() / 1000);
  const seen = state.limits.get(model);
  const count = seen?.second === second ? seen.count + 1 : 1;
  state.limits.set(model, { second, count });
  return count > played.perSecond ? { kind: 'status', status: 429, retryAfter: 1 } : undefined;
}

function embeddings(body: JsonObject, model: string, played: MockModel): JsonObject {
  const input = typeof body['input'] === 'string' ? [body['input']] : listAt(body, 'input');
  const data = input.map((text, index) => {
    const bytes = Buffer.from(String(text));
    const vector =
      played.embed?.(String(text)) ??
      Array.from({ length: 8 }, (_, i) => Math.sin(i + bytes.reduce((s, b, k) => s + b * (k + i + 1), 0)));
    const norm = Math.hypot(...vector);
    return { object: 'embedding', index, embedding: vector.map((v) => v / norm) };
  });
  const tokens = input.reduce<number>((sum, text) => sum + Math.ceil(String(text).length / 4), 0);
  return { object: 'list', model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

async function read(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function json(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
