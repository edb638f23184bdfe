// From a composition to a module: when a chain of calls makes much of a task's cost, a smaller module learns from what was
// remembered and proved; it is frozen and routed to only where that is cheaper at equal quality on held-out events. After
// 1203.0088 (a node becomes a module) and 2112.10919 (freeze and publish).
import { createHash } from 'node:crypto';
import type { Encoder, EvaluationTable, RouterState } from '../../route/index.ts';
import { PathRouter } from '../../route/index.ts';
import { Rng } from '../../tensor/index.ts';
import type { EventId, StoredEvent } from '../../memory/index.ts';
import { evaluateModules, type CalibrateOptions, type Judge } from '../calibrate.ts';
import type { Engine } from '../engine.ts';
import type { Module } from '../module.ts';
import { type RouterTask, run as fitRouter } from './_router-job.ts';
import { compareTrials, type Comparison, type Trial } from './_compare.ts';
import type { Compositions } from './_composition.ts';
import { beside, runJob } from './_job.ts';
import { NOTHING_LEARNED } from './_nothing.ts';
import type { GrowthPolicy, ModuleGrowth } from './types.ts';

/** One remembered input of a task with the answer that was proved. */
export interface Example {
  readonly input: unknown;
  readonly output: unknown;
  /** Equal inputs have equal keys: no input is learned from and held out. */
  readonly key: string;
}

/** A module made from examples, and all that is needed to make it again. */
export interface Distilled {
  readonly module: Module<unknown, unknown>;
  readonly bytes: Uint8Array;
}

export interface DistilOptions {
  /** Id of the new module. */
  readonly id: string;
  readonly seed: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((says: string) => void) | undefined;
}

/** What is known of a task whose modules may be distilled. */
export interface Distiller {
  readonly task: string;
  /** What one event has to learn from; empty where nothing was proved or the input is not kept. */
  examplesOf(event: StoredEvent): readonly Example[];
  /** Learns from examples; undefined when there are too few. */
  distil(examples: readonly Example[], options: DistilOptions): Promise<Distilled | undefined>;
  /** Makes the module again from its frozen bytes. */
  restore(id: string, bytes: Uint8Array): Promise<Module<unknown, unknown>>;
  /** Lets an engine answer a remembered event again, as a whole, and compares with what was proved. */
  trial(engine: Engine, event: StoredEvent): Promise<Trial>;
  /** Labelled inputs for the router, none of them remembered. */
  calibration(): Promise<{
    readonly inputs: readonly unknown[];
    readonly judge: Judge<unknown, unknown>;
    readonly options: CalibrateOptions<unknown>;
  }>;
}

/** A candidate that was tried, and whether to take it. */
export interface Tried {
  readonly growth: ModuleGrowth;
  readonly events: readonly EventId[];
  /** Only where it is to be taken. */
  readonly taken?: {
    readonly distilled: Distilled;
    readonly router: RouterState;
    readonly encoder: Encoder<unknown>;
  };
}

export interface TrialGround {
  readonly engine: Engine;
  /** A module that an earlier growth made of the same task; it is out of the trial. */
  readonly earlier: string | undefined;
  readonly compositions: Compositions;
  readonly seed: string;
  readonly clock: () => number;
}

/** Held out: this share of the events, and at most so many. */
const HELD_OUT = 0.15;
const MOST_HELD_OUT = 80;
/** A composition with a smaller share of the cost is left alone. */
const LEAST_SHARE = 0.1;
/** Inputs evaluated at once, so that nobody waits long. */
const BATCH = 32;
/** A router is fitted to so few at once: a process would need longer to start. */
const FEW_INPUTS = 300;
const DEFAULTS = { maxLoss: 0.003, minSaving: 0.05 };

/** Makes and tries a module for a task. Changes nothing: taking it is the caller's. */
export async function tryModule(
  distiller: Distiller,
  events: readonly StoredEvent[],
  base: Pick<ModuleGrowth, 'id' | 'name' | 'at' | 'module'>,
  ground: TrialGround,
  policy: GrowthPolicy,
): Promise<Tried> {
  const { seed, engine } = ground;
  const { task } = distiller;
  const { signal, onProgress } = policy;
  const composition = ground.compositions.dearest;
  const none = declinedBefore(base, task, events.length);
  const ids = events.map(({ id }) => id);
  if (composition === undefined || composition.costShare < LEAST_SHARE) {
    const says = `No chain of calls of ${task} makes ${100 * LEAST_SHARE} % of its cost.`;
    return { growth: { ...none, ...(composition ? { composition } : {}), says, because: says }, events: ids };
  }
  const { learn, heldOut } = split(distiller, events, seed);
  onProgress?.(`learning ${base.module} from ${learn.length} examples`);
  const distilled = await distiller.distil(learn, { id: base.module, seed, signal, onProgress });
  if (distilled === undefined || heldOut.length === 0) {
    const says = `${learn.length} different examples of ${task} are too few to learn from.`;
    return { growth: { ...none, composition, learned: learn.length, says, because: says }, events: ids };
  }
  onProgress?.(`trying ${base.module} on ${heldOut.length} held-out events`);
  const routers = await fitRouters(distiller, distilled.module, ground, policy);
  const engines = enginesOf(engine, distilled.module, routers, ground);
  const trials = { before: [] as Trial[], refitted: [] as Trial[], after: [] as Trial[] };
  for (const event of heldOut) {
    signal?.throwIfAborted();
    for (const which of ['before', 'refitted', 'after'] as const)
      trials[which].push(await distiller.trial(engines[which], event));
  }
  const found = compareTrials(trials.before, trials.after, seed);
  const refitted = trials.refitted.reduce((s, t) => s + t.cost, 0) / heldOut.length;
  const why = refusal(found, refitted, policy);
  const growth: ModuleGrowth = {
    ...none,
    composition,
    flop: distilled.module.cost.amount,
    learned: learn.length,
    heldOut: { events: heldOut.length, examples: found.examples },
    cost: { ...found.cost, refitted },
    errors: found.errors,
    answered: found.answered,
    costRatio: found.costRatio,
    errorChange: found.errorChange,
    ...(why === undefined
      ? {
          status: 'standing' as const,
          hash: hashOf(distilled.bytes),
          bytes: distilled.bytes.length,
          says: `${base.module} makes an event cost ${percent(found.costRatio.value)} of before, at equal quality.`,
        }
      : { says: `No cheaper module for ${task}: ${why}.`, because: why }),
  };
  const { because: _, ...standing } = growth;
  if (why !== undefined) return { growth, events: ids };
  return { growth: standing, events: ids, taken: { distilled, router: routers.after, encoder: routers.encoder } };
}

/** SHA-256 of frozen bytes. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Events held out, and the examples of the others whose inputs no held-out event shows, each input once. */
function split(
  distiller: Distiller,
  events: readonly StoredEvent[],
  seed: string,
): { readonly learn: Example[]; readonly heldOut: StoredEvent[] } {
  const rng = new Rng(seed).fork('growth/held-out');
  const order = events
    .map((event) => ({ event, at: rng.fork(event.id).uniform() }))
    .sort((a, b) => a.at - b.at)
    .map(({ event }) => event);
  const chosen = new Set(order.slice(0, Math.min(MOST_HELD_OUT, Math.round(HELD_OUT * events.length))));
  const heldOut = events.filter((event) => chosen.has(event));
  const taken = new Set(heldOut.flatMap((event) => distiller.examplesOf(event).map(({ key }) => key)));
  const learn: Example[] = [];
  for (const event of events) {
    if (chosen.has(event)) continue;
    for (const example of distiller.examplesOf(event)) {
      if (taken.has(example.key)) continue;
      taken.add(example.key);
      learn.push(example);
    }
  }
  return { learn, heldOut };
}

interface Routers {
  readonly encoder: Encoder<unknown>;
  readonly refitted: RouterState;
  readonly after: RouterState;
}

/** The router fitted anew, without the candidate and with it, on inputs that are not remembered. */
async function fitRouters(
  distiller: Distiller,
  candidate: Module<unknown, unknown>,
  { engine, earlier, seed }: TrialGround,
  policy: GrowthPolicy,
): Promise<Routers> {
  const { inputs, judge, options } = await distiller.calibration();
  const modules = engine.modules(distiller.task).filter(({ id }) => id !== earlier);
  const table = await evaluateModules([...modules, candidate], inputs, judge, new Rng(seed).fork('growth/calibrate'), {
    ...options,
    batch: BATCH,
    ...(policy.signal ? { signal: policy.signal } : {}),
  });
  const fit = async (part: EvaluationTable): Promise<RouterState> => {
    const { maxLoss, k, note } = options;
    const task: RouterTask = { table: part, seed, encoder: options.encoder.id, maxLoss, k, note };
    if (part.count <= FEW_INPUTS) return fitRouter(task);
    return runJob(beside('./_router-job.ts', import.meta.url), task, { signal: policy.signal });
  };
  const refitted = await fit(withoutModel(table, candidate.id));
  return { encoder: options.encoder, refitted, after: await fit(table) };
}

function withoutModel(table: EvaluationTable, model: string): EvaluationTable {
  const columns = table.models.length;
  const drop = table.models.indexOf(model);
  const cut = (data: Float64Array): Float64Array => data.filter((_, i) => i % columns !== drop);
  return {
    ...table,
    models: table.models.filter((id) => id !== model),
    error: cut(table.error),
    cost: cut(table.cost),
    ...(table.confidence ? { confidence: cut(table.confidence) } : {}),
  };
}

/** As it is; with the router fitted anew; with the candidate and a router that knows it. */
function enginesOf(
  engine: Engine,
  candidate: Module<unknown, unknown>,
  routers: Routers,
  { earlier, seed, clock }: TrialGround,
): { readonly before: Engine; readonly refitted: Engine; readonly after: Engine } {
  const copy = (): Engine => engine.copy({ rng: new Rng(seed).fork('growth/trial'), clock });
  const { task } = candidate;
  const { encoder } = routers;
  const [before, refitted, after] = [copy(), copy(), copy()];
  for (const other of [refitted, after]) if (earlier !== undefined) other.remove(task, earlier);
  after.add(candidate);
  refitted.setRouting(task, { encoder, router: PathRouter.fromState(routers.refitted) });
  after.setRouting(task, { encoder, router: PathRouter.fromState(routers.after) });
  return { before, refitted, after };
}

/** Why a candidate is not taken; undefined when it is. */
function refusal(found: Comparison, refitted: number, policy: GrowthPolicy): string | undefined {
  const { maxLoss, minSaving } = { ...DEFAULTS, ...policy };
  const { costRatio, errorChange, answered, cost } = found;
  if (costRatio.high > 1 - minSaving) {
    return `an event would cost ${percent(costRatio.value)} of before, up to ${percent(costRatio.high)}`;
  }
  if (cost.after > (1 - minSaving) * refitted) {
    return `routes fitted anew without it cost ${percent(refitted / cost.before)} of before, with it ${percent(costRatio.value)}`;
  }
  if (errorChange.high > maxLoss) {
    return `up to ${percent(errorChange.high)} more answers could be wrong, ${percent(maxLoss)} are allowed`;
  }
  if (answered.after < answered.before) {
    return `${answered.after} of the held-out events would be answered, ${answered.before} were`;
  }
  return undefined;
}

function declinedBefore(
  base: Pick<ModuleGrowth, 'id' | 'name' | 'at' | 'module'>,
  task: string,
  events: number,
): ModuleGrowth {
  const { id, name, at, module } = base;
  return {
    id,
    kind: 'module',
    name,
    status: 'declined',
    at,
    events,
    says: '',
    task,
    module,
    flop: 0,
    ...NOTHING_LEARNED,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
