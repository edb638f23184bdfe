// The mind: asks are routed, run, verified, sketched and remembered; events are recalled, explained, corrected and
// forgotten. It joins the engine with a memory; all it keeps on disk is the memory's file.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import {
  Memory,
  type Cue,
  type Erasure,
  type EventId,
  type Hit,
  type MemoryStats,
  type StoredEvent,
} from '../memory/index.ts';
import type { Encoder, PathRouter } from '../route/index.ts';
import { unroll, type Obj, type SketchSpec, type Unrolled } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { calibrateModules, type CalibrateOptions, type Calibration, type Judge } from './calibrate.ts';
import { Engine, type Checker } from './engine.ts';
import { type Growth, type GrowthPolicy, Growths, type Seeds } from './growth/index.ts';
import { encodeReceipt, forEachCall, type Receipt, type ReceiptCall, receiptOf } from './receipt.ts';
import { openOnServers } from './_servers.ts';
import { readRouters, writeRouters } from './_state.ts';
import { toObject } from './_trace.ts';
import type { Limits, Module, Outcome, Reply, TraceNode } from './module.ts';

export interface MindOptions {
  /** Directory for `cairn.db`, made if need be; or ':memory:'. */
  readonly dataDir: string;
  /** Keep the memory on a PostgreSQL server instead, or on several: `postgres://` URLs. */
  readonly store?: string | readonly string[] | undefined;
  /** On how many of several servers each event is kept. Default 1, or what the memory was made with. */
  readonly replicas?: 1 | 2 | undefined;
  /** Names all randomness: of calls, of new sketches, of fits. Default 'cairn'. */
  readonly seed?: string | number;
  /** Milliseconds since 1970, for the time of events. Default `Date.now`. */
  readonly clock?: () => number;
  /** Milliseconds of a steady clock, for usage and deadlines. Default `performance.now`. */
  readonly timer?: () => number;
  /** How a new memory sketches; an existing one knows. Default: 1,024 numbers of 8 bits. */
  readonly sketch?: Partial<Pick<SketchSpec, 'dim' | 'store'>>;
}

/** Everything the mind knows about one event. */
export interface Explanation {
  readonly event: StoredEvent;
  /** Who answered, why, at what cost; null when the receipt is damaged. */
  readonly receipt: Receipt | null;
  /** What the sketch still says. */
  readonly unrolled: Unrolled;
}

/**
 * @example
 * const mind = await Mind.open({ dataDir: ':memory:' });
 * mind.add(double);
 * const reply = await mind.ask<number>('double', 21);
 * reply.output; // 42
 * (await mind.explain(reply.event!)).receipt!.call.module; // 'double/plain'
 */
export class Mind {
  readonly memory: Memory;
  /** What grew out of the memory: concepts, patterns, modules. */
  readonly growths: Growths;
  readonly #engine: Engine;
  readonly #clock: () => number;
  readonly #rng: Rng;
  readonly #stored: Map<string, PathRouter>;
  #saving: Promise<void> = Promise.resolve();
  #unsaved = false;

  private constructor(parts: MindParts) {
    this.memory = parts.memory;
    this.growths = parts.growths;
    this.#clock = parts.clock;
    this.#rng = parts.rng;
    this.#engine = parts.engine;
    this.#stored = parts.routers;
  }

  /** @throws CairnError of the memory (locked, foreign, damaged, not writable), `bad_router` */
  static async open(options: MindOptions): Promise<Mind> {
    const volatile = options.dataDir === ':memory:';
    const file = volatile ? ':memory:' : join(options.dataDir, 'cairn.db');
    if (!volatile) {
      try {
        await mkdir(options.dataDir, { recursive: true });
      } catch (cause) {
        throw new CairnError('data_dir', `Expected a directory that can be written, got ${options.dataDir}.`, {
          cause,
          hint: 'Choose another with --data.',
        });
      }
    }
    const birth = { seed: `${options.seed ?? 'cairn'}`, spec: options.sketch ?? {} };
    const memory =
      options.store === undefined
        ? await Memory.open({ path: file, ...(volatile || !existsSync(file) ? birth : {}) })
        : await openOnServers(options.store, options.replicas, undefined, birth);
    try {
      return new Mind(await partsOf(options, memory));
    } catch (error) {
      await memory.close();
      throw error;
    }
  }

  /** @throws CairnError `duplicate_module`, `bad_module` */
  add<I, O>(module: Module<I, O>): void {
    this.#engine.add(module as Module<unknown, unknown>);
  }

  /** Certificates of this task's answers are replayed by `checker` before they count as proved. */
  verify<I, O>(task: string, checker: Checker<I, O>): void {
    this.#engine.setChecker(task, checker as Checker);
  }

  /** Module ids of a task, cheapest first. */
  modules(task: string): readonly string[] {
    return this.#engine.modules(task).map((m) => m.id);
  }

  /**
   * Uses a router that is there already: the one kept in the data directory, or `router`. False when there is none, or it
   * was fitted on other features, for modules that are not all here, or under another `note`.
   */
  useRouter<I>(task: string, encoder: Encoder<I>, options: { router?: PathRouter; note?: string } = {}): boolean {
    const kept = this.#stored.get(task);
    const known = this.modules(task);
    const fitting = [kept, options.router].find(
      (r) =>
        r &&
        r.encoder === encoder.id &&
        (options.note === undefined || r.note === options.note) &&
        r.modules.every((m) => known.includes(m)),
    );
    if (!fitting) return false;
    this.#setRouter(task, encoder, fitting);
    return true;
  }

  /** Runs all modules of a task on validation inputs, fits the task's router on the results and keeps it. */
  async calibrate<I, O>(
    task: string,
    inputs: readonly I[],
    judge: Judge<I, O>,
    options: CalibrateOptions<I>,
  ): Promise<Calibration> {
    const modules = this.#engine.modules(task) as readonly Module<unknown, unknown>[] as readonly Module<I, O>[];
    const calibration = await calibrateModules(modules, inputs, judge, this.#rng.fork(`calibrate/${task}`), options);
    this.#setRouter(task, options.encoder, calibration.router);
    await this.#save();
    return calibration;
  }

  /** The router of a task, if there is one. */
  router(task: string): PathRouter | undefined {
    return this.#engine.routing(task)?.router;
  }

  /**
   * Routes, runs, verifies, sketches, remembers. When it returns an event id, the event is durable.
   * Nobody could answer: `output` is undefined, `reason` and `failure` say why, nothing is remembered.
   * @throws CairnError `unknown_task`, `bad_limits`, `aborted`, and what the memory throws when it cannot write
   */
  async ask<O>(task: string, input: unknown, limits: Limits = {}): Promise<Reply<O>> {
    const [reply] = await this.askAll<O>(task, [input], limits);
    return reply!;
  }

  /** Many inputs at once; every answer becomes an event of its own. Limits hold for all of them together. */
  async askAll<O>(task: string, inputs: readonly unknown[], limits: Limits = {}): Promise<Reply<O>[]> {
    const replies = (await this.#engine.ask(task, inputs, limits)) as Reply<O>[];
    if (limits.remember === false) return replies;
    return Promise.all(replies.map((reply) => (reply.module === undefined ? reply : this.#remember(reply, limits))));
  }

  /** Events that resemble a cue (an event, a trace, attributes), best first, each with its reasons. */
  async recall(cue: Cue, k = 10): Promise<Hit[]> {
    return this.memory.recall(cue, k);
  }

  /** Events that contain an object like this one, anywhere or at a position such as '0/0/40'. */
  async recallComponent(object: Obj, k = 10, options: { readonly position?: string } = {}): Promise<Hit[]> {
    return this.memory.component(object, k, options);
  }

  /** @throws CairnError `bad_event_id`, `not_found` */
  async get(id: EventId): Promise<StoredEvent> {
    const event = await this.memory.get(id);
    if (event) return event;
    throw new CairnError('not_found', `Expected an event of this memory, got the unknown id ${id}.`, {
      hint: 'List the events that are there, or check the data directory.',
    });
  }

  /** Route and runner-up of every call, cost, certificate, and what the sketch still says. */
  async explain(id: EventId): Promise<Explanation> {
    const event = await this.get(id);
    return { event, receipt: receiptOf(event), unrolled: unroll(event.sketch, event.structure) };
  }

  /**
   * Tells the routers what was right. Verdicts of nested calls are in the order of the receipt's calls of that task.
   * Only calls that a router decided teach it something.
   */
  async feedback(id: EventId, outcome: Outcome): Promise<void> {
    const receipt = receiptOf(await this.get(id));
    if (!receipt)
      throw new CairnError('bad_receipt', 'Expected an event with a readable receipt, got a damaged one.', {
        hint: 'Nothing can be learned from it.',
      });
    if (outcome.right !== undefined) this.#learn(receipt.call, outcome.right);
    const calls = new Map<string, ReceiptCall[]>();
    forEachCall(receipt.call, (call) => calls.set(call.task, [...(calls.get(call.task) ?? []), call]));
    for (const [task, verdicts] of Object.entries(outcome.nested ?? {})) {
      const mine = calls.get(task) ?? [];
      if (verdicts.length > mine.length) {
        throw new CairnError(
          'bad_outcome',
          `Expected at most ${mine.length} verdicts on '${task}', got ${verdicts.length}.`,
        );
      }
      verdicts.forEach((right, i) => right !== null && this.#learn(mine[i]!, right));
    }
    await this.#save();
  }

  /** The same for calls whose trace is at hand. Kept in memory; saved with the next `feedback`, `flush` or `close`. */
  learn(node: TraceNode, right: boolean): void {
    this.#learn(node, right);
  }

  /**
   * Erases an event, or shortens its sketch to `keep` numbers. The answer says what is gone. What grew from an erased event
   * is reduced exactly or withdrawn in the same write.
   */
  async forget(id: EventId, how: 'subtract' | { readonly keep: number } = 'subtract'): Promise<Erasure> {
    const at = Math.round(this.#clock());
    const event = await this.get(id);
    return this.growths.forgetting([event], how === 'subtract' ? how : 'shorten', (also) =>
      this.memory.forget(id, how, { at, also }),
    );
  }

  /**
   * Looks at what is remembered: concepts emerge, patterns that recur get names, and a frequent composition of calls becomes
   * a frozen module of its own where that is cheaper at equal quality. What is not worth having is told with its figures.
   * @throws CairnError `growing`, `aborted`
   * @example
   * const grown = await mind.grow();
   * grown.map((g) => g.says);
   */
  async grow(policy: GrowthPolicy = {}): Promise<Growth[]> {
    return this.growths.grow(policy);
  }

  /** Says what may grow beyond concepts, and brings back the modules that grew before. Call it before routers are used. */
  async plant(seeds: Seeds, onFault?: (fault: CairnError) => void): Promise<void> {
    await this.growths.plant(seeds, onFault);
  }

  async stats(): Promise<MemoryStats> {
    return this.memory.stats();
  }

  /** Writes what the routers have learned since the last time. */
  async flush(): Promise<void> {
    if (this.#unsaved) await this.#save();
    await this.#saving;
  }

  async close(): Promise<void> {
    await this.growths.close();
    await this.flush();
    await this.memory.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #remember<O>(reply: Reply<O>, limits: Limits): Promise<Reply<O>> {
    const at = Math.round(this.#clock());
    const meta = encodeReceipt(reply.trace, reply.receipt ?? new Uint8Array(0));
    const provenance = limits.provenance ?? { source: 'ask' };
    const kept = await this.memory.remember(toObject(reply.trace), { task: reply.task, provenance, meta, at });
    const { ordinal, bytes, duplicate } = kept;
    return { ...reply, event: kept.id, remembered: { ordinal, at, bytes, duplicate, receipt: meta } };
  }

  #learn(call: Pick<TraceNode, 'task' | 'route' | 'usage'>, right: boolean): void {
    const { route } = call;
    const router = this.router(call.task);
    if (!router || route.by !== 'router' || route.cluster === undefined) return;
    const index = router.pathIndex(route.path);
    if (index < 0) return;
    router.learnOne({ cluster: route.cluster, index }, right ? 0 : 1, call.usage.flop);
    this.#unsaved = true;
  }

  #setRouter<I>(task: string, encoder: Encoder<I>, router: PathRouter): void {
    this.#engine.setRouting(task, { router, encoder: encoder as Encoder<unknown> });
    this.#stored.set(task, router);
  }

  /** One write at a time; a write that waits takes the newest state. */
  #save(): Promise<void> {
    this.#unsaved = false;
    this.#saving = this.#saving.catch(() => undefined).then(() => writeRouters(this.memory.store, this.#stored));
    return this.#saving;
  }
}

interface MindParts {
  readonly memory: Memory;
  readonly growths: Growths;
  readonly engine: Engine;
  readonly rng: Rng;
  readonly clock: () => number;
  readonly routers: Map<string, PathRouter>;
}

async function partsOf(options: MindOptions, memory: Memory): Promise<MindParts> {
  const seed = options.seed ?? 'cairn';
  const clock = options.clock ?? Date.now;
  const timer = options.timer ?? ((): number => performance.now());
  const rng = new Rng(seed);
  const engine = new Engine({ rng: rng.fork('calls'), clock: timer });
  const routers = await readRouters(memory.store);
  const growths = await Growths.open({ memory, engine, routers, seed: `${seed}`, now: clock, timer });
  return { memory, growths, engine, rng, clock, routers };
}
