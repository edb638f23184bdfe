// How one write reaches several stores as a whole, without two-phase commit. (1) One store takes its own share together with
// an intent that holds the shares of all others: with that commit the write is decided. (2) The others take theirs, each with
// a mark in the same transaction, so that no share is ever taken twice. (3) An intent goes when all marks are there, then the
// marks go. A server that was away takes what it missed from the intents of the others before it answers again.
import { deserialize, serialize } from 'node:v8';
import { CairnError } from '../../errors.ts';
import type { Change, Store } from '../store.ts';
import { isDown, type StoreKey } from './_seats.ts';

export const INTERNAL = 'part/';
const INTENT = 'part/intent/';
const DONE = 'part/done/';

export type Shares = ReadonlyMap<StoreKey, readonly Change[]>;

interface Intent {
  readonly home: StoreKey;
  readonly shares: Shares;
  readonly waiting: Set<StoreKey>;
}

export interface JournalOptions {
  /** The store of a server that answers. */
  store(key: StoreKey): Store | undefined;
  /** Told when a server stops answering. */
  fell(key: StoreKey, error: CairnError): void;
}

const nothing = new Uint8Array(0);

export class Journal {
  readonly #options: JournalOptions;
  readonly #intents = new Map<number, Intent>();
  /** Intents that all have taken, by the store that holds them. */
  readonly #finished = new Map<StoreKey, number[]>();
  /** Who took a share of a finished intent. */
  readonly #takers = new Map<number, readonly StoreKey[]>();
  /** Marks whose intent is gone, by the store that holds them. */
  readonly #stale = new Map<StoreKey, number[]>();
  #last = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Number of the last write. */
  get last(): number {
    return this.#last;
  }

  skipTo(number: number): void {
    this.#last = Math.max(this.#last, number);
  }

  /** Intents that some server has not taken yet. */
  get pending(): number {
    return this.#intents.size;
  }

  /**
   * Carries out one write; when it returns, it is decided and every server that answers has taken its share.
   * @param home a store of a server that answers
   * @param always changes for the home alone, such as counters
   */
  async write(home: StoreKey, shares: Shares, always: (number: number) => readonly Change[]): Promise<void> {
    const number = ++this.#last;
    const others = new Map([...shares].filter(([key]) => key !== home));
    const own = [...always(number), ...(shares.get(home) ?? [])];
    if (others.size > 0) {
      own.push({ kind: 'stat', name: INTENT + number, bytes: new Uint8Array(serialize([...others])) });
    }
    await this.#put(home, own);
    if (others.size === 0) return;
    this.#intents.set(number, { home, shares: others, waiting: new Set(others.keys()) });
    await Promise.all([...others].map(([key, share]) => this.#take(number, key, share)));
    this.#settle(number);
  }

  /** Reads the intents that a store holds; those known already stay as they are. */
  async load(home: StoreKey): Promise<void> {
    const store = this.#options.store(home);
    if (store === undefined) return;
    for (const name of await store.statNames()) {
      if (name.startsWith(DONE)) this.skipTo(Number(name.slice(DONE.length)));
      if (!name.startsWith(INTENT)) continue;
      const number = Number(name.slice(INTENT.length));
      this.skipTo(number);
      if (this.#intents.has(number) || (this.#finished.get(home) ?? []).includes(number)) continue;
      const shares = new Map(deserialize((await store.stat(name))!) as [StoreKey, Change[]][]);
      this.#intents.set(number, { home, shares, waiting: new Set(shares.keys()) });
    }
  }

  /** Gives every server that answers what it has missed, oldest first. `free` is a reference that nobody has used. */
  async settleAll(free: () => number): Promise<void> {
    for (const number of [...this.#intents.keys()].sort((a, b) => a - b)) {
      const { shares, waiting } = this.#intents.get(number)!;
      for (const key of waiting) {
        const store = this.#options.store(key);
        if (store === undefined) continue;
        if ((await store.stat(DONE + number)) !== undefined) waiting.delete(key);
        else await this.#take(number, key, shares.get(key)!, free);
      }
      this.#settle(number);
    }
  }

  /** Removes what is not needed any more; the next write of each store would do it too. */
  async tidy(): Promise<void> {
    for (const key of [...this.#finished.keys(), ...this.#stale.keys()]) {
      if (this.#options.store(key) !== undefined) await this.#put(key, []);
    }
    for (const key of Array.from(this.#stale.keys()))
      if (this.#options.store(key) !== undefined) await this.#put(key, []);
  }

  async #take(number: number, key: StoreKey, share: readonly Change[], free?: () => number): Promise<void> {
    if (this.#options.store(key) === undefined) return;
    const mark: Change = { kind: 'stat', name: DONE + number, bytes: nothing };
    try {
      await this.#put(key, [mark, ...share]);
    } catch (error) {
      if (free !== undefined && CairnError.isInstance(error) && error.code === 'bad_reference') {
        // Later events came first, because the intent was out of reach: it was never acknowledged, so it may be renumbered.
        const late = share.map((c): Change => (c.kind === 'insert' ? { ...c, ref: free() } : c));
        await this.#put(key, [mark, ...late]);
      } else if (CairnError.isInstance(error)) {
        // Decided is decided: whatever keeps a server from taking its share, it does not answer until it has.
        this.#options.fell(key, error);
        return;
      } else throw error;
    }
    this.#intents.get(number)?.waiting.delete(key);
  }

  #settle(number: number): void {
    const intent = this.#intents.get(number);
    if (intent === undefined || intent.waiting.size > 0) return;
    push(this.#finished, intent.home, number);
    this.#takers.set(number, [...intent.shares.keys()]);
    this.#intents.delete(number);
  }

  /** One transaction of one store, with the housekeeping that is due there. */
  async #put(key: StoreKey, changes: readonly Change[]): Promise<void> {
    const store = this.#options.store(key)!;
    const intents = this.#finished.get(key) ?? [];
    const marks = this.#stale.get(key) ?? [];
    const drop = (name: string): Change => ({ kind: 'stat', name, bytes: undefined });
    const due = [...intents.map((n) => drop(INTENT + n)), ...marks.map((n) => drop(DONE + n))];
    if (due.length === 0 && changes.length === 0) return;
    try {
      await store.write([...due, ...changes]);
    } catch (error) {
      if (isDown(error)) this.#options.fell(key, error);
      throw error;
    }
    this.#finished.delete(key);
    this.#stale.delete(key);
    for (const number of intents) {
      // Only now that the intent is gone for good may its marks go.
      for (const holder of this.#takers.get(number) ?? []) push(this.#stale, holder, number);
      this.#takers.delete(number);
    }
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
