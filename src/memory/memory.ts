// The memory: events come in as traces, are kept as quantised sketches, and are found again by the whole, by a component or
// by attributes, with the reason. It joins sketch/ and a Store; it reads no clock and draws no random number.
// Source: arXiv 1910.06718 (architecture), 1905.12730 (sketches).
import { createHash } from 'node:crypto';
import { CairnError } from '../errors.ts';
import { type Obj, sketcherOf, type SketchSpec } from '../sketch/index.ts';
import {
  type Bucket,
  type BucketOptions,
  conceptChanges,
  type ConceptNode,
  conceptNodes,
  type ConceptSink,
  findBuckets,
  stillThere,
} from './_buckets.ts';
import { Centres } from './_centres.ts';
import type { Cue } from './_cue.ts';
import { eraseEvent, eraseEvents, type Erasure, type ErasureTask, type ForgetHow } from './_erasure.ts';
import { expectRow, supersede } from './_facts.ts';
import { GraphView } from './_graph-view.ts';
import type { Hit } from './_hit.ts';
import { type EventRecord, Intake, type Pending } from './_intake.ts';
import { Recall, type RecallOptions } from './_recall.ts';
import type { Provenance } from './_record.ts';
import { settleSpec } from './_spec.ts';
import { EventReader, provenanceOf, type StoredEvent } from './_stored-event.ts';
import { fitBudget, type FitOptions, type Fitted, Uses } from './_tiers.ts';
import { type Novelty, NoveltyMeter } from './_unseen.ts';
import { ComponentKeys, type ComponentOptions } from './components.ts';
import { type Edge, type EdgeKind, edgeKinds } from './links.ts';
import type { LshOptions } from './lsh.ts';
import { Signer } from './signature.ts';
import { openStore } from './open-store.ts';
import { type Change, idFromText, idToText, isCorrupt, type Store, type StoreStats } from './store.ts';

/** 32 hexadecimal digits, a hash of what the event is: the same event has the same id everywhere. */
export type EventId = string;

export interface MemoryOptions {
  /** A file that is created if need be, or ':memory:'. */
  readonly path?: string;
  /** Any other store, or a `postgres://` URL, or one for each of several servers, instead of a path. */
  readonly store?: Store | string | readonly string[];
  /** On how many of several servers each event is kept. Default 1, or what the memory was made with. */
  readonly replicas?: 1 | 2;
  /** How to sketch; an existing memory knows, and refuses another. Default: 1,024 numbers of 8 bits. */
  readonly spec?: Partial<SketchSpec>;
  /** Names the random maps of a new memory. An existing one knows its own. */
  readonly seed?: string;
  readonly index?: ComponentOptions;
  readonly lsh?: LshOptions;
  /** Refuses to grow the file beyond this many bytes. */
  readonly maxBytes?: number;
}

export interface Remembered {
  readonly id: EventId;
  /** Number of the event in this store; later events have larger ones. */
  readonly ordinal: number;
  /** Bytes of the stored sketch. */
  readonly bytes: number;
  /** True when the same event was there already: its count rose, nothing else was stored. */
  readonly duplicate: boolean;
  readonly count: number;
}

/** An event that cannot be read any more; everything else can. */
export interface QuarantinedEvent {
  readonly ordinal: number;
  readonly quarantined: true;
}

export interface MemoryStats extends StoreStats {
  readonly spec: SketchSpec;
  readonly revision: number;
  /** Bytes of the data file divided by the events. */
  readonly bytesPerEvent: number;
}

/**
 * @example
 * const memory = await Memory.open({ path: ':memory:', seed: 'mine' });
 * const { id } = await memory.remember(root, { task: 'read', provenance: { source: 'stream', ordinal: 1 }, at: 0 });
 * const [best] = await memory.recall({ root }, 1);
 * best.id === id; // true
 */
export class Memory {
  readonly spec: SketchSpec;
  readonly store: Store;
  readonly #keys: ComponentKeys;
  readonly #centres: Centres;
  readonly #reader: EventReader;
  readonly #recall: Recall;
  readonly #graph: GraphView;
  readonly #novelty: NoveltyMeter;
  readonly #uses: Uses;
  readonly #intake: Intake;
  #closed = false;

  private constructor(store: Store, spec: SketchSpec, centres: Centres, uses: Uses, options: MemoryOptions) {
    this.store = store;
    this.spec = spec;
    const sketcher = sketcherOf(spec);
    const signer = new Signer(spec.dim, spec.seed);
    this.#keys = new ComponentKeys(spec.seed, options.index);
    this.#centres = centres;
    this.#reader = new EventReader(store, sketcher);
    this.#graph = new GraphView(store);
    const tools = { store, sketcher, keys: this.#keys, signer, centres, reader: this.#reader, graph: this.#graph };
    this.#novelty = new NoveltyMeter(tools);
    this.#uses = uses;
    const recall = new Recall(tools);
    this.#recall = recall;
    this.#intake = new Intake({ ...tools, entity: (object, key) => recall.entity(object, key) });
  }

  /**
   * Opens a memory, or makes a new one.
   * @throws CairnError `store_locked`, `store_foreign`, `store_newer`, `store_corrupt`, `store_not_writable`,
   * `memory_seed` for a new memory without a seed, `memory_spec` when the file was made with another specification
   */
  static async open(options: MemoryOptions): Promise<Memory> {
    const { store: asked, path } = options;
    if (asked === undefined && (path === undefined || path === '')) {
      throw new CairnError('memory_path', 'Expected a path or a store, got neither.', {
        hint: "Pass a file name or ':memory:'.",
      });
    }
    const given = typeof asked === 'object' && 'write' in asked ? asked : undefined;
    const store = given ?? (await openStore((asked as string | readonly string[] | undefined) ?? path!, options));
    try {
      const spec = await settleSpec(store, options);
      const centres = new Centres(spec.dim);
      for (const name of await store.statNames()) {
        if (name.startsWith('centre/') || name.startsWith('mean/')) centres.load((await store.stat(name))!);
      }
      const uses = Uses.fromBytes(await store.stat('uses'));
      const memory = new Memory(store, spec, centres, uses, options);
      await memory.#intake.replayMeans();
      return memory;
    } catch (error) {
      if (given === undefined) await store.close();
      throw error;
    }
  }

  /**
   * Keeps an event. Resolves after it is durable; concurrent calls share one commit.
   * @throws CairnError `bad_time`, `bad_provenance`, `meta_too_large`, `store_full` and the codes of `encode`
   */
  async remember(root: Obj | readonly Obj[], record: EventRecord): Promise<Remembered> {
    this.#expectOpen();
    return this.#push(this.#intake.prepare(root, record));
  }

  /** How near a cue comes to anything remembered: below the threshold nothing like it is there, and recall may abstain. */
  async unseen(cue: Cue): Promise<Novelty> {
    this.#expectOpen();
    return this.#novelty.measure(cue, async () => {
      const [best] = await this.#recall.find(cue, 1, { walk: false });
      return best?.centred ?? -1;
    });
  }

  /** The nodes of the graph that a walk over it meets most, 1 on average. */
  async importance(limit = 20): Promise<{ readonly node: number; readonly importance: number }[]> {
    this.#expectOpen();
    return this.#graph.ranking(limit);
  }

  /** What a node is joined to, heaviest first: with `with` what occurs beside it. */
  async neighbours(node: number, kinds: readonly EdgeKind[] = edgeKinds, limit = 20): Promise<Edge[]> {
    this.#expectOpen();
    return (await this.store.edges([node], kinds, limit))[0]!;
  }

  /** Dense, tight groups of objects of one module: what concepts can be made from. */
  async buckets(options: BucketOptions = {}): Promise<Bucket[]> {
    this.#expectOpen();
    return findBuckets({ store: this.store, reader: this.#reader, keys: this.#keys, seed: this.spec.seed }, options);
  }

  /**
   * Offers every dense, tight bucket to the book of its module and puts the concepts into the graph, with `is-a` edges from
   * their members. Books are the caller's to keep: changes given by `also` are written in the same transaction. Members of
   * events that were forgotten since the buckets were read are left out.
   *
   * @param bookOf the book for a module of so many attributes; undefined leaves the module out
   * @param options.buckets those of an earlier call of `buckets`; read anew when left out
   */
  async formConcepts(
    bookOf: (module: string, dim: number) => ConceptSink | undefined,
    options: BucketOptions & {
      readonly at?: number;
      readonly buckets?: readonly Bucket[];
      readonly also?: (concepts: readonly ConceptNode[]) => readonly Change[];
    } = {},
  ): Promise<ConceptNode[]> {
    const read = options.buckets ?? (await this.buckets(options));
    return this.#intake.exclusive(async () => {
      const buckets = await stillThere(this.store, read);
      const known = await this.store.owners();
      const { changes, concepts } = await conceptChanges(buckets, bookOf, {
        keys: this.#keys,
        at: options.at ?? 0,
        known,
      });
      const all = [...changes, ...(options.also?.(concepts) ?? [])];
      if (all.length > 0) await this.store.write(all);
      return concepts;
    });
  }

  /** The concepts that were formed, by their nodes in the graph. */
  async concepts(): Promise<ConceptNode[]> {
    this.#expectOpen();
    return conceptNodes(await this.store.owners());
  }

  /** Notes that events were used at a time: what is used stays longer. Durable after `close` or `fit`. */
  async touch(ids: readonly EventId[], at: number): Promise<void> {
    this.#expectOpen();
    const rows = await this.store.find(ids.map(idFromText));
    this.#uses.touch(
      rows.flatMap((row) => (row === undefined ? [] : [row.ref])),
      at,
    );
  }

  /**
   * Shortens the coldest sketches, to a half, a quarter and nothing, until all fit a budget or `keep` forbids more. Each
   * demotion has a certificate.
   */
  async fit(options: FitOptions): Promise<Fitted> {
    this.#expectOpen();
    return this.#intake.exclusive(async () => {
      await this.store.write([{ kind: 'stat', name: 'uses', bytes: this.#uses.toBytes() }]);
      const tools = {
        store: this.store,
        spec: this.spec,
        uses: this.#uses,
        importance: (nodes: readonly (number | undefined)[]) => this.#graph.importance(nodes),
        shorten: (id: Uint8Array, keep: number) => eraseEvent(this.#erasing({ at: options.now }), id, { keep }),
      };
      const fitted = await fitBudget(tools, options);
      this.#intake.forgetEntities();
      return fitted;
    });
  }

  /**
   * Keeps a new event in the place of an old one: the old one's validity ends where the new one's begins, and both stay.
   * @throws CairnError `event_not_found`, `not_a_fact` for an old event without validity or edges, `bad_time`, and the codes
   * of `remember`
   */
  async update(old: EventId, root: Obj | readonly Obj[], record: EventRecord): Promise<Remembered> {
    this.#expectOpen();
    const from = record.provenance.validFrom ?? record.at;
    const provenance = { ...record.provenance, validFrom: from };
    const row = await expectRow(this.store, idFromText(old));
    const pending = await supersede(this.store, row, from, (links, along) =>
      this.#intake.prepare(root, { ...record, provenance, links: [...(record.links ?? []), ...links] }, along),
    );
    return this.#push(pending);
  }

  /** Says that an event was wrong, or ends it: recall leaves it out from then on unless asked for what was known before. */
  async retract(id: EventId, at: number): Promise<void> {
    this.#expectOpen();
    await this.#intake.exclusive(async () => {
      const row = await expectRow(this.store, idFromText(id));
      const { validFrom, validTo } = provenanceOf(row);
      await this.store.write([{ kind: 'times', id: row.id, times: { validFrom, validTo, retractedAt: at } }]);
    });
  }

  /** The node of an event's trace in the graph: what `links` of other events point at. */
  nodeOf(root: Obj | readonly Obj[]): number {
    return this.#keys.node(root);
  }

  /**
   * Keeps the text of a source, so that events can be read in its bytes; it goes with the last event of that source. Give
   * what it returns in the provenance of the events.
   * @throws CairnError `bad_source`
   */
  async putSource(uri: string, text: Uint8Array): Promise<{ readonly source: string; readonly sha256: string }> {
    this.#expectOpen();
    const sha256 = createHash('sha256').update(text).digest('hex');
    const change: Change = { kind: 'source', source: { uri, sha256 }, text };
    await this.#intake.exclusive(() => this.store.write([change]));
    return { source: uri, sha256 };
  }

  /** For each provenance the bytes it names, undefined where the text is not kept or no range is given. */
  async texts(provenances: readonly Provenance[]): Promise<(Uint8Array | undefined)[]> {
    this.#expectOpen();
    const slices = provenances.map(({ source, sha256 = '', range }) => ({
      source: { uri: source, sha256 },
      lo: range?.[0] ?? 0,
      hi: range?.[1] ?? 0,
    }));
    const found = await this.store.texts(slices);
    return found.map((text, i) => (provenances[i]!.range === undefined ? undefined : text));
  }

  /** Servers that do not answer now: their share of every answer is missing. */
  missing(): readonly string[] {
    return this.store.missing?.() ?? [];
  }

  /** Events that resemble a cue, best first, each with the reasons. */
  async recall(cue: Cue, k = 10, options: RecallOptions = {}): Promise<Hit[]> {
    this.#expectOpen();
    return this.#recall.find(cue, k, options);
  }

  /**
   * Events that contain an object, or one like it: anywhere, or at a `position` (a path such as '0/0/40'). An object with
   * inputs of its own is also found by the parts it shares. Unlike `recall` it does not walk unless told: what it finds has
   * something of the object.
   */
  async component(object: Obj, k = 10, options: RecallOptions & { readonly position?: string } = {}): Promise<Hit[]> {
    this.#expectOpen();
    return this.#recall.find({ components: [{ object, position: options.position }] }, k, { walk: false, ...options });
  }

  /**
   * The event with this id, or undefined.
   * @throws CairnError `bad_event_id`, `event_quarantined` when its row is damaged
   */
  async get(id: EventId): Promise<StoredEvent | undefined> {
    this.#expectOpen();
    const bytes = idFromText(id);
    const [row] = await this.store.find([bytes]);
    return row === undefined ? undefined : this.#reader.event(await expectRow(this.store, bytes));
  }

  /** The latest events first; pass the last ordinal as `before` for the next page. Damaged events are named, not hidden. */
  async list(
    options: { readonly before?: number; readonly limit?: number } = {},
  ): Promise<(StoredEvent | QuarantinedEvent)[]> {
    this.#expectOpen();
    const limit = Math.max(0, Math.min(10_000, Math.floor(options.limit ?? 50)));
    const rows = await this.store.list({ limit, ...(options.before === undefined ? {} : { before: options.before }) });
    const events: (StoredEvent | QuarantinedEvent)[] = [];
    for (const row of rows) {
      events.push(isCorrupt(row) ? { ordinal: row.ref, quarantined: true } : await this.#reader.event(row));
    }
    return events;
  }

  /**
   * Forgets an event: 'subtract' takes it out of every list, edge and statistic, and its bytes out of the files and out of a
   * kept source text; `keep` shortens its sketch to so many numbers. The certificate says what is gone and what can still be read.
   * Changes given as `also` are committed before it in the same transaction.
   * @throws CairnError `bad_event_id`, `event_not_found`, `sketch_kept`
   */
  async forget(
    id: EventId,
    how: ForgetHow = 'subtract',
    options: { readonly at?: number; readonly also?: readonly Change[] } = {},
  ): Promise<Erasure> {
    this.#expectOpen();
    const bytes = idFromText(id);
    return this.#intake.exclusive(async () => {
      const also = [...(options.also ?? []), ...(how === 'subtract' ? await this.#unused([bytes]) : [])];
      const erasure = await eraseEvent(this.#erasing({ ...options, also }), bytes, how);
      this.#intake.forgetEntities();
      return erasure;
    });
  }

  /** Forgets many events in one write, as `forget` with 'subtract' does one. */
  async forgetAll(
    ids: readonly EventId[],
    options: { readonly at?: number; readonly also?: readonly Change[] } = {},
  ): Promise<Erasure[]> {
    this.#expectOpen();
    const bytes = [...new Set(ids)].map(idFromText);
    return this.#intake.exclusive(async () => {
      const also = [...(options.also ?? []), ...(await this.#unused(bytes))];
      const erasures = bytes.length === 0 ? [] : await eraseEvents(this.#erasing({ ...options, also }), bytes);
      this.#intake.forgetEntities();
      return erasures;
    });
  }

  /** Ids of the events that have a byte range in this version of a source, the latest first. */
  async eventsOf(source: string, sha256 = ''): Promise<EventId[]> {
    this.#expectOpen();
    const { hits } = await this.store.sharing([this.#keys.source(source, sha256)], { limit: 2 ** 31 - 1 });
    const rows = await this.store.read(hits.map(({ ref }) => ref));
    return rows.flatMap((row) => (row === undefined || isCorrupt(row) ? [] : [idToText(row.id)]));
  }

  async stats(): Promise<MemoryStats> {
    this.#expectOpen();
    const stats = await this.store.stats();
    const revision = await this.store.revision();
    return {
      ...stats,
      spec: this.spec,
      revision,
      bytesPerEvent: stats.events === 0 ? 0 : stats.fileBytes / stats.events,
    };
  }

  /** Reads everything and names the ordinals of damaged events. Throws `store_corrupt` when the file itself is damaged. */
  async verify(): Promise<readonly number[]> {
    this.#expectOpen();
    return this.store.verify();
  }

  /** Gives back the room of what was forgotten: until then its blank rows keep their place. Needs free room for a copy. */
  async compact(): Promise<void> {
    this.#expectOpen();
    await this.#intake.exclusive(() => this.store.compact());
  }

  /** Waits for what is being written, then closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#intake.exclusive(async () => {
      try {
        await this.#intake.save();
        if (this.#uses.size > 0) await this.store.write([{ kind: 'stat', name: 'uses', bytes: this.#uses.toBytes() }]);
      } finally {
        await this.store.close();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The statistic of uses without some events; nothing when none of them was ever used. */
  async #unused(ids: readonly Uint8Array[]): Promise<Change[]> {
    const rows = await this.store.find(ids);
    const dropped = rows.filter((row) => row !== undefined && this.#uses.drop(row.ref));
    return dropped.length === 0 ? [] : [{ kind: 'stat', name: 'uses', bytes: this.#uses.toBytes() }];
  }

  #erasing({ at = 0, also = [] }: { readonly at?: number; readonly also?: readonly Change[] }): ErasureTask {
    return { store: this.store, reader: this.#reader, centres: this.#centres, keys: this.#keys, at, also };
  }

  async #push(pending: Pending): Promise<Remembered> {
    const { id, sketch } = pending.event.event;
    const { ref, fresh, count } = await this.#intake.push(pending);
    return { id: idToText(id), ordinal: ref, bytes: sketch.length, duplicate: !fresh, count };
  }

  #expectOpen(): void {
    if (!this.#closed) return;
    throw new CairnError('memory_closed', 'Expected an open memory, got one that was closed.', {
      hint: 'Open it again.',
    });
  }
}
