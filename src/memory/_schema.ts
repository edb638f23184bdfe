// The SQLite schema, its numbered migrations, and how a file is opened: who it belongs to, which version it has, and that
// nobody else has it open. Foreign and newer files are refused before anything is written to them.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { leaveSqlite } from '../_leave-sqlite.mjs';
import { CairnError } from '../errors.ts';
import { codeOf, toStoreError } from './_sqlite-errors.ts';

/** "Carn": marks the file as ours. */
export const APPLICATION_ID = 0x4361726e;
const PAGE_SIZE = 16_384; // fifteen sketches of 1 KiB fill a page

/** Statements of each schema version; version n is reached by running migrations 1 to n. Never change one that shipped. */
export const migrations: readonly string[] = [
  `CREATE TABLE name      (ord INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, n INTEGER NOT NULL, UNIQUE (kind, text));
   CREATE TABLE structure (ord INTEGER PRIMARY KEY, hash TEXT UNIQUE NOT NULL, n INTEGER NOT NULL, bytes BLOB NOT NULL);
   CREATE TABLE event     (ord INTEGER PRIMARY KEY, id BLOB NOT NULL, structure INTEGER, task INTEGER, source INTEGER, at INTEGER,
                           n INTEGER, provenance BLOB, meta BLOB, crc INTEGER);
   CREATE TABLE sketch    (ord INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE pending   (ord INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE segment   (first INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE posting   (grp INTEGER, key INTEGER, ords BLOB NOT NULL, PRIMARY KEY (grp, key)) WITHOUT ROWID;
   CREATE TABLE entity    (ord INTEGER PRIMARY KEY, key INTEGER NOT NULL, module INTEGER NOT NULL, signature BLOB NOT NULL);
   CREATE TABLE stat      (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
   CREATE TABLE tombstone (hash BLOB PRIMARY KEY, at INTEGER, certificate TEXT NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE span         (ord INTEGER PRIMARY KEY, valid_from INTEGER, valid_to INTEGER, retracted INTEGER, crc INTEGER NOT NULL);
   CREATE TABLE link         (ord INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE edge         (src INTEGER, kind INTEGER, dst INTEGER, weight INTEGER NOT NULL, n INTEGER NOT NULL, seconds INTEGER NOT NULL,
                              PRIMARY KEY (src, kind, dst)) WITHOUT ROWID;
   CREATE TABLE pending_term (ord INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE term         (grp INTEGER, key INTEGER, ords BLOB NOT NULL, PRIMARY KEY (grp, key)) WITHOUT ROWID;
   CREATE TABLE document     (grp INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE source_text  (ord INTEGER PRIMARY KEY, size INTEGER NOT NULL, bytes BLOB NOT NULL);`,
];

export interface SqliteFile {
  readonly db: Database.Database;
  readonly path: string;
  close(): void;
}

/** Opens or creates the file, takes the lock, applies migrations. Every failure is a coded error and leaves the file as it was. */
export function openFile(path: string, steps: readonly string[] = migrations): SqliteFile {
  if (path === ':memory:') {
    const db = new Database(path);
    configure(db, true);
    migrate(db, path, steps);
    return { db, path, close: () => db.close() };
  }
  // A file that was never locked by us is looked at first, so that nothing appears beside the files of others.
  if (!existsSync(lockOf(path))) inspectFile(path, steps.length);
  const lock = takeLock(path);
  let db: Database.Database | undefined;
  try {
    inspectFile(path, steps.length);
    db = new Database(path);
    configure(db, false);
    migrate(db, path, steps);
    writeFileSync(noteOf(path), `${process.pid}\n`);
  } catch (error) {
    if (db !== undefined) leaveSqlite(db);
    releaseLock(lock);
    throw toStoreError(error, path);
  }
  const open = db;
  return {
    db,
    path,
    close: () => {
      leaveSqlite(open);
      rmSync(noteOf(path), { force: true });
      releaseLock(lock);
    },
  };
}

/**
 * The lock is an open transaction on an empty file beside the store: the system drops it when the process ends, however it
 * ends, so it is never stale. The file stays; removing it would let two processes lock two files of one name.
 */
function takeLock(path: string): Database.Database {
  let lock: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    lock = new Database(lockOf(path));
    lock.prepare('PRAGMA busy_timeout = 250').all();
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (!/^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))) throw toStoreError(error, path);
    const holder = readNote(path);
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    throw new CairnError('store_locked', `Expected to be the only user of ${path}, got one that ${who} has open.`, {
      hint: 'Stop the other process, or give this one its own directory with --data.',
      cause: error,
      ...(holder === undefined ? {} : { details: { pid: holder } }),
    });
  }
}

function releaseLock(lock: Database.Database): void {
  lock.exec('ROLLBACK');
  lock.close();
}

/** One number that a PRAGMA returns. */
export function pragma(db: Database.Database, text: string): number {
  const row = db.prepare(`PRAGMA ${text}`).raw().get([]);
  return Array.isArray(row) && typeof row[0] === 'number' ? row[0] : 0;
}

/** Bytes of the pages of every table, with the indices that SQLite makes for its UNIQUE columns. */
export function bytesByTable(db: Database.Database): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const row of db.prepare('SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE').raw().all([])) {
    const [name, size] = row as [string, number];
    const table = /^sqlite_autoindex_(\w+?)_\d+$/.exec(name)?.[1] ?? name;
    bytes[table] = (bytes[table] ?? 0) + size;
  }
  return bytes;
}

/** Reads the header only: another program's file must not even be locked. */
function inspectFile(path: string, version: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path) || statSync(path).size === 0) return;
    const size = statSync(path).size;
    const header = new Uint8Array(100);
    const file = openSync(path, 'r');
    const read = readSync(file, header, 0, 100, 0);
    closeSync(file);
    const view = new DataView(header.buffer);
    const magic = new TextDecoder('latin1').decode(header.subarray(0, 16));
    if (read < 100 || magic !== 'SQLite format 3\0' || view.getUint32(68) !== APPLICATION_ID) {
      throw Object.assign(new Error('foreign'), { code: 'SQLITE_NOTADB' });
    }
    const found = view.getUint32(60);
    if (found > version) throw newerSchema(path, found, version);
    const pageSize = view.getUint16(16) === 1 ? 65_536 : view.getUint16(16);
    const walPending = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
    const sizeKnown = view.getUint32(24) === view.getUint32(92);
    if (!walPending && sizeKnown && size < view.getUint32(28) * pageSize) {
      throw Object.assign(new Error('truncated'), { code: 'SQLITE_CORRUPT' });
    }
  } catch (error) {
    throw toStoreError(error, path);
  }
}

function newerSchema(path: string, found: number, version: number): CairnError {
  return new CairnError('store_newer', `Expected schema ${version} or older at ${path}, got ${found}.`, {
    hint: 'Update Cairn, or choose another directory with --data; the file was not changed.',
  });
}

function configure(db: Database.Database, inMemory: boolean): void {
  const set = (text: string): unknown => db.prepare(`PRAGMA ${text}`).all();
  set('busy_timeout = 5000');
  set(`page_size = ${PAGE_SIZE}`);
  set('auto_vacuum = INCREMENTAL');
  set('secure_delete = ON');
  set('temp_store = MEMORY');
  // Claims a new file before it becomes a WAL file; an old one must be writable at once, not at the first event.
  db.exec('BEGIN EXCLUSIVE');
  if (pragma(db, 'application_id') === APPLICATION_ID) set(`user_version = ${pragma(db, 'user_version')}`);
  else set(`application_id = ${APPLICATION_ID}`);
  db.exec('COMMIT');
  if (!inMemory) set('journal_mode = WAL');
  set('synchronous = FULL');
  set('cache_size = -32768');
  set('wal_autocheckpoint = 256');
  set('journal_size_limit = 4194304');
}

function migrate(db: Database.Database, path: string, steps: readonly string[]): void {
  const found = pragma(db, 'user_version');
  if (found > steps.length) throw newerSchema(path, found, steps.length);
  for (let version = found; version < steps.length; version++) {
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(steps[version]!);
      db.prepare(`PRAGMA user_version = ${version + 1}`).all();
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }
}

function lockOf(path: string): string {
  return `${path}.lock`;
}

/** The note only tells people who holds the lock. */
function noteOf(path: string): string {
  return `${path}.pid`;
}

function readNote(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(noteOf(path), 'utf8'), 10);
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
