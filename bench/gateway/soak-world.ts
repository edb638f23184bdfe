// The world of the soak: three played upstreams that go wrong at random, vanish and return, and keep their own books of every answer
// that they gave whole. An answer follows from the number in its question, so that lost, doubled or mixed text shows.
import { createMockUpstream, type Fault, type MockUpstream } from 'cairn/providers';
import type { Rng } from 'cairn/tensor';

/** What the upstreams say about one question. */
export interface Served {
  /** Whole answers that were sent. */
  answers: number;
  /** Their tokens, prompt and completion. */
  tokens: number;
}

const UPSTREAMS = { one: ['a', 'b'], two: ['c'], three: ['d'] } as const;
export type UpstreamName = keyof typeof UPSTREAMS;
export const UPSTREAM_NAMES = Object.keys(UPSTREAMS) as UpstreamName[];

export function questionOf(id: number): string {
  return `Question #${id}: which way?`;
}

export function answerOf(id: number): string {
  return Array.from({ length: 4 + (id % 23) }, (_, i) => `way-${id}-${i}`).join(' ');
}

export class World {
  readonly #rng: Rng;
  readonly #mocks = new Map<UpstreamName, MockUpstream>();
  readonly #ports = new Map<UpstreamName, number>();
  /** Until when everything is over its rate limit. */
  #stormUntil = 0;
  readonly served = new Map<number, Served>();
  /** Faults that were played, by kind. */
  readonly faults = new Map<string, number>();

  private constructor(rng: Rng) {
    this.#rng = rng;
  }

  static async open(rng: Rng): Promise<World> {
    const world = new World(rng);
    for (const name of UPSTREAM_NAMES) await world.start(name);
    return world;
  }

  /** Starts an upstream where it was before. */
  async start(name: UpstreamName): Promise<void> {
    const mock = await createMockUpstream({
      models: Object.fromEntries(
        UPSTREAMS[name].map((model, i) => [
          model,
          { delayMs: 1 + 3 * i, pieceMs: i, answer: (ask: string) => answerOf(idOf(ask)) },
        ]),
      ),
      ...(this.#ports.has(name) ? { port: this.#ports.get(name)! } : {}),
      fault: () => this.#fault(),
      onServed: ({ ask, promptTokens, completionTokens }) => {
        const id = idOf(ask);
        const known = this.served.get(id) ?? { answers: 0, tokens: 0 };
        known.answers++;
        known.tokens += promptTokens + completionTokens;
        this.served.set(id, known);
      },
    });
    this.#ports.set(name, mock.port);
    this.#mocks.set(name, mock);
  }

  /** Breaks every connection of an upstream and refuses new ones. */
  async stop(name: UpstreamName): Promise<void> {
    const mock = this.#mocks.get(name);
    this.#mocks.delete(name);
    await mock?.close();
  }

  isUp(name: UpstreamName): boolean {
    return this.#mocks.has(name);
  }

  storm(ms: number): void {
    this.#stormUntil = performance.now() + ms;
  }

  async close(): Promise<void> {
    for (const name of UPSTREAM_NAMES) await this.stop(name);
  }

  /** A configuration with these upstreams; `variant` changes what may change while requests are under way. */
  configuration(variant: number): object {
    const base = (name: UpstreamName): string => `http://127.0.0.1:${this.#ports.get(name)}`;
    const timeouts = { connect: 300, firstByte: 400, idle: 400, total: 5_000 };
    const month = { scope: 'server', window: 'month', limit: 1e12 };
    return {
      providers: [
        { id: 'one', kind: 'openai', baseUrl: `${base('one')}/v1`, timeouts, concurrency: 8 + (variant % 3) },
        { id: 'two', kind: 'openai', baseUrl: `${base('two')}/v1`, timeouts },
        { id: 'three', kind: 'gemini', baseUrl: base('three'), timeouts },
      ],
      models: [
        { id: 'a', provider: 'one', priceIn: 2, priceOut: 8 },
        { id: 'b', provider: 'one', priceIn: 1, priceOut: 4 },
        { id: 'c', provider: 'two', priceIn: 0.5, priceOut: 2 },
        { id: 'd', provider: 'three', priceIn: 0.25, priceOut: 1 },
      ],
      aliases: variant % 2 === 0 ? { changing: 'b' } : { changing: 'c' },
      routing: { reference: variant % 4 < 2 ? 'a' : 'c' },
      fallback: { retries: 1 + (variant % 2), maxCostRatio: 1_000 },
      budgets: [
        { ...month, unit: 'usd' },
        { ...month, unit: 'tokens' },
        { ...month, unit: 'requests' },
      ],
    };
  }

  #fault(): Fault | undefined {
    const rng = this.#rng;
    const fault = performance.now() < this.#stormUntil && rng.bernoulli(0.8) ? LIMITED : this.#rare();
    if (fault !== undefined) this.faults.set(fault.kind, (this.faults.get(fault.kind) ?? 0) + 1);
    return fault;
  }

  #rare(): Fault | undefined {
    const rng = this.#rng;
    if (!rng.bernoulli(0.12)) return undefined;
    const kinds: readonly Fault[] = [
      LIMITED,
      { kind: 'status', status: 503 },
      { kind: 'status', status: 500, body: '<html>no JSON</html>' },
      { kind: 'reset' },
      { kind: 'cut', after: rng.integer(8) },
      { kind: 'cut', after: 3 },
      { kind: 'stall' },
      { kind: 'error-inside' },
      { kind: 'html' },
      { kind: 'no-done' },
    ];
    return kinds[rng.integer(kinds.length)];
  }
}

const LIMITED: Fault = { kind: 'status', status: 429, retryAfter: 0 };

function idOf(ask: string): number {
  return Number(/#(\d+)/.exec(ask)?.[1] ?? -1);
}
