// One PostgreSQL server as a store sees it: queries and transactions that outlive broken connections and conflicts, with
// growing, jittered pauses between the attempts.
import { Rng } from '../../tensor/index.ts';
import { faultKind, toPostgresError } from './_errors.ts';
import { Link, type Sql } from './_link.ts';
import type { Target } from './_target.ts';

const MOST_LINKS = 4;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;
/** Conflicts are settled by trying again soon; more than this many mean that something else is wrong. */
const MOST_CONFLICTS = 40;

export class Server {
  readonly target: Target;
  readonly #patienceMs: number;
  readonly #jitter: Rng;
  readonly #idle: Link[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #closed = false;

  /** @param patienceMs how long in all to wait between attempts while the server does not answer */
  constructor(target: Target, patienceMs: number) {
    this.target = target;
    this.#patienceMs = patienceMs;
    this.#jitter = new Rng(`${target.where}/${process.pid}`);
  }

  /** The server without user and password, for people. */
  get where(): string {
    return this.target.where;
  }

  /** Runs queries that may be repeated. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#persist(() => this.#withLink((link) => work(link.sql)));
  }

  /**
   * Runs a transaction, again from its start after a conflict or a broken connection: `work` must notice by itself when an
   * earlier attempt was committed before the connection broke.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#persist(() =>
      this.#withLink(async (link) => {
        await link.sql`BEGIN`;
        try {
          const result = await work(link.sql);
          await link.sql`COMMIT`;
          return result;
        } catch (error) {
          if (faultKind(error) === 'connection') link.bury();
          if (!link.dead) await link.sql`ROLLBACK`;
          throw error;
        }
      }),
    );
  }

  /** A link of one's own, for a lock that lasts as long as it. The caller closes it. */
  hold(): Promise<Link> {
    return this.#persist(() => Link.open(this.target));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.splice(0).map((link) => link.close()));
  }

  async #withLink<T>(work: (link: Link) => Promise<T>): Promise<T> {
    while (this.#busy >= MOST_LINKS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy++;
    let link: Link | undefined;
    try {
      do link = this.#idle.pop();
      while (link?.dead === true);
      link ??= await Link.open(this.target);
      return await work(link);
    } catch (error) {
      if (faultKind(error) === 'connection') link?.bury();
      throw error;
    } finally {
      this.#busy--;
      if (link !== undefined) {
        if (link.dead || this.#closed) await link.close();
        else this.#idle.push(link);
      }
      this.#waiting.shift()?.();
    }
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
