// Responses that later requests may go on from: kept only where the configuration says for how long, with what was asked and
// answered, since that is what going on needs. A SQLite file of this machine; old and surplus ones go by themselves.
import { type GatewayFile, openDatabase } from '../_database.ts';

export interface StoredResponse {
  readonly id: string;
  /** The client key it belongs to. */
  readonly tenant: string;
  readonly at: number;
  readonly expires: number;
  /** The response, and the chat messages up to and with it, as JSON. */
  readonly response: string;
  readonly messages: string;
}

export interface ResponseTable {
  put(stored: StoredResponse): Promise<void>;
  get(id: string, tenant: string, now: number): Promise<StoredResponse | undefined>;
  drop(id: string, tenant: string): Promise<boolean>;
  close(): Promise<void>;
}

/** More than this are not kept: the oldest go. */
const MOST = 100_000;
const MOST_BYTES = 1024 ** 3;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS response (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, tenant TEXT NOT NULL, at INTEGER NOT NULL,
  expires INTEGER NOT NULL, bytes INTEGER NOT NULL, response TEXT NOT NULL, messages TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS response_expires ON response (expires);
`;

/** @throws CairnError `state_unavailable` */
export function openResponseTable(
  at: string | GatewayFile,
  limits = { entries: MOST, bytes: MOST_BYTES },
): ResponseTable {
  const file = openDatabase(at, SCHEMA);
  const { db } = file;
  const insert = db.prepare(
    'INSERT INTO response (id, tenant, at, expires, bytes, response, messages) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const expire = db.prepare('DELETE FROM response WHERE expires <= ?');
  const sums = db.prepare('SELECT COUNT(*) AS entries, COALESCE(SUM(bytes), 0) AS bytes FROM response');
  const oldest = db.prepare('SELECT seq, bytes FROM response ORDER BY seq LIMIT 1');
  const dropSeq = db.prepare('DELETE FROM response WHERE seq = ?');
  const get = db.prepare('SELECT * FROM response WHERE id = ? AND tenant = ? AND expires > ?');
  const drop = db.prepare('DELETE FROM response WHERE id = ? AND tenant = ?');
  let size: { entries: number; bytes: number } | undefined;
  const put = db.transaction(({ id, tenant, at, expires, response, messages }: StoredResponse): void => {
    if (expire.run(at).changes > 0) size = undefined;
    const bytes = Buffer.byteLength(response) + Buffer.byteLength(messages);
    insert.run(id, tenant, at, expires, bytes, response, messages);
    size =
      size === undefined
        ? (sums.get() as { entries: number; bytes: number })
        : { entries: size.entries + 1, bytes: size.bytes + bytes };
    while (size.entries > limits.entries || size.bytes > limits.bytes) {
      const first = oldest.get() as { seq: number; bytes: number } | undefined;
      if (first === undefined) break;
      dropSeq.run(first.seq);
      size = { entries: size.entries - 1, bytes: size.bytes - first.bytes };
    }
  });
  return {
    put: async (stored) => {
      try {
        put(stored);
      } catch (error) {
        size = undefined;
        throw error;
      }
    },
    get: async (id, tenant, now) => get.get(id, tenant, now) as StoredResponse | undefined,
    drop: async (id, tenant) => {
      const { changes } = drop.run(id, tenant);
      size = undefined;
      if (changes > 0) db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
      return changes > 0;
    },
    close: async () => file.close(),
  };
}
