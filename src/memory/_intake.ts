// How events come in: from a trace to a row with its keys, its links and its signature, in commits that many calls share; and
// the running means that signatures are centred with. It decides what is written; the store decides how.
import { CairnError } from '../errors.ts';
import { type Encoded, type Obj, quantise, type Sketcher, toBytes } from '../sketch/index.ts';
import { type Centre, type Centres, meanChanges, packCentre } from './_centres.ts';
import { linksOf, type NamedLink } from './_event-links.ts';
import { GroupCommit } from './_group-commit.ts';
import { contentHash } from './_hash.ts';
import { type Meta, packMeta, packProvenance, type Provenance } from './_record.ts';
import { type EventReader, moduleOf } from './_stored-event.ts';
import type { TermList } from './_terms.ts';
import { type Component, type ComponentKeys, isItem, keysOf } from './components.ts';
import type { Signer } from './signature.ts';
import { type Change, type Entity, isCorrupt, type Store, type Times, type Written } from './store.ts';

/** What is kept beside the sketch. */
export interface EventRecord {
  readonly task: string;
  readonly provenance: Provenance;
  /** Anything small: bytes as they are, or plain data as JSON. */
  readonly meta?: Meta;
  /** Milliseconds since 1970; the memory has no clock. */
  readonly at: number;
  /** Words by which the event is found too. */
  readonly terms?: TermList | undefined;
  /** Edges to nodes of other events, such as `{ kind: 'previous', to: memory.nodeOf(before) }`. */
  readonly links?: readonly NamedLink[] | undefined;
}

/** An event ready to be written. */
export interface Pending {
  readonly event: Change & { kind: 'insert' };
  readonly encoded: Encoded;
  readonly vector: Float64Array;
  /** Changes that must happen with it. */
  readonly along: readonly Change[];
}

interface Tools {
  readonly store: Store;
  readonly sketcher: Sketcher;
  readonly keys: ComponentKeys;
  readonly signer: Signer;
  readonly centres: Centres;
  readonly reader: EventReader;
  entity(object: Obj, key: number): Entity;
}

const SAVE_MEANS_EVERY = 256;
const META_LIMIT = 1 << 20;

export class Intake {
  readonly #tools: Tools;
  readonly #commits: GroupCommit<Pending, Written>;
  readonly #knownEntities = new Set<number>();
  #unsavedCentres: Centre[] = [];
  #sinceMeans = 0;

  constructor(tools: Tools) {
    this.#tools = tools;
    this.#commits = new GroupCommit((items) => this.#commit(items));
  }

  /** Makes a row of a trace. Throws `bad_time`, `bad_task`, `bad_provenance`, `meta_too_large`, `bad_link`, codes of `encode`. */
  prepare(root: Obj | readonly Obj[], record: EventRecord, along: readonly Change[] = []): Pending {
    const { sketcher, centres, keys, signer, reader } = this.#tools;
    checkRecord(record);
    const { task, at, terms } = record;
    const { sha256, validFrom, validTo, ...place } = record.provenance;
    const identity = packProvenance(record.provenance);
    const meta = packMeta(record.meta);
    if (meta.length > META_LIMIT) {
      throw new CairnError('meta_too_large', `Expected at most ${META_LIMIT} bytes of meta, got ${meta.length}.`, {
        hint: 'Keep large data in a file of its own and its name in the meta.',
      });
    }
    const encoded = sketcher.encode(root);
    const stored = quantise(encoded);
    const module = moduleOf(encoded.structure);
    const centre = centres.latest(module) ?? this.#newCentre(module, sketcher.base(encoded.structure));
    const components = keys.of(root);
    const times: Times = { validFrom, validTo };
    const dated = validFrom !== undefined || validTo !== undefined;
    const links = linksOf(root, keys, record.links, dated ? keys.frames(root) : []);
    // Ways back: from the event's node in the graph, and from its source.
    const back: number[] = links.length === 0 ? [] : [keys.node(root)];
    if (place.range !== undefined) back.push(keys.source(place.source, sha256 ?? ''));
    const text = new TextEncoder();
    const id = contentHash([
      text.encode(encoded.structure.hash),
      new Uint8Array(encoded.attributes.buffer, encoded.attributes.byteOffset, encoded.attributes.byteLength),
      text.encode(task),
      text.encode(place.source),
      identity,
    ]);
    const event: Change & { kind: 'insert' } = {
      kind: 'insert',
      event: {
        id,
        structure: { hash: encoded.structure.hash, bytes: encoded.structure.bytes },
        task,
        source: place.source,
        ...(sha256 === undefined ? {} : { sourceHash: sha256 }),
        at,
        ...(dated ? { times } : {}),
        // What can change, or is kept once for a source, stands in columns of its own.
        provenance: packProvenance(place),
        meta,
        sketch: toBytes(stored),
        signature: signer.sign(encoded.values, centre.mean).bits,
        centre: centre.id,
        keys: withKeys(keysOf(components), back),
        entities: this.#newEntities(components),
        ...(links.length === 0 ? {} : { links }),
        ...(terms === undefined ? {} : { terms }),
      },
    };
    return { event, encoded, vector: reader.vectorOf(stored, encoded.structure), along };
  }

  /** Resolves when the event is durable; concurrent calls share one commit. */
  push(pending: Pending): Promise<Written> {
    return this.#commits.push(pending);
  }

  /** Runs between commits. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#commits.exclusive(work);
  }

  /** After an erasure: an entity may have gone with its last event. */
  forgetEntities(): void {
    this.#knownEntities.clear();
  }

  /** Saves what has changed since the means were saved last. */
  async save(): Promise<void> {
    if (this.#sinceMeans > 0) {
      await this.#tools.store.write([...this.#centreChanges(), ...meanChanges(this.#tools.centres)]);
    }
  }

  /** Means are saved now and then; what was recorded since is added again from the stored sketches. */
  async replayMeans(): Promise<void> {
    const { centres, store, reader } = this.#tools;
    const missing: { ref: number; module: string; vector: Float64Array }[] = [];
    // All means are saved together, so the latest of them tells how far they reach.
    const saved = Math.max(0, ...centres.modules().map((m) => centres.running(m)!.upTo));
    for (let before = Infinity; before > saved + 1;) {
      const rows = await store.list({ limit: 256, ...(before === Infinity ? {} : { before }) });
      if (rows.length === 0) break;
      for (const row of rows) {
        before = row.ref;
        if (isCorrupt(row) || row.ref <= saved) continue;
        const { module, vector, complete } = await reader.vector(row);
        if (complete) missing.push({ ref: row.ref, module, vector });
      }
    }
    for (const { ref, module, vector } of missing.reverse()) this.#addToMeans(module, vector, ref);
  }

  async #commit(items: Pending[]): Promise<Written[]> {
    const unsaved = this.#unsavedCentres.length;
    const changes = this.#centreChanges();
    if (this.#sinceMeans >= SAVE_MEANS_EVERY) changes.push(...meanChanges(this.#tools.centres));
    const places = items.map(({ event, along }) => {
      changes.push(event, ...along);
      return changes.length - 1 - along.length;
    });
    const all = await this.#tools.store.write(changes);
    const written = places.map((place) => all[place]!);
    this.#unsavedCentres = this.#unsavedCentres.slice(unsaved);
    if (this.#sinceMeans >= SAVE_MEANS_EVERY) this.#sinceMeans = 0;
    written.forEach(({ fresh, ref }, i) => {
      if (!fresh) return;
      const { event, encoded, vector } = items[i]!;
      this.#addToMeans(moduleOf(encoded.structure), vector, ref);
      for (const { key } of event.event.entities) this.#knownEntities.add(key);
    });
    return written;
  }

  #addToMeans(module: string, vector: Float64Array, ref: number): void {
    const due = this.#tools.centres.add(module, vector, ref);
    if (due !== undefined) this.#unsavedCentres.push(due);
    this.#sinceMeans++;
  }

  #centreChanges(): Change[] {
    return this.#unsavedCentres.map((c) => ({ kind: 'stat', name: `centre/${c.id}`, bytes: packCentre(c) }));
  }

  #newCentre(module: string, base: ArrayLike<number>): Centre {
    const centre = this.#tools.centres.first(module, base);
    this.#unsavedCentres.push(centre);
    return centre;
  }

  /** Signatures of components that the store may not have yet. */
  #newEntities(components: readonly Component[]): Entity[] {
    if (this.#knownEntities.size > 262_144) this.#knownEntities.clear();
    const entities = new Map<number, Entity>();
    for (const component of components) {
      if (this.#knownEntities.has(component.key) || entities.has(component.key) || !isItem(component)) continue;
      entities.set(component.key, this.#tools.entity(component.object, component.key));
    }
    return [...entities.values()];
  }
}

function checkRecord({ at, task }: EventRecord): void {
  if (!Number.isSafeInteger(at)) {
    throw new CairnError('bad_time', `Expected whole milliseconds since 1970 as \`at\`, got ${at}.`, {
      hint: 'Pass Date.now().',
    });
  }
  if (typeof task !== 'string' || task.length === 0 || task.length > 255) {
    throw new CairnError('bad_task', 'Expected a task name of 1 to 255 characters, got another value.');
  }
}

function withKeys(keys: Float64Array, more: readonly number[]): Float64Array {
  return more.length === 0 ? keys : Float64Array.from(new Set([...keys, ...more])).sort();
}
