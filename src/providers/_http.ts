// One HTTP call to a configured address: kept-alive connections, four time limits, no redirects, no proxy of its own choice,
// and errors that name the host and nothing secret. Used by every remote provider.
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
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
  readonly #base: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly host: string;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#base = new URL(options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`);
    this.host = this.#base.host;
    const pool = {
      keepAlive: true,
      maxSockets: options.sockets ?? 256,
      maxFreeSockets: 64,
      scheduling: 'lifo' as const,
    };
    this.#agent = this.#base.protocol === 'https:' ? new HttpsAgent(pool) : new HttpAgent(pool);
  }

  /**
   * Posts JSON; resolves with the head of a 2xx answer.
   * @throws ProviderError for everything else
   */
  post(path: string, body: string, signal: AbortSignal): Promise<HttpAnswer> {
    const url = new URL(path, this.#base);
    const payload = Buffer.from(body);
    const headers = {
      'content-type': 'application/json',
      'content-length': String(payload.length),
      accept: 'application/json, text/event-stream',
      'user-agent': 'cairn',
      ...this.#options.headers(),
    };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(aborted(signal));
      const request: ClientRequest = send(url, { method: 'POST', headers, agent: this.#agent });
      const guard = new Deadlines(this.#options.timeouts, (what, ms) => {
        request.destroy(
          new ProviderError('timeout', `Expected ${what} from ${this.host} within ${ms} ms, got none.`, {
            remedy: 'retry',
          }),
        );
      });
      const onAbort = (): void => void request.destroy(aborted(signal));
      const done = (): void => {
        guard.stop();
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => guard.connected());
        else guard.connected();
      });
      request.on('error', (error) => {
        done();
        reject(signal.aborted ? aborted(signal) : this.#wrap(error));
      });
      request.on('response', (response) => {
        guard.answered();
        response.once('close', done);
        const status = response.statusCode ?? 0;
        const fault = (error: unknown): unknown => (signal.aborted ? aborted(signal) : this.#wrap(error));
        const body = piecesOf(response, {
          progress: () => guard.progress(),
          held: (yes) => guard.held(yes),
          fault,
          leave: () => request.destroy(),
        });
        if (status >= 200 && status < 300)
          resolve({ status, contentType: response.headers['content-type'] ?? '', body });
        else void this.#refused(body, status, response.headers['retry-after']).then(reject, reject);
      });
      request.end(payload);
    });
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
        throw new ProviderError('answer_too_large', `Expected at most ${limit} bytes from ${this.host}, got more.`, {
          remedy: 'next',
        });
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  #wrap(error: unknown): unknown {
    if (ProviderError.isInstance(error)) return error;
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    if (error instanceof Error && error.name === 'AbortError') return error;
    return new ProviderError('upstream_unreachable', `Expected ${this.host} to answer, got ${reason(code)}.`, {
      remedy: 'retry',
      cause: error,
    });
  }
}

/** Pieces that may wait for a slow reader before the connection is held back. */
const QUEUE = 64;

/**
 * The body as it arrives. What arrived before a fault is still delivered, which Node's own iteration of a broken response
 * does not promise. Leaving the iteration early ends the call.
 */
async function* piecesOf(
  response: IncomingMessage,
  on: {
    readonly progress: () => void;
    readonly held: (yes: boolean) => void;
    readonly fault: (error: unknown) => unknown;
    readonly leave: () => void;
  },
): AsyncGenerator<Uint8Array> {
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

/** The time limits of one call; one timer each, none of them while the reader is slow. */
class Deadlines {
  readonly #timeouts: Timeouts;
  readonly #late: (what: string, ms: number) => void;
  #timer: NodeJS.Timeout | undefined;
  readonly #total: NodeJS.Timeout;

  constructor(timeouts: Timeouts, late: (what: string, ms: number) => void) {
    this.#timeouts = timeouts;
    this.#late = late;
    this.#total = setTimeout(() => late('a whole answer', timeouts.total), timeouts.total);
    this.#arm('a connection', timeouts.connect);
  }

  connected(): void {
    this.#arm('the first byte', this.#timeouts.firstByte);
  }

  answered(): void {
    this.#arm('the next piece', this.#timeouts.idle);
  }

  progress(): void {
    this.#timer?.refresh();
  }

  /** While our own reader is slow the provider is not late. */
  held(yes: boolean): void {
    if (yes) clearTimeout(this.#timer);
    else this.answered();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#total);
  }

  #arm(what: string, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#late(what, ms), ms);
  }
}
