// The gateway's configuration: one JSON file, validated as a whole before any of it is used. Every fault names its place.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CairnError } from '../../errors.ts';
import { kindOfHost } from './address.ts';

const name = z
  .string()
  .min(1)
  .max(120)
  .regex(/^[\w.:@+-]+(\/[\w.:@+-]+)*$/, 'Expected letters, digits and . : _ - / @ +');
const price = z.number().nonnegative().finite();
const milliseconds = z.number().int().min(1).max(3_600_000);

const timeouts = z
  .object({ connect: milliseconds, firstByte: milliseconds, idle: milliseconds, total: milliseconds })
  .partial()
  .strict();

const provider = z
  .object({
    id: name,
    kind: z.enum(['openai', 'gemini', 'local']),
    /** OpenAI-compatible: up to and including /v1. Gemini: the host. */
    baseUrl: z.string().optional(),
    /** Local: folder of the directories of language models that `cairn train` made, from that of this file (default: the same). */
    directory: z.string().min(1).optional(),
    /** Name of the environment variable that holds the key. */
    apiKeyEnv: z.string().min(1).optional(),
    /** File that holds the key; readable by its owner only. */
    apiKeyFile: z.string().min(1).optional(),
    headers: z.record(z.string().regex(/^[\w-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).optional(),
    timeouts: timeouts.optional(),
    /** Calls at the same time; more wait in a queue. */
    concurrency: z.number().int().min(1).max(10_000).default(256),
    queue: z.number().int().min(0).max(100_000).default(1_024),
    /** Addresses inside this machine or network are refused unless this is true. Loopback is always allowed. */
    allowPrivate: z.boolean().default(false),
  })
  .strict();

const model = z
  .object({
    /** How clients name it; also `<provider>/<model>`. */
    id: name,
    provider: name,
    /** The provider's own name for it; local: its directory. Default: the id. */
    model: z.string().min(1).optional(),
    priceIn: price.default(0),
    priceOut: price.default(0),
    priceCachedIn: price.optional(),
    contextTokens: z.number().int().positive().optional(),
    maxOutputTokens: z.number().int().positive().optional(),
    modalities: z.array(z.enum(['text', 'image', 'audio', 'video'])).default(['text']),
    tools: z.boolean().default(true),
    /** Tokens it may think; 'dynamic': as it likes, 'off': none. */
    thinkingBudget: z.union([z.number().int().nonnegative(), z.enum(['dynamic', 'off'])]).optional(),
    /** Model of the evaluation table that this arm is. Default: the id. */
    profile: z.string().optional(),
    embeddings: z.boolean().default(false),
    enabled: z.boolean().default(true),
  })
  .strict();

const policy = z
  .object({
    /** 0: cheapest, 1: best. */
    quality: z.number().min(0).max(1).optional(),
    lambda: z.number().nonnegative().optional(),
    maxErrorIncrease: z.number().min(0).max(1).optional(),
    budgetPerRequest: price.optional(),
    allow: z.array(name).optional(),
    deny: z.array(name).optional(),
  })
  .strict();

const budget = z
  .object({
    scope: z.enum(['server', 'key', 'session']),
    /** For scope key: the name of one key. Default: each key by itself. */
    key: z.string().optional(),
    unit: z.enum(['usd', 'tokens', 'requests']),
    window: z.enum(['minute', 'hour', 'day', 'month']),
    limit: z.number().positive().finite(),
    onBudget: z.enum(['refuse', 'degrade']).default('refuse'),
  })
  .strict();

const feedback = z
  .object({
    /** Who decides how much outcomes may move the choice: the labelled prompts, verified outcomes, any outcome; off: nothing is learned. */
    judge: z.enum(['replay', 'verified', 'outcomes', 'off']).default('replay'),
    /** Disagreements after which one counts a factor e less. */
    memory: z.number().int().min(2).max(1_000_000).default(512),
    /** Share of disagreements decided by chance; `replay` needs none. */
    exploration: z.number().min(0.001).max(1).default(0.1),
  })
  .strict();
const MIB = 1024 * 1024;
const semantic = z
  .object({
    enabled: z.boolean().default(false),
    /** What likeness is measured on: 'router', the fitted router's own features, or the id of a model with embeddings. */
    features: z.union([z.literal('router'), name]).default('router'),
    /** Cosine below which nothing is a candidate. */
    floor: z.number().min(0.5).max(0.999).default(0.9),
    /** Largest rate of false answers: with a bound above it no answers are given. */
    maxFalseHits: z.number().min(0.001).max(0.5).default(0.02),
    confidence: z.number().min(0.5).max(0.999).default(0.95),
    /** Share of answers at hand that are fetched anew all the same, to compare. */
    checks: z.number().min(0.001).max(1).default(0.05),
    /** Share of their words in which two answers agree, from which they count as the same. */
    agreement: z.number().min(0.5).max(1).default(0.8),
  })
  .strict();
const SEMANTIC = semantic.parse({});
const cache = z
  .object({
    /** Give the answer of the same request again. */
    exact: z.boolean().default(false),
    semantic: semantic.default(SEMANTIC),
    ttlSeconds: z.number().int().min(1).max(31_536_000).default(86_400),
    maxEntries: z.number().int().min(1).max(1_000_000).default(10_000),
    maxBytes: z
      .number()
      .int()
      .min(1_024)
      .max(16_384 * MIB)
      .default(256 * MIB),
    maxAnswerBytes: z
      .number()
      .int()
      .min(256)
      .max(16 * MIB)
      .default(256 * 1024),
    /** Also requests that set neither temperature 0 nor a seed. */
    anyTemperature: z.boolean().default(false),
    /** Also answers that call tools. */
    toolCalls: z.boolean().default(false),
    /** One set of answers for all client keys. */
    shared: z.boolean().default(false),
  })
  .strict();
const FEEDBACK = { judge: 'replay', memory: 512, exploration: 0.1 } as const;

export const gatewayConfig = z
  .object({
    $schema: z.string().optional(),
    providers: z.array(provider).default([]),
    models: z.array(model).default([]),
    /** Names that clients use for something of ours, for example { "gpt-4o": "cairn/auto" }. */
    aliases: z.record(z.string(), z.string()).default({}),
    routing: z
      .object({
        /** Folder of a fitted router (`cairn route fit`). */
        router: z.string().optional(),
        /** Folder of the table it was fitted from: its prompts are what new models are profiled on. */
        table: z.string().optional(),
        /** Profiles that are estimated dearer, in US dollars, need a word. */
        profileLimitUsd: price.default(1),
        default: policy.default({}),
        policies: z.record(name, policy).default({}),
        /** The model that is taken when nothing is fitted, and the one savings are measured against. Default: the dearest. */
        reference: name.optional(),
        stickiness: z
          .object({
            enabled: z.boolean().default(true),
            /** Error that a better arm must save before a conversation moves. */
            margin: z.number().min(0).max(1).default(0.02),
            remainingTurns: z.number().min(1).max(100).default(3),
            warmMs: z.number().int().positive().default(300_000),
          })
          .strict()
          .default({ enabled: true, margin: 0.02, remainingTurns: 3, warmMs: 300_000 }),
        feedback: feedback.default(FEEDBACK),
      })
      .strict()
      .default({
        default: {},
        policies: {},
        profileLimitUsd: 1,
        stickiness: { enabled: true, margin: 0.02, remainingTurns: 3, warmMs: 300_000 },
        feedback: FEEDBACK,
      }),
    fallback: z
      .object({
        maxArms: z.number().int().min(1).max(10).default(3),
        retries: z.number().int().min(0).max(10).default(2),
        /** A fallback may cost so many times what was chosen. */
        maxCostRatio: z.number().min(1).default(3),
      })
      .strict()
      .default({ maxArms: 3, retries: 2, maxCostRatio: 3 }),
    budgets: z.array(budget).default([]),
    cache: cache.default(cache.parse({})),
    responses: z
      .object({
        /** How long responses of /v1/responses are kept, with their text, for requests that go on from them. 0: not at all. */
        keepSeconds: z.number().int().min(0).max(31_536_000).default(0),
      })
      .strict()
      .default({ keepSeconds: 0 }),
    /** Whether links to pictures may name addresses inside this machine or network, which an upstream there would fetch. */
    allowPrivateLinks: z.boolean().default(false),
    maxBodyBytes: z
      .number()
      .int()
      .min(1_024)
      .max(256 * 1024 * 1024)
      .default(32 * 1024 * 1024),
  })
  .strict();

export type GatewayConfig = z.infer<typeof gatewayConfig>;
export type ProviderConfig = GatewayConfig['providers'][number];
export type ModelConfig = GatewayConfig['models'][number];
export type PolicyConfig = z.infer<typeof policy>;
export type FeedbackConfig = z.infer<typeof feedback>;
export type CacheConfig = GatewayConfig['cache'];
export type BudgetConfig = GatewayConfig['budgets'][number];

/** The empty configuration: no upstream models. */
export const EMPTY_CONFIG: GatewayConfig = gatewayConfig.parse({});

/**
 * Validates a configuration.
 * @throws CairnError `bad_config` that names every faulty place
 */
export function parseConfig(value: unknown): GatewayConfig {
  const parsed = gatewayConfig.safeParse(value);
  if (!parsed.success) {
    throw badConfig(parsed.error.issues.slice(0, 10).map((issue) => `${placeOf(issue.path)}: ${issue.message}`));
  }
  const faults = [...crossChecks(parsed.data)];
  if (faults.length > 0) throw badConfig(faults.slice(0, 10));
  return parsed.data;
}

/** Reads and validates a file. @throws CairnError `no_config`, `bad_config` */
export function readConfig(path: string): GatewayConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CairnError('no_config', `Expected a configuration file at ${path}, got none that can be read.`, {
      hint: 'Check the path given with --config.',
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badConfig([`${path}: ${(cause as Error).message}`]);
  }
  return parseConfig(value);
}

/** The schema for editors, as JSON Schema. */
export function configSchema(): object {
  return z.toJSONSchema(gatewayConfig, { io: 'input' });
}

function* crossChecks(config: GatewayConfig): Generator<string> {
  const providers = new Map(config.providers.map((p) => [p.id, p]));
  yield* repeated(
    'providers',
    config.providers.map((p) => p.id),
  );
  yield* repeated(
    'models',
    config.models.map((m) => m.id),
  );
  for (const [i, p] of config.providers.entries()) {
    const at = `providers[${i}] (${p.id})`;
    if (p.kind === 'local') {
      if (p.baseUrl !== undefined) yield `${at}.baseUrl: Expected none for a local provider, got "${p.baseUrl}".`;
      continue;
    }
    if (p.directory !== undefined) yield `${at}.directory: Expected it for a provider of kind "local" alone.`;
    if (p.baseUrl === undefined) yield `${at}.baseUrl: Expected an address, got none.`;
    else {
      const fault = addressFault(p.baseUrl, p.allowPrivate);
      if (fault !== undefined) yield `${at}.baseUrl: ${fault}`;
    }
    if (p.apiKeyEnv !== undefined && p.apiKeyFile !== undefined)
      yield `${at}: Expected apiKeyEnv or apiKeyFile, got both.`;
  }
  const models = new Set(config.models.map((m) => m.id));
  for (const [i, m] of config.models.entries()) {
    if (!providers.has(m.provider))
      yield `models[${i}] (${m.id}).provider: Expected a configured provider, got "${m.provider}".`;
    if (m.id.startsWith('cairn/')) yield `models[${i}].id: Names that begin with cairn/ are Cairn's own.`;
  }
  const { reference } = config.routing;
  if (reference !== undefined && !models.has(reference))
    yield `routing.reference: Expected a configured model, got "${reference}".`;
  const { features } = config.cache.semantic;
  if (features !== 'router' && !config.models.some((m) => m.id === features && m.embeddings))
    yield `cache.semantic.features: Expected "router" or a model with embeddings, got "${features}".`;
  for (const [alias, target] of Object.entries(config.aliases)) {
    const auto = target === 'cairn/auto' || target.startsWith('cairn/auto:');
    if (!auto && !models.has(target))
      yield `aliases.${alias}: Expected a configured model or cairn/auto, got "${target}".`;
    if (target.startsWith('cairn/auto:') && !(target.slice(11) in config.routing.policies)) {
      yield `aliases.${alias}: Expected a policy of routing.policies, got "${target.slice(11)}".`;
    }
  }
}

function* repeated(what: string, ids: readonly string[]): Generator<string> {
  const seen = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) yield `${what}: Expected different ids, got "${id}" twice.`;
    seen.add(id);
  }
}

/** Why an upstream address is refused; undefined when it is fine. Names are not resolved here. */
export function addressFault(address: string, allowPrivate: boolean): string | undefined {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return 'Expected an address like https://host/v1.';
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `Expected http or https, got ${url.protocol}`;
  if (url.username !== '' || url.password !== '') return 'Expected no password inside the address. Use apiKeyEnv.';
  const kind = kindOfHost(url);
  if (kind === 'metadata') return 'Expected an upstream, got an address of the machine’s own metadata service.';
  if (kind === 'private' && !allowPrivate)
    return 'Expected a public address, got one of a private network. Set allowPrivate to true if it is meant.';
  if (url.protocol === 'http:' && kind === 'public')
    return 'Expected https for an address outside this machine, got http.';
  return undefined;
}

function placeOf(path: readonly PropertyKey[]): string {
  return (
    path.reduce<string>(
      (text, key) =>
        typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
      '',
    ) || 'the file'
  );
}

function badConfig(faults: readonly string[]): CairnError {
  return new CairnError(
    'bad_config',
    `Expected a valid configuration, got ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}: ${faults.join('; ')}`,
    {
      hint: 'Mend the file; the configuration before it stays in use.',
      details: { faults },
    },
  );
}
