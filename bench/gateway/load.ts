// A closed loop of clients over kept-alive connections: each sends its next request when the last is answered. Measures whole
// answers and the time to the first content of streams.
import { Agent, request as httpRequest } from 'node:http';

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
  /** Milliseconds, sorted: to the whole answer, or to the first content of a stream. */
  readonly times: Float64Array;
}

export async function load(target: Target, options: LoadOptions): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  const url = new URL(`${target.url}/chat/completions`);
  const bodies = options.prompts.map((content) =>
    Buffer.from(JSON.stringify({ model: target.model, stream: options.stream, messages: [{ role: 'user', content }] })),
  );
  const times: number[] = [];
  let failed = 0;
  let sent = 0;
  const began = performance.now();
  const end = began + options.seconds * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < end && sent < (options.most ?? Infinity)) {
      const body = bodies[sent++ % bodies.length]!;
      const { ok, ms } = await once(agent, url, body, target.headers ?? {}, options.stream);
      if (ok) times.push(ms);
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  return { requests: times.length, failed, perSecond: times.length / seconds, times: Float64Array.from(times).sort() };
}

function once(
  agent: Agent,
  url: URL,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  stream: boolean,
): Promise<{ ok: boolean; ms: number }> {
  return new Promise((resolve) => {
    const began = performance.now();
    let first = 0;
    const request = httpRequest(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': body.length, ...headers },
      },
      (response) => {
        response.on('data', () => (first ||= performance.now()));
        response.on('end', () => {
          const at = stream ? first : performance.now();
          resolve({ ok: response.statusCode === 200, ms: at - began });
        });
        response.on('error', () => resolve({ ok: false, ms: 0 }));
      },
    );
    request.on('error', () => resolve({ ok: false, ms: 0 }));
    request.end(body);
  });
}

/** A quantile of sorted values; NaN of none. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
