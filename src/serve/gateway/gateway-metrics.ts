// Counts of the gateway for /metrics: by model, outcome and reason; money; time of our own. Counters only grow.
import type { FalseHitsState } from './answers/index.ts';
import type { DecisionRecord } from './explain.ts';

const BUCKETS_MS = [0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1_000];

/** What one client key did since the start. */
export interface KeyCounts {
  requests: number;
  failed: number;
  usd: number;
  savedUsd: number;
  inTokens: number;
  outTokens: number;
  cached: number;
}

export class GatewayMetrics {
  readonly requests = new Map<string, number>();
  readonly attempts = new Map<string, number>();
  readonly usd = new Map<string, number>();
  readonly tokens = new Map<string, number>();
  readonly cache = new Map<string, number>();
  /** By client key; '' is this machine. */
  readonly keys = new Map<string, KeyCounts>();
  readonly embeddings = new Map<string, number>();
  readonly embeddingTokens = new Map<string, number>();
  cacheSavedUsd = 0;
  savedUsd = 0;
  fallbacks = 0;
  readonly overhead = { buckets: BUCKETS_MS.map(() => 0), sum: 0, count: 0 };

  decided(record: DecisionRecord): void {
    add(this.requests, JSON.stringify([record.model, String(record.status), record.by]), 1);
    for (const attempt of record.attempts) add(this.attempts, JSON.stringify([attempt.arm, attempt.outcome]), 1);
    if (record.costUsd !== undefined) add(this.usd, record.model, record.costUsd);
    add(this.tokens, JSON.stringify([record.model, 'in']), record.promptTokens ?? 0);
    add(this.tokens, JSON.stringify([record.model, 'out']), record.completionTokens ?? 0);
    this.savedUsd += Math.max(0, record.savedUsd ?? 0);
    this.#ofKey(record);
    if (record.cache !== undefined) {
      add(this.cache, record.cache.result, 1);
      this.cacheSavedUsd += record.cache.savedUsd ?? 0;
    }
    if (record.fellBack) this.fallbacks++;
    this.overhead.sum += record.overheadMs;
    this.overhead.count++;
    BUCKETS_MS.forEach((most, i) => {
      if (record.overheadMs <= most) this.overhead.buckets[i]!++;
    });
  }

  #ofKey(record: DecisionRecord): void {
    const counts = this.#counts(record.key);
    counts.requests++;
    if (record.status !== 200) counts.failed++;
    counts.usd += record.costUsd ?? 0;
    counts.savedUsd += Math.max(0, record.savedUsd ?? 0);
    counts.inTokens += record.promptTokens ?? 0;
    counts.outTokens += record.completionTokens ?? 0;
    if (record.by === 'cache') counts.cached++;
  }

  #counts(key = ''): KeyCounts {
    let counts = this.keys.get(key);
    if (counts === undefined) {
      counts = { requests: 0, failed: 0, usd: 0, savedUsd: 0, inTokens: 0, outTokens: 0, cached: 0 };
      this.keys.set(key, counts);
    }
    return counts;
  }

  /** A request for vectors. */
  embedded(request: {
    readonly model: string;
    readonly status: number;
    readonly key: string | undefined;
    readonly tokens: number;
    readonly usd: number;
  }): void {
    const { model, status, tokens, usd } = request;
    add(this.embeddings, JSON.stringify([model, String(status)]), 1);
    if (tokens > 0) add(this.embeddingTokens, model, tokens);
    if (usd > 0) add(this.usd, model, usd);
    const counts = this.#counts(request.key);
    counts.requests++;
    if (status !== 200) counts.failed++;
    counts.usd += usd;
    counts.inTokens += tokens;
  }

  /** Money that was spent beside an answer: vectors of asks, profiles of models. */
  spent(model: string, usd: number, key?: string): void {
    add(this.usd, model, usd);
    if (key !== undefined) this.#counts(key).usd += usd;
  }

  /** Sums since the start, for people. */
  totals(): {
    readonly requests: number;
    readonly failed: number;
    readonly fallbacks: number;
    readonly usd: number;
    readonly savedUsd: number;
    readonly overheadMs: number;
    readonly models: readonly { readonly model: string; readonly requests: number; readonly usd: number }[];
    readonly cache: { readonly hits: number; readonly savedUsd: number };
    readonly keys: readonly (KeyCounts & { readonly key: string })[];
  } {
    const models = new Map<string, number>();
    let requests = 0;
    let failed = 0;
    for (const [key, count] of this.requests) {
      const [model, status] = JSON.parse(key) as [string, string];
      requests += count;
      if (status === '200') add(models, model, count);
      else failed += count;
    }
    return {
      requests,
      failed,
      fallbacks: this.fallbacks,
      usd: [...this.usd.values()].reduce((sum, v) => sum + v, 0),
      savedUsd: this.savedUsd,
      overheadMs: this.overhead.count === 0 ? 0 : this.overhead.sum / this.overhead.count,
      cache: {
        hits: (this.cache.get('exact') ?? 0) + (this.cache.get('alike') ?? 0),
        savedUsd: this.cacheSavedUsd,
      },
      keys: [...this.keys].map(([key, counts]) => ({ key, ...counts })),
      models: [...models].map(([model, count]) => ({ model, requests: count, usd: this.usd.get(model) ?? 0 })),
    };
  }

  /** In Prometheus' text format. */
  toText(): string {
    const lines: string[] = [];
    const family = (name: string, type: string, help: string, samples: readonly string[]): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples);
    };
    const pairs = (map: ReadonlyMap<string, number>, name: string, labels: readonly string[]): string[] =>
      [...map].map(([key, value]) => {
        const values = labels.length === 1 ? [key] : (JSON.parse(key) as string[]);
        return `${name}{${labels.map((label, i) => `${label}="${escape(values[i]!)}"`).join(',')}} ${value}`;
      });
    family(
      'cairn_gateway_requests_total',
      'counter',
      'Answered and refused requests.',
      pairs(this.requests, 'cairn_gateway_requests_total', ['model', 'status', 'by']),
    );
    family(
      'cairn_gateway_attempts_total',
      'counter',
      'Calls to upstream models by outcome.',
      pairs(this.attempts, 'cairn_gateway_attempts_total', ['model', 'outcome']),
    );
    family(
      'cairn_gateway_usd_total',
      'counter',
      'US dollars spent by model.',
      pairs(this.usd, 'cairn_gateway_usd_total', ['model']),
    );
    family(
      'cairn_gateway_tokens_total',
      'counter',
      'Tokens by model and direction.',
      pairs(this.tokens, 'cairn_gateway_tokens_total', ['model', 'direction']),
    );
    family(
      'cairn_gateway_embeddings_total',
      'counter',
      'Requests for vectors by model and status.',
      pairs(this.embeddings, 'cairn_gateway_embeddings_total', ['model', 'status']),
    );
    family(
      'cairn_gateway_embedding_tokens_total',
      'counter',
      'Estimated input tokens of vectors by model.',
      pairs(this.embeddingTokens, 'cairn_gateway_embedding_tokens_total', ['model']),
    );
    family(
      'cairn_gateway_saved_usd_total',
      'counter',
      'US dollars saved against the reference model at the same tokens.',
      [`cairn_gateway_saved_usd_total ${this.savedUsd}`],
    );
    family(
      'cairn_gateway_cache_total',
      'counter',
      'Requests by what became of them among the kept answers.',
      pairs(this.cache, 'cairn_gateway_cache_total', ['result']),
    );
    family('cairn_gateway_cache_saved_usd_total', 'counter', 'US dollars that answers given again had cost.', [
      `cairn_gateway_cache_saved_usd_total ${this.cacheSavedUsd}`,
    ]);
    for (const [name, help, field] of KEY_FAMILIES) {
      family(
        name,
        'counter',
        help,
        [...this.keys].map(([key, counts]) => `${name}{key="${escape(key)}"} ${counts[field]}`),
      );
    }
    family('cairn_gateway_fallbacks_total', 'counter', 'Requests that another model than the chosen one answered.', [
      `cairn_gateway_fallbacks_total ${this.fallbacks}`,
    ]);
    const { buckets, sum, count } = this.overhead;
    family('cairn_gateway_overhead_ms', 'histogram', 'Milliseconds of a request that were not spent upstream.', [
      ...BUCKETS_MS.map((most, i) => `cairn_gateway_overhead_ms_bucket{le="${most}"} ${buckets[i]}`),
      `cairn_gateway_overhead_ms_bucket{le="+Inf"} ${count}`,
      `cairn_gateway_overhead_ms_sum ${sum}`,
      `cairn_gateway_overhead_ms_count ${count}`,
    ]);
    return `${lines.join('\n')}\n`;
  }
}

const KEY_FAMILIES = [
  ['cairn_gateway_key_requests_total', 'Requests by client key; "" is this machine.', 'requests'],
  ['cairn_gateway_key_failed_total', 'Requests by client key that were not answered.', 'failed'],
  ['cairn_gateway_key_usd_total', 'US dollars spent by client key.', 'usd'],
  ['cairn_gateway_key_saved_usd_total', 'US dollars saved by client key, against the reference model.', 'savedUsd'],
  ['cairn_gateway_key_cached_total', 'Requests by client key that a kept answer answered.', 'cached'],
] as const satisfies readonly (readonly [string, string, keyof KeyCounts])[];

/** Rate of false hits of answers by likeness, in Prometheus' text format. */
export function falseHitsText(state: FalseHitsState | undefined): string {
  if (state === undefined) return '';
  const gauge = (name: string, help: string, value: number): string =>
    `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
  return [
    gauge(
      'cairn_gateway_alike_serving',
      '1 while answers by likeness are given.',
      state.threshold === undefined ? 0 : 1,
    ),
    gauge('cairn_gateway_alike_checks', 'Checks that count.', state.checks),
    gauge('cairn_gateway_alike_false_rate', 'Share of the checks that disagreed.', state.rate),
    gauge('cairn_gateway_alike_false_rate_high', 'Upper bound of the rate of false hits.', state.interval[1]),
    gauge('cairn_gateway_alike_false_rate_limit', 'Largest allowed rate.', state.limit),
  ].join('');
}

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

function escape(text: string): string {
  return text.replace(/[\\"\n]/g, '_');
}
