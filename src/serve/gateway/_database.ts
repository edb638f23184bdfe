// A SQLite file of the gateway: the directory made where it is missing, a refusal said in words, one plain file when it is left.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type Database from 'libsql';
import { leaveSqlite } from '../../_leave-sqlite.mjs';
import { CairnError } from '../../errors.ts';
import { openSqlite } from './_sqlite-state.mjs';

/** A file that tables of the gateway are in; its opener closes it. */
export interface GatewayFile {
  readonly db: Database.Database;
  close(): void;
}

/**
 * Opens a file, or memory with ':memory:', and runs a schema in it; or runs it in a file that is open already, which its opener
 * then closes.
 * @throws CairnError `state_unavailable`
 */
export function openDatabase(at: string | GatewayFile, schema: string): GatewayFile {
  if (typeof at !== 'string') {
    at.db.exec(schema);
    return { db: at.db, close: () => undefined };
  }
  const db = inDirectory(at, () => openSqlite(at, schema));
  return { db, close: () => leaveSqlite(db) };
}

/** Makes the directory of a file and opens something in it. @throws CairnError `state_unavailable` */
export function inDirectory<T>(path: string, open: () => T): T {
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    return open();
  } catch (cause) {
    throw new CairnError('state_unavailable', `Expected to open the gateway's state at ${path}, got a refusal.`, {
      hint: 'Check that the data directory can be written and that the disk has room.',
      cause,
    });
  }
}
