// Types of _leave-sqlite.mjs.
import type Database from 'libsql';

export function leaveSqlite(db: Database.Database): void;
