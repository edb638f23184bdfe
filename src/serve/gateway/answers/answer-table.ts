// Kept answers in a SQLite file of this machine: one row each, found by a hash of their request. What was asked is not in it; the answer is.
// Old, large and surplus rows go by themselves; what is deleted is overwritten in the file.
import { type GatewayFile, openDatabase } from '../_database.ts';

export interface StoredAnswer {
  /** Whose it is: a client key, or '' for this machine, or '*' for all. */
  readonly tenant: string;
  /** Hash of the request. */
  readonly key: string;
  /** Hash of everything around the ask; null where likeness has no meaning. */
  readonly context: string | null;
  /** Name of the features of the ask, and the features as float32. */
  readonly features: string | null;
  readonly vector: Uint8Array | null;
  /** The event that was answered with it. */
  readonly event: string;
  /** Configured model, and a hash of how it was configured. */
  readonly model: string;
  readonly mark: string;
  readonly usd: number;
  readonly at: number;
  readonly expires: number;
  /** The completion as JSON. */
  readonly body: string;
}

export type KeptAnswer = StoredAnswer & { readonly id: number };
export type Vectors = Pick<KeptAnswer, 'id' | 'tenant' | 'context' | 'features' | 'vector'>;
export interface StoredCheck {
  readonly similarity: number;
  readonly same: boolean;
}
/** Which answers: those of a client key, one event, or all. */
export type WhichAnswers = { readonly key: string } | { readonly event: string } | 'all';

export interface AnswerTable {
  find(tenant: string, key: string, now: number): Promise<KeptAnswer | undefined>;
  get(id: number, now: number): Promise<KeptAnswer | undefined>;
  /** Marks an answer as used now: the least recently used go first. */
  touch(id: number, now: number): Promise<void>;
  /** Keeps an answer in place of the one of the same request; returns its id. */
  put(answer: StoredAnswer, limits: { readonly entries: number; readonly bytes: number }): Promise<number>;
  vectors(): Promise<Vectors[]>;
  /** Deletes for good; returns how many. */
  drop(which: WhichAnswers): Promise<number>;
  size(now: number): Promise<{ readonly entries: number; readonly bytes: number }>;
  addCheck(of: string, check: StoredCheck, keep: number): Promise<void>;
  /** Oldest first. */
  checks(of: string): Promise<StoredCheck[]>;
  close(): Promise<void>;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS answer (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, key TEXT NOT NULL, context TEXT, features TEXT,
  vector BLOB, event TEXT NOT NULL, model TEXT NOT NULL, mark TEXT NOT NULL, usd REAL NOT NULL, at INTEGER NOT NULL,
  expires INTEGER NOT NULL, used INTEGER NOT NULL, bytes INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, key));
CREATE INDEX IF NOT EXISTS answer_used ON answer (used);
CREATE INDEX IF NOT EXISTS answer_event ON answer (event);
CREATE INDEX IF NOT EXISTS answer_expires ON answer (expires);
CREATE TABLE IF NOT EXISTS answer_check (seq INTEGER PRIMARY KEY, of TEXT NOT NULL, similarity REAL NOT NULL, same INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS answer_check_of ON answer_check (of, seq);
`;

/** Opens the answers of this machine in a file, in memory with ':memory:', or in a file that is open. @throws CairnError `state_unavailable` */
export function openAnswerTable(at: string | GatewayFile): AnswerTable {
  const file = openDatabase(at, SCHEMA);
  const { db } = file;
  const find = db.prepare('SELECT * FROM answer WHERE tenant = ? AND key = ? AND expires > ?');
  const get = db.prepare('SELECT * FROM answer WHERE id = ? AND expires > ?');
  const touch = db.prepare('UPDATE answer SET used = ? WHERE id = ?');
  const dropExpired = db.prepare('DELETE FROM answer WHERE expires <= ?');
  const dropSame = db.prepare('DELETE FROM answer WHERE tenant = ? AND key = ?');
  const dropOne = db.prepare('DELETE FROM answer WHERE id = ?');
  const insert = db.prepare(
    'INSERT INTO answer (tenant, key, context, features, vector, event, model, mark, usd, at, expires, used, bytes, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const sums = db.prepare('SELECT COUNT(*) AS entries, COALESCE(SUM(bytes), 0) AS bytes FROM answer');
  const live = db.prepare('SELECT COUNT(*) AS entries, COALESCE(SUM(bytes), 0) AS bytes FROM answer WHERE expires > ?');
  const leastUsed = db.prepare('SELECT id, bytes FROM answer ORDER BY used, id LIMIT 1');
  const vectors = db.prepare(
    'SELECT id, tenant, context, features, vector FROM answer WHERE vector IS NOT NULL ORDER BY id',
  );
  const dropAll = db.prepare('DELETE FROM answer');
  const dropEvent = db.prepare('DELETE FROM answer WHERE event = ?');
  const dropTenant = db.prepare("DELETE FROM answer WHERE substr(tenant, 1, length(?1) + 1) = ?1 || ' '");
  const addCheck = db.prepare('INSERT INTO answer_check (of, similarity, same) VALUES (?, ?, ?)');
  const trimChecks = db.prepare(
    'DELETE FROM answer_check WHERE of = ?1 AND seq <= (SELECT seq FROM answer_check WHERE of = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)',
  );
  const checks = db.prepare('SELECT similarity, same FROM answer_check WHERE of = ? ORDER BY seq');
  const version = db.prepare('PRAGMA data_version');
  let size: { entries: number; bytes: number } | undefined;
  /** Changes when another process wrote. */
  let seen: unknown;

  const put = db.transaction((answer: StoredAnswer, limits: { entries: number; bytes: number }): number => {
    if (dropExpired.run(answer.at).changes + dropSame.run(answer.tenant, answer.key).changes > 0) size = undefined;
    const now = (version.get() as { data_version: unknown }).data_version;
    if (now !== seen) size = undefined;
    seen = now;
    const bytes = Buffer.byteLength(answer.body) + (answer.vector?.byteLength ?? 0) + 256;
    const { lastInsertRowid } = insert.run(
      answer.tenant,
      answer.key,
      answer.context,
      answer.features,
      answer.vector === null ? null : Buffer.from(answer.vector),
      answer.event,
      answer.model,
      answer.mark,
      answer.usd,
      answer.at,
      answer.expires,
      answer.at,
      bytes,
      answer.body,
    );
    size = size === undefined ? (sums.get() as { entries: number; bytes: number }) : added(size, 1, bytes);
    while (size.entries > limits.entries || size.bytes > limits.bytes) {
      const oldest = leastUsed.get() as { id: number; bytes: number } | undefined;
      if (oldest === undefined) break;
      dropOne.run(oldest.id);
      size = added(size, -1, -oldest.bytes);
    }
    return Number(lastInsertRowid);
  });
  const check = db.transaction((of: string, { similarity, same }: StoredCheck, keep: number): void => {
    addCheck.run(of, similarity, same ? 1 : 0);
    trimChecks.run(of, keep);
  });
  return {
    find: async (tenant, key, now) => find.get(tenant, key, now) as KeptAnswer | undefined,
    get: async (id, now) => get.get(id, now) as KeptAnswer | undefined,
    touch: async (id, now) => void touch.run(now, id),
    put: async (answer, limits) => {
      try {
        return put(answer, limits) as number;
      } catch (error) {
        size = undefined;
        throw error;
      }
    },
    vectors: async () => vectors.all() as Vectors[],
    drop: async (which) => {
      const { changes } =
        which === 'all' ? dropAll.run() : 'key' in which ? dropTenant.run(which.key) : dropEvent.run(which.event);
      size = undefined;
      // What stood in the log of the file goes as well.
      if (changes > 0) db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
      return changes;
    },
    size: async (now) => live.get(now) as { entries: number; bytes: number },
    close: async () => file.close(),
    addCheck: async (of, one, keep) => void check(of, one, keep),
    checks: async (of) =>
      (checks.all(of) as { similarity: number; same: number }[]).map(({ similarity, same }) => ({
        similarity,
        same: same === 1,
      })),
  };
}

function added(
  size: { entries: number; bytes: number },
  entries: number,
  bytes: number,
): { entries: number; bytes: number } {
  return { entries: size.entries + entries, bytes: size.bytes + bytes };
}
