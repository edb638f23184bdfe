// One PostgreSQL server as a store sees it: queries and transactions that outlive a broken connection and conflicts, with
// growing, jittered pauses between the attempts. The driver is loaded when the first server is connected.
import type postgres from 'postgres';
import { Rng } from '../../tensor/index.ts';
import { faultKind, toPostgresError } from './_errors.ts';
import type { Target } from './_target.ts';

/** Eight-byte integers arrive as numbers: all that are kept here are below 2^53. */
interface Types extends Record<string, unknown> {
  readonly int8: number;
}
export type Sql = postgres.ISql<Types>;

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;
/** Conflicts are settled by trying again soon; more than this many mean that something else is wrong. */
const MOST_CONFLICTS = 40;

export class Server {
  readonly target: Target;
  readonly #sql: postgres.Sql<Types>;
  readonly #patienceMs: number;
  readonly #jitter: Rng;
  #closed = false;

  private constructor(target: Target, sql: postgres.Sql<Types>, patienceMs: number) {
    this.target = target;
    this.#sql = sql;
    this.#patienceMs = patienceMs;
    this.#jitter = new Rng(`${target.where}/${process.pid}`);
  }

  /** @param patienceMs how long in all to wait between attempts while the server does not answer */
  static async connect(target: Target, patienceMs: number): Promise<Server> {
    const { default: driver } = await import('postgres');
    const sql = driver<{ int8: postgres.PostgresType<number> }>({
      host: target.host,
      port: target.port,
      database: target.database,
      user: target.user,
      pass: target.password,
      ssl: target.tls === 'off' ? false : target.tls,
      max: 4,
      connect_timeout: 5,
      // Attempts are paced here; the driver would wait up to 20 s by itself.
      backoff: () => 0,
      fetch_types: false,
      onnotice: () => undefined,
      connection: { application_name: 'cairn', search_path: `"${target.schema}"` },
      types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    });
    return new Server(target, sql, patienceMs);
  }

  get where(): string {
    return this.target.where;
  }

  /** Runs queries that may be repeated. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#persist(() => work(this.#sql));
  }

  /**
   * Runs a transaction, again from its start after a conflict or a broken connection: `work` must notice by itself when an
   * earlier attempt was committed before the connection broke.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#persist(() => this.#sql.begin(work) as Promise<T>);
  }

  /** A connection of one's own, for locks that last as long as it. */
  async reserve(): Promise<postgres.ReservedSql<Types>> {
    return this.#persist(() => this.#sql.reserve());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#sql.end({ timeout: 5 });
  }

  async #persist<T>(attempt: () => Promise<T>): Promise<T> {
    let waited = 0;
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        const kind = faultKind(error);
        const over = kind === 'conflict' ? tries >= MOST_CONFLICTS : waited >= this.#patienceMs;
        if (kind === 'final' || over || this.#closed) throw toPostgresError(error, this.where);
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 10));
        const jittered = pause * (0.5 + this.#jitter.uniform());
        waited += jittered;
        await new Promise<void>((resolve) => setTimeout(resolve, jittered));
      }
    }
  }
}
