// Concepts of the mind: what the dense, tight buckets of its memory have in common, kept in one book for each module. Found
// from what the sketches say, without labels; a forgotten event is subtracted from them exactly. After 1910.06718, 2310.12143.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  type Bucket,
  type Change,
  type Concept,
  ConceptBook,
  conceptSimilarity,
  type EventId,
  type Memory,
  type StoredEvent,
} from '../../memory/index.ts';
import { unroll, type UnrolledObject } from '../../sketch/index.ts';
import type { Ledger, NewEntry } from './_ledger.ts';
import type { ConceptGrowth, ConceptLoss, ConceptMember, ConceptView, Growth } from './types.ts';

const BOOK = 'growth/book/';
/** Objects of a concept differ by less than a tenth of their size; the attributes of a module are at most so many. */
const MAX_SPREAD = 0.1;
const MOST_ATTRIBUTES = 64;
const MIN_OBJECTS = 32;
/** Events whose members are shown. */
const SHOWN_EVENTS = 24;

/** One object of an event as its sketch says it. */
export interface ReadObject {
  readonly module: string;
  readonly path: string;
  readonly attributes: Float32Array;
}

export class Concepts {
  readonly #memory: Memory;
  readonly #ledger: Ledger;
  readonly #books = new Map<string, ConceptBook>();

  private constructor(memory: Memory, ledger: Ledger) {
    this.#memory = memory;
    this.#ledger = ledger;
  }

  static async open(memory: Memory, ledger: Ledger): Promise<Concepts> {
    const concepts = new Concepts(memory, ledger);
    await concepts.reload();
    return concepts;
  }

  /** The book of a module, if any concept of it was found. */
  book(module: string): ConceptBook | undefined {
    return this.#books.get(module);
  }

  /** Buckets from which concepts can be made; the slow part, which changes nothing. */
  async look(events: number, signal: AbortSignal | undefined): Promise<Bucket[]> {
    return this.#memory.buckets({
      events,
      minCount: MIN_OBJECTS,
      maxSpread: MAX_SPREAD,
      ...(signal ? { signal } : {}),
    });
  }

  /** Takes the buckets in. Returns the concepts that are new; those that grew are written too. */
  async take(buckets: readonly Bucket[], at: number): Promise<Growth[]> {
    try {
      return await this.#take(buckets, at);
    } catch (error) {
      // What was not written must not be remembered.
      await this.reload();
      throw error;
    }
  }

  async #take(buckets: readonly Bucket[], at: number): Promise<Growth[]> {
    const books = this.#books;
    const touched = new Set<string>();
    const bookOf = (module: string, dim: number): ConceptBook | undefined => {
      if (dim > MOST_ATTRIBUTES) return undefined;
      let book = books.get(module);
      if (book === undefined) {
        book = new ConceptBook({ features: { dim }, seed: `${this.#memory.spec.seed}/growth` });
        books.set(module, book);
      }
      touched.add(module);
      return book;
    };
    let fresh: Growth[] = [];
    let adopt = (): void => undefined;
    await this.#memory.formConcepts(bookOf, {
      buckets,
      at,
      also: (nodes) => {
        const entries: NewEntry[] = [];
        for (const { module, concept, node, members } of nodes) {
          const told = books.get(module)!.concept(concept);
          // What fills all dimensions says nothing about what is in it.
          if (told.signature.nullity === 0) continue;
          const from = bucketsOf(buckets, books.get(module)!, module, concept);
          const name = nameOf(module, concept);
          const known = this.#ledger.standing(name);
          const seen = new Set(from.flatMap((bucket) => bucket.members.map(({ event }) => event)));
          // Buckets list the newest first; the ledger keeps the oldest first.
          const events = new Set([...(known ? this.#ledger.eventsOf(known.id) : []), ...[...seen].reverse()]);
          const id = known?.id ?? this.#ledger.id(fresh.length);
          const growth = toGrowth({ id, at: known?.at ?? at, name, module, node, members: members.length }, told, {
            events: events.size,
            bucket: known?.kind === 'concept' ? known.bucket : (from[0]?.bits ?? ''),
          });
          if (known !== undefined && JSON.stringify(known) === JSON.stringify(growth)) continue;
          entries.push({ growth, events: [...events] });
          if (known === undefined) fresh = [...fresh, growth];
        }
        const prepared = this.#ledger.prepare(entries);
        ({ adopt } = prepared);
        return [...prepared.changes, ...[...touched].map((module) => bookChange(module, books.get(module)!))];
      },
    });
    adopt();
    return fresh;
  }

  /** Reads the books as they were last written. */
  async reload(): Promise<void> {
    this.#books.clear();
    const { store } = this.#memory;
    for (const name of await store.statNames()) {
      if (!name.startsWith(BOOK)) continue;
      const bytes = inflateRawSync((await store.stat(name))!);
      this.#books.set(name.slice(BOOK.length), ConceptBook.fromBytes(bytes));
    }
  }

  /**
   * Takes some events out of the books, and says what to write and what becomes of a concept growth. Subtracting is exact:
   * afterwards a book is as if it had never seen them. When the write fails, `reload` brings the books back.
   */
  without(events: readonly StoredEvent[]): {
    readonly changes: Change[];
    readonly instead: (growth: ConceptGrowth, left: readonly EventId[]) => Growth;
  } {
    const touched = new Set<string>();
    for (const event of events) {
      for (const { module, path, attributes } of objectsOf(event)) {
        const book = this.#books.get(module);
        if (book === undefined || attributes.length !== book.map.spec.dim) continue;
        book.forget(attributes, pointId(event.id, path));
        touched.add(module);
      }
    }
    return {
      changes: [...touched].map((module) => bookChange(module, this.#books.get(module)!)),
      instead: (growth, left) => {
        const told = this.#books
          .get(growth.module)
          ?.concepts()
          .find(({ id }) => id === growth.concept);
        if (told === undefined) {
          return { ...growth, status: 'withdrawn', because: 'its last object was forgotten', events: 0, objects: 0 };
        }
        return toGrowth(growth, told, { events: left.length, bucket: growth.bucket });
      },
    };
  }

  /** A concept with its members in the newest events, and what would be lost. Undefined when it is not standing. */
  async view(id: string): Promise<ConceptView | undefined> {
    const growth = this.#ledger.get(id);
    const book = growth?.kind === 'concept' ? this.#books.get(growth.module) : undefined;
    if (growth?.kind !== 'concept' || growth.status !== 'standing' || book === undefined) return undefined;
    const trial = ConceptBook.fromBytes(book.toBytes());
    const members: ConceptMember[] = [];
    const losses: ConceptLoss[] = [];
    for (const event of [...this.#ledger.eventsOf(id)].reverse().slice(0, SHOWN_EVENTS)) {
      const stored = await this.#memory.get(event).catch(() => undefined);
      if (stored === undefined) continue;
      const own = objectsOf(stored).filter(({ path }) => book.conceptOf(pointId(event, path)) === growth.concept);
      members.push(...own.map(({ path }) => ({ event, path })));
      losses.push(this.#loss(trial, growth, event, own));
    }
    const edges = await this.#memory.neighbours(growth.node, ['member'], 4096);
    const lost = { objects: growth.objects, edges: edges.length, equations: growth.signature.nullity };
    return { growth, members, losses, lost };
  }

  /** Takes an event's objects out of a copy of the book, compares, and puts them back. */
  #loss(trial: ConceptBook, growth: ConceptGrowth, event: EventId, own: readonly ReadObject[]): ConceptLoss {
    const before = trial.concept(growth.concept);
    for (const { path, attributes } of own) trial.forget(attributes, pointId(event, path));
    const after = trial.concepts().find(({ id }) => id === growth.concept);
    for (const { path, attributes } of own) trial.observe(attributes, pointId(event, path));
    const norm = Math.hypot(...before.mean);
    const moved = after === undefined ? norm : Math.hypot(...before.mean.map((v, i) => v - after.mean[i]!));
    return {
      event,
      objects: own.length,
      left: after?.count ?? 0,
      shift: norm === 0 ? 0 : moved / norm,
      similarity: after === undefined ? 0 : conceptSimilarity(before.signature, after.signature),
      withdrawn: this.#ledger
        .madeFrom([event])
        .filter((g) => g.kind !== 'concept')
        .map(({ id }) => id),
    };
  }
}

/** All objects of an event with the names that concept books know them by. */
export function objectsOf(event: StoredEvent): ReadObject[] {
  if (event.sketch.kept === 0) return [];
  const reading = unroll(event.sketch, event.structure);
  const found: ReadObject[] = [];
  const visit = (object: UnrolledObject): void => {
    object.inputs.forEach(visit);
    found.push({ module: object.module, path: object.path, attributes: object.attributes });
  };
  reading.outputs.forEach(visit);
  return found;
}

function pointId(event: EventId, path: string): string {
  return `${event}/${path}`;
}

function nameOf(module: string, concept: number): string {
  return `concept/${module}/${concept}`;
}

/** Buckets whose members went to a concept. */
function bucketsOf(buckets: readonly Bucket[], book: ConceptBook, module: string, concept: number): Bucket[] {
  return buckets.filter(
    (bucket) =>
      bucket.module === module &&
      // A bucket goes to one concept as a whole.
      bucket.members.slice(0, 1).some(({ event, path }) => book.conceptOf(pointId(event, path)) === concept),
  );
}

function bookChange(module: string, book: ConceptBook): Change {
  // The names of points repeat the same few paths and events: they pack to a tenth.
  return { kind: 'stat', name: BOOK + module, bytes: new Uint8Array(deflateRawSync(book.toBytes(), { level: 1 })) };
}

function toGrowth(
  base: Pick<ConceptGrowth, 'id' | 'at' | 'name' | 'module' | 'node' | 'members'>,
  told: Concept,
  more: Pick<ConceptGrowth, 'events' | 'bucket'>,
): ConceptGrowth {
  const { signature, threshold, count, mean, energy } = told;
  const off = energy - mean.reduce((sum, v) => sum + v * v, 0);
  const { id, at, name, module, node, members } = base;
  return {
    id,
    kind: 'concept',
    name,
    status: 'standing',
    at,
    module,
    concept: told.id,
    node,
    objects: count,
    members,
    ...more,
    spread: energy === 0 ? 0 : Number(Math.max(0, off / energy).toFixed(6)),
    mean: Array.from(mean, (v) => Number(v.toFixed(6))),
    signature: { size: signature.size, rank: signature.rank, nullity: signature.nullity, threshold },
    says: `${count} outputs of ${module} in ${more.events} events satisfy ${signature.nullity} equations in common.`,
  };
}
