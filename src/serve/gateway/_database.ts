// A SQLite file of the gateway: the directory made where it is missing, and a refusal said in words.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type Database from 'libsql';
import { CairnError } from '../../errors.ts';
import { openSqlite } from './_sqlite-state.mjs';

/** Opens a file, or memory with ':memory:', and runs a schema in it. @throws CairnError `state_unavailable` */
export function openDatabase(path: string, schema: string): Database.Database {
  return inDirectory(path, () => openSqlite(path, schema));
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
