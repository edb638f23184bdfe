// The two housekeeping jobs of the SQLite store: folding pending events into compact rows, and giving back the room of
// erased ones. Both are transactions; neither changes an answer.
import type Database from 'libsql';
import { packSketch, unpackSketch } from './_event-rows.ts';
import type { PostingTable } from './_posting-table.ts';
import { packSegment } from './_segments.ts';
import type { SqliteIndex } from './_sqlite-index.ts';
import type { TermIndex } from './_term-index.ts';

/** Moves all pending events into one segment row and into the posting tables. Nothing has changed when it throws. */
export function foldPending(
  db: Database.Database,
  { index, postings, terms }: { index: SqliteIndex; postings: PostingTable; terms: TermIndex },
): void {
  const refs = [...index.pending.keys()].sort((a, b) => a - b);
  const first = refs[0]!;
  const places = refs[refs.length - 1]! - first + 1;
  const entries = Array.from({ length: places }, (_, i) => index.pending.get(first + i));
  try {
    db.exec('BEGIN IMMEDIATE');
    db.prepare('INSERT INTO segment VALUES (?, ?)').run([first, packSegment(entries)]);
    for (const [key, list] of index.tailKeys()) postings.append(key, list);
    db.exec('DELETE FROM pending');
    terms.fold();
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    postings.reload();
    terms.reload();
    throw error;
  }
  index.clearPending();
  terms.clearPending();
}

/**
 * Removes the blank rows of erased events and the blank ends of shortened sketches, then writes the file anew. It needs as
 * much free room as the file has.
 */
export function compactFile(db: Database.Database): void {
  const shortened = db.prepare('SELECT ord, bytes FROM sketch WHERE ord > ? ORDER BY ord LIMIT 256').raw();
  const update = db.prepare('UPDATE sketch SET bytes = ? WHERE ord = ?');
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec('DELETE FROM sketch WHERE ord IN (SELECT ord FROM event WHERE structure = 0)');
    db.exec('DELETE FROM event WHERE structure = 0');
    for (let last = 0; ;) {
      const rows = shortened.all([last]) as [number, Uint8Array][];
      if (rows.length === 0) break;
      for (const [ord, row] of rows) {
        const sketch = unpackSketch(row);
        if (sketch !== undefined && sketch.length + 8 < row.length) update.run([packSketch(sketch), ord]);
      }
      last = rows[rows.length - 1]![0];
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
  db.exec('VACUUM');
}
