// What the gateway must not forget: keys, what was spent, reservations, decisions. One interface, so that several gateways may
// share a server; the embedded form is one SQLite file. Every call is one transaction.
import { openDatabase } from './_database.ts';

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

const SCHEMA = `
CREATE TABLE IF NOT EXISTS account (name TEXT, window INTEGER, spent REAL NOT NULL, PRIMARY KEY (name, window)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservation (id TEXT, name TEXT, window INTEGER, amount REAL NOT NULL, expires INTEGER NOT NULL,
                                        PRIMARY KEY (id, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reservation_account ON reservation (name, window);
CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decision (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL);
`;

/** Opens the state in a file, or in memory with ':memory:'. Survives the end of the process, also a sudden one. */
export function openSqliteState(path: string): GatewayState {
  const db = openDatabase(path, SCHEMA);
  const spentOf = db.prepare('SELECT spent FROM account WHERE name = ? AND window = ?');
  const reservedOf = db.prepare(
    'SELECT COALESCE(SUM(amount), 0) AS sum FROM reservation WHERE name = ? AND window = ? AND expires > ?',
  );
  const addReservation = db.prepare(
    'INSERT INTO reservation (id, name, window, amount, expires) VALUES (?, ?, ?, ?, ?)',
  );
  const dropReservation = db.prepare('DELETE FROM reservation WHERE id = ?');
  const dropExpired = db.prepare('DELETE FROM reservation WHERE expires <= ?');
  const addSpent = db.prepare(
    'INSERT INTO account (name, window, spent) VALUES (?, ?, ?) ON CONFLICT (name, window) DO UPDATE SET spent = spent + excluded.spent',
  );
  const used = (name: string, window: number, now: number): { spent: number; reserved: number } => ({
    spent: (spentOf.get(name, window) as { spent: number } | undefined)?.spent ?? 0,
    reserved: (reservedOf.get(name, window, now) as { sum: number }).sum,
  });
  const getKept = db.prepare('SELECT value FROM kept WHERE kind = ? AND key = ?');
  const putKept = db.prepare(
    'INSERT INTO kept (kind, key, value) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value',
  );
  const dropKept = db.prepare('DELETE FROM kept WHERE kind = ? AND key = ?');
  const listKept = db.prepare('SELECT key, value FROM kept WHERE kind = ? ORDER BY key');
  const addDecision = db.prepare(
    'INSERT INTO decision (id, at, value) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value',
  );
  const trimDecisions = db.prepare('DELETE FROM decision WHERE seq <= (SELECT MAX(seq) FROM decision) - ?');
  const getDecision = db.prepare('SELECT value FROM decision WHERE id = ?');
  const listDecisions = db.prepare('SELECT id, at, value FROM decision WHERE at < ? ORDER BY seq DESC LIMIT ?');

  const reserve = db.transaction(
    (id: string, accounts: readonly Account[], expiresAt: number, now: number): Reserved => {
      dropExpired.run(now);
      for (const account of accounts) {
        const { spent, reserved } = used(account.name, account.window, now);
        if (spent + reserved + account.amount > account.limit)
          return { ok: false, over: account, used: spent + reserved };
      }
      for (const { name, window, amount } of accounts) addReservation.run(id, name, window, amount, expiresAt);
      return { ok: true, reservation: { id, accounts } };
    },
  );
  const settle = db.transaction((reservation: Reservation, spent: readonly number[]): void => {
    dropReservation.run(reservation.id);
    reservation.accounts.forEach(({ name, window }, i) => addSpent.run(name, window, spent[i] ?? 0));
  });
  const record = db.transaction(
    (decisions: readonly { id: string; at: number; value: string }[], keep: number): void => {
      for (const { id, at, value } of decisions) addDecision.run(id, at, value);
      trimDecisions.run(keep);
    },
  );
  return {
    shared: false,
    reserve: async (id, accounts, expiresAt, now) => reserve(id, accounts, expiresAt, now) as Reserved,
    settle: async (reservation, spent) => void settle(reservation, spent),
    usage: async (names, now) => names.map(({ name, window }) => used(name, window, now)),
    get: async (kind, key) => (getKept.get(kind, key) as { value: string } | undefined)?.value,
    put: async (kind, key, value) => void putKept.run(kind, key, value),
    drop: async (kind, key) => dropKept.run(kind, key).changes > 0,
    list: async (kind) => listKept.all(kind) as { key: string; value: string }[],
    record: async (decisions, keep) => void record(decisions, keep),
    decision: async (id) => (getDecision.get(id) as { value: string } | undefined)?.value,
    decisions: async (limit, before) =>
      listDecisions.all(before ?? Number.MAX_SAFE_INTEGER, limit) as { id: string; at: number; value: string }[],
    watch: () => () => undefined,
    close: async () => void db.close(),
  };
}
