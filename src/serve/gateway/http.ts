// The OpenAI-compatible endpoints on Node's own request and response: nothing between a stream and the client.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type JsonObject, RequestSignal } from '../../providers/index.ts';
import { Slots } from '../_slots.ts';
import type { CacheWish } from './answers/index.ts';
import { answerChat, type ChatHeaders } from './chat.ts';
import { answerEmbeddings } from './embeddings.ts';
import { takeFeedback } from './feedback.ts';
import type { Gateway } from './gateway.ts';
import { errorBody, GatewayError, toGatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';
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
  // One signal a request, ended by its client or with the server.
  const open = new Slots<RequestSignal>();
  const { closing } = options;
  closing.addEventListener('abort', () => open.values().forEach((signal) => signal.abort(closing.reason)), {
    once: true,
  });
  return (request, response) => {
    const began = performance.now();
    const signal = new RequestSignal();
    if (closing.aborted) signal.abort(closing.reason);
    const slot = open.add(signal);
    response.once('close', () => {
      open.take(slot);
      if (!response.writableFinished) signal.abort(new GatewayError('closing', 'The client left.', { status: 499 }));
    });
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
  if (path === '/v1/embeddings') {
    const { answer, headers } = await answerEmbeddings(gateway, body, key, signal);
    return sendJson(response, 200, answer, headers);
  }
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

function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > limit) return reject(tooLarge(limit));
    const pieces: Buffer[] = [];
    let size = 0;
    request.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size <= limit) return void pieces.push(piece);
      request.pause();
      reject(tooLarge(limit));
    });
    request.once('end', () => resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new GatewayError('closing', 'The client left.', { status: 499 }));
    });
  });
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('too_large', `Expected a body of at most ${limit} bytes, got more.`, {
    status: 413,
    hint: 'Send less, or raise maxBodyBytes.',
  });
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers });
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
