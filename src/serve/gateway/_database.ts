// A SQLite file of the gateway: write-ahead log, deletions that overwrite, the directory made where it is missing.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { CairnError } from '../../errors.ts';

/** Opens a file, or memory with ':memory:', and runs a schema in it. @throws CairnError `state_unavailable` */
export function openDatabase(path: string, schema: string): Database.Database {
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    const db = new Database(path);
    // NORMAL: what is written survives the end of the process; only a power cut may lose the last moments of spending.
    for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'busy_timeout = 5000', 'secure_delete = ON']) {
      db.prepare(`PRAGMA ${pragma}`).all();
    }
    db.exec(schema);
    return db;
  } catch (cause) {
    throw new CairnError('state_unavailable', `Expected to open the gateway's state at ${path}, got a refusal.`, {
      hint: 'Check that the data directory can be written and that the disk has room.',
      cause,
    });
  }
}
