// The SQLite form of a gateway's state, without promises: it runs in the caller's thread for a state in memory, and in a thread
// of its own for a file. Plain JavaScript, because a thread loads it as it stands. Every call is one transaction.
import Database from 'libsql';
import { leaveSqlite } from '../../_leave-sqlite.mjs';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS account (name TEXT, window INTEGER, spent REAL NOT NULL, PRIMARY KEY (name, window)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservation (id TEXT, name TEXT, window INTEGER, amount REAL NOT NULL, expires INTEGER NOT NULL,
                                        PRIMARY KEY (id, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reservation_account ON reservation (name, window);
CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decision (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL);
`;

/** Opens a file, or memory with ':memory:': write-ahead log, deletions that overwrite. */
export function openSqlite(path, schema) {
  const db = new Database(path);
  // NORMAL: what is written survives the end of the process; only a power cut may lose the last moments of spending.
  // The wait is set first: also the change to the log waits for a connection that another thread is still closing.
  for (const pragma of ['busy_timeout = 5000', 'journal_mode = WAL', 'synchronous = NORMAL', 'secure_delete = ON']) {
    db.prepare(`PRAGMA ${pragma}`).all();
  }
  db.exec(schema);
  return db;
}

/** @param path file, or ':memory:' */
export function createSqliteState(path) {
  const db = openSqlite(path, SCHEMA);
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
  const used = (name, window, now) => ({
    spent: spentOf.get(name, window)?.spent ?? 0,
    reserved: reservedOf.get(name, window, now).sum,
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

  return {
    reserve: db.transaction((id, accounts, expiresAt, now) => {
      dropExpired.run(now);
      for (const account of accounts) {
        const { spent, reserved } = used(account.name, account.window, now);
        if (spent + reserved + account.amount > account.limit)
          return { ok: false, over: account, used: spent + reserved };
      }
      for (const { name, window, amount } of accounts) addReservation.run(id, name, window, amount, expiresAt);
      return { ok: true, reservation: { id, accounts } };
    }),
    settle: db.transaction((reservation, spent) => {
      dropReservation.run(reservation.id);
      reservation.accounts.forEach(({ name, window }, i) => addSpent.run(name, window, spent[i] ?? 0));
    }),
    usage: (names, now) => names.map(({ name, window }) => used(name, window, now)),
    get: (kind, key) => getKept.get(kind, key)?.value,
    put: (kind, key, value) => void putKept.run(kind, key, value),
    drop: (kind, key) => dropKept.run(kind, key).changes > 0,
    list: (kind) => listKept.all(kind),
    record: db.transaction((decisions, keep) => {
      for (const { id, at, value } of decisions) addDecision.run(id, at, value);
      trimDecisions.run(keep);
    }),
    decision: (id) => getDecision.get(id)?.value,
    decisions: (limit, before) => listDecisions.all(before ?? Number.MAX_SAFE_INTEGER, limit),
    close: () => leaveSqlite(db),
  };
}
