// The memory: events come in as traces, are kept as quantised sketches, and are found again by the whole, by a component or
// by attributes, with the reason. It joins sketch/ and a Store; it reads no clock and draws no random number.
// Source: arXiv 1910.06718 (architecture), 1905.12730 (sketches).
import { CairnError } from '../errors.ts';
import {
  type Encoded,
  type Obj,
  quantise,
  type Sketcher,
  sketcherOf,
  type SketchSpec,
  toBytes,
} from '../sketch/index.ts';
import { type Centre, Centres, meanChanges, packCentre } from './_centres.ts';
import { eraseEvent, type Erasure, type ForgetHow } from './_erasure.ts';
import { GroupCommit } from './_group-commit.ts';
import { contentHash } from './_hash.ts';
import { type Meta, packMeta, packProvenance, type Provenance } from './_record.ts';
import { type Cue, type Hit, Recall } from './_recall.ts';
import { settleSpec } from './_spec.ts';
import { EventReader, moduleOf, type StoredEvent } from './_stored-event.ts';
import { type Component, ComponentKeys, type ComponentOptions, isItem, keysOf } from './components.ts';
import type { LshOptions } from './lsh.ts';
import { Signer } from './signature.ts';
import { SqliteStore } from './sqlite-store.ts';
import {
  type Change,
  type Entity,
  idFromText,
  idToText,
  isCorrupt,
  type Store,
  type StoreStats,
  type Written,
} from './store.ts';

/** 32 hexadecimal digits, a hash of what the event is: the same event has the same id everywhere. */
export type EventId = string;

export interface MemoryOptions {
  /** A file that is created if need be, or ':memory:'. */
  readonly path?: string;
  /** Any other store, instead of a path. */
  readonly store?: Store;
  /** How to sketch; an existing memory knows, and refuses another. Default: 1,024 numbers of 8 bits. */
  readonly spec?: Partial<SketchSpec>;
  /** Names the random maps of a new memory. An existing one knows its own. */
  readonly seed?: string;
  readonly index?: ComponentOptions;
  readonly lsh?: LshOptions;
  /** Refuses to grow the file beyond this many bytes. */
  readonly maxBytes?: number;
}

/** What is kept beside the sketch. */
export interface EventRecord {
  readonly task: string;
  readonly provenance: Provenance;
  /** Anything small: bytes as they are, or plain data as JSON. */
  readonly meta?: Meta;
  /** Milliseconds since 1970; the memory has no clock. */
  readonly at: number;
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

interface Pending {
  readonly event: Change & { kind: 'insert' };
  readonly encoded: Encoded;
  readonly vector: Float64Array;
}

const SAVE_MEANS_EVERY = 256;
const META_LIMIT = 1 << 20;

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
  readonly #sketcher: Sketcher;
  readonly #keys: ComponentKeys;
  readonly #signer: Signer;
  readonly #centres: Centres;
  readonly #reader: EventReader;
  readonly #recall: Recall;
  readonly #commits: GroupCommit<Pending, Written>;
  readonly #knownEntities = new Set<number>();
  #unsavedCentres: Centre[] = [];
  #sinceMeans = 0;
  #closed = false;

  private constructor(store: Store, spec: SketchSpec, centres: Centres, options: MemoryOptions) {
    this.store = store;
    this.spec = spec;
    this.#sketcher = sketcherOf(spec);
    this.#keys = new ComponentKeys(spec.seed, options.index);
    this.#signer = new Signer(spec.dim, spec.seed);
    this.#centres = centres;
    this.#reader = new EventReader(store, this.#sketcher);
    this.#recall = new Recall({
      store,
      sketcher: this.#sketcher,
      keys: this.#keys,
      signer: this.#signer,
      centres,
      reader: this.#reader,
    });
    this.#commits = new GroupCommit((items) => this.#commit(items));
  }

  /**
   * Opens a memory, or makes a new one.
   * @throws CairnError `store_locked`, `store_foreign`, `store_newer`, `store_corrupt`, `store_not_writable`,
   * `memory_seed` for a new memory without a seed, `memory_spec` when the file was made with another specification
   */
  static async open(options: MemoryOptions): Promise<Memory> {
    const limits = {
      ...(options.lsh === undefined ? {} : { lsh: options.lsh }),
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
    };
    if (options.store === undefined && (options.path === undefined || options.path === '')) {
      throw new CairnError('memory_path', 'Expected a path or a store, got neither.', {
        hint: "Pass a file name or ':memory:'.",
      });
    }
    const store = options.store ?? (await SqliteStore.open({ path: options.path!, ...limits }));
    try {
      const spec = await settleSpec(store, options);
      const centres = new Centres(spec.dim);
      for (const name of await store.statNames()) {
        if (name.startsWith('centre/') || name.startsWith('mean/')) centres.load((await store.stat(name))!);
      }
      const memory = new Memory(store, spec, centres, options);
      await memory.#replayMeans();
      return memory;
    } catch (error) {
      if (options.store === undefined) await store.close();
      throw error;
    }
  }

  /**
   * Keeps an event. Resolves after it is durable; concurrent calls share one commit.
   * @throws CairnError `bad_time`, `bad_provenance`, `meta_too_large`, `store_full` and the codes of `encode`
   */
  async remember(root: Obj | readonly Obj[], record: EventRecord): Promise<Remembered> {
    this.#expectOpen();
    if (!Number.isSafeInteger(record.at)) {
      throw new CairnError('bad_time', `Expected whole milliseconds since 1970 as \`at\`, got ${record.at}.`, {
        hint: 'Pass Date.now().',
      });
    }
    if (typeof record.task !== 'string' || record.task.length === 0 || record.task.length > 255) {
      throw new CairnError('bad_task', 'Expected a task name of 1 to 255 characters, got another value.');
    }
    const provenance = packProvenance(record.provenance);
    const meta = packMeta(record.meta);
    if (meta.length > META_LIMIT) {
      throw new CairnError('meta_too_large', `Expected at most ${META_LIMIT} bytes of meta, got ${meta.length}.`, {
        hint: 'Keep large data in a file of its own and its name in the meta.',
      });
    }
    const encoded = this.#sketcher.encode(root);
    const stored = quantise(encoded);
    const sketch = toBytes(stored);
    const module = moduleOf(encoded.structure);
    const base = this.#sketcher.base(encoded.structure);
    const centre = this.#centres.latest(module) ?? this.#newCentre(module, base);
    const components = this.#keys.of(root);
    const text = new TextEncoder();
    const id = contentHash([
      text.encode(encoded.structure.hash),
      new Uint8Array(encoded.attributes.buffer, encoded.attributes.byteOffset, encoded.attributes.byteLength),
      text.encode(record.task),
      text.encode(record.provenance.source),
      provenance,
    ]);
    const event: Change & { kind: 'insert' } = {
      kind: 'insert',
      event: {
        id,
        structure: { hash: encoded.structure.hash, bytes: encoded.structure.bytes },
        task: record.task,
        source: record.provenance.source,
        at: record.at,
        provenance,
        meta,
        sketch,
        signature: this.#signer.sign(encoded.values, centre.mean).bits,
        centre: centre.id,
        keys: keysOf(components),
        entities: this.#newEntities(components),
      },
    };
    const vector = this.#reader.vectorOf(stored, encoded.structure);
    const { ref, fresh, count } = await this.#commits.push({ event, encoded, vector });
    return { id: idToText(id), ordinal: ref, bytes: sketch.length, duplicate: !fresh, count };
  }

  /** Events that resemble a cue, best first, each with the reasons. */
  async recall(cue: Cue, k = 10): Promise<Hit[]> {
    this.#expectOpen();
    return this.#recall.find(cue, k);
  }

  /**
   * Events that contain an object, or one like it: anywhere, or at a `position` (a path such as '0/0/40'). An object with
   * inputs of its own is also found by the parts it shares.
   */
  async component(object: Obj, k = 10, options: { readonly position?: string } = {}): Promise<Hit[]> {
    this.#expectOpen();
    return this.#recall.find({ components: [{ object, position: options.position }] }, k);
  }

  /**
   * The event with this id, or undefined.
   * @throws CairnError `bad_event_id`, `event_quarantined` when its row is damaged
   */
  async get(id: EventId): Promise<StoredEvent | undefined> {
    this.#expectOpen();
    const [row] = await this.store.find([idFromText(id)]);
    if (row === undefined) return undefined;
    if (isCorrupt(row)) throw quarantined(row.ref);
    return this.#reader.event(row);
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
   * Forgets an event: 'subtract' takes it out of every list and statistic and its bytes out of the files; `keep` shortens
   * its sketch to so many numbers. The certificate says what is gone and what can still be read.
   * @throws CairnError `bad_event_id`, `event_not_found`, `sketch_kept`
   */
  async forget(id: EventId, how: ForgetHow = 'subtract', options: { readonly at?: number } = {}): Promise<Erasure> {
    this.#expectOpen();
    const bytes = idFromText(id);
    const erasure = await this.#commits.exclusive(() =>
      eraseEvent({
        id: bytes,
        how,
        at: options.at ?? 0,
        store: this.store,
        reader: this.#reader,
        centres: this.#centres,
      }),
    );
    // An entity may have gone with its last event.
    this.#knownEntities.clear();
    return erasure;
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
    await this.#commits.exclusive(() => this.store.compact());
  }

  /** Waits for what is being written, then closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#commits.exclusive(async () => {
      try {
        if (this.#sinceMeans > 0) await this.store.write([...this.#centreChanges(), ...meanChanges(this.#centres)]);
      } finally {
        await this.store.close();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #expectOpen(): void {
    if (!this.#closed) return;
    throw new CairnError('memory_closed', 'Expected an open memory, got one that was closed.', {
      hint: 'Open it again.',
    });
  }

  async #commit(items: Pending[]): Promise<Written[]> {
    const unsaved = this.#unsavedCentres.length;
    const head = this.#centreChanges();
    if (this.#sinceMeans >= SAVE_MEANS_EVERY) head.push(...meanChanges(this.#centres));
    const written = (await this.store.write([...head, ...items.map(({ event }) => event)])).slice(head.length);
    this.#unsavedCentres = this.#unsavedCentres.slice(unsaved);
    if (this.#sinceMeans >= SAVE_MEANS_EVERY) this.#sinceMeans = 0;
    written.forEach(({ fresh, ref }, i) => {
      if (!fresh) return;
      const { event, encoded, vector } = items[i]!;
      const due = this.#centres.add(moduleOf(encoded.structure), vector, ref);
      if (due !== undefined) this.#unsavedCentres.push(due);
      this.#sinceMeans++;
      for (const { key } of event.event.entities) this.#knownEntities.add(key);
    });
    return written;
  }

  #centreChanges(): Change[] {
    return this.#unsavedCentres.map((c) => ({ kind: 'stat', name: `centre/${c.id}`, bytes: packCentre(c) }));
  }

  /** Means are saved now and then; what was recorded since is added again from the stored sketches. */
  async #replayMeans(): Promise<void> {
    const missing: { ref: number; module: string; vector: Float64Array }[] = [];
    // All means are saved together, so the latest of them tells how far they reach.
    const saved = Math.max(0, ...this.#centres.modules().map((m) => this.#centres.running(m)!.upTo));
    for (let before = Infinity; before > saved + 1;) {
      const rows = await this.store.list({ limit: 256, ...(before === Infinity ? {} : { before }) });
      if (rows.length === 0) break;
      for (const row of rows) {
        before = row.ref;
        if (isCorrupt(row) || row.ref <= saved) continue;
        const { module, vector, complete } = await this.#reader.vector(row);
        if (complete) missing.push({ ref: row.ref, module, vector });
      }
    }
    for (const { ref, module, vector } of missing.reverse()) {
      const due = this.#centres.add(module, vector, ref);
      if (due !== undefined) this.#unsavedCentres.push(due);
      this.#sinceMeans++;
    }
  }

  #newCentre(module: string, base: ArrayLike<number>): Centre {
    const centre = this.#centres.first(module, base);
    this.#unsavedCentres.push(centre);
    return centre;
  }

  /** Signatures of components that the store may not have yet. */
  #newEntities(components: readonly Component[]): Entity[] {
    if (this.#knownEntities.size > 262_144) this.#knownEntities.clear();
    const entities = new Map<number, Entity>();
    for (const component of components) {
      if (this.#knownEntities.has(component.key) || entities.has(component.key) || !isItem(component)) continue;
      entities.set(component.key, this.#recall.entity(component.object, component.key));
    }
    return [...entities.values()];
  }
}

function quarantined(ref: number): CairnError {
  return new CairnError('event_quarantined', `Expected an intact event, got a damaged row at ordinal ${ref}.`, {
    hint: 'The other events are readable. Remember it again from its source, or forget it.',
    details: { ordinal: ref },
  });
}
