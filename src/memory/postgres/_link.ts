// One connection to a server, used by one caller at a time and thrown away when it breaks. The driver would go on writing to
// a socket that is gone, and connect again behind one's back; here a link has one socket in its life, and a query on a dead
// link is refused before the driver sees it.
import { Socket } from 'node:net';
import type postgres from 'postgres';
import type { Target } from './_target.ts';

/** Eight-byte integers arrive as numbers: all that are kept here are below 2^53. */
interface Types extends Record<string, unknown> {
  readonly int8: number;
}
export type Sql = postgres.ISql<Types>;
/** A piece of a query. */
export type Fragment = postgres.PendingQuery<postgres.Row[]>;

const CONNECT_MS = 5000;

export class Link {
  readonly #driver: postgres.Sql<Types>;
  /** For queries; throws CONNECTION_CLOSED when the link is dead. */
  readonly sql: Sql;
  #dead = false;

  private constructor(driver: postgres.Sql<Types>) {
    this.#driver = driver;
    this.sql = new Proxy<Sql>(driver, {
      apply: (target, self, args: unknown[]) => {
        this.#expectAlive();
        return Reflect.apply(target, self, args) as unknown;
      },
      get: (target, name) => {
        this.#expectAlive();
        return Reflect.get(target, name) as unknown;
      },
    });
  }

  /** Connects and logs in. The driver is loaded with the first link. */
  static async open(target: Target): Promise<Link> {
    const { default: connect } = await import('postgres');
    let link: Link | undefined;
    let sockets = 0;
    const options = {
      host: target.host,
      port: target.port,
      database: target.database,
      user: target.user,
      pass: target.password,
      ssl: target.tls === 'off' ? false : target.tls,
      max: 1,
      max_lifetime: null,
      idle_timeout: undefined,
      backoff: () => 0,
      fetch_types: false,
      socket: () => {
        if (++sockets > 1) throw closed();
        return openSocket(target);
      },
      onclose: () => link?.bury(),
      onnotice: () => undefined,
      connection: { application_name: 'cairn', search_path: `"${target.schema}"` },
      types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    };
    const driver = connect<{ int8: postgres.PostgresType<number> }>(options);
    link = new Link(driver);
    try {
      await driver`SELECT 1`;
      return link;
    } catch (error) {
      // There is nothing to say goodbye to.
      link.bury();
      await link.close();
      throw error;
    }
  }

  get dead(): boolean {
    return this.#dead;
  }

  bury(): void {
    this.#dead = true;
  }

  async close(): Promise<void> {
    const broken = this.#dead;
    this.#dead = true;
    await this.#driver.end({ timeout: broken ? 0 : 5 });
  }

  #expectAlive(): void {
    if (this.#dead) throw closed();
  }
}

function closed(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'CONNECTION_CLOSED' });
}

/** A connected socket that says where it leads, as the driver wants it. */
function openSocket({ host, port }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = Object.assign(new Socket(), { host, port, ssl: false });
    socket.setKeepAlive(true, 10_000);
    socket.setNoDelay(true);
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
    }, CONNECT_MS);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', fail);
    socket.connect(port, host, () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}
