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
];

export interface SqliteFile {
  readonly db: Database.Database;
  readonly path: string;
  close(): void;
}

/** Opens or creates the file, takes the lock, applies migrations. Every failure is a coded error and leaves the file as it was. */
export function openFile(path: string, steps: readonly string[] = migrations): SqliteFile {
  const inMemory = path === ':memory:';
  if (!inMemory) inspectFile(path, steps.length);
  let db: Database.Database;
  try {
    db = new Database(path);
  } catch (error) {
    throw toStoreError(
      codeOf(error) === '' ? Object.assign(new Error(String(error)), { code: 'SQLITE_CANTOPEN' }) : error,
      path,
    );
  }
  try {
    configure(db, path, inMemory);
    migrate(db, path, steps);
    if (!inMemory) writeNote(path);
  } catch (error) {
    db.close();
    throw toStoreError(error, path);
  }
  return {
    db,
    path,
    close: () => {
      // Leaving WAL and the exclusive mode drops the lock now; `close` alone would keep it until statements are collected.
      if (!inMemory) {
        db.prepare('PRAGMA journal_mode = DELETE').all();
        db.prepare('PRAGMA locking_mode = NORMAL').all();
        db.prepare('SELECT count(*) FROM sqlite_master').all();
      }
      db.close();
      if (!inMemory) rmSync(noteOf(path), { force: true });
    },
  };
}

/** One number that a PRAGMA returns. */
export function pragma(db: Database.Database, text: string): number {
  const row = db.prepare(`PRAGMA ${text}`).raw().get([]);
  return Array.isArray(row) && typeof row[0] === 'number' ? row[0] : 0;
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

function configure(db: Database.Database, path: string, inMemory: boolean): void {
  const set = (text: string): unknown => db.prepare(`PRAGMA ${text}`).all();
  set('busy_timeout = 250');
  set('locking_mode = EXCLUSIVE');
  set(`page_size = ${PAGE_SIZE}`);
  set('auto_vacuum = INCREMENTAL');
  set('secure_delete = ON');
  set('temp_store = MEMORY');
  try {
    // Claims a new file before it becomes a WAL file, and takes the lock, which the system drops when the process ends.
    db.exec('BEGIN EXCLUSIVE');
    if (pragma(db, 'application_id') !== APPLICATION_ID) set(`application_id = ${APPLICATION_ID}`);
    db.exec('COMMIT');
    if (!inMemory) set('journal_mode = WAL');
    set('synchronous = FULL');
    db.exec('BEGIN IMMEDIATE; COMMIT');
  } catch (error) {
    if (!/^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))) throw error;
    const holder = readNote(path);
    throw new CairnError(
      'store_locked',
      `Expected to be the only user of ${path}, got one that ${holder === undefined ? 'another process' : `process ${holder}`} has open.`,
      {
        hint: 'Stop the other process, or give this one its own directory with --data.',
        cause: error,
        ...(holder === undefined ? {} : { details: { pid: holder } }),
      },
    );
  }
  set('busy_timeout = 5000');
  set('cache_size = -16384');
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

// The note only tells people who holds the lock; the lock itself is the operating system's.
function noteOf(path: string): string {
  return `${path}.pid`;
}

function writeNote(path: string): void {
  writeFileSync(noteOf(path), `${process.pid}\n`);
}

function readNote(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(noteOf(path), 'utf8'), 10);
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
