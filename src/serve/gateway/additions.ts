// Models that came while the gateway runs, kept in its state beside the configuration file: what is configured of each, and what
// was measured of it on the labelled prompts of a router. Models of the file that were removed are kept out the same way.
import type { ArmRecord, PromptRouter } from '../../route/index.ts';
import { type GatewayConfig, type ModelConfig, parseConfig } from './config.ts';
import { fitOf } from './learning.ts';
import type { GatewayState, KeptChange } from './state.ts';

interface StoredArm {
  readonly fit: string;
  readonly arm: Omit<ArmRecord, 'error' | 'weight' | 'outTokens' | 'thoughtTokens'>;
  /** null where nothing was asked. */
  readonly rows: Readonly<Record<string, readonly (number | null)[]>>;
}

const MODELS = 'added-model';
const REMOVED = 'removed-model';
const ARMS = 'added-arm';
/** Kinds of kept values that `take` understands. */
export const ADDITIONS: readonly string[] = [MODELS, REMOVED, ARMS];
const COLUMNS = ['error', 'weight', 'outTokens', 'thoughtTokens'] as const;

export class Additions {
  readonly #state: GatewayState;
  readonly #models: Map<string, ModelConfig>;
  readonly #removed: Set<string>;
  readonly #arms: Map<string, { readonly fit: string; readonly arm: ArmRecord }>;

  private constructor(
    state: GatewayState,
    models: Map<string, ModelConfig>,
    removed: Set<string>,
    arms: Map<string, { fit: string; arm: ArmRecord }>,
  ) {
    this.#state = state;
    this.#models = models;
    this.#removed = removed;
    this.#arms = arms;
  }

  static async open(state: GatewayState): Promise<Additions> {
    const [models, removed, arms] = await Promise.all([MODELS, REMOVED, ARMS].map((kind) => state.list(kind)));
    return new Additions(
      state,
      new Map(models!.map(({ key, value }) => [key, JSON.parse(value) as ModelConfig])),
      new Set(removed!.map(({ key }) => key)),
      new Map(arms!.map(({ key, value }) => [key, toArm(JSON.parse(value) as StoredArm)])),
    );
  }

  /** Takes in what another gateway that shares the state kept or dropped. False when it is known already. */
  take({ kind, key, value }: KeptChange): boolean {
    if (kind === REMOVED) {
      if (this.#removed.has(key) === (value !== undefined)) return false;
      if (value === undefined) this.#removed.delete(key);
      else this.#removed.add(key);
      return true;
    }
    if (kind === MODELS) {
      if (JSON.stringify(this.#models.get(key)) === value) return false;
      if (value === undefined) this.#models.delete(key);
      else this.#models.set(key, JSON.parse(value) as ModelConfig);
      return true;
    }
    const known = this.#arms.get(key);
    if ((known === undefined ? undefined : JSON.stringify(toStored(known))) === value) return false;
    if (value === undefined) this.#arms.delete(key);
    else this.#arms.set(key, toArm(JSON.parse(value) as StoredArm));
    return true;
  }

  /** A valid configuration with these additions and removals. A model of the file goes before an added one of its name. */
  apply(file: GatewayConfig): GatewayConfig {
    const providers = new Set(file.providers.map((p) => p.id));
    const own = file.models.filter((m) => !this.#removed.has(m.id) || m.id === file.routing.reference);
    const ids = new Set(own.map((m) => m.id));
    const added = [...this.#models.values()].filter((m) => !ids.has(m.id) && providers.has(m.provider));
    const models = [...own, ...added];
    const known = new Set(models.map((m) => m.id));
    const aliases = Object.entries(file.aliases).filter(([, to]) => to.startsWith('cairn/') || known.has(to));
    return { ...file, models, aliases: Object.fromEntries(aliases) };
  }

  /**
   * Checks a model against a configuration; one that the file has already is taken from there.
   * @throws CairnError `bad_config`
   */
  check(file: GatewayConfig, wanted: unknown): ModelConfig {
    const id = (wanted as { id?: unknown } | undefined | null)?.id;
    const config = this.apply(file);
    const own = file.models.find((m) => m.id === id && config.models.includes(m));
    if (own !== undefined) return own;
    const models = [...config.models.filter((m) => m.id !== id), wanted ?? {}];
    return parseConfig({ ...config, models }).models.at(-1)!;
  }

  /** A router with the models that were measured on its labelled prompts. */
  extend(router: PromptRouter): PromptRouter {
    const fit = fitOf(router);
    let extended = router;
    for (const { fit: measured, arm } of this.#arms.values()) {
      if (measured === fit) extended = extended.withArm(arm);
    }
    return extended;
  }

  async add(file: GatewayConfig, model: ModelConfig): Promise<void> {
    this.#removed.delete(model.id);
    if (!file.models.includes(model)) {
      this.#models.set(model.id, model);
      await this.#state.put(MODELS, model.id, JSON.stringify(model));
    }
    await this.#state.drop(REMOVED, model.id);
  }

  async measured(router: PromptRouter, arm: ArmRecord): Promise<void> {
    const measured = { fit: fitOf(router), arm };
    this.#arms.set(arm.id, measured);
    await this.#state.put(ARMS, arm.id, JSON.stringify(toStored(measured)));
  }

  /** Takes a model out of the pool, and what was measured of it. */
  async remove(file: GatewayConfig, id: string): Promise<void> {
    this.#models.delete(id);
    this.#arms.delete(id);
    await this.#state.drop(MODELS, id);
    await this.#state.drop(ARMS, id);
    if (!file.models.some((m) => m.id === id)) return;
    this.#removed.add(id);
    await this.#state.put(REMOVED, id, '{}');
  }
}

function toStored({ fit, arm }: { readonly fit: string; readonly arm: ArmRecord }): StoredArm {
  const { error, weight, outTokens, thoughtTokens, ...rest } = arm;
  const rows: Record<string, (number | null)[]> = {};
  for (const [name, data] of Object.entries({ error, weight, outTokens, thoughtTokens })) {
    if (data !== undefined) rows[name] = Array.from(data, (v) => (Number.isNaN(v) ? null : v));
  }
  return { fit, arm: rest, rows };
}

function toArm({ fit, arm, rows }: StoredArm): { fit: string; arm: ArmRecord } {
  const columns = COLUMNS.flatMap((name) => {
    const data = rows[name];
    return data === undefined ? [] : [[name, Float64Array.from(data, (v) => v ?? NaN)] as const];
  });
  return { fit, arm: { error: new Float64Array(0), ...arm, ...Object.fromEntries(columns) } };
}
