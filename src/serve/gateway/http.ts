// The OpenAI-compatible endpoints on Node's own request and response: nothing between a stream and the client.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type JsonObject, type JsonValue, listAt } from '../../providers/index.ts';
import type { CacheWish } from './answers/index.ts';
import { answerChat, type ChatHeaders } from './chat.ts';
import { takeFeedback } from './feedback.ts';
import type { Gateway } from './gateway.ts';
import { errorBody, GatewayError, toGatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';
import type { Arm } from './pool.ts';
import { parseBody, toChatRequest } from './request.ts';
import { answerResponses, dropResponse, keptResponse } from './responses/index.ts';

/** Answers requests below /v1/; `authorise` says whose they are or throws. */
export interface GatewayHandler {
  (request: IncomingMessage, response: ServerResponse): void;
}

export interface HandlerOptions {
  readonly gateway: () => Promise<Gateway>;
  /** @throws GatewayError `unauthorized`, `forbidden` */
  readonly authorise: (request: IncomingMessage, gateway: Gateway) => Promise<ClientKey | undefined>;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

export function createGatewayHandler(options: HandlerOptions): GatewayHandler {
  return (request, response) => {
    const began = performance.now();
    const controller = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished)
        controller.abort(new GatewayError('closing', 'The client left.', { status: 499 }));
    });
    const signal = AbortSignal.any([controller.signal, options.closing]);
    void handle(options, request, response, signal, began).catch((error: unknown) => sendError(response, error));
  };
}

const POSTS = new Set(['/v1/chat/completions', '/v1/responses', '/v1/embeddings', '/v1/feedback']);

async function handle(
  options: HandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  began: number,
): Promise<void> {
  const gateway = await options.gateway();
  const key = await options.authorise(request, gateway);
  const path = (request.url ?? '/').split('?')[0]!;
  if (request.method === 'GET' && path === '/v1/models')
    return sendJson(response, 200, { object: 'list', data: modelList(gateway, key) });
  if (request.method === 'GET' && path.startsWith('/v1/models/')) {
    const id = safeDecode(path.slice('/v1/models/'.length));
    const found = modelList(gateway, key).find((model) => model['id'] === id);
    if (found !== undefined) return sendJson(response, 200, found);
    throw new GatewayError('model_not_found', 'Expected a model of this gateway, got another name.', {
      status: 404,
      param: 'model',
      hint: 'GET /v1/models lists them.',
    });
  }
  if (path.startsWith('/v1/responses/') && (request.method === 'GET' || request.method === 'DELETE')) {
    const id = safeDecode(path.slice('/v1/responses/'.length));
    const kept = request.method === 'GET' ? keptResponse : dropResponse;
    return sendJson(response, 200, await kept(gateway, key, id));
  }
  if (request.method !== 'POST' || !POSTS.has(path)) {
    throw new GatewayError('not_found', 'Expected an endpoint of the gateway, got another path or method.', {
      status: 404,
      hint: `There are GET /v1/models and POST ${[...POSTS].join(', ')}.`,
    });
  }
  const body = parseBody(await readBody(request, gateway.config.maxBodyBytes));
  if (path === '/v1/feedback') return sendJson(response, 200, await takeFeedback(gateway, body, key));
  if (path === '/v1/embeddings') return embeddings(gateway, body, key, response, signal);
  const context = { gateway, headers: chatHeaders(request), key, response, signal, began };
  if (path === '/v1/responses') return answerResponses(context, body);
  await answerChat({ ...context, request: toChatRequest(body) });
}

function chatHeaders(request: IncomingMessage): ChatHeaders {
  const one = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const most = one('x-cairn-max-cost');
  const maxCostUsd = most === undefined ? undefined : Number(most);
  if (maxCostUsd !== undefined && !(maxCostUsd >= 0)) {
    throw new GatewayError('invalid_request', 'Expected x-cairn-max-cost to be US dollars, got something else.', {
      status: 400,
      hint: 'For example: 0.01.',
    });
  }
  return {
    session: one('x-cairn-session'),
    pin: one('x-cairn-pin'),
    maxCostUsd,
    fallback: one('x-cairn-fallback') !== 'none',
    explainInBody: one('x-cairn-explain') === 'body',
    cache: wishOf(one('x-cairn-cache')),
  };
}

function wishOf(header: string | undefined): CacheWish {
  if (header === undefined) return 'default';
  if (header === 'off' || header === 'refresh' || header === 'use') return header;
  throw new GatewayError('invalid_request', 'Expected x-cairn-cache to be off, refresh or use, got something else.', {
    status: 400,
    hint: 'Leave it out for what the configuration says.',
  });
}

function modelList(gateway: Gateway, key: ClientKey | undefined): JsonObject[] {
  const { pool, prompts } = gateway.current;
  const model = (id: string, owner: string): JsonObject => ({ id, object: 'model', created: 0, owned_by: owner });
  const may = (id: string): boolean => key?.models === undefined || key.models.includes(id);
  const chat = [...pool.arms.values()].some((arm) => !arm.config.embeddings);
  return [
    ...(chat
      ? ['cairn/auto', ...Object.keys(pool.config.routing.policies).map((name) => `cairn/auto:${name}`)]
      : []
    ).map((id) => model(id, 'cairn')),
    ...(prompts === undefined ? [] : [model('cairn/lsa-128', 'cairn')]),
    ...[...pool.arms.values()].filter((arm) => may(arm.id)).map((arm) => model(arm.id, arm.config.provider)),
    ...Object.keys(pool.config.aliases).map((id) => model(id, 'cairn')),
  ];
}

async function embeddings(
  gateway: Gateway,
  body: JsonObject,
  key: ClientKey | undefined,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { pool, prompts } = gateway.current;
  const name = typeof body['model'] === 'string' ? body['model'] : '';
  if (name === 'cairn/lsa-128') {
    if (prompts === undefined) {
      throw new GatewayError('not_fitted', 'Expected fitted prompt features, got none.', {
        status: 409,
        hint: 'Fit a router first: cairn route fit.',
      });
    }
    const input = typeof body['input'] === 'string' ? [body['input']] : listAt(body, 'input');
    if (input.length === 0 || input.length > 2_048 || !input.every((text) => typeof text === 'string')) {
      throw new GatewayError('invalid_request', 'Expected input to be a text or 1 to 2,048 texts.', {
        status: 400,
        param: 'input',
        hint: 'Tokens are not taken.',
      });
    }
    const base64 = body['encoding_format'] === 'base64';
    const data = input.map((text: JsonValue, index): JsonObject => {
      const vector = prompts.router.embed(String(text));
      const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
      return { object: 'embedding', index, embedding: base64 ? bytes.toString('base64') : [...vector] };
    });
    const tokens = input.reduce<number>((sum, text) => sum + Math.ceil(String(text).length / 4), 0);
    return sendJson(response, 200, {
      object: 'list',
      model: name,
      data,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  }
  const arm =
    pool.find(Object.hasOwn(pool.config.aliases, name) ? pool.config.aliases[name]! : name) ??
    (name === '' ? undefined : firstEmbedder(pool.arms, name));
  if (arm?.provider.embed === undefined || (key?.models !== undefined && !key.models.includes(arm.id))) {
    throw new GatewayError('model_not_found', 'Expected a model with embeddings, got another name.', {
      status: 404,
      param: 'model',
      hint: 'Configure one with "embeddings": true.',
    });
  }
  const spender = { key: key?.name, session: undefined };
  const tokens = Math.ceil(JSON.stringify(body['input'] ?? '').length / 4);
  const cost = (tokens * arm.config.priceIn) / 1e6;
  const hold = await gateway.ledger.reserve(pool.config, spender, { usd: cost, tokens, requests: 1 });
  try {
    const answer = await arm.provider.embed({ body: { ...body, model: arm.config.model ?? arm.id }, signal });
    await hold.settle({ usd: cost, tokens, requests: 1 });
    sendJson(response, 200, answer, { 'x-cairn-model': arm.id.replace(/[^\x20-\x7e]/g, '?') });
  } catch (error) {
    await hold.release();
    throw signal.aborted
      ? error
      : new GatewayError('upstream_failed', 'Expected vectors from the model, got a failure upstream.', {
          status: 502,
          hint: 'Try again.',
          cause: error,
        });
  }
}

function firstEmbedder(arms: ReadonlyMap<string, Arm>, name: string): Arm | undefined {
  return [...arms.values()].find((arm) => arm.config.embeddings && arm.config.model === name);
}

async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const tooLarge = (): GatewayError =>
    new GatewayError('too_large', `Expected a body of at most ${limit} bytes, got more.`, {
      status: 413,
      hint: 'Send less, or raise maxBodyBytes.',
    });
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    size += (piece as Buffer).length;
    if (size > limit) throw tooLarge();
    pieces.push(piece as Buffer);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(text.length), ...headers });
  response.end(text);
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const known = toGatewayError(error);
  const headers: Record<string, string> =
    known.retryAfter === undefined ? {} : { 'retry-after': String(known.retryAfter) };
  // The rest of a refused body is not read: the connection ends with the answer.
  if (known.status === 413) headers['connection'] = 'close';
  sendJson(response, known.status, errorBody(known), headers);
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
