// One HTTP call to a configured address: kept-alive connections, four time limits, no redirects, no proxy of its own choice,
// and errors that name the host and nothing secret. Used by every remote provider.
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ProviderError, remedyOf, retryAfter } from './provider-error.ts';
import type { Timeouts } from './types.ts';

export interface HttpClientOptions {
  readonly baseUrl: string;
  readonly headers: () => Readonly<Record<string, string>>;
  readonly timeouts: Timeouts;
  /** Connections kept open. Default 256. */
  readonly sockets?: number;
  readonly now: () => number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  /** What has arrived and was not read yet, then what is to come, then the fault if there is one. */
  readonly body: AsyncGenerator<Uint8Array>;
}

const MAX_ERROR_BYTES = 64 * 1024;
/** Largest whole answer that is read. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #send: typeof httpRequest;
  /** What all calls share. */
  readonly #place: RequestOptions;
  readonly #prefix: string;
  readonly host: string;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const base = new URL(options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`);
    const secure = base.protocol === 'https:';
    this.host = base.host;
    const pool = {
      keepAlive: true,
      maxSockets: options.sockets ?? 256,
      maxFreeSockets: 64,
      scheduling: 'lifo' as const,
    };
    this.#agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool);
    this.#send = secure ? httpsRequest : httpRequest;
    this.#prefix = base.pathname;
    this.#place = {
      method: 'POST',
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: base.port === '' ? undefined : Number(base.port),
      agent: this.#agent,
      ...(base.username === '' && base.password === ''
        ? {}
        : { auth: `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}` }),
    };
  }

  /**
   * Posts JSON; resolves with the head of a 2xx answer.
   * @throws ProviderError for everything else
   */
  post(path: string, body: string, signal: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#start(path, body, signal, reject, (response, exchange) => {
        const pieces = piecesOf(response, exchange);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300)
          resolve({ status, contentType: response.headers['content-type'] ?? '', body: pieces });
        else void this.#refused(pieces, status, response.headers['retry-after']).then(reject, reject);
      });
    });
  }

  /**
   * Posts JSON and reads the whole 2xx answer as text.
   * @throws ProviderError for everything else
   */
  postForText(path: string, body: string, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#start(path, body, signal, reject, (response, exchange) => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) exchange.readText(response, MAX_ANSWER_BYTES, resolve, reject);
        else
          void this.#refused(piecesOf(response, exchange), status, response.headers['retry-after']).then(
            reject,
            reject,
          );
      });
    });
  }

  #start(
    path: string,
    body: string,
    signal: AbortSignal,
    reject: (error: unknown) => void,
    answered: (response: IncomingMessage, exchange: Exchange) => void,
  ): void {
    if (signal.aborted) return reject(aborted(signal));
    const request = this.#send({
      ...this.#place,
      path: this.#prefix + path,
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        accept: 'application/json, text/event-stream',
        'user-agent': 'cairn',
        ...this.#options.headers(),
      },
    });
    const exchange = new Exchange(request, this.host, this.#options.timeouts, signal);
    request.on('error', (error) => {
      exchange.stop();
      reject(exchange.fault(error));
    });
    request.on('response', (response) => {
      exchange.answered(response);
      answered(response, exchange);
    });
    // Text, so that head and body leave in one piece.
    request.end(body);
  }

  /** Reads a whole body as text. */
  async text(answer: HttpAnswer): Promise<string> {
    return this.#collect(answer.body, MAX_ANSWER_BYTES, true);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #refused(body: AsyncGenerator<Uint8Array>, status: number, wanted: string | undefined): Promise<never> {
    const text = await this.#collect(body, MAX_ERROR_BYTES, false).catch(() => '');
    const wait = retryAfter(wanted, this.#options.now());
    let upstream: unknown;
    try {
      upstream = (JSON.parse(text) as { error?: unknown }).error;
    } catch {
      upstream = undefined; // an HTML page or nothing: its text helps nobody
    }
    throw new ProviderError('upstream_refused', `Expected an answer from ${this.host}, got status ${status}.`, {
      status,
      remedy: remedyOf(status),
      unhealthy: status >= 500 || status === 408 || status === 425,
      upstream,
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    });
  }

  async #collect(body: AsyncGenerator<Uint8Array>, limit: number, strict: boolean): Promise<string> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of body) {
      size += piece.length;
      if (size > limit) {
        if (!strict) break;
        throw tooLarge(limit, this.host);
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  }
}

function tooLarge(limit: number, host: string): ProviderError {
  return new ProviderError('answer_too_large', `Expected at most ${limit} bytes from ${host}, got more.`, {
    remedy: 'next',
  });
}

/** Pieces that may wait for a slow reader before the connection is held back. */
const QUEUE = 64;

/**
 * The body as it arrives. What arrived before a fault is still delivered, which Node's own iteration of a broken response
 * does not promise. Leaving the iteration early ends the call.
 */
async function* piecesOf(response: IncomingMessage, on: Exchange): AsyncGenerator<Uint8Array> {
  const queue: Uint8Array[] = [];
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  response.on('data', (piece: Buffer) => {
    on.progress();
    queue.push(piece);
    if (queue.length >= QUEUE) {
      response.pause();
      on.held(true);
    }
    notify();
  });
  response.once('end', () => {
    ended = true;
    notify();
  });
  response.once('error', (error) => {
    failure ??= { error };
    notify();
  });
  response.once('close', () => {
    if (!ended) failure ??= { error: new Error('closed') };
    notify();
  });
  try {
    for (;;) {
      while (queue.length > 0) {
        const piece = queue.shift()!;
        if (queue.length === 0 && response.isPaused()) {
          on.held(false);
          response.resume();
        }
        yield piece;
      }
      if (ended) return;
      if (failure !== undefined) throw on.fault(failure.error);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    if (!ended) on.leave();
  }
}

function reason(code: string | undefined): string {
  if (code === 'ECONNREFUSED') return 'a refused connection';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no address for its name';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'a connection that broke off';
  return code === undefined ? 'a broken connection' : `a broken connection (${code})`;
}

/** What an aborted call rejects with: the reason of the signal. */
function aborted(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException('The call was stopped.', 'AbortError');
}

/**
 * One call under way: its signal, its faults and its time limits. There is one timer, which looks at what is due when it fires: most
 * calls end before that, and a piece that arrives only moves a number.
 */
class Exchange {
  readonly #request: ClientRequest;
  readonly #host: string;
  readonly #timeouts: Timeouts;
  readonly #signal: AbortSignal;
  readonly #end: number;
  #timer: NodeJS.Timeout;
  #what = 'a connection';
  #limit: number;
  /** When the next sign of life is due; Infinity while our own reader is slow: the provider is not late then. */
  #due: number;
  #stopped = false;

  constructor(request: ClientRequest, host: string, timeouts: Timeouts, signal: AbortSignal) {
    this.#request = request;
    this.#host = host;
    this.#timeouts = timeouts;
    this.#signal = signal;
    const now = performance.now();
    this.#end = now + timeouts.total;
    this.#limit = timeouts.connect;
    this.#due = now + timeouts.connect;
    this.#timer = setTimeout(lookAt, Math.min(timeouts.connect, timeouts.total), this);
    signal.addEventListener('abort', this, { once: true });
    request.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => this.#expect('the first byte', timeouts.firstByte));
      else this.#expect('the first byte', timeouts.firstByte);
    });
  }

  answered(response: IncomingMessage): void {
    this.#expect('the next piece', this.#timeouts.idle);
    response.once('close', () => this.stop());
  }

  progress(): void {
    this.#due = performance.now() + this.#limit;
  }

  held(yes: boolean): void {
    if (yes) this.#due = Infinity;
    else this.progress();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this);
  }

  /** Ends the call. */
  leave(): void {
    this.#request.destroy();
  }

  /** What a fault of the connection is to the caller. */
  fault(error: unknown): unknown {
    if (this.#signal.aborted) return aborted(this.#signal);
    if (ProviderError.isInstance(error)) return error;
    if (error instanceof Error && error.name === 'AbortError') return error;
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    return new ProviderError('upstream_unreachable', `Expected ${this.#host} to answer, got ${reason(code)}.`, {
      remedy: 'retry',
      cause: error,
    });
  }

  /** Reads the whole body as it arrives; it is small enough or the call ends. */
  readText(
    response: IncomingMessage,
    most: number,
    resolve: (text: string) => void,
    reject: (error: unknown) => void,
  ): void {
    const pieces: Buffer[] = [];
    let size = 0;
    response.on('data', (piece: Buffer) => {
      this.progress();
      size += piece.length;
      pieces.push(piece);
      if (size <= most) return;
      reject(tooLarge(most, this.#host));
      this.leave();
    });
    response.once('end', () => resolve((pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)).toString('utf8')));
    response.once('error', (error) => reject(this.fault(error)));
    response.once('close', () => {
      if (!response.complete) reject(this.fault(new Error('closed')));
    });
  }

  #expect(what: string, ms: number): void {
    if (this.#stopped) return;
    this.#what = what;
    const sooner = ms < this.#limit;
    this.#limit = ms;
    this.progress();
    if (sooner) this.look();
  }

  /** The signal was aborted. */
  handleEvent(): void {
    this.#request.destroy(aborted(this.#signal));
  }

  /** Looks whether something is late, and comes again when the next thing is due. */
  look(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    if (now >= this.#end) return this.#late('a whole answer', this.#timeouts.total);
    if (now >= this.#due) return this.#late(this.#what, this.#limit);
    // While our reader is slow nothing is due, but it may become quick: no longer than a limit from now is slept.
    const next = Math.min(this.#due, now + this.#limit, this.#end);
    this.#timer = setTimeout(lookAt, Math.max(1, Math.ceil(next - now)), this);
  }

  #late(what: string, ms: number): void {
    const message = `Expected ${what} from ${this.#host} within ${ms} ms, got none.`;
    this.#request.destroy(new ProviderError('timeout', message, { remedy: 'retry' }));
  }
}

function lookAt(exchange: Exchange): void {
  exchange.look();
}
