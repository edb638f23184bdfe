// What the gateway must not forget: keys, what was spent, reservations, decisions. One interface, so that several gateways may
// share a server; the embedded form is one SQLite file. Every call is one transaction.
import { inDirectory } from './_database.ts';
import { createSqliteState } from './_sqlite-state.mjs';

/** One account of one budget in one window: `limit` is checked against what was spent and what is reserved. */
export interface Account {
  /** For example `key:alice/usd/day`. */
  readonly name: string;
  /** Start of the window, milliseconds since 1970. */
  readonly window: number;
  readonly amount: number;
  readonly limit: number;
}

export interface Reservation {
  readonly id: string;
  readonly accounts: readonly Account[];
}

export type Reserved =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly over: Account; readonly used: number };

/** A kept value that was put, or dropped: then without `value`. */
export interface KeptChange {
  readonly kind: string;
  readonly key: string;
  readonly value: string | undefined;
}

export interface GatewayState {
  /** Whether other gateways use this state at the same time. */
  readonly shared: boolean;
  /** Takes `amount` from every account, or from none. */
  reserve(id: string, accounts: readonly Account[], expiresAt: number, now: number): Promise<Reserved>;
  /** Turns a reservation into what was really spent, in the order of its accounts. */
  settle(reservation: Reservation, spent: readonly number[]): Promise<void>;
  /** What accounts have spent, and what is reserved of them. */
  usage(
    names: readonly { readonly name: string; readonly window: number }[],
    now: number,
  ): Promise<{ spent: number; reserved: number }[]>;
  get(kind: string, key: string): Promise<string | undefined>;
  put(kind: string, key: string, value: string): Promise<void>;
  drop(kind: string, key: string): Promise<boolean>;
  list(kind: string): Promise<{ key: string; value: string }[]>;
  /** Decisions are written together; the oldest beyond `keep` are dropped. */
  record(decisions: readonly { id: string; at: number; value: string }[], keep: number): Promise<void>;
  decision(id: string): Promise<string | undefined>;
  /** Latest first. */
  decisions(limit: number, before?: number): Promise<{ id: string; at: number; value: string }[]>;
  /**
   * Tells what is kept and dropped of these kinds after the state was opened, in order, until the function it returns is called.
   * What was done through this object may be told as well.
   */
  watch(kinds: readonly string[], listener: (change: KeptChange) => void): () => void;
  close(): Promise<void>;
}

/** Opens the state in a file, or in memory with ':memory:'. Survives the end of the process, also a sudden one. */
export function openSqliteState(path: string): GatewayState {
  const state = inDirectory(path, () => createSqliteState(path));
  return {
    shared: false,
    reserve: async (...args) => state.reserve(...args),
    settle: async (...args) => state.settle(...args),
    usage: async (...args) => state.usage(...args),
    get: async (...args) => state.get(...args),
    put: async (...args) => state.put(...args),
    drop: async (...args) => state.drop(...args),
    list: async (...args) => state.list(...args),
    record: async (...args) => state.record(...args),
    decision: async (...args) => state.decision(...args),
    decisions: async (...args) => state.decisions(...args),
    watch: () => () => undefined,
    close: async () => state.close(),
  };
}
