// The ledger of growth: what was found when and from which events, kept in the memory's own store beside them. Forgetting an
// event takes its id out of every list here; what was made from it and cannot be reduced is withdrawn in the same write.
import { CairnError } from '../../errors.ts';
import { type Change, type EventId, idFromText, idToText, type Store } from '../../memory/index.ts';
import type { Growth } from './types.ts';

const LEDGER = 'growth/ledger';
const EVENTS = 'growth/events/';
const ID_BYTES = 16;
/** Growths that are not standing any more and still listed. */
const MOST_PAST = 200;

interface State {
  readonly version: 1;
  readonly next: number;
  readonly entries: readonly Growth[];
}

/** An entry to write, with the events it was made from. */
export interface NewEntry {
  readonly growth: Growth;
  readonly events: readonly EventId[];
}

export class Ledger {
  readonly #store: Store;
  #next: number;
  #entries: readonly Growth[];
  #events: Map<string, ReadonlySet<EventId>>;

  private constructor(store: Store, state: State, events: Map<string, ReadonlySet<EventId>>) {
    this.#store = store;
    this.#next = state.next;
    this.#entries = state.entries;
    this.#events = events;
  }

  /** @throws CairnError `bad_growth` for a record that is none */
  static async open(store: Store): Promise<Ledger> {
    const bytes = await store.stat(LEDGER);
    const state: State = bytes ? parse(bytes) : { version: 1, next: 1, entries: [] };
    const events = new Map<string, ReadonlySet<EventId>>();
    for (const { id } of state.entries) {
      const packed = await store.stat(EVENTS + id);
      if (packed) events.set(id, unpack(packed));
    }
    return new Ledger(store, state, events);
  }

  /** Newest first. */
  get entries(): readonly Growth[] {
    return this.#entries;
  }

  /** The growth in force under a name. */
  standing(name: string): Growth | undefined {
    return this.#entries.find((e) => e.name === name && e.status === 'standing');
  }

  get(id: string): Growth | undefined {
    return this.#entries.find((e) => e.id === id);
  }

  /** Events that a growth was made from. */
  eventsOf(id: string): ReadonlySet<EventId> {
    return this.#events.get(id) ?? new Set();
  }

  /** Writes entries, with other changes in the same transaction. */
  async put(list: readonly NewEntry[], also: readonly Change[] = []): Promise<void> {
    const { changes, adopt } = this.prepare(list);
    await this.#store.write([...also, ...changes]);
    adopt();
  }

  /** What to write for entries; an entry with a known id is replaced. Nothing changes here until `adopt` is called. */
  prepare(list: readonly NewEntry[]): { readonly changes: Change[]; readonly adopt: () => void } {
    let entries = [...this.#entries];
    const events = new Map(this.#events);
    const changes: Change[] = [];
    for (const { growth, events: own } of list) {
      const at = entries.findIndex((e) => e.id === growth.id);
      if (at >= 0) entries[at] = growth;
      else {
        entries = entries.map((e) =>
          e.name === growth.name && givesWay(e, growth)
            ? { ...e, status: 'superseded' as const, because: 'found anew from more events' }
            : e,
        );
        entries.unshift(growth);
      }
      events.set(growth.id, new Set(own));
      changes.push({ kind: 'stat', name: EVENTS + growth.id, bytes: pack(own) });
    }
    const past = entries.filter((e) => e.status !== 'standing').slice(MOST_PAST);
    entries = entries.filter((e) => !past.includes(e));
    for (const id of events.keys()) {
      const entry = entries.find((e) => e.id === id);
      if (entry !== undefined && entry.status !== 'superseded' && entry.status !== 'withdrawn') continue;
      // What is over was still made from its events, but no longer says from which.
      events.delete(id);
      changes.push({ kind: 'stat', name: EVENTS + id, bytes: undefined });
    }
    const next = this.#next + list.filter(({ growth }) => this.get(growth.id) === undefined).length;
    changes.push(record({ version: 1, next, entries }));
    return {
      changes,
      adopt: () => {
        this.#next = next;
        this.#entries = entries;
        this.#events = events;
      },
    };
  }

  /** The id of the `offset`-th new entry. */
  id(offset = 0): string {
    return `${this.#next + offset}`;
  }

  /** Growths that were made from any of these events. */
  madeFrom(ids: readonly EventId[]): Growth[] {
    return this.#entries.filter((e) => ids.some((id) => this.#events.get(e.id)?.has(id) === true));
  }

  /**
   * What to write when events are forgotten: their ids leave all lists, and `instead` says what becomes of each growth made
   * from them, of those that it concerns. Nothing changes here until `adopt` is called.
   */
  without(
    ids: readonly EventId[],
    instead: (growth: Growth, left: readonly EventId[]) => Growth,
    concerns: (growth: Growth) => boolean = () => true,
  ): { readonly changes: Change[]; readonly adopt: () => void } {
    const touched = new Set(
      this.madeFrom(ids)
        .filter(concerns)
        .map((e) => e.id),
    );
    if (touched.size === 0) return { changes: [], adopt: () => undefined };
    const gone = new Set(ids);
    const changes: Change[] = [];
    const events = new Map(this.#events);
    const entries = this.#entries.map((entry) => {
      if (!touched.has(entry.id)) return entry;
      const left = [...this.eventsOf(entry.id)].filter((id) => !gone.has(id));
      const now = instead(entry, left);
      const keeps = now.status === 'standing' || now.status === 'declined';
      if (keeps) events.set(entry.id, new Set(left));
      else events.delete(entry.id);
      changes.push({ kind: 'stat', name: EVENTS + entry.id, bytes: keeps ? pack(left) : undefined });
      return now;
    });
    changes.push(record({ version: 1, next: this.#next, entries }));
    return {
      changes,
      adopt: () => {
        this.#entries = entries;
        this.#events = events;
      },
    };
  }
}

/** A module that is in force stays until a better one is. */
function givesWay(old: Growth, now: Growth): boolean {
  if (old.status === 'withdrawn' || old.status === 'superseded') return false;
  return old.status === 'declined' || now.status === 'standing' || now.kind !== 'module';
}

function record(state: State): Change {
  return { kind: 'stat', name: LEDGER, bytes: new TextEncoder().encode(JSON.stringify(state)) };
}

function parse(bytes: Uint8Array): State {
  let state: unknown;
  try {
    state = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    state = undefined;
  }
  const known =
    typeof state === 'object' &&
    state !== null &&
    'version' in state &&
    state.version === 1 &&
    'entries' in state &&
    Array.isArray(state.entries);
  // Our own record: its parts were checked when they were written, and the store has a checksum.
  if (known) return state as State;
  throw new CairnError('bad_growth', 'Expected the ledger of growth in the store, got another record.', {
    hint: 'The file was changed by other software; restore a backup or choose another data directory.',
  });
}

function pack(ids: readonly EventId[]): Uint8Array {
  const out = new Uint8Array(ids.length * ID_BYTES);
  ids.forEach((id, i) => out.set(idFromText(id), i * ID_BYTES));
  return out;
}

function unpack(bytes: Uint8Array): ReadonlySet<EventId> {
  const ids = new Set<EventId>();
  for (let at = 0; at + ID_BYTES <= bytes.length; at += ID_BYTES) ids.add(idToText(bytes.subarray(at, at + ID_BYTES)));
  return ids;
}
