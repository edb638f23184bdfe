// The gateway as one object: configuration that can change while it runs, the pool, the fitted router, keys, budgets, sessions
// and the log of decisions. HTTP is in http.ts; what happens to one chat request is in chat.ts.
import { unwatchFile, watchFile } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { createRedactor, type Provider, redactJson } from '../../providers/index.ts';
import {
  type ArmRecord,
  loadRouter,
  type OnlineRouter,
  type PromptRouter,
  type PromptTable,
  readTable,
} from '../../route/index.ts';
import { type GatewayFile, openDatabase } from './_database.ts';
import { Answers, openAnswerTable } from './answers/index.ts';
import { Additions, ADDITIONS } from './additions.ts';
import {
  type ConfigFileView,
  NO_FILE,
  textOf,
  unmask,
  versionOf,
  viewConfigFile,
  writeConfigFile,
} from './config-file.ts';
import { EMPTY_CONFIG, type GatewayConfig, type ModelConfig, parseConfig, readConfig } from './config.ts';
import { DecisionLog } from './decision-log.ts';
import type { DecisionRecord } from './explain.ts';
import { ClientKeys } from './keys.ts';
import { Ledger } from './ledger.ts';
import { Learning, OUTCOMES } from './learning.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { checkLocalModels, Pool, type PoolOptions } from './pool.ts';
import { Profiles } from './profiles.ts';
import { joinPool, type PromptPool } from './prompt-pool.ts';
import { openResponseTable, type ResponseTable } from './responses/response-table.ts';
import { Sessions } from './sessions.ts';
import { type GatewayState, type KeptChange, openSqliteState } from './state.ts';
import { openStateThread } from './state-thread.ts';

export interface GatewayOptions {
  /** A configuration file; watched, and taken over when it changes and is valid. */
  readonly configPath?: string;
  /** The file need not be there yet. */
  readonly configOptional?: boolean;
  /** A configuration that is there already. */
  readonly config?: unknown;
  /** State file. Default ':memory:'. */
  readonly statePath?: string;
  readonly state?: GatewayState;
  /** File of the answers that are kept on this machine. Default: the state file. */
  readonly answersPath?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Providers by id that are made elsewhere, in place of what the configuration says of them. */
  readonly local?: Readonly<Record<string, Provider>>;
  readonly now?: () => number;
  readonly uniform?: () => number;
  /** Hears what went wrong and what changed; texts hold no secret. */
  readonly log?: (line: string) => void;
}

/** What one request sees: it keeps this, whatever changes meanwhile. */
export interface Current {
  readonly pool: Pool;
  readonly prompts: PromptPool | undefined;
  /** Learns from outcomes on top of the fitted router. */
  readonly online: OnlineRouter | undefined;
}

export class Gateway {
  readonly state: GatewayState;
  readonly keys: ClientKeys;
  readonly ledger: Ledger;
  readonly learning: Learning;
  readonly answers: Answers;
  readonly responses: ResponseTable;
  readonly profiles: Profiles = new Profiles(this);
  readonly #additions: Additions;
  #file: GatewayConfig = EMPTY_CONFIG;
  #version = NO_FILE;
  readonly sessions = new Sessions();
  readonly metrics = new GatewayMetrics();
  readonly now: () => number;
  readonly uniform: () => number;
  readonly log: (line: string) => void;
  readonly redact: (text: string) => string;
  readonly #options: GatewayOptions;
  readonly #listeners = new Set<(record: DecisionRecord) => void>();
  #current: Current;
  #fitted: { readonly path: string; readonly router: PromptRouter } | undefined;
  readonly #decisions: DecisionLog;
  /** What is kept on this machine: answers and responses. */
  readonly #kept: GatewayFile;
  #closing: Promise<void> | undefined;
  readonly #changedConfig = (): void => void this.reload();

  private constructor(
    options: GatewayOptions,
    state: GatewayState,
    learning: Learning,
    additions: Additions,
    answers: Answers,
    responses: ResponseTable,
    kept: GatewayFile,
  ) {
    this.#options = options;
    this.state = state;
    this.learning = learning;
    this.#additions = additions;
    this.answers = answers;
    this.responses = responses;
    this.#kept = kept;
    this.now = options.now ?? Date.now;
    this.uniform = options.uniform ?? Math.random;
    this.keys = new ClientKeys(state, this.now);
    this.ledger = new Ledger(state, this.now);
    this.#current = { pool: new Pool(EMPTY_CONFIG, this.#poolOptions()), prompts: undefined, online: undefined };
    const redact = createRedactor(() => this.#current.pool.secrets());
    this.redact = redact;
    this.log = (line) => options.log?.(redact(line));
    this.#decisions = new DecisionLog(state, this.log);
  }

  /** @throws CairnError `no_config`, `bad_config`, `state_unavailable` and those of a router that cannot be read */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const state = options.state ?? openState(options.statePath);
    let kept: GatewayFile | undefined;
    let gateway: Gateway;
    try {
      kept = openDatabase(options.answersPath ?? options.statePath ?? ':memory:', '');
      // Its texts name no secret and no prompt.
      gateway = new Gateway(
        options,
        state,
        await Learning.open(state, (line) => options.log?.(line)),
        await Additions.open(state),
        await Answers.open({
          table: openAnswerTable(kept),
          now: options.now ?? Date.now,
          uniform: options.uniform ?? Math.random,
          log: (line) => options.log?.(line),
        }),
        openResponseTable(kept),
        kept,
      );
      const { configPath, configOptional } = options;
      gateway.#version = versionOf(configPath === undefined ? undefined : textOf(configPath));
      const absent = configPath === undefined || (configOptional === true && gateway.#version === NO_FILE);
      await gateway.#take(absent ? parseConfig(options.config ?? {}) : readConfig(configPath));
      state.watch([...ADDITIONS, OUTCOMES], (change) => gateway.#changed(change));
    } catch (error) {
      await state.close();
      kept?.close();
      throw error;
    }
    if (options.configPath !== undefined) {
      watchFile(options.configPath, { interval: 1_000 }, gateway.#changedConfig);
    }
    return gateway;
  }

  get current(): Current {
    return this.#current;
  }

  get config(): GatewayConfig {
    return this.#current.pool.config;
  }

  get fitted(): PromptRouter | undefined {
    return this.#fitted?.router;
  }

  /** Reads the file again; a bad one changes nothing and is said. */
  async reload(): Promise<boolean> {
    const path = this.#options.configPath;
    const version = path === undefined ? NO_FILE : versionOf(textOf(path));
    // What was written here is taken already; a file that went away changes nothing.
    if (path === undefined || version === this.#version || version === NO_FILE) return version !== NO_FILE;
    try {
      await this.#take(readConfig(path));
      this.#version = version;
      this.log('The configuration was read again.');
      return true;
    } catch (error) {
      this.log(`The configuration stays as it was: ${CairnError.isInstance(error) ? error.toText() : String(error)}`);
      return false;
    }
  }

  /** The configuration file without its secrets. @throws CairnError `not_available` when there is none to write */
  file(): ConfigFileView {
    return viewConfigFile(this.#configPath(), this.redact);
  }

  /**
   * Takes a changed view of the file over and writes it. With `check` nothing is written or taken.
   * @throws CairnError `not_available`, `config_changed`, `bad_config`, `config_not_written`; nothing changes then
   */
  async edit(seen: string, next: unknown, check = false): Promise<ConfigFileView> {
    const path = this.#configPath();
    const config = unmask(path, seen, next, this.redact);
    const parsed = parseConfig(config);
    if (check) return this.file();
    const before = this.#file;
    await this.#take(parsed);
    try {
      this.#version = writeConfigFile(path, config);
    } catch (error) {
      await this.#take(before);
      throw error;
    }
    return this.file();
  }

  #configPath(): string {
    const { configPath } = this.#options;
    if (configPath !== undefined) return configPath;
    throw new CairnError(
      'not_available',
      'Expected a configuration file, got a gateway that was started without one.',
      {
        hint: 'Start it with --config FILE.',
      },
    );
  }

  /** Takes a configuration over. @throws CairnError `bad_config`; nothing changes then */
  async configure(config: unknown): Promise<void> {
    await this.#take(parseConfig(config));
  }

  /** Exchanges the fitted router; requests under way keep theirs. */
  useRouter(router: PromptRouter, path = ''): void {
    this.#fitted = { path, router };
    this.#current = this.#join(this.#current.pool);
  }

  async #take(file: GatewayConfig): Promise<void> {
    checkLocalModels(file, this.#poolOptions());
    const config = this.#additions.apply(file);
    const pool = new Pool(config, this.#poolOptions());
    const folder = config.routing.router;
    if (folder === undefined) {
      if (this.#fitted?.path !== '') this.#fitted = undefined;
    } else {
      const path = this.#resolve(folder);
      try {
        if (this.#fitted?.path !== path) this.#fitted = { path, router: await loadRouter(path) };
      } catch (error) {
        await pool.close();
        throw error;
      }
    }
    const before = this.#current.pool;
    this.#file = file;
    this.#current = this.#join(pool);
    before.retire();
  }

  /** Paths in the configuration are relative to its file. */
  #resolve(folder: string): string {
    const { configPath } = this.#options;
    return resolve(configPath === undefined ? process.cwd() : dirname(resolve(configPath)), folder);
  }

  /** The table that the router was fitted from, when the configuration names it. @throws CairnError of a faulty table */
  async readTable(): Promise<PromptTable | undefined> {
    const { table } = this.config.routing;
    return table === undefined ? undefined : readTable(this.#resolve(table));
  }

  /** Checks a model that is to be added. @throws CairnError `bad_config` */
  checkModel(model: unknown): ModelConfig {
    const checked = this.#additions.check(this.#file, model);
    checkLocalModels({ providers: this.config.providers, models: [checked] }, this.#poolOptions());
    return checked;
  }

  /** A pool that holds a model which is not taken yet. The caller closes it. */
  trialPool(model: ModelConfig): Pool {
    return new Pool({ ...this.config, models: [model] }, this.#poolOptions());
  }

  /** Takes a model in; it can be called by name at once, and is kept. */
  async addModel(model: ModelConfig): Promise<void> {
    await this.#additions.add(this.#file, model);
    await this.#take(this.#file);
  }

  /** Takes in what was measured of a model: from now on it is routed to. */
  async measured(router: PromptRouter, arm: ArmRecord): Promise<void> {
    await this.#additions.measured(router, arm);
    this.#current = this.#join(this.#current.pool);
  }

  /** Takes a model out of the pool. False when there is none. @throws CairnError `bad_config` for the reference model */
  async removeModel(id: string): Promise<boolean> {
    const { config } = this;
    if (!config.models.some((m) => m.id === id)) return false;
    if (config.routing.reference === id) {
      throw new CairnError('bad_config', `Expected another model than the reference, got "${id}".`, {
        hint: 'Name another model as routing.reference first.',
      });
    }
    await this.profiles.drop(id);
    await this.#additions.remove(this.#file, id);
    await this.#take(this.#file);
    return true;
  }

  /** Another gateway that shares the state learned something or changed the pool. */
  #changed(change: KeptChange): void {
    const fault = (error: unknown): void =>
      this.log(`A change of another gateway could not be taken: ${String(error)}`);
    if (change.kind === OUTCOMES) this.learning.take(change).catch(fault);
    else if (this.#additions.take(change)) this.#take(this.#file).catch(fault);
  }

  #join(pool: Pool): Current {
    const prompts =
      this.#fitted === undefined ? undefined : joinPool(this.#additions.extend(this.#fitted.router), pool);
    return { pool, prompts, online: this.learning.attach(prompts?.router, pool.config.routing.feedback) };
  }

  #poolOptions(): PoolOptions {
    return {
      env: this.#options.env ?? process.env,
      folder: this.#resolve('.'),
      ...(this.#options.local === undefined ? {} : { local: this.#options.local }),
    };
  }

  redactValue(value: unknown): unknown {
    return redactJson(value, this.redact);
  }

  /** Keeps a decision: written a moment later. */
  decided(record: DecisionRecord): void {
    this.metrics.decided(record);
    this.amend(record);
  }

  /** Writes a decision anew after something was learned about it. */
  amend(record: DecisionRecord): void {
    this.#decisions.add(record);
    for (const listener of this.#listeners) listener(record);
  }

  /** Calls `listener` for every decision from now on; returns how to stop. */
  onDecision(listener: (record: DecisionRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes the decisions of up to now. */
  flush(): Promise<void> {
    return this.#decisions.flush();
  }

  async decision(id: string): Promise<DecisionRecord | undefined> {
    const fresh = this.#decisions.waiting(id);
    if (fresh !== undefined) return fresh;
    const text = await this.state.decision(id);
    return text === undefined ? undefined : (JSON.parse(text) as DecisionRecord);
  }

  /** Latest first. */
  async decisions(limit: number, before?: number): Promise<DecisionRecord[]> {
    await this.flush();
    return (await this.state.decisions(limit, before)).map(({ value }) => JSON.parse(value) as DecisionRecord);
  }

  /** Writes what waits and leaves its files. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    if (this.#options.configPath !== undefined) unwatchFile(this.#options.configPath, this.#changedConfig);
    await this.profiles.close();
    await this.flush();
    await this.ledger.settleOwed();
    await this.learning.save();
    await this.#current.pool.close();
    // The state's own thread leaves its file first, so that the last connection to it is one that can remove the log.
    await this.state.close();
    this.#kept.close();
  }
}

function openState(path = ':memory:'): GatewayState {
  return path === ':memory:' ? openSqliteState(path) : openStateThread(path);
}
