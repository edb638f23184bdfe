// The local server: one process, one memory, the JSON API, the event stream and the studio's files. It listens first and opens the
// memory meanwhile, so that the URL is there at once. Composition only; every part has its own file.
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { isIPv6 } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { CairnError } from '../errors.ts';
import type { TextMemory } from '../memory/index.ts';
import type { BoardView, Listener } from '../mind/index.ts';
import { addApi } from './api.ts';
import { toFailure } from './_failure.ts';
import { createGuard, isLoopback, MIN_TOKEN_LENGTH } from './_guard.ts';
import { Grower } from './_grower.ts';
import { addGrowthApi } from './growth-api.ts';
import { Hub } from './_hub.ts';
import { Lane } from './_lane.ts';
import { listen } from './_listen.ts';
import { toMetrics } from './metrics.ts';
import { addMemoryApi } from './memory-api.ts';
import { addNotesApi } from './notes-api.ts';
import { Publisher } from './_publisher.ts';
import {
  addGatewayApi,
  createAuthorise,
  createGatewayHandler,
  falseHitsText,
  feedDecisions,
  Gateway,
} from './gateway/index.ts';
import type { BoardService } from './service.ts';
import { addSpeechApi } from './speech-api.ts';
import { addStreamApi } from './stream-api.ts';
import { BoardStream } from './stream.ts';
import type { Speed } from './views.ts';
import { addStudio, loadStudio, type StudioFiles } from './_studio-files.ts';

/** Options of a server. Only `boards` is needed. */
export interface ServerOptions {
  /** The memory and its modules; called once, while the server already listens. The server closes what it gets. */
  readonly boards: () => Promise<BoardService>;
  /** The remembered texts; called when they are first asked for, and closed with the server. Without it there are none. */
  readonly notes?: () => Promise<TextMemory>;
  /** The recogniser of spoken digits; called when it is first asked for, and closed with the server. Without it there is none. */
  readonly speech?: () => Promise<Listener>;
  /** Default: the first free port from 4600 on. 0: any free port. A given port that is taken is an error. */
  readonly port?: number;
  /** Default 127.0.0.1. Anything that others can reach needs a token. */
  readonly host?: string;
  /** At least 16 characters. Every request must carry it (bearer, or `?token=` once in a browser). */
  readonly token?: string;
  /** Seed of the stream of boards. */
  readonly seed?: string | number;
  /** Runs the stream also while nobody watches. */
  readonly run?: boolean;
  readonly speed?: Speed;
  /** Boards that an empty memory is filled with at the start (at least one is always run). Default 8. */
  readonly prime?: number;
  /** The gateway for language models. Default: one without models. The server closes what it gets. */
  readonly gateway?: () => Promise<Gateway>;
  /** False: grows only when asked to. Default true. */
  readonly grow?: boolean;
  /** False: no pages, only the API. */
  readonly studio?: boolean;
  /** Gets every fault that is not the caller's. Default: none. */
  readonly onFault?: (error: unknown, where: string) => void;
}

/** A running server. */
export interface CairnServer {
  /** Where it listens, without the token. */
  readonly url: string;
  /** What to open in a browser: with the token, if there is one. */
  readonly openUrl: string;
  readonly port: number;
  /** Resolves when the memory is open and the first board is done; rejects when the memory cannot be opened. */
  readonly ready: Promise<void>;
  /** Ends streams, finishes the board and the requests at hand, closes the memory. Safe to call twice. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 3_000;

/**
 * Starts a server and resolves as soon as it listens.
 *
 * @throws CairnError `token_required`, `bad_token`, `port_in_use`, `port_forbidden`, `bad_host`.
 * @example
 * const server = await createServer({ boards: () => openBoards({ dataDir: '.cairn' }) });
 * console.log(server.url);
 * await server.close();
 */
export async function createServer(options: ServerOptions): Promise<CairnServer> {
  const host = options.host ?? '127.0.0.1';
  checkToken(host, options.token);
  const fault = options.onFault ?? (() => undefined);
  const started = performance.now();

  let ready = false;
  let opening: Promise<BoardService> | undefined;
  const boards = (): Promise<BoardService> => (opening ??= options.boards());
  let reading: Promise<TextMemory> | undefined;

  const hub = new Hub({ boot: randomBytes(4).toString('hex') });
  const publisher = new Publisher(
    hub,
    async () => (await boards()).totals(),
    (error) => fault(error, 'totals'),
  );
  const growths = async (): Promise<BoardService['growths']> => (await boards()).growths;
  const grower = new Grower({
    growths,
    events: async () => {
      const service = await boards();
      return service.memory ? service.memory.memory.store.count() : (await service.totals()).events;
    },
    publish: (event, data) => hub.publish(event, data),
    onFault: (error) => fault(error, 'growth'),
    byItself: options.grow !== false,
  });
  let source: ReturnType<BoardService['stream']> | undefined;
  const stream = new BoardStream<BoardView>({
    next: async (signal) => {
      source ??= (await boards()).stream(options.seed === undefined ? {} : { seed: options.seed });
      return source.next(signal);
    },
    onBoard: (board) => {
      publisher.board(board);
      grower.noteBoard();
    },
    onState: (state) => {
      if (state.fault) fault(new CairnError(state.fault.code, state.fault.message), 'stream');
      hub.publish('state', state);
    },
    ...(options.run === undefined ? {} : { always: options.run }),
    ...(options.speed === undefined ? {} : { speed: options.speed }),
  });
  hub.onReaders = (count) => stream.watch(count);

  const requests = new Map<string, number>();
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.res.headers.set('X-Content-Type-Options', 'nosniff');
    c.res.headers.set('Referrer-Policy', 'no-referrer');
    c.res.headers.set('Cross-Origin-Resource-Policy', 'same-origin');
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
    const status = `${Math.floor(c.res.status / 100)}xx`;
    requests.set(status, (requests.get(status) ?? 0) + 1);
  });
  app.use(createGuard(options.token));
  app.onError((error, c) => {
    const { status, body } = toFailure(error);
    if (status >= 500) fault(error, `${c.req.method} ${c.req.path}`);
    return c.json(body, status);
  });
  app.notFound((c) => c.json(notFound(c.req.method), 404));

  app.get('/healthz', (c) => c.json({ ok: true, ready, uptimeSeconds: seconds(started) }));
  app.get('/metrics', async (c) => {
    const totals = ready ? await (await boards()).totals() : undefined;
    const { rss, heapUsed } = process.memoryUsage();
    const figures = { uptimeSeconds: seconds(started), residentBytes: rss, heapBytes: heapUsed, requests };
    const opened = await gateway();
    const ofGateway = opened.metrics.toText() + falseHitsText(await opened.answers.falseHits());
    return c.text(toMetrics(totals, stream.state, figures) + ofGateway, 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    });
  });
  addStreamApi(app, { hub, stream });
  let gatewayOpening: Promise<Gateway> | undefined;
  const gateway = (): Promise<Gateway> =>
    (gatewayOpening ??= (options.gateway?.() ?? Gateway.open({})).then((opened) => {
      feedDecisions(opened, hub);
      return opened;
    }));
  addGatewayApi(app, gateway);
  const notes = (): Promise<TextMemory> =>
    (reading ??= (options.notes ?? noNotes)().catch((error: unknown) => {
      // A locked file may be free the next time it is asked for.
      reading = undefined;
      throw error;
    }));
  addNotesApi(app, { notes, now: Date.now });
  let hearing: Promise<Listener> | undefined;
  const speech = (): Promise<Listener> =>
    (hearing ??= (options.speech ?? noSpeech)().catch((error: unknown) => {
      hearing = undefined;
      throw error;
    }));
  addSpeechApi(app, { speech, now: Date.now });
  addMemoryApi(app, { boards, notes });
  addGrowthApi(app, { growths, grower });
  addApi(app, {
    boards,
    notes,
    lane: new Lane(),
    publish: (event, data) => {
      if (event === 'board') grower.noteBoard();
      if (event === 'forgotten') grower.noteForgotten();
      hub.publish(event, data);
    },
  });
  if (options.studio !== false) {
    let files: Promise<StudioFiles> | undefined;
    const load = (): Promise<StudioFiles> => (files ??= loadStudio());
    void load().catch((error: unknown) => fault(error, 'studio'));
    addStudio(app, load);
  }

  const closingDown = new AbortController();
  const pages = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const models = createGatewayHandler({
    gateway,
    authorise: createAuthorise(options.token),
    closing: closingDown.signal,
  });
  const http = createHttpServer(
    { requestTimeout: 60_000, headersTimeout: 15_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 },
    (request, response) => {
      if (request.url?.startsWith('/v1/') === true) models(request, response);
      else void pages(request, response);
    },
  );
  http.maxConnections = 1_024;
  http.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  const port = await listen(http, host, options.port);
  const url = `http://${isIPv6(host) ? `[${host}]` : host === '0.0.0.0' ? '127.0.0.1' : host}:${port}/`;

  let left = 0;
  const opened = (async () => {
    const { events } = await (await boards()).totals();
    ready = true;
    left = Math.max(0, (options.prime ?? 8) - events - 1);
    await stream.prime(1);
  })();
  const primed = opened.then(
    () => stream.prime(left).catch((error: unknown) => fault(error, 'prime')),
    (error: unknown) => fault(error, 'open'),
  );

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    publisher.close();
    grower.close();
    hub.close();
    await stream.close();
    const closed = new Promise<void>((resolve) => {
      http.close(() => resolve());
    });
    http.closeIdleConnections();
    const timer = setTimeout(() => {
      closingDown.abort(new CairnError('closing', 'The server is closing.'));
      http.closeAllConnections();
    }, CLOSE_GRACE_MS);
    await closed;
    clearTimeout(timer);
    if (gatewayOpening !== undefined) {
      await gatewayOpening.then(
        (g) => g.close(),
        () => undefined,
      );
    }
    await primed;
    await reading?.then(
      (open) => open.close(),
      () => undefined,
    );
    await hearing?.then(
      (open) => open.close(),
      () => undefined,
    );
    if (opening !== undefined)
      await opening.then(
        (service) => service.close(),
        () => undefined,
      );
  };
  return {
    url,
    openUrl: options.token === undefined ? url : `${url}?token=${encodeURIComponent(options.token)}`,
    port,
    ready: opened,
    close: () => (closing ??= close()),
  };
}

async function noNotes(): Promise<never> {
  throw new CairnError('not_available', 'Expected a server with a memory of texts, got one without.', {
    hint: 'Start it with `cairn serve`.',
  });
}

async function noSpeech(): Promise<never> {
  throw new CairnError('not_available', 'Expected a server that hears speech, got one without a model.', {
    hint: 'Start it with `cairn serve`.',
  });
}

function checkToken(host: string, token: string | undefined): void {
  if (token === undefined) {
    if (isLoopback(host)) return;
    throw new CairnError(
      'token_required',
      `Expected a token for an address that others can reach (${host}), got none.`,
      {
        hint: 'Pass --token with at least 16 characters, or leave --host out.',
      },
    );
  }
  if (token.length < MIN_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token)) {
    throw new CairnError(
      'bad_token',
      `Expected a token of at least ${MIN_TOKEN_LENGTH} printable characters without spaces, got one that is not.`,
      {
        hint: 'Make one: node -p "crypto.randomBytes(24).toString(\'base64url\')"',
      },
    );
  }
}

function notFound(method: string): object {
  return {
    error: {
      code: 'not_found',
      message: `Expected an endpoint of this server, got ${method} on an unknown path.`,
      hint: 'GET /api lists what there is.',
    },
  };
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
