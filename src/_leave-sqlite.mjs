// How a SQLite file with a write-ahead log is left: as one plain file. Plain JavaScript, because threads load it as it stands.
// The driver keeps a closed connection until its statements are collected, so what it would hold must be let go before.

/**
 * Copies the log into the file, removes it where no other connection is open, and closes. Where one is, or one that was closed
 * is not collected yet, the log stays beside the file, but empty; the last one to leave removes it.
 *
 * @param db a database, also one that was left before; what its transaction did is undone
 */
export function leaveSqlite(db) {
  // The driver ends the process where a closed database is asked anything.
  if (!db.open) return;
  try {
    if (db.inTransaction) db.exec('ROLLBACK');
    db.prepare('PRAGMA busy_timeout = 250').all();
    try {
      db.prepare('PRAGMA journal_mode = DELETE').all();
    } catch (error) {
      if (error.code !== 'SQLITE_BUSY') throw error;
      db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    }
  } catch (error) {
    // Damaged, full or read by another program: the log stays beside the file and nothing is lost.
    if (typeof error?.code !== 'string' || !error.code.startsWith('SQLITE_')) throw error;
  } finally {
    db.close();
  }
}
