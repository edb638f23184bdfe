// Growth of a mind: reads what is remembered, lets concepts, patterns and modules come out of it, keeps what was found in the
// ledger, and takes back what was made from an event when the event is forgotten. Long work is sliced or done in another
// process; what changes the memory happens in short turns, one at a time.
import { CairnError } from '../../errors.ts';
import type { Change, ConceptBook, EventId, Memory, StoredEvent } from '../../memory/index.ts';
import { PathRouter, type Encoder, type RouterState } from '../../route/index.ts';
import { slices } from '../_slices.ts';
import { routersRecord } from '../_state.ts';
import type { Engine } from '../engine.ts';
import { receiptOf } from '../receipt.ts';
import { Compositions } from './_composition.ts';
import { Ledger } from './_ledger.ts';
import { NOTHING_LEARNED } from './_nothing.ts';
import { Concepts } from './concepts.ts';
import { type Distiller, hashOf, type Tried, tryModule } from './distil.ts';
import { addStreams, growCircuit, streamSet, type StreamSet, type StreamSource } from './patterns.ts';
import type { ConceptView, Growth, GrowthKind, GrowthPolicy, GrowthService, ModuleGrowth } from './types.ts';

/** What growth stands on; the mind's own parts. */
export interface Soil {
  readonly memory: Memory;
  readonly engine: Engine;
  /** Fitted routers as they are kept. */
  readonly routers: Map<string, PathRouter>;
  readonly seed: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a steady clock. */
  readonly timer: () => number;
}

/** What may grow beyond concepts: where streams come from, and which tasks can be distilled. */
export interface Seeds {
  readonly streams: readonly StreamSource[];
  readonly distillers: readonly Distiller[];
}

const MODULE = 'growth/module/';
const ROUTER = 'growth/router/';
const DEFAULTS = { events: 600, minEvents: 40 };
/** A module needs so many times the least events of a concept. */
const MODULE_TIMES = 4;
const KINDS: readonly GrowthKind[] = ['concept', 'circuit', 'module'];

export class Growths implements GrowthService {
  readonly #soil: Soil;
  readonly #ledger: Ledger;
  readonly #concepts: Concepts;
  #seeds: Seeds = { streams: [], distillers: [] };
  #growing: Promise<unknown> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();

  private constructor(soil: Soil, ledger: Ledger, concepts: Concepts) {
    this.#soil = soil;
    this.#ledger = ledger;
    this.#concepts = concepts;
  }

  /** @throws CairnError `bad_growth`, `bad_concepts` for damaged records */
  static async open(soil: Soil): Promise<Growths> {
    const ledger = await Ledger.open(soil.memory.store);
    return new Growths(soil, ledger, await Concepts.open(soil.memory, ledger));
  }

  /**
   * Says what may grow, and brings the modules back that grew before. One whose frozen bytes are not those that were
   * hashed is left out and told.
   */
  async plant(seeds: Seeds, onFault: (fault: CairnError) => void = () => undefined): Promise<void> {
    this.#seeds = seeds;
    for (const growth of this.#ledger.entries) {
      if (growth.kind !== 'module' || growth.status !== 'standing') continue;
      const distiller = seeds.distillers.find(({ task }) => task === growth.task);
      if (distiller === undefined) continue;
      const bytes = await this.#soil.memory.store.stat(MODULE + growth.module);
      if (bytes === undefined || hashOf(bytes) !== growth.hash) {
        onFault(
          new CairnError('grown_changed', `Expected ${growth.module} as it was frozen, got other weights.`, {
            hint: 'It is left out. Grow again, or restore a backup of the data directory.',
          }),
        );
        continue;
      }
      this.#soil.engine.add(await distiller.restore(growth.module, bytes));
    }
  }

  /** All growths, newest first. */
  list(): readonly Growth[] {
    return this.#ledger.entries;
  }

  /** @throws CairnError `not_found` */
  get(id: string): Growth {
    const growth = this.#ledger.get(id);
    if (growth) return growth;
    throw new CairnError('not_found', `Expected the id of a growth, got ${JSON.stringify(id.slice(0, 80))}.`, {
      hint: 'List them to see what there is.',
    });
  }

  /** The events that a growth was made from and that are still remembered. */
  eventsOf(id: string): readonly EventId[] {
    return [...this.#ledger.eventsOf(this.get(id).id)];
  }

  /** @throws CairnError `not_found` for anything but a standing concept */
  async concept(id: string): Promise<ConceptView> {
    const view = await this.#concepts.view(this.get(id).id);
    if (view) return view;
    throw new CairnError('not_found', `Expected a concept that is standing, got ${id}.`, {
      hint: 'It may have been withdrawn when its events were forgotten.',
    });
  }

  /** The book of the concepts of a module, if any was found. */
  book(module: string): ConceptBook | undefined {
    return this.#concepts.book(module);
  }

  get growing(): boolean {
    return this.#growing !== undefined;
  }

  /**
   * Looks for concepts, patterns and modules in what is remembered now. Returns what is new, what was declined included.
   * @throws CairnError `growing` when it is under way already, `aborted`
   */
  async grow(policy: GrowthPolicy = {}): Promise<Growth[]> {
    if (this.#growing) {
      throw new CairnError('growing', 'Expected to grow once at a time, got a second call meanwhile.', {
        hint: 'Wait until the first is done.',
      });
    }
    const signal = policy.signal ? AbortSignal.any([policy.signal, this.#stop.signal]) : this.#stop.signal;
    const work = this.#grow({ ...policy, signal });
    this.#growing = work.catch(() => undefined);
    try {
      return await work;
    } catch (error) {
      if (!signal.aborted || CairnError.isInstance(error)) throw error;
      throw new CairnError('aborted', 'Expected to finish, got an abort signal.', { cause: error });
    } finally {
      this.#growing = undefined;
    }
  }

  /** Runs an erasure with what growth has to change for it, in the same write. */
  async forgetting<T>(
    events: readonly StoredEvent[],
    how: 'subtract' | 'shorten',
    erase: (also: readonly Change[]) => Promise<T>,
  ): Promise<T> {
    return this.#exclusive(async () => {
      const ids = events.map(({ id }) => id);
      const made = this.#ledger.madeFrom(ids);
      if (made.length === 0) return erase([]);
      try {
        return await this.#parting(events, made, how, erase);
      } catch (error) {
        await this.#concepts.reload();
        throw error;
      }
    });
  }

  /** Ends what is under way and waits for it. */
  async close(): Promise<void> {
    this.#stop.abort(new CairnError('aborted', 'The mind is closing.'));
    await this.#growing;
    await this.#turn;
  }

  async #parting<T>(
    events: readonly StoredEvent[],
    made: readonly Growth[],
    how: 'subtract' | 'shorten',
    erase: (also: readonly Change[]) => Promise<T>,
  ): Promise<T> {
    const books = this.#concepts.without(events);
    const parted = this.#ledger.without(
      events.map(({ id }) => id),
      (growth, left) => (growth.kind === 'concept' ? books.instead(growth, left) : withdrawn(growth)),
      // A shortened event says less from now on: it leaves the statistics that it could not be subtracted from later.
      (growth) => how === 'subtract' || growth.kind === 'concept',
    );
    const modules = how === 'shorten' ? [] : made.flatMap((g) => (g.kind === 'module' ? [g] : []));
    const back = await Promise.all(modules.filter((g) => g.status === 'standing').map((g) => this.#takeBack(g)));
    const result = await erase([...parted.changes, ...books.changes, ...back.flatMap(({ changes }) => changes)]);
    parted.adopt();
    for (const { adopt } of back) adopt();
    return result;
  }

  async #grow(policy: GrowthPolicy & { readonly signal: AbortSignal }): Promise<Growth[]> {
    const kinds = policy.kinds ?? KINDS;
    const most = policy.events ?? DEFAULTS.events;
    const least = policy.minEvents ?? DEFAULTS.minEvents;
    const { memory, now } = this.#soil;
    if ((await memory.store.count()) < least) return [];
    const grown: Growth[] = [];
    if (kinds.includes('concept')) {
      policy.onProgress?.('looking for concepts');
      const buckets = await this.#concepts.look(most, policy.signal);
      grown.push(...(await this.#exclusive(() => this.#concepts.take(buckets, Math.round(now())))));
    }
    if (!kinds.includes('circuit') && !kinds.includes('module')) return grown;
    const events = await this.#latest(most, policy.signal);
    if (kinds.includes('circuit')) grown.push(...(await this.#growCircuits(events, policy)));
    if (kinds.includes('module') && events.length >= MODULE_TIMES * least) {
      for (const distiller of this.#seeds.distillers)
        grown.push(...(await this.#growModule(distiller, events, policy)));
    }
    return grown;
  }

  /** The latest events that can be read, oldest first. */
  async #latest(most: number, signal: AbortSignal): Promise<StoredEvent[]> {
    const pause = slices(signal);
    const found: StoredEvent[] = [];
    for (let before: number | undefined; found.length < most;) {
      const limit = Math.min(50, most - found.length);
      const page = await this.#soil.memory.list({ limit, ...(before === undefined ? {} : { before }) });
      if (page.length === 0) break;
      for (const event of page) if (!('quarantined' in event)) found.push(event);
      before = page.at(-1)!.ordinal;
      await pause();
    }
    return found.reverse();
  }

  async #growCircuits(events: readonly StoredEvent[], policy: GrowthPolicy): Promise<Growth[]> {
    const grown: Growth[] = [];
    for (const source of this.#seeds.streams) {
      const name = `circuit/${source.name}`;
      if (!this.#worthAgain(name, events, 0.25, policy)) continue;
      policy.onProgress?.(`looking for patterns in ${source.name}`);
      const set = await this.#streams(source, events, policy.signal);
      if (set.learn.length === 0) continue;
      const base = { id: '', name, at: Math.round(this.#soil.now()) };
      const growth = await growCircuit(set, base, this.#soil.seed, policy);
      grown.push(
        ...(await this.#exclusive(async () => {
          if (!(await this.#allThere(set.events))) return [];
          const entry = { ...growth, id: this.#ledger.id() };
          await this.#ledger.put([{ growth: entry, events: set.events }]);
          return [entry];
        })),
      );
    }
    return grown;
  }

  async #streams(
    source: StreamSource,
    events: readonly StoredEvent[],
    signal: AbortSignal | undefined,
  ): Promise<StreamSet> {
    const pause = slices(signal);
    const set = streamSet(source);
    for (const event of events) {
      addStreams(set, event, this.#soil.seed);
      await pause();
    }
    return set;
  }

  async #growModule(distiller: Distiller, events: readonly StoredEvent[], policy: GrowthPolicy): Promise<Growth[]> {
    const { task } = distiller;
    const name = `module/${task}`;
    const useful: StoredEvent[] = [];
    const compositions = new Compositions(task);
    const pause = slices(policy.signal);
    for (const event of events) {
      const receipt = receiptOf(event);
      if (receipt) compositions.add(receipt.call);
      if (distiller.examplesOf(event).length > 0) useful.push(event);
      await pause();
    }
    if (!this.#worthAgain(name, useful, 1, policy)) return [];
    const earlier = this.#ledger.standing(name);
    const tried = await tryModule(
      distiller,
      useful,
      { id: '', name, at: Math.round(this.#soil.now()), module: this.#nextModule(task) },
      {
        engine: this.#soil.engine,
        earlier: earlier?.kind === 'module' ? earlier.module : undefined,
        compositions,
        seed: this.#soil.seed,
        clock: this.#soil.timer,
      },
      policy,
    );
    return this.#exclusive(() => this.#take(tried, earlier?.kind === 'module' ? earlier : undefined));
  }

  /** Writes what was tried and, where it is worth having, puts it in place. */
  async #take({ growth, events, taken }: Tried, earlier: ModuleGrowth | undefined): Promise<Growth[]> {
    if (!(await this.#allThere(events))) return [];
    const { engine, routers, memory } = this.#soil;
    const { task, module } = growth;
    const entry = { ...growth, id: this.#ledger.id() };
    if (taken === undefined) {
      await this.#ledger.put([{ growth: entry, events }]);
      return [entry];
    }
    const router = PathRouter.fromState(taken.router);
    const before = routers.get(task);
    const kept = await memory.store.stat(ROUTER + task);
    const base = kept ?? (before && new TextEncoder().encode(JSON.stringify(before.toState())));
    await this.#ledger.put(
      [{ growth: entry, events }],
      [
        { kind: 'stat', name: MODULE + module, bytes: taken.distilled.bytes },
        ...(earlier ? [{ kind: 'stat', name: MODULE + earlier.module, bytes: undefined } as const] : []),
        ...(base ? [{ kind: 'stat', name: ROUTER + task, bytes: base } as const] : []),
        routersRecord(new Map([...routers, [task, router]])),
      ],
    );
    if (earlier) engine.remove(task, earlier.module);
    engine.add(taken.distilled.module);
    this.#route(task, router, taken.encoder);
    return [entry];
  }

  /** A module is no longer there: its weights go, and the router that knew it gives way to the one before it. */
  async #takeBack({ task, module }: ModuleGrowth): Promise<{ changes: Change[]; adopt: () => void }> {
    const { engine, routers, memory } = this.#soil;
    const kept = await memory.store.stat(ROUTER + task);
    const before = kept && PathRouter.fromState(JSON.parse(new TextDecoder().decode(kept)) as RouterState);
    const others = new Map(routers);
    if (before) others.set(task, before);
    else others.delete(task);
    return {
      changes: [
        { kind: 'stat', name: MODULE + module, bytes: undefined },
        { kind: 'stat', name: ROUTER + task, bytes: undefined },
        routersRecord(others),
      ],
      adopt: () => {
        const encoder = engine.routing(task)?.encoder;
        engine.remove(task, module);
        if (before && encoder) this.#route(task, before, encoder);
        else {
          routers.delete(task);
          engine.dropRouting(task);
        }
      },
    };
  }

  #route(task: string, router: PathRouter, encoder: Encoder<unknown>): void {
    this.#soil.engine.setRouting(task, { router, encoder });
    this.#soil.routers.set(task, router);
  }

  /** `read-digit/grown-3`: never the id of one that was there before. */
  #nextModule(task: string): string {
    const numbers = this.#ledger.entries.flatMap((e) =>
      e.kind === 'module' && e.task === task ? [Number(/-(\d+)$/.exec(e.module)?.[1] ?? 0)] : [],
    );
    return `${task}/grown-${Math.max(0, ...numbers) + 1}`;
  }

  /** Whether enough is new since the last look, as a share of what was looked at then. */
  #worthAgain(name: string, events: readonly StoredEvent[], share: number, policy: GrowthPolicy): boolean {
    const last = this.#ledger.entries.find(
      (e) => e.name === name && (e.status === 'standing' || e.status === 'declined'),
    );
    if (last === undefined) return true;
    const seen = this.#ledger.eventsOf(last.id);
    const fresh = events.filter(({ id }) => !seen.has(id)).length;
    return policy.again === true ? fresh > 0 || seen.size !== events.length : fresh >= Math.max(1, share * seen.size);
  }

  async #allThere(ids: readonly EventId[]): Promise<boolean> {
    const rows = await this.#soil.memory.store.find(ids.map((id) => new Uint8Array(Buffer.from(id, 'hex'))));
    return rows.every((row) => row !== undefined);
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** What is left of a growth when an event that it was made from is forgotten: that it was there, and nothing it said. */
function withdrawn(growth: Exclude<Growth, { kind: 'concept' }>): Growth {
  const because = 'an event that it was made from was forgotten';
  if (growth.kind === 'circuit') {
    return {
      ...growth,
      status: 'withdrawn',
      because,
      events: 0,
      says: 'Withdrawn with a forgotten event; it is looked for again in what is left.',
      streams: 0,
      symbols: 0,
      bitsBefore: 0,
      bitsAfter: 0,
      savedShuffled: 0,
      heldOut: { streams: 0, bitsBefore: 0, bitsAfter: 0 },
      nodes: [],
      nodeCount: 0,
    };
  }
  return {
    ...growth,
    status: 'withdrawn',
    because,
    events: 0,
    says: 'Withdrawn with a forgotten event: its weights are gone, and it is made again from what is left.',
    ...NOTHING_LEARNED,
  };
}
