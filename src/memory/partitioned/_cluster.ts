// The servers of a partitioned store, which of them answer, and who keeps what: opens them, asks them, lets go of those that
// fall silent and takes them back when they have caught up.
import { CairnError } from '../../errors.ts';
import type { Change, Store } from '../store.ts';
import { Journal } from './_journal.ts';
import { type Layout, type Partition, partitionsOf, serversOf } from './_layout.ts';
import { isDown, keyOf, Seat, type ServerOptions, type StoreKey } from './_seats.ts';

const SELF = 'part/self';
const LAYOUT = 'part/layout';
const STATE = 'part/state';
/** A server that was away may have given out numbers that nobody else knows; never so many in a row. */
const LEAP = 65_536;

export class Cluster {
  readonly seats: readonly Seat[];
  readonly journal: Journal;
  layout: Layout;
  /** Reference for the next event. */
  next = 1;
  edits = 0;

  private constructor(seats: readonly Seat[], layout: Layout) {
    this.seats = seats;
    this.layout = layout;
    this.journal = new Journal({
      store: (key) => this.storeOf(key),
      fell: (key, error) => (this.#seatOf(key)!.fault ??= error),
    });
  }

  static async open(servers: readonly ServerOptions[], replicas: 1 | 2 | undefined): Promise<Cluster> {
    const seats = servers.map((options) => new Seat(options));
    try {
      await Promise.all(seats.map(openChair));
      const layout = await readLayout(seats, replicas);
      const cluster = new Cluster(seats, layout);
      await cluster.#start();
      return cluster;
    } catch (error) {
      await Promise.all(seats.map((seat) => seat.close()));
      throw error;
    }
  }

  /** Servers of the layout that do not answer. */
  missing(): string[] {
    const live = new Set(this.seats.filter((seat) => seat.live).map((seat) => seat.number));
    return this.#numbers().flatMap((n) => (live.has(n) ? [] : [`server-${n}`]));
  }

  /** All partitions that may hold events. */
  partitions(): Partition[] {
    const { servers, replicas, moving } = this.layout;
    return [...new Set([...partitionsOf(servers, replicas), ...partitionsOf(moving?.servers ?? [], replicas)])];
  }

  seat(number: number): Seat | undefined {
    return this.seats.find((seat) => seat.number === number);
  }

  /** The store of a server that answers. */
  storeOf(key: StoreKey): Store | undefined {
    const seat = this.#seatOf(key);
    return seat?.live === true ? seat.stores.get(key.slice(key.indexOf('/') + 1)) : undefined;
  }

  /** Stores of a partition, those that do not answer included. */
  keysOf(partition: Partition): StoreKey[] {
    return serversOf(partition).map((n) => keyOf(n, partition));
  }

  chairs(): StoreKey[] {
    return this.#numbers().map((n) => keyOf(n, ''));
  }

  /** The answer of a partition: from the first of its servers that gives one; undefined when none does. */
  async ask<T>(partition: Partition, question: (store: Store) => Promise<T>): Promise<{ value: T } | undefined> {
    for (const n of serversOf(partition)) {
      const seat = this.seat(n);
      const store = seat?.live === true ? seat.store(partition) : undefined;
      if (store === undefined) continue;
      try {
        return { value: await question(store) };
      } catch (error) {
        if (!isDown(error)) throw error;
        seat!.fault ??= error;
      }
    }
    return undefined;
  }

  async askAll<T>(question: (store: Store) => Promise<T>): Promise<T[]> {
    const answers = await Promise.all(this.partitions().map((p) => this.ask(p, question)));
    return answers.flatMap((answer) => (answer === undefined ? [] : [answer.value]));
  }

  /** The answer of any server, for what all have. */
  async askAny<T>(question: (store: Store) => Promise<T>): Promise<T> {
    for (const n of this.#numbers()) {
      const seat = this.seat(n);
      if (seat?.live !== true) continue;
      try {
        return await question(seat.chair);
      } catch (error) {
        if (!isDown(error)) throw error;
        seat.fault ??= error;
      }
    }
    throw serversDown(this.missing().length, this.#numbers().length);
  }

  /** Carries out one write. `shares` has the changes of each store; counters go with it. */
  async write(
    shares: ReadonlyMap<StoreKey, readonly Change[]>,
    counters: { next: number; edits: number },
  ): Promise<void> {
    const live = this.chairs().filter((key) => this.storeOf(key) !== undefined);
    // The home with most of the write leaves least to put into the intent; where chairs keep no events they take turns.
    const size = (key: StoreKey): number => shares.get(key)?.length ?? 0;
    const turn = this.journal.last % Math.max(1, live.length);
    const order = [...live.slice(turn), ...live.slice(0, turn)].sort((a, b) => size(b) - size(a));
    const home = order[0];
    if (home === undefined) throw serversDown(live.length, this.#numbers().length);
    const state = (number: number) => [
      {
        kind: 'stat' as const,
        name: STATE,
        bytes: Buffer.from(JSON.stringify([counters.next, counters.edits, number])),
      },
    ];
    // Also after a failure: whether the home has it is not known then, and no reference is given out twice.
    this.next = counters.next;
    await this.journal.write(home, shares, state);
    this.edits = counters.edits;
  }

  /** Tries servers that did not answer, gives them what they missed, and takes them back. True when all answer. */
  async heal(): Promise<boolean> {
    for (const seat of this.seats) {
      if (seat.live) continue;
      const fault = seat.fault;
      try {
        if (seat.stores.has('')) await seat.chair.revision();
        else await openChair(seat);
        if (!seat.stores.has('')) continue;
        seat.fault = undefined;
        await this.#welcome(seat);
      } catch (error) {
        if (!CairnError.isInstance(error)) throw error;
        seat.fault = fault ?? error;
      }
    }
    await this.journal.settleAll(() => this.next++);
    return this.missing().length === 0;
  }

  /** Writes another layout to every server, together with what changes by it. */
  async setLayout(layout: Layout, changes: ReadonlyMap<StoreKey, readonly Change[]> = new Map()): Promise<void> {
    const before = this.layout;
    this.layout = layout;
    for (const seat of this.seats) if (seat.live && seat.number !== undefined) await seat.open(layout);
    const shares = new Map(changes);
    for (const key of this.chairs()) shares.set(key, [...(shares.get(key) ?? []), layoutChange(layout)]);
    try {
      await this.write(shares, this);
    } catch (error) {
      this.layout = before;
      throw error;
    }
  }

  /** Numbers a server that joins. */
  async admit(seat: Seat, number: number): Promise<void> {
    await seat.chair.write([selfChange(number), layoutChange(this.layout)]);
    seat.number = number;
  }

  async close(): Promise<void> {
    try {
      await this.journal.tidy();
    } catch (error) {
      // What is left is done at the next open.
      if (!CairnError.isInstance(error)) throw error;
    } finally {
      await Promise.all(this.seats.map((seat) => seat.close()));
    }
  }

  async #start(): Promise<void> {
    const { seats } = this;
    const members = seats.filter((seat) => seat.live && seat.number !== undefined);
    const n = this.layout.servers.length;
    const present = members.filter((seat) => this.layout.servers.includes(seat.number!)).length;
    // Every write reached at least half of the servers that there are, so this many know of each.
    if (present < Math.floor(n / 2) + 1) throw serversDown(n - present, n);
    for (const seat of members) await this.#readState(seat);
    if (present < n) {
      this.next += LEAP;
      this.journal.skipTo(this.journal.last + LEAP);
    }
    for (const seat of members) await seat.open(this.layout);
    for (const seat of members) await this.journal.load(keyOf(seat.number!, ''));
    await this.journal.settleAll(() => this.next++);
  }

  async #welcome(seat: Seat): Promise<void> {
    if (seat.number === undefined) {
      const self = await seat.chair.stat(SELF);
      if (self === undefined) return;
      seat.number = numberFrom(self);
    }
    await seat.open(this.layout);
    await this.#readState(seat);
    await this.journal.load(keyOf(seat.number, ''));
  }

  async #readState(seat: Seat): Promise<void> {
    const bytes = await seat.chair.stat(STATE);
    if (bytes === undefined) return;
    const [next, edits, number] = JSON.parse(Buffer.from(bytes).toString()) as [number, number, number];
    this.next = Math.max(this.next, next);
    this.edits = Math.max(this.edits, edits);
    this.journal.skipTo(number);
  }

  #numbers(): number[] {
    return [...new Set([...this.layout.servers, ...(this.layout.moving?.servers ?? [])])].sort((a, b) => a - b);
  }

  #seatOf(key: StoreKey): Seat | undefined {
    return this.seat(Number.parseInt(key, 10));
  }
}

async function openChair(seat: Seat): Promise<void> {
  try {
    seat.stores.set('', await seat.options.open(''));
  } catch (error) {
    if (!isDown(error)) throw error;
    seat.fault = error;
  }
}

/** The layout that the servers know, or that of a new store. Numbers the seats. */
async function readLayout(seats: readonly Seat[], replicas: 1 | 2 | undefined): Promise<Layout> {
  let layout: Layout | undefined;
  for (const seat of seats) {
    if (!seat.live) continue;
    const self = await seat.chair.stat(SELF);
    if (self !== undefined) seat.number = numberFrom(self);
    const bytes = await seat.chair.stat(LAYOUT);
    const known = bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as Layout);
    if (known !== undefined && (layout === undefined || known.version > layout.version)) layout = known;
  }
  if (layout !== undefined) {
    if (replicas !== undefined && replicas !== layout.replicas) {
      throw new CairnError('bad_replicas', `Expected ${layout.replicas} as this store was made, got ${replicas}.`, {
        hint: 'Leave the number of replicas out, or copy the store into a new one with `cairn store copy`.',
      });
    }
    const numbers = seats.flatMap((seat) => seat.number ?? []);
    if (new Set(numbers).size === numbers.length) return layout;
    throw new CairnError('bad_servers', 'Expected each server once, got one of them twice.');
  }
  return foundLayout(seats, replicas ?? 1);
}

async function foundLayout(seats: readonly Seat[], replicas: 1 | 2): Promise<Layout> {
  const down = seats.filter((seat) => !seat.live);
  if (down.length > 0) throw serversDown(down.length, seats.length);
  if (seats.length < replicas) {
    throw new CairnError('bad_replicas', `Expected at least ${replicas} servers, got ${seats.length}.`, {
      hint: 'Name more servers, or keep one replica.',
    });
  }
  for (const seat of seats) {
    if ((await seat.chair.count()) === 0 && (await seat.chair.statNames()).length === 0) continue;
    throw new CairnError('store_not_partitioned', `Expected an empty store at ${seat.options.name}, got a full one.`, {
      hint: 'Copy it into a new set of servers with `cairn store copy`.',
    });
  }
  const layout: Layout = { version: 1, servers: seats.map((_, i) => i + 1), replicas };
  for (const [i, seat] of seats.entries()) {
    seat.number = i + 1;
    await seat.chair.write([selfChange(i + 1), layoutChange(layout)]);
  }
  return layout;
}

function selfChange(number: number) {
  return { kind: 'stat' as const, name: SELF, bytes: Buffer.from(String(number)) };
}

function layoutChange(layout: Layout) {
  return { kind: 'stat' as const, name: LAYOUT, bytes: Buffer.from(JSON.stringify(layout)) };
}

function numberFrom(bytes: Uint8Array): number {
  return Number(Buffer.from(bytes).toString());
}

function serversDown(down: number, all: number): CairnError {
  return new CairnError('servers_down', `Expected more than half of ${all} servers to answer, got ${all - down}.`, {
    hint: 'Start the servers; what was acknowledged is safe on them.',
  });
}
