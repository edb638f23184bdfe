// The models that are configured, each with its provider, its breaker and its place in the provider's queue. Made anew when the
// configuration changes; calls under way keep the pool that they began with.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import {
  Breaker,
  createGeminiProvider,
  createLmProvider,
  createOpenAiProvider,
  lmDirectory,
  type Provider,
  type ChatUsage,
} from '../../providers/index.ts';
import type { GatewayConfig, ModelConfig, ProviderConfig } from './config.ts';
import { Gate } from './_gate.ts';

/** One model that can be called. */
export interface Arm {
  readonly id: string;
  readonly config: ModelConfig;
  readonly provider: Provider;
  readonly breaker: Breaker;
  readonly gate: Gate;
  /** Changes when it is another model in truth: provider, its name there, what it may think. */
  readonly mark: string;
}

export interface PoolOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that paths of the configuration are relative to. */
  readonly folder: string;
  /** Providers by id that are made elsewhere. */
  readonly local?: Readonly<Record<string, Provider>>;
}

/** Headers whose values are taken for secrets. */
const SECRET_HEADER = /auth|key|token|secret|cookie/i;

export class Pool {
  readonly config: GatewayConfig;
  readonly arms: ReadonlyMap<string, Arm>;
  readonly #providers: Provider[];
  readonly #secrets: () => string[];
  #inUse = 0;
  #retired = false;

  constructor(config: GatewayConfig, options: PoolOptions) {
    this.config = config;
    const keys = new Map(config.providers.map((p) => [p.id, keyReader(p, options.env)]));
    const providers = new Map(config.providers.map((p) => [p.id, createProvider(p, keys.get(p.id)!, options)]));
    const gates = new Map(config.providers.map((p) => [p.id, new Gate(p.concurrency, p.queue)]));
    this.#providers = [...providers.values()];
    const written = config.providers.flatMap((p) =>
      Object.entries(p.headers ?? {}).flatMap(([name, value]) => (SECRET_HEADER.test(name) ? [value] : [])),
    );
    this.#secrets = () => [...[...keys.values()].map((read) => read()).filter((key) => key !== undefined), ...written];
    this.arms = new Map(
      config.models
        .filter((model) => model.enabled)
        .map((model) => [
          model.id,
          {
            id: model.id,
            config: model,
            provider: providers.get(model.provider)!,
            breaker: new Breaker(),
            gate: gates.get(model.provider)!,
            mark: markOf(
              model,
              config.providers.find((p) => p.id === model.provider),
            ),
          },
        ]),
    );
  }

  /** Every secret that this pool may send. */
  secrets(): string[] {
    return this.#secrets();
  }

  /** A model by its id, or as `<provider>/<model>`. */
  find(name: string): Arm | undefined {
    const own = this.arms.get(name);
    if (own !== undefined) return own;
    for (const arm of this.arms.values()) {
      if (
        `${arm.config.provider}/${arm.config.model ?? arm.id}` === name ||
        `${arm.config.provider}/${arm.id}` === name
      )
        return arm;
    }
    return undefined;
  }

  /** The dearest model, or the configured reference: what savings are measured against. */
  reference(): Arm | undefined {
    const named = this.config.routing.reference;
    if (named !== undefined) return this.arms.get(named);
    let dearest: Arm | undefined;
    for (const arm of this.arms.values()) {
      if (arm.config.embeddings) continue;
      if (dearest === undefined || listPrice(arm) > listPrice(dearest)) dearest = arm;
    }
    return dearest;
  }

  enter(): void {
    this.#inUse++;
  }

  leave(): void {
    this.#inUse--;
    if (this.#retired && this.#inUse === 0) void this.close();
  }

  /** Closes its connections as soon as the last call is done. */
  retire(): void {
    this.#retired = true;
    if (this.#inUse === 0) void this.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.close()));
  }
}

function markOf(model: ModelConfig, provider: ProviderConfig | undefined): string {
  const what = [model.model ?? model.id, model.thinkingBudget, provider?.kind, provider?.baseUrl, model.provider];
  if (provider?.directory !== undefined) what.push(provider.directory);
  return createHash('sha256').update(JSON.stringify(what)).digest('base64url').slice(0, 12);
}

function listPrice(arm: Arm): number {
  return arm.config.priceIn + 3 * arm.config.priceOut;
}

/** US dollars of a call. Prices are per million tokens; thought tokens are among the completion tokens. */
export function costOf(model: ModelConfig, usage: ChatUsage): number {
  const cached = Math.min(usage.cachedTokens, usage.promptTokens);
  const fresh = usage.promptTokens - cached;
  return (
    (fresh * model.priceIn +
      cached * (model.priceCachedIn ?? model.priceIn) +
      usage.completionTokens * model.priceOut) /
    1e6
  );
}

/** Body fields that make a request fit a model: the provider's name for it, its thinking budget. */
export function bodyFor(arm: Arm, body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const budget = arm.config.thinkingBudget;
  const tokens = budget === 'dynamic' ? -1 : budget === 'off' ? 0 : budget;
  return {
    ...body,
    model: arm.config.model ?? arm.id,
    ...(tokens === undefined || body['thinking_budget'] !== undefined || body['reasoning_effort'] !== undefined
      ? {}
      : thinking(arm, tokens)),
  };
}

function thinking(arm: Arm, tokens: number): Record<string, unknown> {
  if (arm.provider.kind !== 'openai') return { thinking_budget: tokens };
  if (tokens < 0) return {};
  // OpenAI-compatible servers know efforts, not tokens.
  return { reasoning_effort: tokens === 0 ? 'minimal' : tokens <= 1_024 ? 'low' : tokens <= 8_192 ? 'medium' : 'high' };
}

/**
 * Checks that the models of local providers are there.
 * @throws CairnError `bad_config`
 */
export function checkLocalModels(
  config: Pick<GatewayConfig, 'providers' | 'models'>,
  { folder, local }: Pick<PoolOptions, 'folder' | 'local'>,
): void {
  const providers = new Map(config.providers.map((p) => [p.id, p]));
  for (const [i, model] of config.models.entries()) {
    const provider = providers.get(model.provider);
    if (provider?.kind !== 'local' || local?.[provider.id] !== undefined || !model.enabled) continue;
    try {
      lmDirectory(resolve(folder, provider.directory ?? '.'), model.model ?? model.id);
    } catch (error) {
      if (!CairnError.isInstance(error)) throw error;
      const text = `models[${i}] (${model.id}).model: ${error.message}`;
      throw new CairnError('bad_config', text, error.hint === undefined ? {} : { hint: error.hint });
    }
  }
}

function createProvider(config: ProviderConfig, apiKey: () => string | undefined, options: PoolOptions): Provider {
  const made = options.local?.[config.id];
  if (made !== undefined) return made;
  if (config.kind === 'local') {
    return createLmProvider({ id: config.id, directory: resolve(options.folder, config.directory ?? '.') });
  }
  const common = {
    id: config.id,
    baseUrl: config.baseUrl!,
    apiKey,
    ...(config.headers === undefined ? {} : { headers: config.headers }),
    ...(config.timeouts === undefined ? {} : { timeouts: defined(config.timeouts) }),
  };
  return config.kind === 'gemini' ? createGeminiProvider(common) : createOpenAiProvider(common);
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** Reads a provider's key from its variable or its file (again when the file changes). */
function keyReader(config: ProviderConfig, env: PoolOptions['env']): () => string | undefined {
  if (config.apiKeyEnv !== undefined) {
    const variable = config.apiKeyEnv;
    return () => env[variable];
  }
  if (config.apiKeyFile === undefined) return () => undefined;
  const path = config.apiKeyFile;
  if (!existsSync(path)) {
    throw new CairnError('bad_config', `Expected a key file for provider ${config.id}, got none at ${path}.`, {
      hint: 'Write the key into it and make it readable by you alone: chmod 600.',
    });
  }
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new CairnError(
      'bad_config',
      `Expected the key file of provider ${config.id} to be readable by its owner alone, got one that others can read.`,
      {
        hint: `chmod 600 ${path}`,
      },
    );
  }
  let seen = { mtime: -1, key: '' };
  return () => {
    const { mtimeMs } = statSync(path);
    if (mtimeMs !== seen.mtime) seen = { mtime: mtimeMs, key: readFileSync(path, 'utf8').trim() };
    return seen.key;
  };
}
