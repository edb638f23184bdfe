// A closed loop of clients over kept-alive connections: each sends its next request when the last is answered. Measures whole
// answers and the time to the first word of streams. Clients are bare sockets that send bytes made beforehand and look only for
// the end of an answer, so that what is measured is the server and not the client: a request costs some 15 microseconds here.
import { connect, type Socket } from 'node:net';

export interface Target {
  readonly url: string;
  readonly model: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface LoadOptions {
  readonly clients: number;
  readonly seconds: number;
  readonly stream: boolean;
  readonly prompts: readonly string[];
  /** Stops after so many requests, if that is sooner. */
  readonly most?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Milliseconds, sorted: to the whole answer, or to the first word of a stream. */
  readonly times: Float64Array;
}

export async function load(target: Target, options: LoadOptions): Promise<LoadResult> {
  const url = new URL(`${target.url}/chat/completions`);
  const bodies = options.prompts.map((content) => requestOf(url, target, options.stream, content));
  const clients = await Promise.all(Array.from({ length: options.clients }, () => Client.open(url, options.stream)));
  const times: number[] = [];
  let failed = 0;
  let sent = 0;
  const began = performance.now();
  const end = began + options.seconds * 1000;
  const work = async (client: Client): Promise<void> => {
    while (performance.now() < end && sent < (options.most ?? Infinity)) {
      const ms = await client.ask(bodies[sent++ % bodies.length]!);
      if (ms !== undefined) times.push(ms);
      else {
        failed++;
        await client.again();
      }
    }
  };
  await Promise.all(clients.map(work));
  const seconds = (performance.now() - began) / 1000;
  for (const client of clients) client.close();
  return { requests: times.length, failed, perSecond: times.length / seconds, times: Float64Array.from(times).sort() };
}

/** A quantile of sorted values; NaN of none. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function requestOf(url: URL, target: Target, stream: boolean, content: string): Buffer {
  const body = Buffer.from(JSON.stringify({ model: target.model, stream, messages: [{ role: 'user', content }] }));
  const headers = Object.entries({
    host: url.host,
    'content-type': 'application/json',
    'content-length': String(body.length),
    ...target.headers,
  });
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${url.pathname} HTTP/1.1\r\n${head}\r\n`), body]);
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const CONTENT = Buffer.from('"content":"');
const QUOTE = 0x22;

/** One connection. A request that does not end in status 200 and a whole body, and with a word where it streams, failed. */
class Client {
  readonly #url: URL;
  readonly #stream: boolean;
  #socket: Socket | undefined;
  #rest: Buffer | undefined;
  #done: ((ms: number | undefined) => void) | undefined;
  #began = 0;
  #first = 0;
  /** Body bytes that are to come; -1: in chunks; undefined: the head is to come. */
  #left: number | undefined;
  #ok = false;

  private constructor(url: URL, stream: boolean) {
    this.#url = url;
    this.#stream = stream;
  }

  static async open(url: URL, stream: boolean): Promise<Client> {
    const client = new Client(url, stream);
    await client.again();
    return client;
  }

  /** A new connection. */
  again(): Promise<void> {
    this.close();
    return new Promise((resolve, reject) => {
      const socket = connect(Number(this.#url.port), this.#url.hostname);
      socket.setNoDelay(true);
      this.#socket = socket;
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.on('data', (piece) => this.#take(piece));
      socket.once('close', () => {
        if (this.#socket === socket) this.#end(undefined);
      });
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** Milliseconds; undefined when it failed. */
  ask(request: Buffer): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#rest = undefined;
      this.#left = undefined;
      this.#first = 0;
      if (this.#socket === undefined || this.#socket.destroyed) return this.#end(undefined);
      this.#began = performance.now();
      this.#socket.write(request);
    });
  }

  #end(ms: number | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(ms);
  }

  #take(piece: Buffer): void {
    let all = this.#rest === undefined ? piece : Buffer.concat([this.#rest, piece]);
    this.#rest = undefined;
    if (this.#left === undefined) {
      const end = all.indexOf(HEAD_END);
      if (end < 0) return void (this.#rest = all);
      const head = all.toString('latin1', 0, end);
      this.#ok = head.startsWith('HTTP/1.1 200');
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      this.#left = length === undefined ? -1 : Number(length);
      all = all.subarray(end + HEAD_END.length);
    }
    if (this.#left >= 0) {
      if (all.length >= this.#left) this.#answered();
      else this.#rest = all;
    } else this.#chunks(all);
  }

  #chunks(all: Buffer): void {
    let at = 0;
    for (;;) {
      const line = all.indexOf(LINE_END, at);
      const size = line < 0 ? Number.NaN : Number.parseInt(all.toString('latin1', at, line), 16);
      const next = line + size + 2 * LINE_END.length;
      if (!(next <= all.length)) return void (this.#rest = all.subarray(at));
      if (size === 0) return this.#answered();
      if (this.#first === 0 && this.#stream && hasWord(all, line, next)) this.#first = performance.now();
      at = next;
    }
  }

  #answered(): void {
    const at = this.#stream ? this.#first : performance.now();
    this.#end(this.#ok && at > 0 ? at - this.#began : undefined);
  }
}

/** Whether a piece of a stream says something: the first one often names the role alone. */
function hasWord(bytes: Buffer, from: number, to: number): boolean {
  const at = bytes.indexOf(CONTENT, from);
  return at >= 0 && at < to && bytes[at + CONTENT.length] !== QUOTE;
}
